"""Manifests for tests that run real speakers in network namespaces."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

VIP = "192.0.2.100"
VIP6 = "2001:db8::100"
ROUTER = "default/web"
VIRTUAL_ROUTER_ID = 51
NODES = ("n1", "n2", "n3")


def virtual_ip(
    *,
    name: str = "web",
    addresses: Sequence[str] = (VIP,),
    virtual_router_id: int = VIRTUAL_ROUTER_ID,
    interval_ms: int = 1000,
    gates: Sequence[Mapping[str, Any]] = (),
    placement: Mapping[str, Any] | None = None,
    vrrp: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a VirtualIP that prefers n1, n2, n3 in this order and does not preempt.

    Args:
        name: metadata.name, in the namespace default.
        addresses: virtual addresses.
        virtual_router_id: VRID.
        interval_ms: Advertisement_Interval.
        gates: as in the file.
        placement: instead of the preferred nodes.
        vrrp: further fields of the stanza.
    """
    spec: dict[str, Any] = {
        "addresses": list(addresses),
        "placement": dict(placement or {"preferredNodes": list(NODES)}),
        "vrrp": {
            "virtualRouterID": virtual_router_id,
            "advertisementIntervalMilliseconds": interval_ms,
            "preemption": {"mode": "Never"},
            **(vrrp or {}),
        },
    }
    if gates:
        spec["gates"] = [dict(gate) for gate in gates]
    return {
        "apiVersion": "vip-operator.io/v1alpha1",
        "kind": "VirtualIP",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


def manifest(*documents: Mapping[str, Any]) -> str:
    """Return the text of a manifest; JSON is YAML."""
    return "\n---\n".join(json.dumps(document, indent=2) for document in documents) + "\n"
