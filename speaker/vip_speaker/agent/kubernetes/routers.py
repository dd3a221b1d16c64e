"""Cluster mode: from all VirtualRouters to what this node runs. Pure: time is an argument.

Only an explicit word ends a router here: its VirtualRouter is marked retired, or is there and does
not list this node. One that vanishes changes nothing: the engine keeps what is not mentioned.
One on standby is known and confirmed, and not mentioned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from vip_kube.wire import Object
from vip_model.resources.gate import ENGINE_GATE_KINDS, Gate
from vip_model.resources.virtual_router import AdvertSource, VirtualRouter
from vip_model.schema.errors import ConfigError
from vip_model.schema.parse import parse_document
from vip_model.vocabulary import FailureAction
from vip_speaker.agent.desired import (
    GateKey,
    WantedGate,
    desired_router,
    known_routers,
    wanted_gates,
)
from vip_speaker.agent.kubernetes.watched import watched_nodes
from vip_speaker.agent.source import Orders
from vip_speaker.messages import Desired, DesiredGate, DesiredRouter, KnownRouter

# Gates of the agent's own, beside those of users: no user can give a name with a slash.
NODE_GATE = "node/ready"
PLACE_GATE = "node/candidate"
NODE_GATE_KIND = "node"
PLACE_GATE_KIND = "candidate"

# The engine waits for a successor for an interval and half a second, at most 8 s.
_LEAVE_MARGIN_SECONDS = 1.0
_LEAVE_LIMIT_SECONDS = 8.5

# How long the agent of a node that was taken off a list may hear nothing of it. By then the node
# may be gone for good and its address another's; in a cluster whose nodes come and go there would
# be more of them every day.
_FORMER_SECONDS = 24 * 3600.0


@dataclass(slots=True)
class _Former:
    """A node that was a candidate.

    Attributes:
        sources: where its adverts come from.
        until: when it is obeyed no longer (seconds); None before that is known.
    """

    sources: tuple[AdvertSource, ...]
    until: float | None = None


@dataclass(slots=True)
class _Known:
    """One VirtualRouter that is there.

    Attributes:
        router: its newest version that could be read; None if none could.
        desired: what that is for this node; None if it takes no part, or does not yet.
        ours: this node is or was a candidate.
        standby: this node is a candidate, and nobody is to run it yet.
        retired: it is to be ended everywhere.
        problem: why its newest version could not be read; empty if it could.
        former: earlier candidates, by node.
    """

    router: VirtualRouter | None = None
    desired: DesiredRouter | None = None
    ours: bool = False
    standby: bool = False
    retired: bool = False
    problem: str = ""
    former: dict[str, _Former] = field(default_factory=dict)

    @property
    def former_sources(self) -> tuple[AdvertSource, ...]:
        """Where the adverts of earlier candidates come from."""
        return tuple(source for each in self.former.values() for source in each.sources)

    @property
    def ends_here(self) -> bool:
        """It says explicitly that this node is not to run it."""
        has_no_place = self.router is not None and self.desired is None and not self.standby
        return self.retired or has_no_place


@dataclass(slots=True)
class _Leaving:
    """A router that this node ran and is no candidate of any more.

    Attributes:
        desired: as it was run.
        until: when it has left at the latest (seconds); None before that is known.
    """

    desired: DesiredRouter
    until: float | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What all VirtualRouters together mean for this node at one moment.

    Attributes:
        orders: for engine and agent.
        problems: what cannot be done as it is written, one sentence each.
        unreadable: routers whose newest version cannot be read, with the reason.
        concern: the highest revision of a router that this node is or was a candidate of.
        due: when time alone changes the view (seconds); None: never.
    """

    orders: Orders
    problems: tuple[str, ...]
    unreadable: Mapping[str, str]
    concern: int
    due: float | None


class ClusterState:
    """All VirtualRouters, as one node sees them.

    Args:
        node: the node.
        gate_kinds: kinds of gates that this agent can run.
    """

    def __init__(self, node: str, gate_kinds: frozenset[str]) -> None:
        self._node = node
        self._gate_kinds = gate_kinds
        self._known: dict[str, _Known] = {}
        self._leaving: dict[str, _Leaving] = {}
        # Ended by an explicit word and deleted since; the engine may not have heard of it yet.
        self._ended: set[str] = set()
        # Gone without having been retired: no node was asked to end it, so its adverts still count.
        self._vanished: dict[str, tuple[KnownRouter, ...]] = {}
        self._revision = 0
        self._concern = 0

    def upsert(self, content: Object) -> None:
        """Take a new or changed VirtualRouter; one that cannot be read keeps its last version."""
        name = str(content["metadata"]["name"])
        known = self._known.setdefault(name, _Known())
        self._ended.discard(name)
        self._vanished.pop(name, None)
        try:
            router = parse_document(content)
        except ConfigError as error:
            known.problem = "; ".join(str(problem) for problem in error.problems)
            # An end is an end, whatever else a newer operator may have written.
            spec = content.get("spec")
            known.retired = isinstance(spec, dict) and spec.get("retired") is True
            return
        assert isinstance(router, VirtualRouter)
        self._take(name, known, router)

    def delete(self, content: Object) -> None:
        """Note that a VirtualRouter is gone, which by itself ends nothing."""
        name = str(content["metadata"]["name"])
        known = self._known.pop(name, None)
        if known is not None and known.ends_here:
            self._ended.add(name)
        if known is not None and not known.retired:
            self._vanished[name] = _instances(known)

    def engine_runs(self, routers: frozenset[str]) -> None:
        """Forget what was ended and deleted, and no longer runs."""
        self._ended &= routers

    def view(self, now: float) -> View:
        """Return what is to be done now (seconds of a monotonic clock)."""
        for known in self._known.values():
            _forget_former(known, now)
        running = {name: known for name, known in self._known.items() if _takes_part(known)}
        leaving = dict(self._still_leaving(now))
        routers = [_with_node_gate(_obeying_former(known)) for known in running.values()]
        routers += [_with_place_gate(one.desired) for one in leaving.values()]
        retired = {name for name, known in self._known.items() if known.ends_here} | self._ended
        return View(
            orders=Orders(
                desired=Desired(
                    node=self._node,
                    revision=self._revision,
                    routers=sorted(routers, key=lambda router: router.name),
                    retired=sorted(retired - leaving.keys()),
                    complete=False,
                    known=list(self._ours()),
                    watch=watched_nodes(self._readable(), self._node),
                ),
                gates=dict(self._gates(running, leaving)),
                display_names={router.name: router.display_name for router in routers},
            ),
            problems=tuple(self._problems(running)),
            unreadable={name: each.problem for name, each in self._known.items() if each.problem},
            concern=self._concern,
            due=self._due(leaving),
        )

    def _due(self, leaving: Mapping[str, _Leaving]) -> float | None:
        ends = [one.until for one in leaving.values()]
        ends += [one.until for known in self._known.values() for one in known.former.values()]
        return min((until for until in ends if until is not None), default=None)

    def _ours(self) -> Iterator[KnownRouter]:
        """Yield every virtual router whose adverts are no stranger's, in a fixed order."""
        found = {name: _instances(known) for name, known in self._known.items()} | self._vanished
        for name in sorted(found):
            yield from found[name]

    def _readable(self) -> Iterator[VirtualRouter]:
        return (known.router for known in self._known.values() if known.router is not None)

    def _take(self, name: str, known: _Known, router: VirtualRouter) -> None:
        before = known.desired if not known.retired else None
        _note_former(known, router)
        known.router, known.retired, known.problem = router, router.spec.retired, ""
        place = desired_router(router, self._node)
        known.standby = router.spec.standby and place is not None
        known.desired = None if known.standby else place
        self._revision = max(self._revision, router.spec.revision)
        known.ours = known.ours or place is not None
        if known.ours:
            self._concern = max(self._concern, router.spec.revision)
        if known.retired or place is not None:
            self._leaving.pop(name, None)
        elif before is not None:
            self._leaving[name] = _Leaving(before)

    def _still_leaving(self, now: float) -> Iterator[tuple[str, _Leaving]]:
        for name, one in list(self._leaving.items()):
            if one.until is None:
                one.until = now + _leave_seconds(one.desired)
            if now < one.until:
                yield name, one
            else:
                del self._leaving[name]

    def _gates(
        self, running: Mapping[str, _Known], leaving: Mapping[str, _Leaving]
    ) -> Iterator[tuple[GateKey, WantedGate]]:
        for name, known in running.items():
            assert known.router is not None
            yield (name, NODE_GATE), WantedGate(Gate(name=NODE_GATE), NODE_GATE_KIND)
            yield from wanted_gates(known.router)
        for name in leaving:
            yield (name, PLACE_GATE), WantedGate(Gate(name=PLACE_GATE), PLACE_GATE_KIND)

    def _problems(self, running: Mapping[str, _Known]) -> Iterator[str]:
        for name, known in sorted(self._known.items()):
            if known.problem:
                stays = (
                    "the last version that could be read stays in force"
                    if known.router is not None
                    else "what the engine runs of it goes on"
                )
                yield f"VirtualRouter {name} cannot be read, {stays}: {known.problem}"
        for name, known in sorted(running.items()):
            assert known.router is not None
            for gate in known.router.spec.gates:
                if gate.kind not in self._gate_kinds | ENGINE_GATE_KINDS:
                    kind = gate.kind or "of a kind"
                    yield (
                        f"Gate {gate.name} of VirtualRouter {name} does not count: it is {kind}, "
                        "which this speaker does not know; upgrade the speaker"
                    )


def _instances(known: _Known) -> tuple[KnownRouter, ...]:
    if known.router is None:
        return ()
    return tuple(known_routers(known.router, known.former_sources))


def _takes_part(known: _Known) -> bool:
    return known.desired is not None and not known.retired


def _note_former(known: _Known, router: VirtualRouter) -> None:
    """Remember where the adverts of a candidate that was taken off the list come from.

    The others may hear of it before that node does: its last adverts, above all its resignation,
    must still be obeyed, and so must for a day those of one whose agent hears nothing.
    """
    before = known.router.spec.candidates if known.router is not None else ()
    known.former |= {candidate.node: _Former(candidate.sources) for candidate in before}
    for candidate in router.spec.candidates:
        known.former.pop(candidate.node, None)


def _forget_former(known: _Known, now: float) -> None:
    for node, one in list(known.former.items()):
        if one.until is None:
            one.until = now + _FORMER_SECONDS
        if one.until <= now:
            del known.former[node]


def _obeying_former(known: _Known) -> DesiredRouter:
    assert known.desired is not None
    former = known.former_sources
    instances = []
    for instance in known.desired.instances:
        sources = instance.sources
        if sources is not None:
            more = [each.address for each in former if each.family.value == instance.family.value]
            sources = list(dict.fromkeys([*sources, *more]))
        instances.append(msgspec.structs.replace(instance, sources=sources))
    return msgspec.structs.replace(known.desired, instances=instances)


def _with_node_gate(desired: DesiredRouter) -> DesiredRouter:
    """Add the start gate: a node that comes back takes nothing before it can serve."""
    return _with_gate(desired, NODE_GATE, FailureAction.LOWER_PRIORITY)


def _with_place_gate(desired: DesiredRouter) -> DesiredRouter:
    """Withdraw the node: it resigns and keeps the addresses until a successor has them."""
    return _with_gate(_with_node_gate(desired), PLACE_GATE, FailureAction.WITHDRAW)


def _with_gate(desired: DesiredRouter, name: str, action: FailureAction) -> DesiredRouter:
    # The smallest `by` of all gates counts, and this one must not change it.
    by = min((gate.by for gate in desired.gates), default=100)
    gate = DesiredGate(name=name, action=action, by=by)
    return msgspec.structs.replace(desired, gates=[*desired.gates, gate])


def _leave_seconds(desired: DesiredRouter) -> float:
    interval_seconds = desired.advertisement_interval_milliseconds / 1000
    return min(interval_seconds + _LEAVE_MARGIN_SECONDS, _LEAVE_LIMIT_SECONDS)
