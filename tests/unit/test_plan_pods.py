"""Plans that look at ready pods: who comes first, who is replaced, and the gates of Services."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from support.cluster_plans import elected, plan_of
from support.pod_plans import PODS_GATE, pods_on
from support.resources import (
    lan,
    router_of,
    slots_of,
    speaker,
    vip,
)
from vip_model.planning.inputs import Pod, Service, ServiceEndpoints


def test_nodes_with_ready_pods_come_first() -> None:
    """Nodes with a ready pod have slots before those without."""
    pods = [
        *pods_on("n4", "n7"),
        *pods_on("n1", ready=False),
        Pod("other", "n2", {"app": "nginx"}),
        Pod("shop", "n3", {"app": "redis"}),
    ]
    slots = slots_of(elected(vip(gates=[PODS_GATE]), lan(8), pods=pods))
    assert {slots["n4"], slots["n7"]} == {0, 1}


def test_a_node_with_a_pod_replaces_the_last_without() -> None:
    """Where all slots are taken, a node with a ready pod gets that of the lowest without one."""
    virtual_ip = vip(gates=[PODS_GATE], placement={"maxCandidates": 3})
    before = elected(virtual_ip, lan(6), pods=[])
    order = [each.node for each in before.spec.candidates]
    outside = next(f"n{n}" for n in range(1, 7) if f"n{n}" not in order)
    after = elected(virtual_ip, lan(6), before, pods=pods_on(outside, order[0]))
    assert [each.node for each in after.spec.candidates] == [order[0], order[1], outside]


def test_pods_that_may_not_be_looked_at() -> None:
    """They move nobody: nodes are ranked as without the gate, and its user reads why."""
    virtual_ip = vip(gates=[PODS_GATE], placement={"maxCandidates": 3})
    before = elected(virtual_ip, lan(6), pods=[])
    outside = next(each.node for each in lan(6) if each.node not in slots_of(before))
    hidden = {"shop": "the operator may not read pods in namespace shop"}
    found = plan_of(
        [virtual_ip],
        speakers=lan(6),
        allocated=[before],
        pods=pods_on(outside),
        hidden_pods=hidden,
    )
    assert slots_of(router_of(found, virtual_ip.router_name)) == slots_of(before)
    (warning,) = found.warnings
    assert warning.field == "spec.gates[0].pods"
    assert warning.message.startswith(hidden["shop"])


def test_the_active_node_is_not_replaced() -> None:
    """A node that holds the address keeps its slot although nothing is behind its gates."""
    virtual_ip = vip(gates=[PODS_GATE], placement={"maxCandidates": 2})
    before = elected(virtual_ip, lan(4), pods=[])
    last = before.spec.candidates[-1].node
    outside = next(each.node for each in lan(4) if each.node not in slots_of(before))
    speakers = [
        msgspec.structs.replace(
            each,
            status=speaker(each.node, {}, active=["vip.shop.web"]).status
            if each.node == last
            else each.status,
        )
        for each in lan(4)
    ]
    after = elected(virtual_ip, speakers, before, pods=pods_on(outside))
    assert last in slots_of(after)
    assert outside in slots_of(after)


def test_a_service_brings_a_gate() -> None:
    """ServiceRef makes the Service's endpoints a gate, and with Local they decide the slots."""
    service = Service("shop", "nginx", local=True)
    endpoints = [ServiceEndpoints("shop", "nginx", frozenset({"n5"}))]
    router = elected(
        vip(serviceRef={"name": "nginx"}), lan(6), services=[service], endpoints=endpoints
    )
    (gate,) = router.spec.gates
    assert gate.name == "service/nginx"
    assert gate.kind == "endpoints"
    assert slots_of(router)["n5"] == 0
    anywhere = elected(
        vip(serviceRef={"name": "nginx"}),
        lan(6),
        services=[Service("shop", "nginx")],
        endpoints=endpoints,
    )
    assert slots_of(anywhere) == slots_of(elected(vip(), lan(6)))


@pytest.mark.parametrize("gate", [False, True], ids=["serviceRef", "gate"])
def test_endpoints_that_name_no_node(gate: bool) -> None:
    """With policy Local they count on no node, which the user is told; with Cluster they count."""
    asking: dict[str, Any] = {"serviceRef": {"name": "nginx"}}
    if gate:
        asking = {"gates": [{"name": "nginx", "endpoints": {"serviceRef": {"name": "nginx"}}}]}
    endpoints = [ServiceEndpoints("shop", "nginx", nameless=True)]

    def warnings(local: bool, found: list[ServiceEndpoints]) -> list[str]:
        services = [Service("shop", "nginx", local=local)]
        said = plan_of([vip(**asking)], lan(1), services=services, endpoints=found)
        return [each.message for each in said.warnings]

    (warning,) = warnings(True, endpoints)
    assert "EndpointNamesNoNode" in warning
    assert "nodeName" in warning
    assert warnings(False, endpoints) == []
    assert warnings(True, [ServiceEndpoints("shop", "nginx", frozenset({"n1"}))]) == []


def test_a_service_that_is_missing() -> None:
    """A serviceRef to nothing is accepted and warned about."""
    found = plan_of([vip(serviceRef={"name": "nginx"})], lan(1), services=[])
    assert found.refusals == ()
    assert "there is no Service nginx" in found.warnings[0].message
