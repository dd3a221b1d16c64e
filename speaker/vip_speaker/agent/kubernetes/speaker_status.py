"""What a node reports to the cluster: from the engine's status to the status of its Speaker. Pure.

What the operator decides by stands in typed fields; messages are for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from vip_model.resources.speaker import (
    AbnormalRouter,
    ActiveRouter,
    AddressConflict,
    ForeignRouter,
    ReportedInterface,
    SpeakerStatus,
    WatchedNode,
)
from vip_model.vocabulary import (
    LOWEST_PROVISIONAL_PRIORITY,
    GateState,
    Reason,
    State,
    is_provisional,
)
from vip_speaker.messages import ForeignRouter as HeardRouter
from vip_speaker.messages import (
    GateStatus,
    InterfaceReport,
    NeighbourComplaint,
    RouterStatus,
    Status,
)

# Somebody who invents neighbours must not fill the object.
_MOST_CONFLICTS = 64


def with_engine(
    status: Status, features: tuple[str, ...], unreadable: Mapping[str, str]
) -> SpeakerStatus:
    """Return the report of a node whose engine answers.

    Args:
        status: what the engine says.
        features: what this speaker can do.
        unreadable: routers whose newest version cannot be read, with the reason.
    """
    routers = _by_router(status.virtual_routers)
    active = [_active(router) for router in routers if router.state is State.ACTIVE]
    abnormal = (_abnormal(router, unreadable.get(router.router, "")) for router in routers)
    return SpeakerStatus(
        interfaces=_interfaces(status.interfaces),
        features=features,
        foreign=_foreign(status.foreign),
        active=tuple(active),
        abnormal=tuple(each for each in abnormal if each is not None),
        conflicts=_conflicts(routers, status.neighbours),
        watched=tuple(WatchedNode(node=each.node, heard=each.heard) for each in status.watched),
    )


def without_prose(status: Status) -> Status:
    """Return what an engine says without what its gates saw, which may be other words each time."""
    replace = msgspec.structs.replace
    return replace(
        status,
        virtual_routers=[
            replace(router, gates=[replace(gate, reason="") for gate in router.gates])
            for router in status.virtual_routers
        ],
    )


def without_engine(
    last: Status | None,
    routers: Iterable[str],
    features: tuple[str, ...],
    reason: Reason,
    *,
    stopped: bool = False,
) -> SpeakerStatus:
    """Return the report of a node whose engine is away: it claims nothing, and hears nobody.

    Args:
        last: what the engine said last; its interfaces, and the virtual routers of others that it
            heard on them, are most likely still there.
        routers: what it should run.
        features: what this speaker can do.
        reason: why it is away.
        stopped: it said that it has ended and given everything back.
    """
    return SpeakerStatus(
        interfaces=_interfaces(last.interfaces) if last is not None else (),
        features=features,
        foreign=_foreign(last.foreign) if last is not None else (),
        abnormal=tuple(
            AbnormalRouter(router=router, state=State.INITIALIZE, reason=reason)
            for router in sorted(routers)
        ),
        stopped=stopped,
    )


def to_document(status: SpeakerStatus) -> dict[str, object]:
    """Return the status as it is written: whole, so that a merge leaves nothing of an old one."""
    # By way of JSON, so that it equals what the API gives back: lists, not tuples.
    written = msgspec.json.decode(msgspec.json.encode(status))
    nothing: dict[str, object] = {field: [] for field in status.__struct_encode_fields__}
    return {**nothing, "stopped": False, **written}


def _by_router(instances: Iterable[RouterStatus]) -> list[RouterStatus]:
    """Return one item per router, by name: the state of its instances that run here.

    One that has no place on this node is Initialize, and the message has its words.
    """
    found: dict[str, list[RouterStatus]] = {}
    for instance in instances:
        found.setdefault(instance.router, []).append(instance)
    return [_merged(found[name]) for name in sorted(found)]


def _merged(instances: list[RouterStatus]) -> RouterStatus:
    runs = (each for each in instances if each.state is not State.INITIALIZE)
    messages = dict.fromkeys(each.message for each in instances if each.message)
    shown = next(runs, instances[0])
    return msgspec.structs.replace(shown, message="; ".join(messages))


def _interfaces(reports: Iterable[InterfaceReport]) -> tuple[ReportedInterface, ...]:
    return tuple(
        ReportedInterface(name=each.name, mac=each.mac, subnets=tuple(each.subnets))
        for each in reports
    )


def _foreign(heard: Iterable[HeardRouter]) -> tuple[ForeignRouter, ...]:
    """Return the virtual routers of others; the order is the engine's, which changes with them."""
    return tuple(
        ForeignRouter(
            interface=each.interface,
            virtual_router_id=each.virtual_router_id,
            source=each.source,
        )
        for each in heard
    )


def _conflicts(
    routers: Iterable[RouterStatus], neighbours: Iterable[NeighbourComplaint]
) -> tuple[AddressConflict, ...]:
    """Return who else uses our addresses or announces them in another way, sorted."""
    used = [
        AddressConflict(router=each.router, reason=Reason.ADDRESS_CONFLICT, message=each.conflict)
        for each in routers
        if each.conflict
    ]
    announced = [
        AddressConflict(router=each.router, reason=each.problem, message=each.message)
        for each in neighbours
    ]
    in_order = sorted([*used, *announced], key=lambda one: (one.router, one.reason, one.message))
    return tuple(in_order[:_MOST_CONFLICTS])


def _active(router: RouterStatus) -> ActiveRouter:
    return ActiveRouter(
        router=router.router,
        since=router.since,
        reason=router.reason,
        failing_gates=_failing_gates(router),
        missing=router.missing,
        effective_priority=_reported_priority(router),
    )


def _reported_priority(router: RouterStatus) -> int:
    """Return its priority; a provisional one rises by itself, which is not worth a write."""
    is_failing = bool(_failing_gates(router)) or router.missing > 0
    effective = router.effective_priority
    if is_provisional(effective) and not is_failing and effective != router.priority:
        return LOWEST_PROVISIONAL_PRIORITY
    return effective


def _abnormal(router: RouterStatus, unreadable: str) -> AbnormalRouter | None:
    reason = _reason(router, unreadable)
    if not reason:
        return None
    takes_part = router.state is not State.INITIALIZE
    return AbnormalRouter(
        router=router.router,
        state=router.state,
        yielding=router.yielding,
        withdrawn=router.withdrawn,
        reason=reason,
        message=_message(router, unreadable),
        failing_gates=_failing_gates(router),
        missing=router.missing,
        effective_priority=_reported_priority(router) if takes_part else 0,
    )


def _failing_gates(router: RouterStatus) -> tuple[str, ...]:
    return tuple(gate.name for gate in router.gates if gate.state is GateState.FAILING)


def _reason(router: RouterStatus, unreadable: str) -> str:
    """Return the weightiest thing that is wrong; empty where nothing is.

    What fails where the node is Active is reported with its being Active.
    """
    states = {gate.state for gate in router.gates}
    if unreadable:
        return Reason.VERSION_UNREADABLE
    if router.not_in_force:
        return Reason.NOT_IN_FORCE
    if router.conflict:
        return Reason.ADDRESS_CONFLICT
    if router.yielding or router.state is State.INITIALIZE:
        return router.reason or Reason.NOT_STARTED
    if router.missing and router.state is not State.ACTIVE:
        return Reason.PARTLY_PLACED
    if GateState.FAILING in states and router.state is not State.ACTIVE:
        failing = (gate for gate in router.gates if gate.state is GateState.FAILING)
        return _cause(failing) or Reason.GATE_FAILING
    if GateState.UNKNOWN in states:
        unknown = (gate for gate in router.gates if gate.state is GateState.UNKNOWN)
        return _cause(unknown) or Reason.GATE_UNKNOWN
    stale = [gate for gate in router.gates if gate.stale and gate.state is not GateState.FAILING]
    return (_cause(stale) or Reason.GATE_STALE) if stale else ""


def _cause(gates: Iterable[GateStatus]) -> str:
    """Return the first reason that says more than what state a gate is in, if there is one."""
    return next((gate.cause for gate in gates if gate.cause), "")


def _message(router: RouterStatus, unreadable: str) -> str:
    """Return what is wrong as sentences for a person."""
    sentences = [
        f"Its newest version cannot be read: {unreadable}" if unreadable else "",
        f"Its newest version is not in force: {router.not_in_force}" if router.not_in_force else "",
        router.message,
        router.conflict,
        *(_gate_sentence(gate, is_active=router.state is State.ACTIVE) for gate in router.gates),
    ]
    return "; ".join(filter(None, sentences))


def _gate_sentence(gate: GateStatus, *, is_active: bool) -> str:
    if gate.state is GateState.FAILING:
        return "" if is_active else f"Gate {gate.name} fails: {gate.reason}"
    if gate.state is GateState.UNKNOWN:
        return f"Gate {gate.name} is unknown: {gate.reason}"
    if gate.stale:
        return f"Gate {gate.name} is stale, it was {gate.state}: {gate.reason}"
    return ""
