"""What kind and docker are asked to do, and when that is not even tried.

Neither is there in this ring: small programs stand in for them (support.fake_commands). The real
ones are proven by the workflow's job `kind` only.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from support.chosen_cluster import by_kind
from support.fake_commands import FakeCommands, machine_with_kind
from support.rings import ROOT, why_no_cluster_ring
from vip_kube.errors import ApiError
from vip_kube.kinds import Kind
from vip_lab import namespaces
from vip_lab.cluster.cluster import Cluster
from vip_lab.cluster.images import project_name
from vip_lab.cluster.interface import AnyCluster
from vip_lab.kind import commands, config, images
from vip_lab.kind.bridge import Bridge
from vip_lab.kind.cluster import KindCluster, renewed_after
from vip_lab.kind.control_plane import KindControlPlane
from vip_lab.kind.node import KindNode
from vip_lab.kubernetes.place import Place
from vip_lab.namespaces import LabError

NODE = "viplab-worker"
BRIDGE = "br-0123456789ab"


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCommands:
    """Docker, kind and ip that agree to everything."""
    fakes = FakeCommands(tmp_path, monkeypatch)
    for name in ("docker", "kind", "ip"):
        fakes.add(name)
    return fakes


# --- whether it can be --------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCommands:
    """A machine of root's that has docker, kind and kubectl, and no other command."""
    return machine_with_kind(tmp_path, monkeypatch)


def test_nothing_is_missing(machine: FakeCommands) -> None:
    """With docker that answers, kind, kubectl and root there is no reason against it."""
    assert commands.why_no_kind() is None
    assert machine.called() == ["docker version --format {{.Server.Version}}"]


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("docker", "install Docker Engine"),
        ("kind", "needs kind: install it"),
        ("kubectl", "make kube-binaries"),
    ],
)
def test_the_reason_names_what_to_install(machine: FakeCommands, missing: str, words: str) -> None:
    """Whichever command is missing, the reason names it and the way out."""
    (machine.directory / missing).unlink()
    reason = commands.why_no_kind()
    assert reason is not None
    assert words in reason


def test_the_reason_has_the_words_of_docker(machine: FakeCommands) -> None:
    """Where no daemon answers, the reason says so in Docker's own words."""
    words = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."
    machine.add("docker", {"version *": f"echo '{words}' >&2; exit 1"})
    reason = commands.why_no_kind()
    assert reason is not None
    assert words in reason
    with pytest.raises(LabError, match="Cannot connect to the Docker daemon"):
        KindCluster().__enter__()


def test_the_reason_names_root(machine: FakeCommands, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is not root is told that it takes root."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "needs root" in str(commands.why_no_kind())


# --- whether it is chosen -----------------------------------------------------------------------


def test_nodes_are_namespaces_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind is used only where VIP_CLUSTER says so, and a word that is not known is an error."""
    monkeypatch.delenv("VIP_CLUSTER", raising=False)
    assert not by_kind()
    monkeypatch.setenv("VIP_CLUSTER", "namespaces")
    assert not by_kind()
    monkeypatch.setenv("VIP_CLUSTER", "kind")
    assert by_kind()
    monkeypatch.setenv("VIP_CLUSTER", "minikube")
    with pytest.raises(pytest.UsageError, match="VIP_CLUSTER=minikube: it is namespaces or kind"):
        by_kind()


def test_a_run_on_kind_without_docker_is_an_error(
    machine: FakeCommands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks for kind where it cannot run gets the reason, not tests that are all skipped."""
    (machine.directory / "docker").unlink()
    monkeypatch.setenv("VIP_CLUSTER", "kind")
    with pytest.raises(pytest.UsageError, match="VIP_CLUSTER=kind needs Docker: install"):
        why_no_cluster_ring()


# --- one interface ------------------------------------------------------------------------------


def _signatures(owner: type) -> dict[str, list[str]]:
    """Return the parameters of each member of the interface, with their kinds; properties' none."""
    found = {}
    for name in (each for each in vars(AnyCluster) if not each.startswith("_")):
        member = inspect.getattr_static(owner, name)
        is_property = isinstance(member, (property, functools.cached_property))
        parameters = {} if is_property else dict(inspect.signature(member).parameters)
        found[name] = [f"{each.kind.name} {each.name}" for each in parameters.values()]
    return found


@pytest.mark.parametrize("name", ["Cluster", "KindCluster"])
def test_both_kinds_have_the_interface(name: str) -> None:
    """Both clusters have every method that tests use, with the same parameters."""
    wanted = _signatures(AnyCluster)
    assert len(wanted) > 20
    found = _signatures({"Cluster": Cluster, "KindCluster": KindCluster}[name])
    assert found == wanted


def accept(*_clusters: AnyCluster) -> None:
    """Take clusters of any kind: here mypy compares what signatures at run time do not show."""


def test_mypy_sees_one_interface(machine: FakeCommands) -> None:
    """A cluster of either kind may be handed to whoever wants any."""
    accept(Cluster(), KindCluster())


# --- the configuration --------------------------------------------------------------------------


def test_the_configuration_has_three_workers() -> None:
    """kind-config.yaml makes three workers, named as kind names them, in sorted order."""
    names = config.workers("lab")
    assert names == ["lab-worker", "lab-worker2", "lab-worker3"] == sorted(names)
    assert config.control_plane("lab") == "lab-control-plane"
    document = yaml.safe_load((ROOT / "kind-config.yaml").read_text())
    assert (document["kind"], document["apiVersion"]) == ("Cluster", "kind.x-k8s.io/v1alpha4")
    assert not document["name"].startswith(namespaces.PREFIX)


def test_a_configuration_without_workers_is_refused(tmp_path: Path) -> None:
    """The lab says what a configuration of the user's own lacks."""
    path = tmp_path / "mine.yaml"
    path.write_text("nodes: [{role: control-plane}]")
    with pytest.raises(LabError, match=r"mine\.yaml: nodes: the lab needs one control-plane"):
        config.workers("lab", path)


# --- images -------------------------------------------------------------------------------------


def test_the_image_is_built_as_users_do(
    fakes: FakeCommands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """hack/image makes it with our own Python and Docker; kind loads what it made."""
    (tmp_path / "hack").mkdir()
    script = tmp_path / "hack/image"
    script.write_text('#!/bin/sh\necho "$PYTHON $BUILDER $*" >built\n')
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(images, "ROOT", tmp_path)
    name = images.build()
    python, builder, tag = (tmp_path / "built").read_text().split()
    assert (Path(python).exists(), builder, tag) == (True, "docker", name)
    assert project_name() == f"docker.io/library/{name}"
    images.load("lab", name)
    assert fakes.called() == [f"kind load docker-image {name} --name=lab"]


# --- nodes --------------------------------------------------------------------------------------


def _inspected(pid: int) -> str:
    """Return what `docker inspect` prints of a node, as far as it is read."""
    endpoint = {"IPAddress": "192.0.2.3", "MacAddress": "02:42:c0:00:02:03"}
    networks = {"viplab": {**endpoint, "GlobalIPv6Address": ""}}
    return json.dumps([{"State": {"Pid": pid}, "NetworkSettings": {"Networks": networks}}])


@pytest.fixture
def node(fakes: FakeCommands, tmp_path: Path) -> KindNode:
    """A node whose container runs."""
    fakes.add(
        "docker",
        {
            "inspect *Running*": "echo true",
            "inspect *": f"echo '{_inspected(4711)}'",
        },
    )
    ports = [{"ifindex": 8, "ifname": "veth-other"}, {"ifindex": 9, "ifname": "veth-this"}]
    fakes.add(
        "ip",
        {
            "-j -n *": """echo '[{"ifname": "eth0", "link_index": 9}]'""",
            "-j link show master *": f"echo '{json.dumps(ports)}'",
        },
    )
    node = KindNode(NODE, "viplab", Bridge(BRIDGE), tmp_path)
    node.enter()
    return node


def test_a_node_is_a_host(node: KindNode, fakes: FakeCommands) -> None:
    """A container's network gets its name, and its address is the one that Docker gave."""
    assert fakes.called("ip netns") == [f"ip netns attach {NODE} 4711"]
    assert (node.host.namespace, node.host.ipv4) == (NODE, "192.0.2.3")
    assert node.runs()


def test_power_goes_cable_first(node: KindNode, fakes: FakeCommands) -> None:
    """A node without power is off the LAN before it dies, and its network is forgotten."""
    before = len(fakes.called())
    node.power_off()
    assert fakes.called()[before:] == [
        "ip link set dev veth-this down",
        f"docker kill {NODE}",
    ]
    assert not node.has_power
    with pytest.raises(LabError, match="has no power"):
        assert node.host.ipv4
    with pytest.raises(LabError, match="no cable to pull"):
        node.cut()
    node.restore()
    assert len(fakes.called()) == before + 2


def test_power_comes_with_a_new_network(node: KindNode, fakes: FakeCommands) -> None:
    """A node that is started again is found anew: process, network and cable are others."""
    node.power_off()
    fakes.add("docker", {"inspect *": f"echo '{_inspected(4712)}'"})
    began = time.time()
    node.power_on()
    assert fakes.called("docker start", "ip netns")[-2:] == [
        f"docker start {NODE}",
        f"ip netns attach {NODE} 4712",
    ]
    assert node.has_power
    assert node.powered_at_seconds >= began
    with pytest.raises(LabError, match="runs already"):
        node.power_on()


def test_ready_counts_from_a_renewed_lease() -> None:
    """After power comes back a node is Ready only once its kubelet has renewed its Lease."""
    lease = {"spec": {"renewTime": "2026-01-01T00:00:10.500000Z"}}
    ten_seconds_past = 1767225610.0
    assert renewed_after(lease, ten_seconds_past)
    assert not renewed_after(lease, ten_seconds_past + 1)
    assert not renewed_after({"spec": {}}, 0.0)
    assert not renewed_after(None, 0.0)


# --- the API server -----------------------------------------------------------------------------


class _Api:
    """Ready while the kubelet has the manifest; it lists custom kinds a while after that."""

    def __init__(self, manifest: Path) -> None:
        self._manifest = manifest
        self.refusals = 1
        self.listed: list[str] = []

    def text(self, _path: str) -> str:
        return "ok" if self._manifest.exists() else "failed"

    def items(self, _kind: Kind) -> list[dict[str, Any]]:
        spec = {"group": "vips", "names": {"plural": "speakers"}, "versions": [{"name": "v1"}]}
        return [{"spec": spec}]

    def ask(self, _method: str, path: str) -> None:
        if self.refusals:
            self.refusals -= 1
            raise ApiError(429, "TooManyRequests", "storage is (re)initializing")
        self.listed.append(path)


@pytest.fixture
def plane(fakes: FakeCommands, tmp_path: Path) -> Iterator[KindControlPlane]:
    """A control plane whose API server runs while its manifest lies in the kubelet's directory."""
    (fakes.state / "manifest").touch()
    fakes.add(
        "docker",
        {
            "exec lab-control-plane mv /etc/kubernetes/manifests/*": "mv manifest aside",
            "exec lab-control-plane mv *": "mv aside manifest",
            "exec lab-control-plane pgrep *": "[ -e manifest ] && echo 1",
        },
    )
    place = Place()
    plane = KindControlPlane("lab-control-plane", tmp_path / "kubeconfig", place)
    # In the place of a connection; the property keeps what it has.
    plane.__dict__["api"] = _Api(fakes.state / "manifest")
    yield plane
    place.close()


@pytest.mark.parametrize("at_once", [False, True])
def test_api_server_stops_with_its_manifest(
    plane: KindControlPlane, fakes: FakeCommands, at_once: bool
) -> None:
    """It stops as its manifest goes, killed only if it has to be at once, and starts with it."""
    assert plane.ready()
    plane.stop(at_once=at_once)
    assert not plane.ready()
    killed = fakes.called("docker exec lab-control-plane pkill -KILL -x kube-apiserver")
    assert len(killed) == at_once
    plane.start()
    assert plane.ready()
    assert cast("_Api", plane.api).listed == ["/apis/vips/v1/speakers"]
    moves = fakes.called("docker exec lab-control-plane mv")
    there, back = (each.split()[-2:] for each in moves)
    assert there == back[::-1]
