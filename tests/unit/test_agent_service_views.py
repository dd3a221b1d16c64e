"""What gates see of a Service: endpoints counted as kube-proxy counts them."""

from __future__ import annotations

from typing import Any

import pytest

from support.watched_cluster import endpoint, endpoints, raw, service
from vip_speaker.agent.kubernetes.services import pick_service, pick_slice, service_view
from vip_speaker.gates.surroundings import ServiceView


def view(
    the_service: dict[str, Any] | None, *slices: dict[str, Any], address: str = ""
) -> ServiceView:
    """Return what n1 sees of objects."""
    found = pick_service(raw(the_service)) if the_service is not None else None
    return service_view(found, [pick_slice(raw(each)) for each in slices], "n1", address)


def test_ready_endpoints_are_counted_by_node() -> None:
    """Unready and terminating ones are left out; no condition counts as ready."""
    found = view(
        service(externalTrafficPolicy="Local", healthCheckNodePort=30001),
        endpoints(
            endpoint("n1", "10.0.0.1", ready=True),
            endpoint("n1", "10.0.0.2", ready=False),
            endpoint("n2", "10.0.0.3"),
            {"addresses": ["10.0.0.9"], "nodeName": "n2", "conditions": None},
        ),
        endpoints(endpoint("n1", "10.0.0.4", ready=True, terminating=True), name="web-2"),
        {**endpoints(name="web-3"), "endpoints": None},
        address="192.0.2.1",
    )

    assert found == ServiceView(
        exists=True,
        local=True,
        ready_here=1,
        ready_anywhere=3,
        serving_here=1,
        serving_anywhere=1,
        health_check=("192.0.2.1", 30001),
    )


@pytest.mark.parametrize(
    ("spec", "address"),
    [
        ({"externalTrafficPolicy": "Local"}, "192.0.2.1"),
        ({"externalTrafficPolicy": "Local", "healthCheckNodePort": 30001}, ""),
        ({"healthCheckNodePort": 30001}, "192.0.2.1"),
    ],
    ids=["no port", "no address", "policy Cluster"],
)
def test_without_port_address_or_policy_nobody_is_asked(spec: dict[str, Any], address: str) -> None:
    """Only with all three does a node say whether it forwards to what is ready on it."""
    assert view(service(**spec), address=address).health_check is None


def test_endpoints_that_are_terminating_and_serve_are_counted_apart() -> None:
    """One serves unless it says that it does not, also where unready pods are published."""
    found = view(
        service(),
        endpoints(
            endpoint("n1", "10.0.0.1", ready=False, serving=True, terminating=True),
            endpoint("n1", "10.0.0.2", ready=False, serving=False, terminating=True),
            endpoint("n2", "10.0.0.3", ready=False, terminating=True),
            endpoint("n1", "10.0.0.4", ready=False, serving=True, terminating=False),
            endpoint("n1", "10.0.0.5", ready=True, serving=True, terminating=True),
        ),
    )

    assert found == ServiceView(exists=True, serving_here=2, serving_anywhere=3)


def test_endpoints_that_name_no_node_are_nowhere() -> None:
    """They are counted among all, and on no node."""
    nameless = {"addresses": ["10.0.0.1"], "conditions": {"ready": True}}
    found = view(service(), endpoints(nameless, endpoint("n1", "10.0.0.2", ready=True)))

    assert found == ServiceView(exists=True, ready_here=1, ready_anywhere=2, ready_nameless=1)


def test_a_pod_in_the_slices_of_both_families_is_one() -> None:
    """Dual-stack Services have a slice per family with the same pods."""
    target = {"targetRef": {"uid": "uid-web"}}
    four = endpoint("n1", "10.0.0.1", ready=True) | target
    six = endpoint("n1", "2001:db8::1", ready=True) | target
    found = view(service(), endpoints(four), endpoints(six, name="web-6"))

    assert found == ServiceView(exists=True, local=False, ready_here=1, ready_anywhere=1)


def test_endpoints_without_a_service() -> None:
    """Slices may outlive their Service by a moment."""
    found = view(None, endpoints(endpoint("n1", "10.0.0.1", ready=True)))

    assert not found.exists
