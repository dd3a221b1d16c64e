"""Resources for tests of the model, with everything filled in that a test does not care for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vip_model.planning.plan import Plan
from vip_model.resources.base import API_VERSION
from vip_model.resources.metadata import ObjectMeta
from vip_model.resources.node import Node, NodeAddress, NodeStatus
from vip_model.resources.speaker import (
    ActiveRouter,
    ForeignRouter,
    ReportedInterface,
    Speaker,
    SpeakerStatus,
)
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.schema.parse import parse_document


def vip_document(
    name: str = "web", namespace: str = "shop", created: str = "", **spec: Any
) -> dict[str, Any]:
    """Return a VirtualIP as it stands in a file, with an address unless the spec says otherwise."""
    metadata = {"name": name, "namespace": namespace}
    if created:
        metadata["creationTimestamp"] = created
    return {
        "apiVersion": API_VERSION,
        "kind": "VirtualIP",
        "metadata": metadata,
        "spec": {"addresses": ["192.0.2.100"], **spec},
    }


def vip(name: str = "web", namespace: str = "shop", created: str = "", **spec: Any) -> VirtualIP:
    """Return a VirtualIP."""
    found = parse_document(vip_document(name, namespace, created, **spec))
    assert isinstance(found, VirtualIP)
    return found


def node(name: str, labels: Mapping[str, str] | None = None, *addresses: str) -> Node:
    """Return a Node with internal addresses."""
    return Node(
        api_version="v1",
        kind="Node",
        metadata=ObjectMeta(name=name, labels=dict(labels or {})),
        status=NodeStatus(
            addresses=tuple(NodeAddress(type="InternalIP", address=each) for each in addresses)
        ),
    )


def speaker(
    name: str,
    interfaces: Mapping[str, Sequence[str]],
    *,
    active: Sequence[str] = (),
    foreign: Sequence[ForeignRouter] = (),
) -> Speaker:
    """Return a report.

    Args:
        name: of the node.
        interfaces: name to the node's addresses with prefix lengths.
        active: names of VirtualRouters that it is Active for.
        foreign: what strangers it hears.
    """
    return Speaker(
        api_version=API_VERSION,
        kind="Speaker",
        metadata=ObjectMeta(name=name),
        status=SpeakerStatus(
            interfaces=tuple(
                ReportedInterface(name=each, subnets=tuple(subnets))
                for each, subnets in interfaces.items()
            ),
            active=tuple(ActiveRouter(router=router) for router in active),
            foreign=tuple(foreign),
        ),
    )


def lan(count: int, first: int = 1) -> list[Speaker]:
    """Return the reports of n1, n2, … on 192.0.2.0/24 and 2001:db8::/64."""
    return [
        speaker(
            f"n{number}",
            {"eth0": [f"192.0.2.{number}/24", f"2001:db8::{number}/64", f"fe80::{number}/64"]},
        )
        for number in range(first, first + count)
    ]


def router_of(plan: Plan, name: str = "vip.shop.web") -> VirtualRouter:
    """Return one VirtualRouter of a plan."""
    return next(router for router in plan.virtual_routers if router.name == name)


def slots_of(router: VirtualRouter) -> dict[str, int]:
    """Return node to slot."""
    return {candidate.node: candidate.slot for candidate in router.spec.candidates}


def priorities_of(router: VirtualRouter) -> dict[str, int]:
    """Return node to priority."""
    return {candidate.node: candidate.priority for candidate in router.spec.candidates}
