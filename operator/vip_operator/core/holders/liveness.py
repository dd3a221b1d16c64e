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
        self._seen: dict[str, VirtualRouter] = {}

    @property
    def nodes(self) -> frozenset[str]:
        """The nodes that have to be heard of: those that some VirtualRouter was given to."""
        listed = {each.node for one in self._seen.values() for each in one.spec.candidates}
        return frozenset(listed.union(*self._former.values()))

    def observe(
        self,
        routers: Sequence[VirtualRouter],
        snapshot: Snapshot,
        heartbeats: Mapping[str, Heartbeat],
        silences: Silences,
    ) -> Liveness:
        """Return which nodes are there.

        Args:
            routers: those there are and those that vanished; others are forgotten.
            snapshot: what is there.
            heartbeats: by node.
            silences: of nodes that are not heard although others are.
        """
        marked = (c.node for each in routers for c in each.spec.candidates if c.unreachable)
        # What a mark says holds until the node is heard, whatever we have heard ourselves.
        unheard = self._unreachable.union(marked) - silences.heard
        self._unreachable = unheard.union(silences.lost)
        scene = _Scene(
            heartbeats=heartbeats,
            silences=silences,
            unreachable=self._unreachable,
            hearing=_hearing(snapshot, self._unreachable),
            out_of_service=frozenset(each.name for each in snapshot.nodes if each.out_of_service),
        )
        self._note_former(routers, snapshot, scene)
        return Liveness(
            unreachable=scene.unreachable,
            ended=_ended(routers, scene),
            confirmed={
                each.name: frozenset(
                    node for node in heartbeats if scene.applied(node, each.spec.revision)
                )
                for each in routers
                if each.spec.retired or each.spec.standby or each.spec.releasing
            },
            former={
                name: tuple(each.candidate for each in former.values())
                for name, former in self._former.items()
                if former
            },
        )

    def _note_former(
        self, routers: Sequence[VirtualRouter], snapshot: Snapshot, scene: _Scene
    ) -> None:
        reporting = _reporting(snapshot)
        former = {}
        for router in routers:
            found = dict(self._former.get(router.name, {}))
            found.update(self._taken_off(router))
            for node in reporting.get(router.name, ()):
                # The last report of a node that is gone stays as it was.
                if node not in found and node not in scene.unreachable:
                    candidate = Candidate(node=node, slot=0, priority=1)
                    found[node] = _Former(candidate, router.spec.revision)
            listed = {each.node for each in router.spec.candidates}
            former[router.name] = {
                node: each
                for node, each in found.items()
                if node not in listed and not scene.applied(node, each.revision)
            }
        self._former = former
        self._seen = {each.name: each for each in routers}

    def _taken_off(self, router: VirtualRouter) -> Iterator[tuple[str, _Former]]:
        """Yield the nodes that were taken off the list; unreachable ones were when they ended."""
        before = self._seen.get(router.name, router)
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


def _ended(routers: Sequence[VirtualRouter], scene: _Scene) -> dict[str, frozenset[str]]:
    """Return by VirtualRouter the candidates that certainly do not run it any more."""
    lifetimes: dict[str, int] = {}
    votes: dict[str, dict[str, bool | None]] = {}
    for router in routers:
        for candidate in router.spec.candidates:
            node = candidate.node
            if node in scene.unreachable:
                lifetimes[node] = max(lifetimes.get(node, 0), _lifetime_ns(router))
                if candidate.unreachable:
                    votes.setdefault(node, {})[router.name] = _vote(node, router, scene)
    found: dict[str, set[str]] = {}
    for node, by_router in votes.items():
        silent_ns = scene.silences.lost.get(node, 0)
        is_heard = any(scene.hearing.get(node, {}).values())
        if not is_heard and silent_ns >= STALE_AFTER_NS + lifetimes[node]:
            for router_name in _silent_in(by_router):
                found.setdefault(router_name, set()).add(node)
    for router in routers:
        nodes = {each.node for each in router.spec.candidates} & scene.unreachable
        found.setdefault(router.name, set()).update(nodes & scene.out_of_service)
    return {name: frozenset(nodes) for name, nodes in found.items() if nodes}


def _silent_in(votes: Mapping[str, bool | None]) -> Iterable[str]:
    """Return the VirtualRouters in which a node has ended.

    One without living neighbours goes by those of the others.
    """
    found = {router for router, vote in votes.items() if vote}
    return found | {router for router, vote in votes.items() if vote is None and found}


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
