"""What can happen to the holder of an address in a real cluster, and where the address goes."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from support.figures import Figure
from support.installation import SYSTEM, Installation, web_application, web_pod
from vip_common.kinds import VIRTUAL_IPS
from vip_lab.client import Probing, answers, fetch
from vip_lab.kubernetes.kubectl import Kubectl
from vip_lab.wait import throughout, until

VIP = "192.0.2.100"
ICMP, TCP = f"icmp:{VIP}", f"tcp:{VIP}:80"
RATE = 200
# Peers on a cluster like this one, measured: power loss and a pod that turns unready.
KUBE_VIP_POWER_SECONDS, METALLB_POWER_SECONDS = 8.8, 6.6


@pytest.fixture
def web(installation: Installation, namespace: str) -> Iterator[str]:
    """A web application behind the address: the node that holds it."""
    with web_application(installation, "web", namespace, VIP) as holder:
        yield holder
        mend(installation)


def mend(installation: Installation) -> None:
    """Undo what a test has done to nodes and links."""
    cluster = installation.cluster
    for name in cluster.names:
        cluster.restore(name)
        if not cluster.has_power(name):
            cluster.power_on(name)
        cluster.await_ready(name)
    installation.await_kube_proxy()
    installation.await_speakers()


def test_page_comes_through_the_address(installation: Installation, web: str) -> None:
    """The page of a pod on the holder is fetched through the address from outside the cluster."""
    pods = {pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in all_pods(installation)}
    assert pods[fetch(installation.cluster.client, VIP)] == web
    shown = installation.cluster.kubectl("get", "vip", "-A").splitlines()
    assert web in shown[1], shown


def all_pods(installation: Installation) -> list[dict[str, dict[str, str]]]:
    """Return every pod."""
    return list(installation.cluster.kubectl.items("pods"))


def test_unready_pod_moves_the_address(
    installation: Installation, web: str, namespace: str, figure: Figure
) -> None:
    """When the holder's pod turns unready the address goes to a node with a ready one."""
    kubectl, client = installation.cluster.kubectl, installation.cluster.client
    pod = web_pod(installation, "web", namespace, web)
    with Probing(client, [ICMP, TCP], RATE) as probing:
        kubectl("exec", pod, f"--namespace={namespace}", "--", "rm", "/tmp/ready")
        began = time.monotonic()
        after = installation.await_holder(VIP, installation.others(web), 8.0)
        figure("file removed to moved", time.monotonic() - began)
        until("the new page", lambda: answers(client, VIP), 5.0)
    figure("longest gap of TCP, ms", round(probing.results[TCP].longest_gap_ms))
    figure("lost echo requests", probing.results[ICMP].lost)
    assert probing.results[ICMP].lost <= 5
    kubectl("exec", pod, f"--namespace={namespace}", "--", "touch", "/tmp/ready")
    throughout("the new holder", lambda: installation.holders(VIP) == [after], 3.0)


def test_deleted_speaker_pod_loses_nothing(
    installation: Installation, web: str, figure: Figure
) -> None:
    """A speaker pod that is deleted hands its address over before it goes."""
    pod = installation.speaker_pod(web)
    with Probing(installation.cluster.client, [ICMP, TCP], RATE) as probing:
        installation.cluster.kubectl.delete("pod", pod, SYSTEM)
        installation.await_holder(VIP, installation.others(web), 10.0)
    figure("lost echo requests, connects", (probing.results[ICMP].lost, probing.results[TCP].lost))
    assert probing.results[ICMP].lost <= 5
    assert probing.results[TCP].lost <= 5
    installation.await_speakers()


def test_deleted_operator_moves_nothing(installation: Installation, web: str) -> None:
    """Without the operator's Deployment speakers and address stay; installed again all is well."""
    kubectl = installation.cluster.kubectl
    with Probing(installation.cluster.client, [ICMP], RATE) as probing:
        kubectl.delete("deployment", "vip-operator", SYSTEM)
        until("the operator to be gone", lambda: not installation.pods("vip-operator"), 20.0)
        throughout("speakers", lambda: len(installation.daemon_sets()) == 1, 3.0, every=0.2)
        installation.install()
    assert probing.results[ICMP].lost == 0
    assert installation.holders(VIP) == [web]


def test_power_loss(installation: Installation, web: str, namespace: str, figure: Figure) -> None:
    """A holder without power is replaced within the protocol's time, faster than peers do it."""
    cluster = installation.cluster
    with Probing(cluster.client, [ICMP, TCP], RATE) as probing:
        cluster.power_off(web)
        after = installation.await_holder(VIP, installation.others(web), 8.0)
        until("the page", lambda: answers(cluster.client, VIP), 5.0)
    gap_seconds = probing.results[TCP].longest_gap_ms / 1000
    figure("longest gap of TCP", gap_seconds)
    assert gap_seconds < METALLB_POWER_SECONDS < KUBE_VIP_POWER_SECONDS
    until(
        "the status to follow",
        lambda: installation.status("web", namespace)["activeNode"] == after,
        30.0,
    )
    cluster.power_on(web)
    cluster.await_ready(web)
    installation.await_speakers()
    throughout("the same holder", lambda: installation.holders(VIP) == [after], 3.0)


def test_no_api_server_and_a_cut_link(
    installation: Installation, web: str, namespace: str, figure: Figure
) -> None:
    """Without an API server the address leaves a holder whose link is cut; later all agree."""
    cluster = installation.cluster
    with Probing(cluster.client, [ICMP, TCP], RATE) as probing:
        cluster.stop_api(at_once=True)
        try:
            throughout("the same holder", lambda: installation.holders(VIP) == [web], 5.0)
            cluster.cut(web)
            after = installation.await_holder(VIP, installation.others(web), 8.0)
            until("the page", lambda: answers(cluster.client, VIP), 5.0)
        finally:
            cluster.restore(web)
            cluster.start_api()
    gap_seconds = probing.results[ICMP].longest_gap_ms / 1000
    figure("longest gap of ICMP", gap_seconds)
    assert gap_seconds < 4.0
    until(
        "the status to be right",
        lambda: installation.status("web", namespace)["activeNode"] == after,
        60.0,
        every=0.2,
        show=installation.describe,
    )


def test_kubectl_wait(installation: Installation, namespace: str) -> None:
    """`kubectl wait --for=condition=Ready` ends when the address is up."""
    installation.apply("alone", namespace, "192.0.2.105")
    kubectl: Kubectl = installation.cluster.kubectl
    kubectl("wait", "--for=condition=Ready", "vip/alone", f"-n={namespace}", "--timeout=20s")
    assert len(installation.holders("192.0.2.105")) == 1
    installation.cluster.api.delete(VIRTUAL_IPS, "alone", namespace)
    until("no holder", lambda: not installation.holders("192.0.2.105"), 15.0)
