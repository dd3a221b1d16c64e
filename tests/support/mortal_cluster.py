"""A cluster whose nodes die, lose the API server and come back, second by second.

Every speaker does what docs/kubernetes.md says: it renews its Lease every 10 s, applies what it
sees at once, and reports of nodes that are marked as unreachable whether it hears them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from support.planned_cluster import WEB, PlannedCluster
from support.resources import lan, node
from vip_model.resources.speaker import ActiveRouter, WatchedNode
from vip_model.resources.virtual_router import VirtualRouter

RENEWED_EVERY_SECONDS = 10
SILENT_AFTER_SECONDS = 3


def cluster_of(count: int, **parts: object) -> MortalCluster:
    """Return a cluster with nodes n1, n2, … on one LAN, all of them alive."""
    names = [f"n{number}" for number in range(1, count + 1)]
    return MortalCluster(
        speakers=lan(count),
        nodes=[node(name) for name in names],
        applied=dict.fromkeys(names, 0),
        **parts,  # type: ignore[arg-type]  # those of the class
    )


@dataclass
class MortalCluster(PlannedCluster):
    """What is stored, the operator that leads, and what runs on each node.

    Attributes:
        dead: nodes without power.
        cut: nodes whose agents do not reach the API server; their engines run.
        api_away: nobody reaches it, the operator included.
        engines: by node, the VirtualRouters as its engine knows them.
        reports: what a node reports of all that it watches instead of what it hears; None:
            nothing.
    """

    dead: set[str] = field(default_factory=set)
    cut: set[str] = field(default_factory=set)
    api_away: bool = False
    engines: dict[str, dict[str, VirtualRouter]] = field(default_factory=dict)
    reports: dict[str, bool | None] = field(default_factory=dict)
    _asked: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def seconds(self) -> int:
        """The time."""
        return self.now_ns // 1_000_000_000

    @property
    def reachable(self) -> list[str]:
        """The nodes whose agents reach the API server."""
        if self.api_away:
            return []
        return [name for name in self.applied if name not in self.dead | self.cut]

    def pass_seconds(self, seconds: int) -> int:
        """Let time go by, a second at a time; return how often the operator wrote."""
        writes = self.writes
        for _each in range(seconds):
            self.pass_time(1)
            for name in self.reachable:
                self.turn(name)
            if not self.api_away:
                self.round()
            self.check()
        return self.writes - writes

    def die(self, *names: str) -> None:
        """Cut the power of nodes."""
        self.dead.update(names)
        for name in names:
            self.engines.pop(name, None)

    def revive(self, *names: str) -> None:
        """Let nodes reach the API server again; those without power boot."""
        self.dead.difference_update(names)
        self.cut.difference_update(names)

    def claim(self, name: str) -> None:
        """Let a node report that it is Active for shop/web."""
        self.speakers = [
            msgspec.structs.replace(
                each,
                status=msgspec.structs.replace(each.status, active=(ActiveRouter(router=WEB),)),
            )
            if each.node == name
            else each
            for each in self.speakers
        ]

    def running(self, name: str) -> list[VirtualRouter]:
        """Return the elections that a node's engine runs."""
        return [
            router
            for router in self.engines.get(name, {}).values()
            if not router.spec.retired
            and not router.spec.standby
            and name in [candidate.node for candidate in router.spec.candidates]
        ]

    def runs(self, name: str) -> dict[str, set[str]]:
        """Return which addresses a node's engine may hold, by election."""
        return {
            router.name: {one for each in router.spec.instances for one in each.addresses}
            for router in self.running(name)
        }

    def check(self) -> None:
        """Judge that no address and no VRID has two elections anywhere."""
        elections: dict[str, set[str]] = {}
        for name in self.applied:
            for router in self.running(name):
                for each in router.spec.instances:
                    for what in (*each.addresses, f"{each.family} {each.virtual_router_id}"):
                        elections.setdefault(what, set()).add(router.name)
        twice = {what: names for what, names in elections.items() if len(names) > 1}
        assert not twice, f"two elections at {self.seconds} s: {twice}"

    def turn(self, name: str) -> None:
        """Let a speaker do what it does within a second."""
        newest = max((each.spec.revision for each in self.routers.values()), default=0)
        self.engines[name] = dict(self.routers)
        phase = int(name.removeprefix("n")) % RENEWED_EVERY_SECONDS
        if self.seconds % RENEWED_EVERY_SECONDS == phase or newest > self.applied[name]:
            self.renewals[name] = self.renewals.get(name, 0) + 1
        self.applied[name] = max(self.applied[name], newest)
        watched = tuple(self._watch(name))
        self.speakers = [
            msgspec.structs.replace(
                each, status=msgspec.structs.replace(each.status, watched=watched)
            )
            if each.node == name
            else each
            for each in self.speakers
        ]

    def _watch(self, name: str) -> Iterator[WatchedNode]:
        asked = set(self._asked_of(name))
        for other in self.applied:
            if other not in asked:
                self._asked.pop((name, other), None)
        for other in sorted(asked):
            since = self._asked.setdefault((name, other), self.seconds)
            if name in self.reports:
                said = self.reports[name]
                if said is not None:
                    yield WatchedNode(node=other, heard=said)
            elif other not in self.dead:
                yield WatchedNode(node=other, heard=True)
            elif self.seconds - since >= SILENT_AFTER_SECONDS:
                yield WatchedNode(node=other, heard=False)

    def _asked_of(self, name: str) -> Iterable[str]:
        for router in self.routers.values():
            candidates = {each.node: each for each in router.spec.candidates}
            if name in candidates:
                yield from (each.node for each in candidates.values() if each.unreachable)
