"""One operator on a real API server: from VirtualIPs to VirtualRouters, status and events."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.operator_stand import Stand, operator_stand
from vip_common.kinds import VIRTUAL_ROUTERS
from vip_kube.kinds import SERVICES
from vip_lab.kubernetes.api import JsonObject
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.objects import make_service
from vip_lab.wait import throughout, until

CLASS = "vip-operator.io/vip"


@pytest.fixture
def stand(api: ControlPlane, namespace: str) -> Iterator[Stand]:
    """An operator that leads, and three speakers that say what the test says."""
    with operator_stand(api, namespace) as stand:
        stand.operator.start_and_wait()
        yield stand


def ingress(stand: Stand, service: str) -> list[JsonObject]:
    """Return what the status of a Service says of its load balancer."""
    status = stand.api.get(SERVICES, service, stand.namespace)["status"]
    found: list[JsonObject] = status["loadBalancer"].get("ingress", [])
    return found


def test_applied_and_bound(stand: Stand) -> None:
    """An applied VirtualIP gets a VirtualRouter with all nodes, and is Bound once one claims it."""
    stand.apply("web")
    router = stand.await_router("web")
    assert {each["node"] for each in router["spec"]["candidates"]} == set(stand.speakers.nodes)
    assert router["spec"]["epoch"] == 1
    stand.await_condition("web", "Accepted", "True")
    stand.await_condition("web", "Bound", "False")
    stand.speakers.acknowledge()
    stand.speakers.claim("n2", stand.router_name("web"))
    stand.await_condition("web", "Bound", "True")
    assert stand.status("web")["activeNode"] == "n2"


def test_an_event_tells_of_every_change_of_the_holder(stand: Stand) -> None:
    """A new holder makes one event, which names it, and a move another one."""
    stand.apply("web")
    stand.await_router("web")
    stand.speakers.acknowledge()
    stand.speakers.claim("n2", stand.router_name("web"))
    stand.await_event("web", "Bound", "n2")
    stand.speakers.claim("n2")
    stand.speakers.claim("n3", stand.router_name("web"))
    stand.await_event("web", "Moved", "n3")
    assert [reason for reason, _note in stand.events("web")].count("Bound") == 1


def test_a_collision_is_refused_by_name(stand: Stand) -> None:
    """Of two VirtualIPs with one address the later is not Accepted, and is told who has it."""
    stand.apply("first")
    stand.await_condition("first", "Accepted", "True")
    stand.apply("second")
    stand.await_condition("second", "Accepted", "False")
    assert stand.condition("second", "Accepted")[1] == "AddressInUse"
    assert f"{stand.namespace}/first" in stand.message("second", "Accepted")


def test_deleted_means_retired_until_acknowledged(stand: Stand) -> None:
    """The VirtualRouter of a deleted VirtualIP is retired, and gone once every node knows it."""
    stand.apply("web")
    stand.await_router("web")
    stand.speakers.acknowledge()
    stand.delete("web")
    stand.await_retired("web")
    stand.speakers.acknowledge("n1", "n2")
    throughout("one node has not acknowledged", lambda: stand.router("web"), 1.5, every=0.2)
    stand.speakers.acknowledge("n3")
    stand.await_released("web")


def test_a_router_deleted_by_hand_comes_back_as_it_was(stand: Stand) -> None:
    """Somebody deletes a VirtualRouter: it is there again with its VRID, slots and addresses."""
    stand.apply("web")
    before = stand.await_router("web")
    stand.api.delete(VIRTUAL_ROUTERS, stand.router_name("web"))
    until(
        "another VirtualRouter of that name",
        lambda: stand.uid("web") not in {"", before["metadata"]["uid"]},
        30.0,
        show=stand.describe,
    )
    after = stand.await_router("web")["spec"]
    assert after["instances"] == before["spec"]["instances"]
    assert after["candidates"] == before["spec"]["candidates"]
    assert after["revision"] > before["spec"]["revision"]


def test_a_router_edited_by_hand_is_put_right(stand: Stand) -> None:
    """Somebody changes the spec of a VirtualRouter: the operator's word stands again."""
    stand.apply("web", vrrp={"virtualRouterID": 51})
    stand.await_router("web")
    patch = {"spec": {"healthBands": False}}
    stand.api.patch(VIRTUAL_ROUTERS, stand.router_name("web"), patch)
    until(
        "the spec to be as planned",
        lambda: (stand.router("web") or {})["spec"].get("healthBands", True),
        30.0,
        show=stand.describe,
    )


def test_a_service_gets_the_addresses_and_loses_them(stand: Stand) -> None:
    """A Service of our class gets the VirtualIP's address, keeps it, and loses it with the VIP."""
    make_service(stand.api, stand.namespace, "nginx", load_balancer_class=CLASS)
    stand.apply("web", serviceRef={"name": "nginx"})
    until("the address", lambda: ingress(stand, "nginx"), 30.0, show=stand.describe)
    assert ingress(stand, "nginx") == [{"ip": "192.0.2.100", "ipMode": "VIP"}]
    stand.api.patch(
        SERVICES, "nginx", {"status": {"loadBalancer": None}}, stand.namespace, "status"
    )
    until("the address again", lambda: ingress(stand, "nginx"), 30.0, show=stand.describe)
    stand.delete("web")
    stand.await_released("web")
    until("no address", lambda: not ingress(stand, "nginx"), 30.0, show=stand.describe)


def test_metrics_and_readiness(stand: Stand) -> None:
    """The leader's metrics count rounds, writes and VirtualIPs, and show no trouble."""
    stand.apply("web")
    stand.await_condition("web", "Accepted", "True")
    accepted = 'vip_operator_virtual_ips{condition="Accepted",status="True"}'
    until("the VirtualIP in the metrics", lambda: stand.operator.metrics().get(accepted) == 1, 30.0)
    metrics = stand.operator.metrics()
    assert metrics["vip_operator_leader"] == 1
    assert metrics["vip_operator_api_trouble"] == 0
    assert metrics["vip_operator_rounds_total"] >= 1
    assert metrics['vip_operator_writes_total{object="VirtualRouter",outcome="done"}'] >= 1
    assert any(name.startswith("vip_operator_virtual_router_ids_used") for name in metrics)
