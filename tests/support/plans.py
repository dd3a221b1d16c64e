"""Plans of a file and of a small cluster, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from support.resources import node, speaker
from vip_model.planning.inputs import Liveness, PlanInputs
from vip_model.planning.plan import Plan, plan
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.vocabulary import Reason

SPEAKERS = [
    speaker(f"n{number}", {"eth0": [f"192.0.2.1{number}/24", f"2001:db8::1{number}/64"]})
    for number in (1, 2, 3)
]


def in_cluster(
    virtual_ips: Sequence[VirtualIP], allocated: Sequence[VirtualRouter] = (), **inputs: Any
) -> Plan:
    """Return the plan of a cluster with three nodes on one network."""
    given: dict[str, Any] = {
        "nodes": [node(f"n{number}") for number in (1, 2, 3)],
        "speakers": SPEAKERS,
        **inputs,
    }
    return plan(PlanInputs(virtual_ips=virtual_ips, allocated=allocated, **given))


def confirmed(found: Plan) -> Liveness:
    """Return that every candidate has applied what a plan says."""
    return Liveness(
        confirmed={
            router.name: frozenset(each.node for each in router.spec.candidates)
            for router in found.virtual_routers
        }
    )


def verdicts(found: Plan) -> dict[str, Reason]:
    """Return name to reason."""
    return {status.virtual_ip: status.reason for status in found.statuses}
