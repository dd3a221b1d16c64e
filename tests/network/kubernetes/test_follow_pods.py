"""The address follows what can answer: pods, their probes, and the endpoints of a Service."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from support.figures import Figure
from support.network_manifests import NODES
from support.stage import NAMESPACE, Stage, virtual_ip
from vip_kube.kinds import ENDPOINT_SLICES, PODS, SERVICES
from vip_lab.client import Probing
from vip_lab.kubernetes.objects import (
    Endpoint,
    delete_pod,
    make_endpoint_slice,
    make_pod,
    make_service,
    set_endpoints,
    set_pod_ready,
    terminate_pod,
)
from vip_lab.wait import throughout, until
from vip_lab.web import WebServer

VIP = "192.0.2.100"
TARGET = f"icmp:{VIP}"
PODS_OF_NGINX = {"selector": {"matchLabels": {"app": "nginx"}}}
GATES = [{"name": "nginx", "pods": PODS_OF_NGINX}]
CLASS = "vip-operator.io/vip"


@pytest.fixture
def pods(stage: Stage) -> Iterator[dict[str, str]]:
    """A ready pod of app nginx on every node: node to name of the pod."""
    names = {node: f"nginx-{node}" for node in NODES}
    for node, name in names.items():
        make_pod(
            stage.api, NAMESPACE, name, node=node, address=stage.lan[node].ipv4,
            labels={"app": "nginx"},
        )  # fmt: skip
    yield names
    for pod in stage.api.items(PODS, NAMESPACE):
        delete_pod(stage.api, NAMESPACE, pod["metadata"]["name"])


def settled(stage: Stage, name: str = "web") -> str:
    """Return the holder once every candidate is ready to take over."""
    stage.await_condition(name, "Ready", "True")
    until(
        "every other candidate on standby",
        lambda: stage.status(name)["candidates"]["standby"] == len(NODES) - 1,
        15.0,
        every=0.05,
        show=lambda: stage.describe(name),
    )
    return str(stage.status(name)["activeNode"])


def test_unready_pod_moves_the_address(stage: Stage, pods: dict[str, str], figure: Figure) -> None:
    """A pod that turns unready moves the address within milliseconds, and no ping is lost."""
    stage.apply(virtual_ip("web", [VIP], gates=GATES))
    before = settled(stage)
    with Probing(stage.lan["client"], [TARGET], 500) as probing:
        began = time.monotonic()
        set_pod_ready(stage.api, NAMESPACE, pods[before], ready=False)
        after = stage.fleet.await_holder(VIP, stage.fleet.others(before), 5.0)
        figure("pod unready to moved", time.monotonic() - began)
        stage.await_active_node("web", after)
        figure("pod unready to status", time.monotonic() - began)
        throughout("the new holder", lambda: stage.fleet.holder(VIP) == after, 1.5)
    assert probing.results[TARGET].lost <= 5
    events = stage.plane.kubectl()("get", "events", "-o", "custom-columns=R:.reason,M:.message")
    assert f"from {before} to {after}" in events, events
    # The other way round nothing moves: the new holder is well.
    set_pod_ready(stage.api, NAMESPACE, pods[before], ready=True)
    throughout("the same holder", lambda: stage.fleet.holder(VIP) == after, 2.0)


def test_terminating_pod_moves_the_address(stage: Stage, pods: dict[str, str]) -> None:
    """A pod that is being deleted does not count, though it still says that it is ready."""
    stage.apply(virtual_ip("web", [VIP], gates=GATES))
    before = settled(stage)
    terminate_pod(stage.api, NAMESPACE, pods[before])
    stage.fleet.await_holder(VIP, stage.fleet.others(before), 5.0)


def test_address_stays_when_every_pod_is_unready(stage: Stage, pods: dict[str, str]) -> None:
    """With no ready pod anywhere somebody still holds the address, and the status says why not."""
    stage.apply(virtual_ip("web", [VIP], gates=GATES))
    settled(stage)
    for name in pods.values():
        set_pod_ready(stage.api, NAMESPACE, name, ready=False)
    stage.await_condition("web", "Ready", "False")
    stage.fleet.await_holder(VIP, NODES, 6.0)
    until(
        "the reason",
        lambda: stage.condition("web", "Ready") == ("False", "GatesFailing"),
        10.0,
        show=lambda: stage.describe("web"),
    )
    set_pod_ready(stage.api, NAMESPACE, pods["n2"], ready=True)
    stage.fleet.await_holder(VIP, ["n2"], 6.0)
    stage.await_condition("web", "Ready", "True")


def test_pod_probe_is_faster_than_readiness(
    stage: Stage, pods: dict[str, str], figure: Figure
) -> None:
    """A pod that stops to answer is noticed by the speaker's own probe while it is still ready."""
    servers = {node: WebServer(stage.lan[node]) for node in NODES}
    for server in servers.values():
        server.start()
    try:
        probe = {
            "httpGet": {"port": 80, "path": "/"},
            "periodMilliseconds": 100,
            "timeoutMilliseconds": 200,
            "failureThreshold": 2,
        }
        gate = {"name": "nginx", "pods": {**PODS_OF_NGINX, "probe": probe}}
        stage.apply(virtual_ip("web", [VIP], gates=[gate]))
        before = settled(stage)
        began = time.monotonic()
        servers[before].stop()
        stage.fleet.await_holder(VIP, stage.fleet.others(before), 5.0)
        figure("pod stops to answer to moved", time.monotonic() - began)
    finally:
        for server in servers.values():
            server.stop()


@pytest.fixture
def proxies(stage: Stage) -> Iterator[dict[str, WebServer]]:
    """A local Service `web` without endpoints, and on each host who answers for kube-proxy."""
    service = make_service(stage.api, NAMESPACE, "web", load_balancer_class=CLASS)
    patch = {"spec": {"externalTrafficPolicy": "Local"}}
    port = stage.api.patch(SERVICES, "web", patch, NAMESPACE)["spec"]["healthCheckNodePort"]
    make_endpoint_slice(stage.api, NAMESPACE, "web", [])
    proxies = {node: WebServer(stage.lan[node], port) for node in NODES}
    try:
        yield proxies
    finally:
        for proxy in proxies.values():
            proxy.stop()
        stage.api.delete(ENDPOINT_SLICES, "web", NAMESPACE)
        stage.api.delete(SERVICES, service["metadata"]["name"], NAMESPACE)


def test_address_follows_the_endpoints_of_its_service(
    stage: Stage, proxies: dict[str, WebServer], figure: Figure
) -> None:
    """With a local Service of our class the address follows its endpoints, and is its ingress."""
    for proxy in proxies.values():
        proxy.start()
    where = {node: Endpoint(stage.lan[node].ipv4, node) for node in NODES}
    set_endpoints(stage.api, NAMESPACE, "web", [where["n2"]])
    stage.apply(virtual_ip("web", [VIP], serviceRef={"name": "web"}))
    stage.fleet.await_holder(VIP, ["n2"], 6.0)
    until("the ingress", lambda: ingress(stage) == [VIP], 5.0)
    began = time.monotonic()
    set_endpoints(stage.api, NAMESPACE, "web", [where["n3"]])
    stage.fleet.await_holder(VIP, ["n3"], 6.0)
    figure("endpoint gone to moved", time.monotonic() - began)
    stage.delete("web")
    until("the ingress to be cleared", lambda: ingress(stage) == [], 10.0)


def test_address_waits_for_kube_proxy(
    stage: Stage, proxies: dict[str, WebServer], figure: Figure
) -> None:
    """It goes to a node with a new endpoint only once kube-proxy there forwards to it."""
    proxies["n2"].start()
    where = {node: Endpoint(stage.lan[node].ipv4, node) for node in NODES}
    set_endpoints(stage.api, NAMESPACE, "web", [where["n2"]])
    stage.apply(virtual_ip("web", [VIP], serviceRef={"name": "web"}))
    stage.fleet.await_holder(VIP, ["n2"], 6.0)
    set_endpoints(stage.api, NAMESPACE, "web", [where["n3"]])
    throughout("the address where it was", lambda: stage.fleet.holder(VIP) == "n2", 1.0)
    proxies["n3"].start()
    began = time.monotonic()
    stage.fleet.await_holder(VIP, ["n3"], 2.0)
    figure("kube-proxy forwards to moved", time.monotonic() - began)


def test_address_stays_with_the_only_pod_that_serves(
    stage: Stage, proxies: dict[str, WebServer], figure: Figure
) -> None:
    """Terminating and serving it keeps the address until another node has a pod and forwards."""
    proxies["n2"].start()
    where = {node: Endpoint(stage.lan[node].ipv4, node) for node in NODES}
    set_endpoints(stage.api, NAMESPACE, "web", [where["n2"]])
    placement = {"preferredNodes": ["n1", "n3", "n2"]}  # nothing else speaks for n2
    stage.apply(virtual_ip("web", [VIP], serviceRef={"name": "web"}, placement=placement))
    stage.fleet.await_holder(VIP, ["n2"], 6.0)
    settled_on(stage, "n2")
    going = Endpoint(stage.lan["n2"].ipv4, "n2", terminating=True)
    with Probing(stage.lan["client"], [TARGET], 200) as probing:
        set_endpoints(stage.api, NAMESPACE, "web", [going])
        stage.await_condition("web", "Ready", "False")
        throughout("the address where it was", lambda: stage.fleet.holder(VIP) == "n2", 3.0)
        set_endpoints(stage.api, NAMESPACE, "web", [going, where["n3"]])
        throughout("the address where it was", lambda: stage.fleet.holder(VIP) == "n2", 1.0)
        proxies["n3"].start()
        began = time.monotonic()
        stage.fleet.await_holder(VIP, ["n3"], 2.0)
        figure(
            "kube-proxy forwards to moved from a pod that is terminating", time.monotonic() - began
        )
    assert probing.results[TARGET].lost <= 5
    stage.await_condition("web", "Ready", "True")


def settled_on(stage: Stage, node: str) -> None:
    """Wait until the status has the holder, whose gates pass."""
    stage.await_active_node("web", node)
    stage.await_condition("web", "Ready", "True")


def ingress(stage: Stage) -> list[str]:
    """Return the addresses in the status of the Service."""
    balancer = stage.api.get(SERVICES, "web", NAMESPACE)["status"].get("loadBalancer", {})
    return [each["ip"] for each in balancer.get("ingress", ())]
