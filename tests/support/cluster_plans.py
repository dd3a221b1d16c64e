"""Plans of a cluster, and what they elect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from support.resources import (
    router_of,
)
from vip_model.planning.inputs import PlanInputs
from vip_model.planning.plan import Plan, plan
from vip_model.resources.speaker import Speaker
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouter


def plan_of(
    virtual_ips: Sequence[VirtualIP],
    speakers: Sequence[Speaker],
    allocated: Sequence[VirtualRouter] = (),
    **inputs: Any,
) -> Plan:
    """Return the plan for what speakers report; nodes exist as they report, unless given."""
    return plan(
        PlanInputs(virtual_ips=virtual_ips, speakers=speakers, allocated=allocated, **inputs)
    )


def elected(
    virtual_ip: VirtualIP,
    speakers: Sequence[Speaker],
    before: VirtualRouter | None = None,
    **inputs: Any,
) -> VirtualRouter:
    """Return the election of one VirtualIP."""
    found = plan_of([virtual_ip], speakers, [before] if before else [], **inputs)
    assert found.refusals == ()
    return router_of(found, virtual_ip.router_name)
