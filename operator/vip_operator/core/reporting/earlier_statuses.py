"""What users were told of elections before this operator began, read from their statuses. Pure.

An operator that begins has seen no Lease change yet, and every heartbeat counts as fresh. Without
this it would take back for a moment what the one before it had found out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from vip_model.resources.metadata import Condition
from vip_model.resources.virtual_ip import VirtualIPStatus
from vip_model.vocabulary import Reason
from vip_operator.core.holders.earlier import Told
from vip_operator.core.holders.holder import ToldHolder
from vip_operator.core.known.snapshot import Snapshot, UnreadableVirtualIP
from vip_operator.core.reporting import conditions


def told_by(snapshot: Snapshot, router_of: Mapping[str, str]) -> Told:
    """Return what the statuses that are there say of elections.

    Args:
        snapshot: what is there.
        router_of: NAMESPACE/NAME of a VirtualIP to the name of its VirtualRouter.
    """
    holders: dict[str, ToldHolder] = {}
    said: list[tuple[str, Sequence[Condition]]] = []
    for virtual_ip in snapshot.virtual_ips:
        router = router_of.get(virtual_ip.key)
        if router is None:
            continue
        status = virtual_ip.status
        said.append((router, status.conditions))
        holder = _holder(status)
        if holder is not None:
            holders[router] = holder
    for unreadable in snapshot.unreadable:
        router = router_of.get(unreadable.key)
        if router is not None:
            said.append((router, decoded(unreadable)))
    return Told(
        holders=holders,
        contested=_where(said, conditions.CONTESTED),
        claimed=frozenset(router for router, found in said if _is_claimed(found)),
        stalled=_where(said, conditions.STALLED),
    )


def _holder(status: VirtualIPStatus) -> ToldHolder | None:
    bound = conditions.find(status.conditions, conditions.BOUND)
    if bound is None or not status.routers:
        return None
    since = status.routers[0].active_since
    if bound.reason == Reason.HELD:
        return ToldHolder(since)
    if bound.reason in (Reason.HOLDER_SILENT, Reason.HOLDER_UNREACHABLE):
        return ToldHolder(since, silent=True)
    return None


def _is_claimed(found: Sequence[Condition]) -> bool:
    bound = conditions.find(found, conditions.BOUND)
    return bound is not None and bound.reason in conditions.CLAIMED


def _where(said: Sequence[tuple[str, Sequence[Condition]]], type_: str) -> frozenset[str]:
    return frozenset(router for router, found in said if conditions.is_true(found, type_))


def decoded(virtual_ip: UnreadableVirtualIP) -> tuple[Condition, ...]:
    """Return the conditions of a VirtualIP, as far as they can be read."""
    found = []
    for each in virtual_ip.conditions:
        try:
            found.append(msgspec.convert(each, Condition))
        except msgspec.ValidationError:
            continue
    return tuple(found)
