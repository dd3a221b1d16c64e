"""The chart on a real cluster: what it installs, what its tokens may do, and what it leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from support.chart import container as container_of
from support.figures import Figure
from support.installation import RELEASE, SYSTEM, Installation, web_application
from support.workloads import container, pod
from vip_common.kinds import SPEAKERS, VIRTUAL_IPS, VIRTUAL_ROUTERS
from vip_kube.kinds import LEASES
from vip_lab.client import Probing
from vip_lab.kubernetes.objects import is_ready
from vip_lab.wait import until

VIP = "192.0.2.100"
_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"


def test_operator_and_speakers_run(installation: Installation) -> None:
    """Two operators are ready and one speaker on every node; `helm test` agrees."""
    # Tests before this one have stopped the API server and cut links.
    installation.await_kube_proxy()
    installation.await_speakers()
    until(
        "two ready operators",
        lambda: [is_ready(one) for one in installation.pods("vip-operator")] == [True, True],
        30.0,
        every=0.2,
        show=installation.describe,
    )
    installation.helm("test", RELEASE, f"--namespace={SYSTEM}", "--timeout=60s")


def test_engine_has_two_capabilities_and_no_token(installation: Installation) -> None:
    """The engine may administer the network and open raw sockets; the agent may do neither."""
    kubectl = installation.cluster.kubectl
    name = installation.speaker_pod(installation.cluster.names[0])
    found = {}
    for part in ("engine", "agent"):
        words = ("exec", name, f"-n={SYSTEM}", "-c", part, "--")
        status = kubectl(*words, "cat", "/proc/1/status")
        capabilities = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        token = kubectl.run(*words, "test", "-r", _TOKEN).ok
        found[part] = (int(capabilities["CapEff"], 16), token)
    net_admin_and_raw = (1 << 12) | (1 << 13)
    assert found == {"engine": (net_admin_and_raw, False), "agent": (0, True)}


def test_agents_are_found_alive(installation: Installation) -> None:
    """What the kubelet runs to find an agent alive says so in each, without the node's port."""
    kubectl = installation.cluster.kubectl
    (speakers,) = installation.daemon_sets()
    probe = container_of(speakers, "agent")["livenessProbe"]["exec"]["command"]
    for node in installation.cluster.names:
        kubectl("exec", installation.speaker_pod(node), f"-n={SYSTEM}", "-c", "agent", "--", *probe)


def test_token_of_a_speaker_writes_its_own_node_only(installation: Installation) -> None:
    """An agent may write Speaker and Lease of its own node, and neither of those of another."""
    cluster = installation.cluster
    own, other = cluster.names[:2]
    installation.await_kube_proxy()
    outcomes = {
        node: _write_as(installation, own, f"/apis/vip-operator.io/v1alpha1/speakers/{node}/status")
        for node in (own, other)
    }
    assert outcomes[own] == 200
    assert outcomes[other] == 403
    name = f"vip-speaker-{other}"
    path = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/{name}"

    def write() -> int:
        lease = cluster.api.get(LEASES, name, SYSTEM)
        return _write_as(installation, own, path, "PUT", lease)

    # Its owner renews it every 10 s: what was read just before that is refused for its age alone.
    status = until("an answer", lambda: (seen := write()) != 409 and seen, 20.0)
    assert status == 403


def _write_as(
    installation: Installation, node: str, path: str, method: str = "PATCH", body: object = None
) -> int:
    """Write with the token of a node's agent, from within its container; return the status."""
    patch = {"status": {"features": []}} if body is None else body
    content_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
    script = f"""
import os, ssl, sys, urllib.error, urllib.request
folder = "/var/run/secrets/kubernetes.io/serviceaccount"
host = os.environ["KUBERNETES_SERVICE_HOST"] + ":" + os.environ["KUBERNETES_SERVICE_PORT"]
request = urllib.request.Request(
    "https://" + host + {path!r}, data={json.dumps(patch)!r}.encode(), method={method!r},
    headers={{"Authorization": "Bearer " + open(folder + "/token").read(),
             "Content-Type": {content_type!r}}})
context = ssl.create_default_context(cafile=folder + "/ca.crt")
try:
    print(urllib.request.urlopen(request, context=context, timeout=5).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""
    words = ("exec", installation.speaker_pod(node), f"-n={SYSTEM}", "-c", "agent", "--")
    return int(installation.cluster.kubectl(*words, "python3", "-c", script))


@pytest.fixture
def restricted(installation: Installation) -> Iterator[None]:
    """Pod Security refuses what speakers need, for as long as a test runs."""
    label = "pod-security.kubernetes.io/enforce"
    kubectl = installation.cluster.kubectl
    kubectl("label", "namespace", SYSTEM, f"{label}=restricted", "--overwrite")
    yield
    kubectl("label", "namespace", SYSTEM, f"{label}-")
    # By itself the DaemonSet controller tries ever more rarely.
    kubectl("rollout", "restart", "daemonset/vip-speaker", f"-n={SYSTEM}")
    installation.await_speakers(90.0)


@pytest.mark.usefixtures("restricted")
def test_refused_pods_are_told_to_the_user(installation: Installation, namespace: str) -> None:
    """Where Pod Security refuses the speakers, the VirtualIP says so, and why."""
    kubectl = installation.cluster.kubectl
    installation.apply("web", namespace, VIP)
    installation.await_ready("web", namespace)
    kubectl("delete", "pods", f"-n={SYSTEM}", "-l", "app.kubernetes.io/name=vip-speaker")
    until(
        "the VirtualIP to tell of the refusal",
        lambda: "PodSecurity" in json.dumps(installation.status("web", namespace)),
        60.0,
        every=0.5,
        show=installation.describe,
    )
    installation.cluster.api.delete(VIRTUAL_IPS, "web", namespace)


def test_upgrade_loses_nothing(installation: Installation, namespace: str, figure: Figure) -> None:
    """An upgrade replaces the speakers node after node; each hands its address over before."""
    targets = [f"icmp:{VIP}", f"tcp:{VIP}:80"]
    with web_application(installation, "web", namespace, VIP):
        old = _names_of_speakers(installation)
        with Probing(installation.cluster.client, targets, 200) as probing:
            installation.install("--set=speaker.logLevel=debug")
            until(
                "every speaker to be another",
                lambda: not old & _names_of_speakers(installation),
                120.0,
                every=0.2,
                show=installation.describe,
            )
            installation.await_speakers()
        lost = [probing.results[target].lost for target in targets]
        figure("lost echo requests, connects", lost)
        assert max(lost) <= 5


def _names_of_speakers(installation: Installation) -> set[str]:
    return {pod["metadata"]["name"] for pod in installation.pods("vip-speaker")}


def test_uninstalled_and_installed_again(installation: Installation, namespace: str) -> None:
    """Uninstalling leaves nothing behind, not even with VirtualIPs; it can be installed again."""
    cluster = installation.cluster
    installation.apply("web", namespace, VIP)
    installation.await_ready("web", namespace)
    installation.uninstall()
    try:
        assert installation.holders(VIP) == []
        crds = "customresourcedefinitions"
        until(
            "the CRDs to be gone",
            lambda: "vip-" not in cluster.kubectl("get", crds, "-o", "name"),
            20.0,
        )
        # Helm does not wait for what the garbage collector takes away.
        until(
            "nothing to be left",
            lambda: not _left(installation),
            20.0,
            show=lambda: _left(installation),
        )
        everywhere = "clusterroles,clusterrolebindings,validatingadmissionpolicies"
        assert "vip-" not in cluster.kubectl("get", everywhere, "-o", "name")
    finally:
        installation.install()
    installation.apply("web", namespace, VIP)
    installation.await_ready("web", namespace)
    cluster.api.delete(VIRTUAL_IPS, "web", namespace)
    until("no VirtualRouter", lambda: not cluster.api.items(VIRTUAL_ROUTERS), 20.0, every=0.2)


def _left(installation: Installation) -> list[str]:
    """Return what is in the namespace of the chart, but for what every namespace has."""
    kinds = "all,leases,configmaps"
    shown = installation.cluster.kubectl("get", kinds, f"-n={SYSTEM}", "-o", "name")
    return [line for line in shown.split() if "kube-root-ca" not in line]


def test_uninstalling_may_keep_what_users_wrote(installation: Installation, namespace: str) -> None:
    """With crds.keep, the default, VirtualIPs outlive an uninstall, and no address does."""
    cluster = installation.cluster
    installation.install("--set=crds.keep=true")
    installation.apply("web", namespace, VIP)
    installation.await_ready("web", namespace)
    installation.uninstall()
    try:
        assert installation.holders(VIP) == []
        assert [one["metadata"]["name"] for one in cluster.api.items(VIRTUAL_IPS)] == ["web"]
        assert cluster.api.items(VIRTUAL_ROUTERS) == []
        assert cluster.api.items(SPEAKERS) == []
    finally:
        installation.install()
    installation.await_ready("web", namespace)
    cluster.api.delete(VIRTUAL_IPS, "web", namespace)
    until("no holder", lambda: not installation.holders(VIP), 20.0)


def test_an_unprivileged_pod_cannot_do_what_an_engine_can(
    installation: Installation, namespace: str
) -> None:
    """The image alone gives no right: without the capabilities no raw socket opens."""
    script = "import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)"
    security = {"runAsUser": 65532, "capabilities": {"drop": ["ALL"]}}
    one = container("main", "python3", "-c", script, securityContext=security)
    kubectl = installation.cluster.kubectl
    kubectl.apply(pod("plain", namespace, one))
    until(
        "the pod to end",
        lambda: kubectl.get("pod", "plain", namespace)["status"]["phase"] == "Failed",
        30.0,
        every=0.3,
    )
    assert "PermissionError" in kubectl("logs", "plain", f"-n={namespace}")
