"""Which nodes are there, and which candidates have ended: the one rule for it. Pure.

A Lease that is not renewed says that the agent or the API server is away, and not that the engine
stopped: it renews its addresses without either. So silence alone ends no candidate. One has ended
where it is not heard, and

- of its living neighbours that were asked, none hears it, and two do not, or the only one; its
  Lease has been silent for as long as an address that is not renewed lives beyond what makes it
  unreachable; or
- its Node is not ready and an administrator says with a taint that it is out of service.

It also ends one where its speaker says that it has applied the revision that ends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from vip_model.planning.endings import WITNESSES
from vip_model.planning.inputs import Liveness
from vip_model.resources.speaker import Speaker
from vip_model.resources.virtual_router import Candidate, VirtualRouter
from vip_operator.core.known.heartbeats import Silences
from vip_operator.core.known.round_inputs import SECOND_NS, STALE_AFTER_NS, Heartbeat
from vip_operator.core.known.snapshot import Snapshot

_MILLISECOND_NS = 1_000_000
_INTERVALS = 3
_SHORTEST_LIFETIME_NS = 3 * SECOND_NS


@dataclass(frozen=True, slots=True)
class _Former:
    """A node that is no candidate any more, or never was and runs the router nevertheless.

    Attributes:
        candidate: as it was.
        revision: the first one without it.
    """

    candidate: Candidate
    revision: int


class _Roster:
    """Who is listed in which VirtualRouters; made once for as long as they stay the same."""

    def __init__(self, routers: tuple[VirtualRouter, ...]) -> None:
        self.routers = routers
        self.by_name = {each.name: each for each in routers}
        self.by_node: dict[str, list[VirtualRouter]] = {}
        self.marked: set[str] = set()
        for router in routers:
            for candidate in router.spec.candidates:
                self.by_node.setdefault(candidate.node, []).append(router)
                if candidate.unreachable:
                    self.marked.add(candidate.node)
        self.in_between = tuple(
            each
            for each in routers
            if each.spec.retired or each.spec.standby or each.spec.releasing
        )


@dataclass(frozen=True, slots=True)
class _Scene:
    """What a round goes by.

    Attributes:
        heartbeats: by node.
        silences: of nodes that are not heard although others are.
        unreachable: nodes that are not heard.
        hearing: by node, the neighbours that hear it: those that report True, and False.
        out_of_service: nodes that an administrator has declared so.
    """

    heartbeats: Mapping[str, Heartbeat]
    silences: Silences
    unreachable: frozenset[str]
    hearing: Mapping[str, Mapping[str, bool]]
    out_of_service: frozenset[str]

    def applied(self, node: str, revision: int) -> bool:
        """Return whether a node has applied a revision."""
        heartbeat = self.heartbeats.get(node)
        return heartbeat is not None and heartbeat.applied_revision >= revision


class LivenessKeeper:
    """Looks at all nodes; remembers who was not heard, and who may run what it is not listed in."""

    def __init__(self) -> None:
        self._unreachable: frozenset[str] = frozenset()
        self._former: dict[str, dict[str, _Former]] = {}
        self._roster = _Roster(())
        self._seen: Mapping[str, VirtualRouter] = {}
        self._speakers: tuple[Speaker, ...] = ()

    def expected(self, routers: tuple[VirtualRouter, ...], snapshot: Snapshot) -> set[str]:
        """Return the nodes that have to be heard of: those that report or may run something.

        Args:
            routers: those there are and those that vanished; others are forgotten.
            snapshot: what is there.
        """
        if routers != self._roster.routers:  # cheap: what did not change is the same object
            self._roster = _Roster(routers)
        found = {each.node for each in snapshot.speakers}
        return found.union(self._roster.by_node, *self._former.values())

    def observe(
        self, snapshot: Snapshot, heartbeats: Mapping[str, Heartbeat], silences: Silences
    ) -> Liveness:
        """Return which nodes are there.

        Args:
            snapshot: what is there; `expected` has seen it.
            heartbeats: by node.
            silences: of nodes that are not heard although others are.
        """
        roster = self._roster
        # What a mark says holds until the node is heard, whatever we have heard ourselves.
        unheard = self._unreachable.union(roster.marked) - silences.heard
        self._unreachable = unheard.union(silences.lost)
        scene = _Scene(
            heartbeats=heartbeats,
            silences=silences,
            unreachable=self._unreachable,
            hearing=_hearing(snapshot, self._unreachable),
            out_of_service=frozenset(each.name for each in snapshot.nodes if each.out_of_service),
        )
        self._note_former(snapshot, scene)
        return Liveness(
            unreachable=scene.unreachable,
            ended=_ended(roster, scene),
            confirmed={
                each.name: frozenset(
                    node for node in heartbeats if scene.applied(node, each.spec.revision)
                )
                for each in roster.in_between
            },
            former={
                name: tuple(each.candidate for each in former.values())
                for name, former in self._former.items()
            },
        )

    def _note_former(self, snapshot: Snapshot, scene: _Scene) -> None:
        seen, speakers = self._seen, self._speakers
        by_name = self._roster.by_name
        self._seen, self._speakers = by_name, snapshot.speakers
        if by_name is seen and speakers == snapshot.speakers and not self._former:
            return  # nearly always, and there may be thousands of elections
        reporting = _reporting(snapshot)
        former = {}
        for name, router in by_name.items():
            found = dict(self._former.get(name, {}))
            found.update(_taken_off(seen.get(name, router), router))
            for node in reporting.get(name, ()):
                # The last report of a node that is gone stays as it was.
                if node not in found and node not in scene.unreachable:
                    candidate = Candidate(node=node, slot=0, priority=1)
                    found[node] = _Former(candidate, router.spec.revision)
            if found:
                listed = {each.node for each in router.spec.candidates}
                former[name] = {
                    node: each
                    for node, each in found.items()
                    if node not in listed and not scene.applied(node, each.revision)
                }
        self._former = {name: each for name, each in former.items() if each}


def _taken_off(before: VirtualRouter, router: VirtualRouter) -> Iterator[tuple[str, _Former]]:
    """Yield the nodes that are not listed any more; unreachable ones went because they ended."""
    if before is not router:
        for each in before.spec.candidates:
            if not each.unreachable:
                yield each.node, _Former(each, router.spec.revision)


def _reporting(snapshot: Snapshot) -> dict[str, set[str]]:
    """Return the nodes that report each VirtualRouter, by its name."""
    found: dict[str, set[str]] = {}
    for speaker in snapshot.speakers:
        status = speaker.status
        names = [each.router for each in status.active] + [each.router for each in status.abnormal]
        for name in names:
            found.setdefault(name, set()).add(speaker.node)
    return found


def _hearing(snapshot: Snapshot, unreachable: frozenset[str]) -> dict[str, dict[str, bool]]:
    """Return by node which living speakers report that they hear it, or do not."""
    found: dict[str, dict[str, bool]] = {}
    for speaker in snapshot.speakers:
        if speaker.node not in unreachable:
            for each in speaker.status.watched:
                found.setdefault(each.node, {})[speaker.node] = each.heard
    return found


def _ended(roster: _Roster, scene: _Scene) -> dict[str, frozenset[str]]:
    """Return by VirtualRouter the candidates that certainly do not run it any more."""
    found: dict[str, set[str]] = {}
    for node in scene.unreachable & roster.by_node.keys():
        routers = roster.by_node[node]
        names = [each.name for each in routers]
        if node not in scene.out_of_service:
            names = list(_silent_in(node, routers, scene))
        for name in names:
            found.setdefault(name, set()).add(node)
    return {name: frozenset(nodes) for name, nodes in found.items()}


def _silent_in(node: str, routers: Sequence[VirtualRouter], scene: _Scene) -> Iterable[str]:
    """Return the VirtualRouters in which a node has ended by what its neighbours hear.

    One in which it has no living neighbours goes by those that it has in others.
    """
    lifetime_ns = max(_lifetime_ns(each) for each in routers)
    silent_ns = scene.silences.lost.get(node, 0)
    is_heard = any(scene.hearing.get(node, {}).values())
    if is_heard or silent_ns < STALE_AFTER_NS + lifetime_ns:
        return ()
    votes = {
        router.name: _vote(node, router, scene)
        for router in routers
        if any(each.unreachable and each.node == node for each in router.spec.candidates)
    }
    found = {name for name, vote in votes.items() if vote}
    return found | {name for name, vote in votes.items() if vote is None and found}


def _vote(node: str, router: VirtualRouter, scene: _Scene) -> bool | None:
    """Return whether enough neighbours say that a node is silent; None where there is none."""
    living = [each.node for each in router.spec.candidates if each.node not in scene.unreachable]
    if not living:
        return None
    hearing = scene.hearing.get(node, {})
    silent = [
        each
        for each in living
        if hearing.get(each) is False and scene.applied(each, router.spec.revision)
    ]
    return len(silent) >= min(WITNESSES, len(living))


def _lifetime_ns(router: VirtualRouter) -> int:
    """Return how long an address lives that is not renewed."""
    interval_ns = router.spec.timing.advertisement_interval_milliseconds * _MILLISECOND_NS
    return max(_INTERVALS * interval_ns, _SHORTEST_LIFETIME_NS)
