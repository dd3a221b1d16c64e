"""Tells people of what neighbours do: in the log, and in the status that others ask for."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from vip_model.vocabulary import Family
from vip_speaker.engine.clock import boottime_ns
from vip_speaker.engine.neighbours import Announced, Complaint, Neighbours
from vip_speaker.engine.router import Router
from vip_speaker.linux.monitor import Monitor
from vip_speaker.linux.view import NetworkView
from vip_speaker.messages import NeighbourComplaint
from vip_speaker.vrrp.timers import SECOND_NS

# Somebody who invents neighbours must not fill the log: so many lines within so long.
_LINES = 20
_LINES_WITHIN_NS = 600 * SECOND_NS

_log = logging.getLogger("engine")


class NeighbourWatch:
    """Holds what is wrong, and logs when it begins and when it is over."""

    def __init__(self, routers: Iterable[Router], monitor: Monitor) -> None:
        self._routers = routers
        self._monitor = monitor
        self.neighbours = Neighbours()
        self.complaints: list[NeighbourComplaint] = []
        self._shown: frozenset[Complaint] = frozenset()
        self._lines = 0
        self._lines_since_ns = 0

    @property
    def due_ns(self) -> int | None:
        """When `review` is due."""
        return self.neighbours.due_ns

    def knowing(self) -> Iterator[None]:
        """Take what this node announces now, in many steps."""
        yield from self.neighbours.knowing(boottime_ns, announced(self._routers))
        self._show(boottime_ns())

    def review(self, now: int) -> None:
        """Look at what is due."""
        if self.due_ns is not None and now >= self.due_ns:
            self.neighbours.review(now)
            self._show(now)

    def _show(self, now: int) -> None:
        present = self.neighbours.present
        names = {router.name: router.desired.display_name for router in self._routers}
        self.complaints = [_message(each, names, self._monitor.view) for each in present]
        shown = frozenset(present)
        for each in sorted(shown - self._shown):
            name = names.get(each.router, each.router)
            self._say(now, logging.WARNING, f"Router {name}: {each.sentence}")
        for each in sorted(self._shown - shown):
            name = names.get(each.router, each.router)
            self._say(now, logging.INFO, f"Router {name}: resolved: {each.sentence}")
        self._shown = shown

    def _say(self, now: int, level: int, line: str) -> None:
        if now - self._lines_since_ns >= _LINES_WITHIN_NS:
            self._lines, self._lines_since_ns = 0, now
        self._lines += 1
        if self._lines < _LINES:
            _log.log(level, "%s", line)
        elif self._lines == _LINES:
            _log.warning("There are more problems with neighbours: see `vip-speaker status`")


def announced(routers: Iterable[Router]) -> Iterable[Announced]:
    """Yield what this node announces while it is Active, and expects of others meanwhile."""
    for router in routers:
        for placed in router.instances.placed.values():
            yield Announced(
                router.name, placed.index, placed.virtual_router_id, frozenset(placed.addresses)
            )


def _message(complaint: Complaint, names: dict[str, str], view: NetworkView) -> NeighbourComplaint:
    link = view.link_by_index(complaint.ifindex)
    return NeighbourComplaint(
        name=names.get(complaint.router, complaint.router),
        router=complaint.router,
        problem=complaint.problem,
        family=Family.IPV4 if complaint.source.version == 4 else Family.IPV6,
        interface=link.name if link is not None else "",
        source=str(complaint.source),
        message=complaint.sentence,
    )
