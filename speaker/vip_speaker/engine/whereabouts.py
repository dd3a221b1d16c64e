"""Keeps a router where it can run: finds its place, and tells the election what it can do there."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Container, Iterable
from typing import Protocol

from vip_model.vocabulary import Reason, Substate
from vip_speaker.engine.compile import (
    UnplannedSourceError,
    check_sources,
    election_config,
    has_moved,
    is_elsewhere,
)
from vip_speaker.engine.instances import RunningInstances
from vip_speaker.engine.obstacles import Obstacles
from vip_speaker.engine.placement import Placement
from vip_speaker.messages import DesiredRouter
from vip_speaker.vrrp.actions import Action, BindAddresses
from vip_speaker.vrrp.config import Health
from vip_speaker.vrrp.election import Election

_log = logging.getLogger("engine")


class Resident(Protocol):
    """The router that has a place."""

    def apply(self, now: int, actions: Iterable[Action]) -> None:
        """Do what the election says."""

    def begin(self, now: int) -> None:
        """Everything that is needed is there for the first time: start the election."""

    def bind(self, now: int) -> None:
        """Bring the kernel to the addresses of what runs."""

    def announce_again(self, now: int) -> None:
        """Clients may send to another interface of this node."""

    def forget_earlier(self) -> None:
        """What an earlier life was doing counts no more."""


class Whereabouts:
    """Follows links, addresses and configuration with the instances of one router.

    Attributes:
        election: the election, or None as long as it could never be placed on this node.
        obstacles: what keeps it, or some of it, from running.
    """

    def __init__(self, resident: Resident, instances: RunningInstances, shown: str) -> None:
        """Prepare; `shown` is the router's name in the log."""
        # Weak, so that a router that has ended goes at once, without the collector of garbage.
        self._resident = weakref.proxy(resident)
        self._instances = instances
        self._shown = shown
        self.election: Election | None = None
        self.obstacles = Obstacles()

    def find(self, now: int, desired: DesiredRouter, health: Health) -> None:
        """Find the place of each instance again, and go on with what has one."""
        placement = self._instances.find_place(now, desired)
        try:
            check_sources(placement.placed.values())
        except UnplannedSourceError as error:
            self._resident.forget_earlier()  # it was known by another source, if by any
            self._instances.placement = placement
            self._wait(now, str(error), Reason.SOURCE_CHANGED, resign=True)
            return
        if not placement.placed:
            # While there are sockets: a link that works carries the resignation.
            can_send = self._instances.can_send()
            self._wait(now, placement.why, Reason.NOT_PLACEABLE, resign=can_send)
        if not self._instances.is_at(placement):
            if self._goes_on_meanwhile(now, placement):
                return
            placement = self._settle(now, placement, health)
        if self._instances.note_beside(placement.placed):
            self._resident.announce_again(now)
        if self._may_run(placement):
            self._proceed(now, placement)
        else:
            level = logging.DEBUG if placement.is_pending else logging.WARNING
            resign = bool(placement.placed)
            self._wait(now, placement.why, Reason.NOT_PLACEABLE, resign=resign, level=level)

    def links_vanished(self, now: int, indexes: Container[int]) -> bool:
        """Close what was open there; return whether anything was."""
        if not self._instances.close_on(indexes):
            return False
        if self.election is not None and self.election.started:
            left = frozenset(self._instances.placed)
            actions = self.election.instances_changed(now, left, Reason.NOT_PLACEABLE)
            self._resident.apply(now, actions)
        return True

    def _goes_on_meanwhile(self, now: int, placement: Placement) -> bool:
        """Whether it stays where it is until the sockets for its new place are open."""
        before = self._instances.placed
        if not before or not placement.placed or has_moved(before, placement.placed):
            return False
        return not self._instances.reserve(now, placement)

    def _settle(self, now: int, placement: Placement, health: Health) -> Placement:
        """Open sockets there, configure the election; return the place of what has sockets."""
        election, before = self.election, self._instances.placed
        if election is not None and has_moved(before, placement.placed):
            actions = election.fault(now, Reason.SOURCE_CHANGED, resign=True)
            self._resident.apply(now, actions)
        placement = self._instances.open(now, placement)
        placed = placement.placed
        if not placed:
            return placement
        config = election_config(placement.router, placed)
        if election is None:
            self.election = Election(config, health)
            return placement
        actions = election.reconfigure(now, config)
        if is_elsewhere(before, placed) and BindAddresses() not in actions:
            actions += election.relocate(now)
        self._resident.apply(now, actions)
        if before.keys() - placed.keys() and election.holds_addresses:
            self._resident.bind(now)  # without what cannot be bound any more
        return placement

    def _may_run(self, placement: Placement) -> bool:
        """Whether it takes part in this place, or waits."""
        if not placement.missing:
            return True
        election = self.election
        runs = election is not None and election.substate not in (Substate.IDLE, Substate.FAULTED)
        is_decided = runs or not placement.is_pending
        return bool(placement.placed) and placement.router.health_bands and is_decided

    def _proceed(self, now: int, placement: Placement) -> None:
        """It has a place: start, or go on with what there is."""
        assert self.election is not None
        if self.obstacles.wait("", Reason.NOT_PLACEABLE):
            _log.info("Router %s can run now", self._shown)
        if self.obstacles.lack(placement.why):
            if placement.missing:
                _log.warning("Router %s runs without a part: %s", self._shown, placement.why)
            else:
                _log.info("Router %s has all that it needs again", self._shown)
        if self.election.started:
            working = frozenset(placement.placed)
            self._resident.apply(now, self.election.instances_changed(now, working))
        else:
            self._resident.begin(now)

    def _wait(
        self,
        now: int,
        what_for: str,
        reason: Reason,
        *,
        resign: bool,
        level: int = logging.WARNING,
    ) -> None:
        if self.obstacles.wait(what_for, reason):
            _log.log(level, "Router %s waits: %s", self._shown, what_for)
        if self.election is not None and self.election.started:
            self._resident.apply(now, self.election.fault(now, reason, resign=resign))
