"""Statuses of an engine, for tests of what shows them."""

from __future__ import annotations

from typing import Any

from vip_model.vocabulary import Family, GateState, State
from vip_speaker.messages import Counters, GateStatus, RouterStatus, Status


def router_status(**changes: Any) -> RouterStatus:
    """Return a healthy Active router, with some fields changed."""
    fields: dict[str, Any] = {
        "name": "shop/web",
        "router": "vip.shop.web",
        "interface": "eth0",
        "family": Family.IPV4,
        "virtual_router_id": 51,
        "state": State.ACTIVE,
        "priority": 254,
        "effective_priority": 254,
        "advertisement_interval_milliseconds": 1000,
        "since": "2026-01-01T00:00:00.500Z",
        "addresses": ["192.0.2.100"],
        "gates": [GateStatus(name="nginx", state=GateState.PASSING, reason="HTTP 200")],
        "counters": Counters(
            advertisements_sent=12, transitions=2, drops={"Checksum": 3}, priority_zero_received=1
        ),
    }
    merged = {**fields, **changes}
    return RouterStatus(**{**merged, "state": State(merged["state"])})


def status(*routers: RouterStatus, **changes: Any) -> Status:
    """Return a status of node n1."""
    return Status(**{"node": "n1", "revision": 1, "virtual_routers": list(routers), **changes})
