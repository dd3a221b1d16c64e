"""What Services show on a real API server, and what the operator says of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.operator_stand import Stand, operator_stand
from vip_kube.kinds import NODES, SERVICES
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.objects import make_service
from vip_lab.wait import until

CLASS = "vip-operator.io/vip"
IPV4, IPV6 = "192.0.2.100", "2001:db8::100"
REF: dict[str, Any] = {"serviceRef": {"name": "nginx"}}


@pytest.fixture
def stand(api: ControlPlane, namespace: str) -> Iterator[Stand]:
    """An operator that leads, three speakers, and a Service of our class without pods."""
    with operator_stand(api, namespace) as stand:
        stand.operator.start_and_wait()
        make_service(stand.api, namespace, "nginx", load_balancer_class=CLASS)
        yield stand


def await_ingress(stand: Stand, *addresses: str) -> None:
    """Wait until the Service shows these addresses."""

    def shown() -> tuple[str, ...]:
        status = stand.api.get(SERVICES, "nginx", stand.namespace)["status"]
        return tuple(each["ip"] for each in status["loadBalancer"].get("ingress", []))

    until(
        f"the Service to show {addresses}", lambda: shown() == addresses, 30.0, show=stand.describe
    )


def await_said(stand: Stand, words: str, *, said: bool) -> None:
    """Wait until Ready of the VirtualIP says something, or does no more."""
    until(
        f"Ready to say {words!r}: {said}",
        lambda: (words in stand.message("web", "Ready")) == said,
        30.0,
        show=stand.describe,
    )


def test_a_service_shows_the_families_that_it_has(stand: Stand) -> None:
    """Of a dual-stack VirtualIP a single-stack Service shows one family, until it has both."""
    stand.apply("web", IPV4, IPV6, **REF)
    await_ingress(stand, IPV4)
    stand.await_event("web", "Advice", f"does not show {IPV6}")
    stand.speakers.acknowledge()
    stand.speakers.claim("n2", stand.router_name("web"))
    stand.await_condition("web", "Ready", "True")
    await_said(stand, IPV6, said=True)
    dual = {"spec": {"ipFamilyPolicy": "PreferDualStack"}}
    stand.api.patch(SERVICES, "nginx", dual, stand.namespace)
    await_ingress(stand, IPV4, IPV6)
    await_said(stand, IPV6, said=False)
    single: dict[str, Any] = {
        "spec": {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"], "clusterIPs": None}
    }
    stand.api.patch(SERVICES, "nginx", single, stand.namespace)
    await_ingress(stand, IPV4)
    await_said(stand, IPV6, said=True)


def node_addresses(stand: Stand, node: str, *addresses: str) -> None:
    """Report the addresses of a Node as its kubelet would."""
    listed = [{"type": "InternalIP", "address": each} for each in addresses]
    patch = {"status": {"addresses": listed}}
    stand.api.patch(NODES, node, patch, subresource="status")


def test_a_virtual_address_that_a_kubelet_takes_for_its_own_stays(stand: Stand) -> None:
    """Neither the report of the Node, nor a move, nor a restart takes it from the Service."""
    stand.apply("web", IPV4, **REF)
    await_ingress(stand, IPV4)
    stand.speakers.acknowledge()
    stand.speakers.claim("n2", stand.router_name("web"))
    stand.await_condition("web", "Bound", "True")
    node_addresses(stand, "n2", IPV4, "192.0.2.2")
    stand.await_event("web", "Advice", "start the kubelet of n2 with --node-ip")
    stand.speakers.claim("n2")
    stand.speakers.claim("n3", stand.router_name("web"))
    stand.await_event("web", "Moved", "n3")
    stand.operator.stop()
    stand.operator.start_and_wait()
    stand.speakers.claim("n3")
    stand.speakers.claim("n1", stand.router_name("web"))
    stand.await_event("web", "Moved", "n1")
    await_ingress(stand, IPV4)


def test_an_address_of_a_node_is_never_shown(stand: Stand) -> None:
    """A VirtualIP of what a Node has already is refused, and its Service shows nothing."""
    node_addresses(stand, "n2", "192.0.2.77")
    stand.apply("web", "192.0.2.77", **REF)
    stand.await_condition("web", "Accepted", "False")
    stand.apply("other", IPV4, **REF)
    await_ingress(stand, IPV4)
