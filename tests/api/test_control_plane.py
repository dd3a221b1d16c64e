"""The control plane itself: it is a real one, can be hurt, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.api_server import CLUSTER_ROLE_BINDINGS, allow_everything, clean_up
from vip_common.kinds import SPEAKERS, VIRTUAL_IPS
from vip_kube.errors import ApiError, UnreachableError
from vip_kube.kinds import ENDPOINT_SLICES, NODES, PODS, SERVICES
from vip_lab.kubernetes import objects
from vip_lab.kubernetes.api import JsonObject
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.kubectl import Kubectl
from vip_lab.namespaces import LabError
from vip_lab.wait import until

OURS = "vip-operator.io/v1alpha1"
HARNESS = """
import signal
from vip_lab.kubernetes.control_plane import ControlPlane

with ControlPlane() as plane:
    print(plane.place.directory, flush=True)
    signal.pause()
"""


def virtual_ip(namespace: str, name: str = "web", **metadata: object) -> JsonObject:
    """Return a VirtualIP."""
    return {
        "apiVersion": OURS,
        "kind": "VirtualIP",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": {"addresses": ["192.0.2.100"]},
    }


def ready_endpoints(plane: ControlPlane, namespace: str) -> list[str]:
    """Return the addresses of the ready endpoints of a namespace."""
    return [
        address
        for each in plane.api.items(ENDPOINT_SLICES, namespace)
        for endpoint in each["endpoints"] or ()
        if endpoint["conditions"]["ready"]
        for address in endpoint["addresses"]
    ]


# --- what it is ----------------------------------------------------------------------------------


def test_users_may_do_what_roles_say(api: ControlPlane, namespace: str) -> None:
    """A user may do nothing before a role is bound to it; then it may, by kubectl too."""
    with pytest.raises(ApiError, match='User "operator-2" cannot list'):
        api.api_as("operator-2").items(NODES)
    allow_everything(api.api, "operator-2")
    try:
        until("the binding to count", lambda: allowed(api), 30.0)
        assert api.kubectl("operator-2").run("get", "nodes").ok
    finally:
        api.api.delete(CLUSTER_ROLE_BINDINGS, "everything-for-operator-2")
    until("the binding to count no more", lambda: not allowed(api), 30.0)


def allowed(plane: ControlPlane) -> bool:
    """Return whether the second operator may list nodes."""
    try:
        plane.api_as("operator-2").items(NODES)
    except ApiError:
        return False
    return True


def test_an_unknown_user_is_named(api: ControlPlane) -> None:
    """A user without a token is refused with the list of those who have one."""
    with pytest.raises(LabError, match=r"user ghost has no token.*admin"):
        api.kubeconfig("ghost")


def test_service_accounts_have_tokens(api: ControlPlane, namespace: str) -> None:
    """A kubeconfig for a ServiceAccount speaks as that account."""
    kubectl = Kubectl(api.service_account_kubeconfig(namespace, "default"))
    assert f"system:serviceaccount:{namespace}:default" in kubectl("auth", "whoami")


def test_objects_of_a_deleted_node_are_collected(api: ControlPlane, namespace: str) -> None:
    """A Speaker that belongs to a Node goes with it: CRDs are known to the garbage collector."""
    node = objects.make_node(api.api, "n1", "192.0.2.11")
    assert node["status"]["nodeInfo"]["bootID"] == objects.boot_id()
    assert "taints" not in api.api.get(NODES, "n1")["spec"]
    owner = {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": node["metadata"]["uid"]}
    metadata = {"name": "n1", "ownerReferences": [owner]}
    api.api.create(SPEAKERS, {"apiVersion": OURS, "kind": "Speaker", "metadata": metadata})
    api.api.delete(NODES, "n1")
    until("the Speaker to go", lambda: api.api.find(SPEAKERS, "n1") is None, 30.0)


def test_nodes_keep_the_readiness_they_were_given(api: ControlPlane, namespace: str) -> None:
    """A Node is Ready or not as the test says: nobody minds that it has no kubelet."""
    objects.make_node(api.api, "n2", "192.0.2.12")
    node = objects.set_node_ready(api.api, "n2", ready=False)
    (condition,) = node["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("Ready", "False")
    assert node["status"]["addresses"][0] == {"type": "InternalIP", "address": "192.0.2.12"}


def test_pods_make_endpoints(api: ControlPlane, namespace: str) -> None:
    """Pods without kubelets are endpoints of their Service while they are said to be ready."""
    objects.make_service(api.api, namespace, "web", selector={"app": "web"})
    for number in (1, 2):
        objects.make_node(api.api, f"n{number}", f"192.0.2.1{number}")
        objects.make_pod(
            api.api,
            namespace,
            f"web-{number}",
            node=f"n{number}",
            address=f"10.244.{number}.2",
            labels={"app": "web"},
        )

    def endpoints() -> set[str]:
        return set(ready_endpoints(api, namespace))

    until("both", lambda: endpoints() == {"10.244.1.2", "10.244.2.2"}, 30.0, show=endpoints)
    objects.set_pod_ready(api.api, namespace, "web-1", ready=False)
    until("the second alone", lambda: endpoints() == {"10.244.2.2"}, 30.0, show=endpoints)
    objects.terminate_pod(api.api, namespace, "web-2")
    assert "deletionTimestamp" in api.api.get(PODS, "web-2", namespace)["metadata"]
    until("nobody", lambda: endpoints() == set(), 30.0, show=endpoints)
    objects.delete_pod(api.api, namespace, "web-2")
    assert api.api.find(PODS, "web-2", namespace) is None


def test_endpoints_by_hand(api: ControlPlane, namespace: str) -> None:
    """A Service without selector has the endpoints that a test writes."""
    objects.make_service(api.api, namespace, "web", load_balancer_class="vip-operator.io/vip")
    on_n1 = objects.Endpoint("10.244.1.2", "n1")
    objects.make_endpoint_slice(api.api, namespace, "web", [on_n1])
    assert ready_endpoints(api, namespace) == ["10.244.1.2"]
    objects.set_endpoints(
        api.api, namespace, "web", [objects.Endpoint("10.244.1.2", "n1", ready=False)]
    )
    assert ready_endpoints(api, namespace) == []
    assert api.api.get(SERVICES, "web", namespace)["spec"]["type"] == "LoadBalancer"


def test_clean_up_removes_what_waits_for_somebody(api: ControlPlane, namespace: str) -> None:
    """Objects with a finalizer of a program that is gone are removed after a test all the same."""
    finalizers = ["vip-operator.io/finalizer"]
    api.api.create(VIRTUAL_IPS, virtual_ip(namespace, finalizers=finalizers))
    objects.make_node(api.api, "n3", "192.0.2.13")
    clean_up(api.api)
    assert api.api.items(VIRTUAL_IPS) == []
    assert api.api.items(NODES) == []


# --- what can be done to it ----------------------------------------------------------------------


@pytest.fixture
def stoppable(api: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane, whose API server runs again afterwards."""
    yield api
    if not api.running:
        api.start_api()


@pytest.mark.parametrize("at_once", [False, True], ids=["in-order", "killed"])
def test_stopped_and_started(stoppable: ControlPlane, namespace: str, at_once: bool) -> None:
    """A stopped API server refuses connections; started again it is where it was, with its data."""
    stoppable.api.create(VIRTUAL_IPS, virtual_ip(namespace))
    server = stoppable.server
    stoppable.stop_api(at_once=at_once)
    with pytest.raises(UnreachableError, match="ConnectionRefusedError"):
        stoppable.api.items(VIRTUAL_IPS)
    assert not stoppable.ready()
    stoppable.start_api()
    assert stoppable.server == server
    assert [each["metadata"]["name"] for each in stoppable.api.items(VIRTUAL_IPS)] == ["web"]


def test_frozen(api: ControlPlane) -> None:
    """A frozen API server takes connections and answers nothing until it is thawed."""
    api.freeze_api()
    try:
        with pytest.raises(UnreachableError, match=r"timed out|TimeoutError"):
            api.api_as("admin", timeout_seconds=0.5).items(NODES)
    finally:
        api.thaw_api()
    assert api.ready()


def test_compacted(stoppable: ControlPlane, namespace: str) -> None:
    """After a compaction and a restart a watch from before is told 410."""
    before = stoppable.api.get(objects.NAMESPACES, namespace)["metadata"]["resourceVersion"]
    for number in range(3):
        stoppable.api.create(VIRTUAL_IPS, virtual_ip(namespace, f"web-{number}"))
    watch = f"{VIRTUAL_IPS.path()}?watch=true&timeoutSeconds=1&resourceVersion={before}"
    assert stoppable.api.text(watch).count('"ADDED"') == 3
    stoppable.compact()
    stoppable.stop_api(at_once=True)
    stoppable.start_api()
    try:
        told = stoppable.api.text(watch)
    except ApiError as error:
        told = str(error)
    assert "410" in told, told


def test_a_part_that_does_not_start_is_shown() -> None:
    """Where the API server does not come up, the error has its last words, and nothing stays."""
    plane = ControlPlane(api_flags=["--no-such-flag"])
    with pytest.raises(LabError, match=r"kube-apiserver does not answer:[^$]*no-such-flag"), plane:
        pass
    with pytest.raises(LabError, match="was not started"):
        _ = plane.server


# --- its end -------------------------------------------------------------------------------------


def processes_naming(directory: str) -> list[str]:
    """Return the command lines that name a directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if directory in words:
            found.append(words)
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_a_killed_harness(number: signal.Signals) -> None:
    """A program that runs a control plane and is killed leaves no process and no file of it."""
    harness = subprocess.Popen([sys.executable, "-c", HARNESS], stdout=subprocess.PIPE, text=True)
    try:
        assert harness.stdout is not None
        directory = harness.stdout.readline().strip()
        assert Path(directory).is_dir()
        names = " ".join(processes_naming(directory))
        assert all(name in names for name in ("etcd", "kube-apiserver", "kube-controller-manager"))
        os.kill(harness.pid, number)
        assert harness.wait(10) == -number
    finally:
        harness.kill()
        harness.communicate()
    until("its processes to be gone", lambda: not processes_naming(directory), 30.0)
    until("its files to be gone", lambda: not Path(directory).exists(), 30.0)
