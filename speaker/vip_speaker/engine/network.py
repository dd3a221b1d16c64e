"""What the kernel tells of links and addresses, handed to the routers that it concerns.

The monitor loses events when they come faster than they are read; then links and addresses are
listed anew by the worker, since a list may wait for a kernel lock.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Protocol

from vip_speaker.engine import changes
from vip_speaker.engine.chores import Chores
from vip_speaker.engine.clock import boottime_ns
from vip_speaker.engine.fleet import Fleet
from vip_speaker.engine.node import Node
from vip_speaker.engine.retry import Retry
from vip_speaker.engine.router import Router
from vip_speaker.linux.addresses import DumpRequest, DumpResult
from vip_speaker.linux.monitor import Event

_log = logging.getLogger("engine")


class Listener(Protocol):
    """Who follows the interfaces of the node besides routers."""

    def touch(self, router: Router) -> None:
        """Something happened to a router: its timers may be others."""

    def links_vanished(self, indexes: frozenset[int]) -> None:
        """Interfaces went, and what was open on them with them, even if they are back already."""

    def interfaces_changed(self) -> None:
        """The interfaces that are reported, or listened to, may be others."""


class NetworkNews:
    """Reads the monitor and tells routers and one listener.

    An event costs what it concerns, however many interfaces and routers there are.
    """

    def __init__(self, node: Node, fleet: Fleet, listener: Listener) -> None:
        self._node = node
        self._monitor = node.monitor
        self._fleet = fleet
        self._listener = listener
        self._retry = Retry()
        self._steps = Chores()

    @property
    def has_work(self) -> bool:
        """Whether `proceed` has something left to do."""
        return bool(self._steps)

    @property
    def due_ns(self) -> int | None:
        """When `tick` is due."""
        return self._retry.due_ns

    def tick(self, now: int) -> None:
        """Ask again for the lists that could not be had."""
        if self._retry.is_due(now):
            self._retry.due_ns = None
            self._ask()

    def read(self, until_ns: int) -> bool:
        """Act on what the kernel has told since the last call; return whether that is all.

        What is left to do at that time is left to `proceed`.
        """
        self.proceed(until_ns)
        if self._steps:
            return False
        had_lost_events = self._monitor.needs_resync
        events = self._monitor.read()
        if self._monitor.needs_resync and not had_lost_events:
            _log.warning("The kernel dropped events; listing links and addresses again")
            self._ask()
        self._act_on(events)
        self.proceed(until_ns)
        return self._monitor.emptied and not self._steps

    def proceed(self, until_ns: int) -> None:
        """Go on with what the kernel has told, until then, one router at least."""
        self._steps.proceed(until_ns)

    def listed(self, result: DumpResult) -> None:
        """The worker has listed links and addresses, or could not."""
        now = boottime_ns()
        self._retry.note(now, failed=result.error is not None)
        if result.error is not None:
            _log.error("Could not list links and addresses, trying again: %s", result.error)
            return
        overflows = result.request.overflows
        self._act_on(self._monitor.resync(result.links, result.addresses, overflows))
        if self._monitor.needs_resync:
            self._ask()

    def _ask(self) -> None:
        self._node.worker.submit(DumpRequest(overflows=self._monitor.overflows))

    def _act_on(self, events: list[Event]) -> None:
        if events:
            self._steps.add(self._acting_on(events))

    def _acting_on(self, events: list[Event]) -> Iterator[None]:
        """Act on what is not our own doing, a step for each router that it concerns."""
        news, vanished = changes.news(events), changes.vanished_links(events)
        for router in self._touched(self._node.dependencies.on(vanished)):
            router.links_vanished(boottime_ns(), vanished)
            yield
        others = changes.change_reports(news, self._monitor.link)
        if others and vanished:
            self._listener.links_vanished(vanished)
        # Places first: what is gone with its interface or its family was removed by nobody.
        for router in self._touched(self._node.dependencies.concerned(news)):
            router.network_changed(boottime_ns())
            yield
        yield from self._addresses_removed(events)
        if others:
            self._listener.interfaces_changed()

    def _addresses_removed(self, events: list[Event]) -> Iterator[None]:
        gone = {(one.index, one.address) for one in changes.removed_of_ours(events)}
        if gone:
            gone -= self._monitor.view.tagged
        if not gone:
            return
        for router in self._fleet:
            lost = [one for one in router.held if one in gone]
            for index, address in lost:
                router.address_removed(boottime_ns(), index, address)
                self._listener.touch(router)
            if lost:
                yield

    def _touched(self, names: Iterable[str]) -> Iterator[Router]:
        for name in names:
            router = self._fleet.find(name)  # it may have ended since
            if router is not None:
                self._listener.touch(router)
                yield router
