"""The cluster itself: its nodes behave as nodes, and nothing of it stays behind."""

from __future__ import annotations

import functools
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from support.figures import Figure
from support.workloads import container, pod, web_deployment, web_service
from vip_kube.kinds import PODS, SERVICES
from vip_lab.client import answers, fetch
from vip_lab.cluster import archive, cache, cgroups
from vip_lab.cluster import cluster as harness
from vip_lab.cluster.cluster import Cluster
from vip_lab.host import INTERFACE
from vip_lab.kubernetes.api import JsonObject
from vip_lab.kubernetes.kubectl import Kubectl
from vip_lab.kubernetes.objects import is_ready
from vip_lab.wait import until

_EXTRA_ADDRESS = "192.0.2.77"
_PODS = IPv4Network("10.244.0.0/16")
# What the engine does: a raw socket of VRRP, frames by AF_PACKET, and an address on the interface.
_ENGINE_LIKE = f"""
import fcntl, socket, struct, time
socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)
label = b"{INTERFACE}:x"
address = socket.inet_aton("{_EXTRA_ADDRESS}")
request = struct.pack("16sH2x4s8x", label, socket.AF_INET, address)
fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8916, request)
print("done", flush=True)
time.sleep(3600)
"""
_HOLD_ONE_NODE = """
import signal, sys
from pathlib import Path
from vip_lab.cluster import images
from vip_lab.cluster.cluster import Cluster
# What a shell starts in the background is made to ignore Ctrl-C, and hands that on.
signal.signal(signal.SIGINT, signal.default_int_handler)
with Cluster(["n1"], archives=[images.pause()]) as cluster:
    Path(sys.argv[1]).write_text(cluster.lan["n1"].namespace)
    signal.pause()
"""


@pytest.fixture
def powered(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster; every node that a test leaves without power gets it back."""
    yield cluster
    for name in cluster.names:
        if not cluster.has_power(name):
            cluster.power_on(name)
            cluster.await_ready(name)


def _pods(cluster: Cluster, namespace: str) -> list[JsonObject]:
    return cluster.api.items(PODS, namespace)


def _roll_out(kubectl: Kubectl, name: str, namespace: str) -> None:
    kubectl.apply(web_deployment(name, namespace))
    kubectl("rollout", "status", f"deployment/{name}", f"--namespace={namespace}", "--timeout=60s")


def test_all_nodes_are_ready(cluster: Cluster, figure: Figure) -> None:
    """Three nodes are Ready, each with a host name of its own that is not the machine's."""
    figure("three nodes Ready after", cluster.ready_after_seconds)
    assert cluster.ready_nodes() == ["n1", "n2", "n3"]
    for name in cluster.names:
        assert cluster.exec(name, "hostname").strip() == name
    assert socket.gethostname() not in cluster.names


def test_deployment_spreads_and_becomes_ready(
    cluster: Cluster, kubectl: Kubectl, namespace: str, figure: Figure
) -> None:
    """Three pods with readiness probes become ready, one on each node, in networks of their own."""
    began = time.monotonic()
    _roll_out(kubectl, "web", namespace)
    figure("Deployment of 3 ready", time.monotonic() - began)
    found = {
        each["spec"]["nodeName"]: each["status"]["podIP"] for each in _pods(cluster, namespace)
    }
    assert sorted(found) == cluster.names
    networks = {IPv4Network(f"{address}/24", strict=False) for address in found.values()}
    assert len(networks) == len(cluster.names)
    assert all(each.subnet_of(_PODS) for each in networks)


def test_service_is_reached_from_pods_nodes_and_client(
    cluster: Cluster, kubectl: Kubectl, namespace: str
) -> None:
    """A ClusterIP leads to every ready pod, also to one beside the pod that asks."""
    _roll_out(kubectl, "web", namespace)
    kubectl.apply(web_service("web", namespace))
    address = cluster.api.get(SERVICES, "web", namespace)["spec"]["clusterIP"]
    names = {each["metadata"]["name"] for each in _pods(cluster, namespace)}
    # Each node's kube-proxy learns of it in its own time, after an outage up to half a minute late.
    for host in (cluster.client, *(cluster.host(name) for name in cluster.names)):
        until(f"a page on {host.name}", functools.partial(answers, host, address), 60)

    pages = {fetch(cluster.client, address) for _attempt in range(40)}
    assert pages == names
    pages = {fetch(cluster.host(cluster.names[1]), address) for _attempt in range(40)}
    assert pages == names
    ask = f"from urllib.request import urlopen; print(urlopen('http://{address}').read().decode())"
    words = ("exec", min(names), f"--namespace={namespace}", "--", "python", "-c")
    many = f"for _ in range(40):\n    {ask}"
    assert set(kubectl(*words, many).split()) == names


def test_host_network_pod_with_two_capabilities(
    cluster: Cluster, kubectl: Kubectl, namespace: str
) -> None:
    """NET_ADMIN and NET_RAW alone suffice for sockets and addresses in the node's own network."""
    security = {
        "runAsUser": 0,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW"]},
    }
    engine = container("engine", "python", "-c", _ENGINE_LIKE, securityContext=security)
    name = cluster.names[1]
    kubectl.apply(pod("engine", namespace, engine, hostNetwork=True, nodeName=name))
    host = cluster.host(name)
    try:
        until(
            "the address on the node",
            lambda: host.holds(_EXTRA_ADDRESS),
            30,
            show=lambda: kubectl.run("logs", "engine", f"--namespace={namespace}"),
        )
        assert cluster.holders(_EXTRA_ADDRESS) == [name]
    finally:
        cluster.api.delete(PODS, "engine", namespace)
        if host.holds(_EXTRA_ADDRESS):
            host.ip("address", "delete", f"{_EXTRA_ADDRESS}/24", "dev", INTERFACE)


def test_loaded_image_is_on_every_node(cluster: Cluster, tmp_path: Path) -> None:
    """An archive that is loaded becomes an image on each node."""
    layer, image = tmp_path / "layer.tar", tmp_path / "image.tar"
    with tarfile.open(layer, "w") as tar:
        tar.add(__file__, "only-file")
    archive.write_archive(image, "docker.io/library/loaded:1", layer, entrypoint=["/only-file"])
    cluster.load_image(image)
    for name in cluster.names:
        listed = cluster.exec(name, "ctr", "--namespace=k8s.io", "images", "list", "--quiet")
        assert "docker.io/library/loaded:1" in listed.split()


def test_power_cut_and_boot(
    powered: Cluster, kubectl: Kubectl, namespace: str, figure: Figure
) -> None:
    """A node without power is NotReady, answers nobody, and is whole again after it boots."""
    cluster = powered
    _roll_out(kubectl, "web", namespace)
    name = cluster.names[-1]
    host = cluster.host(name)
    host.ip("address", "add", f"{_EXTRA_ADDRESS}/24", "dev", INTERFACE)

    began = time.monotonic()
    cluster.power_off(name)
    figure("power cut done", time.monotonic() - began)
    assert not cluster.has_power(name)
    assert cluster.client.run("sh", "-c", f"ping -c1 -W1 {host.ipv4} || echo silent").endswith(
        "silent\n"
    )
    cluster.await_not_ready(name)
    figure("NotReady after", time.monotonic() - began)

    began = time.monotonic()
    cluster.power_on(name)
    cluster.await_ready(name)
    figure("Ready after power came back", time.monotonic() - began)
    assert cluster.holders(_EXTRA_ADDRESS) == []
    until(
        "all pods to be ready again",
        lambda: all(is_ready(each) for each in _pods(cluster, namespace)),
        60,
        every=0.2,
        show=lambda: [each["status"] for each in _pods(cluster, namespace)],
    )
    figure("its pods ready after", time.monotonic() - began)


def test_cut_link_and_mended(powered: Cluster, figure: Figure) -> None:
    """A node whose cable is pulled loses carrier, goes on, and is Ready again when it is back."""
    name = powered.names[0]
    powered.cut(name)
    try:
        assert "NO-CARRIER" in powered.exec(name, "ip", "link", "show", INTERFACE)
        powered.await_not_ready(name)
        assert powered.has_power(name)
    finally:
        powered.restore(name)
    began = time.monotonic()
    powered.await_ready(name, 30)
    figure("Ready after the link came back", time.monotonic() - began)


def test_api_server_stops_and_comes_back(cluster: Cluster) -> None:
    """Nodes outlive a stop of the API server and report to it again."""
    cluster.stop_api()
    try:
        assert not cluster.api_ready()
        assert all(cluster.has_power(name) for name in cluster.names)
    finally:
        cluster.start_api()
    until("all nodes to be Ready", lambda: cluster.ready_nodes() == cluster.names, 30)


# --- nothing stays behind ------------------------------------------------------------------------


def _traces(namespace: str) -> list[str]:
    """Return what is left of a cluster, by the name of its node's namespace."""
    lab = namespace.removesuffix("-n1")
    places = (Path("/run/netns"), cache.disks(), Path("/tmp"))
    found = [str(path) for place in places for path in place.glob(f"{lab}-*")]
    found += [name for name in cgroups.names() if name.startswith(lab)]
    found += [
        f"mount {line}" for line in Path("/proc/mounts").read_text().splitlines() if lab in line
    ]
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if lab in words:
            found.append(f"process {entry.parent.name}: {words}")
    return found


@pytest.fixture
def one_node(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A process that holds a cluster of one node, and the name of the node's namespace."""
    note = tmp_path / "namespace"
    process = subprocess.Popen([sys.executable, "-c", _HOLD_ONE_NODE, str(note)])
    try:
        until(
            "the cluster",
            lambda: process.poll() is not None or (note.exists() and note.read_text()),
            90,
            every=0.1,
        )
        assert process.poll() is None, "the cluster did not start"
        yield process, note.read_text()
    finally:
        process.kill()
        process.wait()
        harness.sweep()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_stays_behind(
    one_node: tuple[subprocess.Popen[bytes], str], number: int, figure: Figure
) -> None:
    """Interrupted, a cluster removes everything; killed, its processes end and a sweep does."""
    process, namespace = one_node
    assert _traces(namespace)
    began = time.monotonic()
    os.kill(process.pid, number)
    process.wait(30)
    figure("ended after", time.monotonic() - began)
    if number == signal.SIGKILL:
        until(
            "its processes to end",
            lambda: not [each for each in _traces(namespace) if each.startswith("process")],
            10,
        )
        harness.sweep()
    assert _traces(namespace) == []
