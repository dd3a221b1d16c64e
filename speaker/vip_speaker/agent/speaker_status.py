"""What a node reports to the cluster: from the engine's status to the status of its Speaker. Pure.

Reasons about gates name the word gate, and those of a withdrawn node begin with Withdrawn: the
operator tells by them why a candidate is not fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from vip_model.resources.speaker import (
    AbnormalRouter,
    ActiveRouter,
    ForeignRouter,
    ReportedInterface,
    SpeakerStatus,
)
from vip_model.vocabulary import GateState
from vip_speaker.messages import ForeignRouter as HeardRouter
from vip_speaker.messages import GateStatus, InterfaceReport, RouterStatus, Status

_ACTIVE, _INITIALIZE = "Active", "Initialize"


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
    active = [_active(router) for router in routers if router.state == _ACTIVE]
    abnormal = (_abnormal(router, unreadable.get(router.router, "")) for router in routers)
    return SpeakerStatus(
        interfaces=_interfaces(status.interfaces),
        features=features,
        foreign=_foreign(status.foreign),
        active=tuple(active),
        abnormal=tuple(each for each in abnormal if each is not None),
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
    last: Status | None, routers: Iterable[str], features: tuple[str, ...], reason: str
) -> SpeakerStatus:
    """Return the report of a node whose engine is away: it claims nothing.

    Args:
        last: what the engine said last; its interfaces, and the virtual routers of others that it
            heard on them, are most likely still there.
        routers: what it should run.
        features: what this speaker can do.
        reason: why it is away.
    """
    return SpeakerStatus(
        interfaces=_interfaces(last.interfaces) if last is not None else (),
        features=features,
        foreign=_foreign(last.foreign) if last is not None else (),
        abnormal=tuple(
            AbnormalRouter(router=router, state=_INITIALIZE, reason=reason)
            for router in sorted(routers)
        ),
    )


def to_document(status: SpeakerStatus) -> dict[str, object]:
    """Return the status as it is written: whole, so that a merge leaves nothing of an old one."""
    # By way of JSON, so that it equals what the API gives back: lists, not tuples.
    written = msgspec.json.decode(msgspec.json.encode(status))
    return {field: written.get(field, []) for field in status.__struct_encode_fields__}


def _by_router(instances: Iterable[RouterStatus]) -> list[RouterStatus]:
    """Return one item per router: its instances share everything that is reported."""
    found: dict[str, RouterStatus] = {}
    for instance in instances:
        found.setdefault(instance.router, instance)
    return [found[name] for name in sorted(found)]


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


def _active(router: RouterStatus) -> ActiveRouter:
    failing = (gate.name for gate in router.gates if gate.state is GateState.FAILING)
    return ActiveRouter(
        router=router.router,
        since=router.since,
        reason=router.reason,
        failing_gates=tuple(failing),
    )


def _abnormal(router: RouterStatus, unreadable: str) -> AbnormalRouter | None:
    reasons = [
        *([f"Its newest version cannot be read: {unreadable}"] if unreadable else []),
        *_state_reasons(router),
        *_gate_reasons(router),
    ]
    if not reasons:
        return None
    return AbnormalRouter(router=router.router, state=router.state, reason="; ".join(reasons))


def _state_reasons(router: RouterStatus) -> list[str]:
    if router.yielding:
        return [f"Yielding: {router.reason}"]
    return [router.reason or "NotStarted"] if router.state == _INITIALIZE else []


def _gate_reasons(router: RouterStatus) -> list[str]:
    found = [_gate_reason(gate, is_active=router.state == _ACTIVE) for gate in router.gates]
    return [reason for reason in found if reason]


def _gate_reason(gate: GateStatus, *, is_active: bool) -> str:
    """Return what is wrong with a gate; what fails where the node is Active is told there."""
    if gate.state is GateState.FAILING and not is_active:
        return f"Gate {gate.name} fails: {gate.reason}"
    if gate.state is GateState.UNKNOWN:
        return f"Gate {gate.name} is unknown: {gate.reason}"
    if gate.stale:
        return f"Gate {gate.name} is stale, it was {gate.state.value}: {gate.reason}"
    return ""
