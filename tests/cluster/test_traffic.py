"""Ways in which traffic gets from the address to the program."""

from __future__ import annotations

from typing import Any

from support.figures import Figure
from support.installation import Installation, web_application, web_pod
from support.workloads import WEB_PORT, pod, web_server
from vip_common.kinds import VIRTUAL_IPS
from vip_kube.kinds import PODS, SERVICES
from vip_lab.client import Probing, answers, fetch
from vip_lab.wait import until

VIP, OTHER = "192.0.2.100", "192.0.2.101"


def test_cluster_traffic_policy(installation: Installation, namespace: str) -> None:
    """With externalTrafficPolicy Cluster any ready endpoint will do, wherever the address is."""
    cluster = installation.cluster
    policy: dict[str, Any] = {"externalTrafficPolicy": "Cluster"}
    with web_application(installation, "web", namespace, VIP, **policy) as holder:
        pods = {node: web_pod(installation, "web", namespace, node) for node in cluster.names}
        cluster.kubectl("exec", pods[holder], f"-n={namespace}", "--", "rm", "/tmp/ready")
        until(
            "a page of another node",
            lambda: answers(cluster.client, VIP) not in (None, pods[holder]),
            10.0,
        )
        assert installation.holders(VIP) == [holder]
        ingress = cluster.api.get(SERVICES, "web", namespace)["status"]["loadBalancer"]["ingress"]
        assert [each["ip"] for each in ingress] == [VIP]


def test_rolling_update(installation: Installation, namespace: str, figure: Figure) -> None:
    """While every pod is replaced, each of 200 connects a second finds one that answers."""
    cluster = installation.cluster
    target = f"tcp:{VIP}:80"
    with web_application(installation, "web", namespace, VIP, drain_seconds=3):
        with Probing(cluster.client, [target], 200) as probing:
            words = ("deployment/web", f"--namespace={namespace}")
            cluster.kubectl("rollout", "restart", *words)
            cluster.kubectl("rollout", "status", *words, "--timeout=90s")
        result = probing.results[target]
        figure("connects, of them lost, refused", (result.sent, result.lost, result.refused))
        assert result.lost <= 2
        assert result.refused <= 2


def test_drained_node(installation: Installation, namespace: str, figure: Figure) -> None:
    """`kubectl drain` of the holder takes its pod away, and the address leaves before that."""
    cluster = installation.cluster
    targets = [f"icmp:{VIP}", f"tcp:{VIP}:80"]
    with web_application(installation, "web", namespace, VIP, drain_seconds=3) as holder:
        try:
            with Probing(cluster.client, targets, 200) as probing:
                cluster.kubectl("drain", holder, "--ignore-daemonsets", "--timeout=60s")
                after = installation.await_holder(VIP, installation.others(holder), 8.0)
        finally:
            cluster.kubectl("uncordon", holder)
        lost = [probing.results[target].lost for target in targets]
        figure("lost echo requests, connects", lost)
        assert max(lost) <= 2
        cluster.kubectl("rollout", "status", "deployment/web", f"--namespace={namespace}")
        assert installation.holders(VIP) == [after]


def test_host_network_pods(installation: Installation, namespace: str) -> None:
    """Pods on the nodes' own network serve the address without a Service, and gate it."""
    cluster = installation.cluster
    for node in cluster.names:
        body = pod(f"edge-{node}", namespace, web_server(), nodeName=node, hostNetwork=True)
        body["metadata"]["labels"] = {"app": "edge"}
        cluster.kubectl.apply(body)
    gate = {"name": "edge", "pods": {"selector": {"matchLabels": {"app": "edge"}}}}
    installation.install(f"--set=podGates.namespaces={{{namespace}}}")
    installation.apply("edge", namespace, VIP, gates=[gate])
    try:
        holder = installation.await_ready("edge", namespace)
        assert fetch(cluster.client, VIP, WEB_PORT) == holder
        cluster.kubectl("exec", f"edge-{holder}", f"-n={namespace}", "--", "rm", "/tmp/ready")
        after = installation.await_holder(VIP, installation.others(holder), 8.0)
        assert fetch(cluster.client, VIP, WEB_PORT) == after
    finally:
        cluster.api.delete(VIRTUAL_IPS, "edge", namespace)
        for node in cluster.names:
            cluster.api.delete(PODS, f"edge-{node}", namespace, at_once=True)
        installation.install()


def test_two_addresses_that_back_each_other_up(installation: Installation, namespace: str) -> None:
    """Two addresses live on two nodes; without one of them the other holds both, and back."""
    cluster = installation.cluster
    first, second = cluster.names[:2]
    orders = {VIP: [first, second], OTHER: [second, first]}
    for name, (address, order) in zip(("front-a", "front-b"), orders.items(), strict=True):
        installation.apply(name, namespace, address, placement={"preferredNodes": order})
    try:
        for address, order in orders.items():
            installation.await_holder(address, order[:1], 15.0)
        installation.await_ready("front-a", namespace)
        with Probing(cluster.client, [f"icmp:{OTHER}"], 100) as probing:
            cluster.power_off(first)
            installation.await_holder(VIP, [second], 8.0)
            cluster.power_on(first)
            cluster.await_ready(first)
            # It prefers the first, and may go back only when that node can serve.
            installation.await_holder(VIP, [first], 60.0)
        assert probing.results[f"icmp:{OTHER}"].lost == 0
    finally:
        if not cluster.has_power(first):
            cluster.power_on(first)
            cluster.await_ready(first)
        for name in ("front-a", "front-b"):
            cluster.api.delete(VIRTUAL_IPS, name, namespace)
        until("no holder", lambda: not installation.holders(VIP), 20.0)
        installation.await_speakers()
