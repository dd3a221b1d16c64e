"""`vip-operator cleanup` on a real API server, with the rights of the chart's hook.

The test is the kubelet: it ends the pods that are on a node.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import expected_rights
from support.chart_rights import Rights, chart_rights, used
from support.operator_stand import Stand, operator_stand
from vip_common.kinds import SPEAKERS, VIRTUAL_IPS, VIRTUAL_ROUTERS
from vip_kube.kinds import CONFIG_MAPS, DAEMON_SETS, DEPLOYMENTS, LEASES, PODS, SERVICES, Kind
from vip_lab.kubernetes.api import JsonObject
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.fault_proxy import FaultProxy
from vip_lab.kubernetes.helm import why_no_helm
from vip_lab.kubernetes.objects import (
    delete_pod,
    make_pod,
    make_service,
    set_node_ready,
)
from vip_lab.wait import until

pytestmark = pytest.mark.skipif(why_no_helm() is not None, reason=str(why_no_helm()))

CLASS = "vip-operator.io/vip"
LABEL = "app.kubernetes.io/name"
SECONDS = 30.0


@pytest.fixture
def rights(api: ControlPlane, namespace: str) -> Iterator[Rights]:
    """The chart's accounts, roles and template."""
    with chart_rights(api, namespace) as rights:
        yield rights


@pytest.fixture
def stand(api: ControlPlane, namespace: str, rights: Rights) -> Iterator[Stand]:
    """An installation at work: Deployment, DaemonSet with pods, a held VirtualIP, a Service."""
    option = "--speaker-template=vip-speaker"
    with operator_stand(api, namespace, None, option) as stand:
        stand.operator.start_and_wait()
        stand.api.create(DEPLOYMENTS, deployment(namespace))
        make_service(api.api, namespace, "web", load_balancer_class=CLASS)
        stand.apply("web", serviceRef={"name": "web"})
        stand.await_router("web")
        stand.speakers.claim("n1", stand.router_name("web"))
        stand.await_condition("web", "Bound", "True")
        until("the Service's address", lambda: ingress(stand, "web"), SECONDS, show=stand.describe)
        until("speakers' pods", lambda: pods(stand, "vip-speaker"), SECONDS, show=stand.describe)
        yield stand


def deployment(namespace: str) -> JsonObject:
    """Return a Deployment as the chart calls it; who runs the real operator is the test."""
    labels = {LABEL: "vip-operator"}
    return {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.name,
        "metadata": {"name": "vip-operator", "namespace": namespace},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "operator", "image": "never-pulled"}]},
            },
        },
    }


def pods(stand: Stand, name: str) -> list[JsonObject]:
    """Return the pods of operator or speakers."""
    return [
        pod
        for pod in stand.api.items(PODS, stand.namespace)
        if pod["metadata"].get("labels", {}).get(LABEL) == name
    ]


def left(stand: Stand) -> list[str]:
    """Return the names of the pods of operator and speakers."""
    found = (*pods(stand, "vip-operator"), *pods(stand, "vip-speaker"))
    return sorted(each["metadata"]["name"] for each in found)


def ingress(stand: Stand, service: str) -> object:
    """Return the addresses in the status of a Service."""
    status = stand.api.get(SERVICES, service, stand.namespace)["status"]
    return status["loadBalancer"].get("ingress")


def clean_up(kubeconfig: Path, namespace: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [
            str(Path(sys.executable).with_name("vip-operator")),
            *("cleanup", f"--kubeconfig={kubeconfig}", f"--namespace={namespace}", *words),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def names(stand: Stand, kind: Kind, namespace: str | None = None) -> list[str]:
    """Return the names of all objects of a kind."""
    return sorted(each["metadata"]["name"] for each in stand.api.items(kind, namespace))


def hook(rights: Rights, server: str | None = None) -> Path:
    """Return a kubeconfig of the hook's account."""
    return rights.kubeconfig(rights.token("vip-operator-cleanup"), "cleanup", server)


def test_what_is_written_goes_and_what_users_wrote_stays(
    stand: Stand, rights: Rights, proxy: FaultProxy
) -> None:
    """Workloads, VirtualRouters, Speakers, Leases and statuses go; VirtualIPs and the rest stay.

    The hook's rights suffice, and each of them is used.
    """
    namespace = stand.namespace
    make_service(stand.api, namespace, "other", load_balancer_class="example.com/other")
    theirs = {"status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.1"}]}}}
    stand.api.patch(SERVICES, "other", theirs, namespace, "status")
    kept = ingress(stand, "other")
    assert kept
    lease = {
        "apiVersion": LEASES.api_version,
        "kind": LEASES.name,
        "metadata": {"name": "somebody-else", "namespace": namespace},
    }
    stand.api.create(LEASES, lease)
    spec = stand.api.get(VIRTUAL_IPS, "web", namespace)["spec"]
    assert stand.operator.stop() == 0

    done = clean_up(hook(rights, proxy.server), namespace)

    assert done.returncode == 0, done.stderr
    assert names(stand, DAEMON_SETS, namespace) == []
    assert pods(stand, "vip-speaker") == pods(stand, "vip-operator") == []
    assert names(stand, VIRTUAL_ROUTERS) == names(stand, SPEAKERS) == []
    assert names(stand, LEASES, namespace) == ["somebody-else"]
    assert ingress(stand, "web") is None
    assert ingress(stand, "other") == kept
    assert stand.api.get(VIRTUAL_IPS, "web", namespace)["spec"] == spec
    assert stand.status("web") == {}
    assert stand.api.get(DEPLOYMENTS, "vip-operator", namespace)["spec"]["replicas"] == 0
    assert stand.api.find(CONFIG_MAPS, "vip-speaker", namespace)
    records = proxy.requests()
    # Nodes are looked at only if there is a pod to wait for at the first look.
    found = used(records) | {("", "nodes", "list")}
    assert found == expected_rights.CLEANUP_IN_CLUSTER | expected_rights.CLEANUP_IN_NAMESPACE
    deleted = [each.path for each in records if each.verb == "delete"]
    assert "/daemonsets/" in deleted[0]


def test_nothing_left_to_clean_up(stand: Stand, rights: Rights) -> None:
    """What was interrupted can be run again, also where everything is gone already."""
    assert stand.operator.stop() == 0
    stand.api.delete(DEPLOYMENTS, "vip-operator", stand.namespace)
    for _ in range(2):
        done = clean_up(hook(rights), stand.namespace)
        assert done.returncode == 0, done.stderr


def test_a_speaker_that_does_not_go(stand: Stand, rights: Rights) -> None:
    """While a speaker's pod is there nothing that speakers need goes; the command says which."""
    namespace, labels = stand.namespace, {LABEL: "vip-speaker"}
    make_pod(stand.api, namespace, "stuck", node="n1", address="192.0.2.1", labels=labels)
    assert stand.operator.stop() == 0

    def cleaned_up() -> subprocess.CompletedProcess[str]:
        return clean_up(hook(rights), namespace, "--timeout=2")

    # How long the rest takes to go is the controllers' business.
    until(
        "all pods but that one to go",
        lambda: cleaned_up().returncode == 1 and left(stand) == ["stuck"],
        60.0,
        show=stand.describe,
    )
    done = cleaned_up()
    assert done.returncode == 1
    words = f"Not everything is cleaned up: still there in namespace {namespace}: stuck"
    assert done.stderr.splitlines()[-1].endswith(words)
    assert names(stand, VIRTUAL_ROUTERS) == [stand.router_name("web")]
    assert names(stand, SPEAKERS) == ["n1", "n2", "n3"]
    delete_pod(stand.api, namespace, "stuck")
    assert clean_up(hook(rights), namespace).returncode == 0


def test_a_node_that_is_dead_is_not_waited_for(stand: Stand, rights: Rights) -> None:
    """A pod that no kubelet can end hinders nobody; the command says that it is left."""
    namespace, labels = stand.namespace, {LABEL: "vip-speaker"}
    make_pod(stand.api, namespace, "stuck", node="n3", address="192.0.2.3", labels=labels)
    set_node_ready(stand.api, "n3", ready=False)
    assert stand.operator.stop() == 0
    done = clean_up(hook(rights), namespace)
    assert done.returncode == 0, done.stderr
    assert "Not waiting for the pods of vip-speaker on nodes that are not ready: n3" in done.stderr
    assert names(stand, VIRTUAL_ROUTERS) == []


def test_without_rights(stand: Stand, rights: Rights) -> None:
    """What may not be done is said in a sentence, with status 1, and nothing is half done."""
    agent = rights.kubeconfig(rights.token("vip-speaker"), "agent")
    done = clean_up(agent, stand.namespace)
    assert done.returncode == 1
    assert "Not everything is cleaned up: 403 Forbidden: deployments" in done.stderr
    assert "Traceback" not in done.stderr
    assert names(stand, DAEMON_SETS, stand.namespace) == ["vip-speaker"]
