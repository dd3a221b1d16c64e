"""What is removed of clusters that kind made, in which order, and what is spared.

Neither docker nor kind is there in this ring: see support.fake_commands.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from support.fake_commands import FakeCommands, machine_with_kind
from support.rings import ROOT
from vip_lab import namespaces
from vip_lab.kind import images, remains
from vip_lab.kind.cluster import KindCluster
from vip_lab.namespaces import LabError


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCommands:
    """Docker and kind that agree to everything."""
    fakes = FakeCommands(tmp_path, monkeypatch)
    for name in ("docker", "kind"):
        fakes.add(name)
    return fakes


@pytest.fixture
def present(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in the place of that of named namespaces."""
    path = tmp_path / "netns"
    path.mkdir()
    monkeypatch.setattr(remains, "_NAMED_NAMESPACES", path)
    monkeypatch.setattr(namespaces, "sweep", lambda: None)
    return path


_LIST_NETWORKS = "network ls *--format={{.Name}}"


def test_what_kind_leaves_is_removed_too(fakes: FakeCommands, present: Path) -> None:
    """After kind the containers go that it does not know of, then the network, until all is."""
    (fakes.state / "network").write_text("lab\n")
    (fakes.state / "containers").write_text("c1 c2\n")
    fakes.add(
        "docker",
        {
            _LIST_NETWORKS: "cat network",
            "ps *": "cat containers",
            "rm *": ": >containers",
            # Docker takes its time to free the network of a container.
            "network rm *": "[ -e tried ] && : >network || "
            "{ touch tried; echo 'network lab has active endpoints' >&2; exit 1; }",
        },
    )
    remains.remove("lab", Path("/k"))
    removing = fakes.called("kind", "docker rm", "docker network rm")
    assert removing == [
        "kind delete cluster --name=lab --kubeconfig=/k",
        "docker rm --force --volumes c1 c2",
        "docker network rm lab",
        "kind delete cluster --name=lab --kubeconfig=/k",
        "docker network rm lab",
    ]


def test_what_cannot_be_removed_is_told(
    fakes: FakeCommands, present: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If something stays the error has the words of who refused."""
    monkeypatch.setattr(remains, "_SECONDS_TO_REMOVE", 0.0)
    fakes.add("kind", {"delete *": "echo 'ERROR: failed to delete' >&2; exit 1"})
    with pytest.raises(LabError, match=r"not all gone: .*ERROR: failed to delete"):
        remains.remove("lab")


def test_a_sweep_takes_only_orphans_with_our_label(fakes: FakeCommands, present: Path) -> None:
    """Of the networks with our label the one goes whose owner's namespace is gone."""
    (present / "living-client").touch()
    (fakes.state / "network").write_text("living\ndead\n")
    fakes.add(
        "docker",
        {
            f"network ls --filter=label={remains.LABEL} *": "cat network",
            "network rm dead": "echo living >network",
        },
    )
    remains.sweep()
    assert fakes.called("kind", "docker network rm", "docker rm") == [
        f"kind delete cluster --name=dead --kubeconfig={_no_file('dead')}",
        "docker network rm dead",
    ]


def _no_file(cluster: str) -> Path:
    path = Path(tempfile.gettempdir()) / f"{cluster}-kubeconfig"
    assert not path.exists()
    return path


def test_a_creation_that_fails_is_undone(
    present: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster that kind cannot make is deleted with its network, and the error has its words."""
    machine = machine_with_kind(tmp_path, monkeypatch)
    (machine.state / "network").touch()
    inspected = json.dumps([{"Id": "0123456789abcdef"}])
    machine.add(
        "docker",
        {
            "network create *": 'for name; do :; done; echo "$name" >network',
            "network inspect *": f"echo '{inspected}'",
            _LIST_NETWORKS: "while read -r name; do echo $name; done <network",
            "network rm *": ": >network",
        },
    )
    machine.add("ip")
    machine.add("env", {"* kind create *": "echo 'ERROR: no space left' >&2; exit 1"})
    monkeypatch.setattr(images, "build", lambda: "vip-operator:0")
    with pytest.raises(LabError, match="no space left"):
        KindCluster().__enter__()
    (created,) = machine.called("docker network create")
    name = created.split()[-1]
    assert f"--label={remains.LABEL} " in created
    assert "--subnet=192.0.2.0/24" in created
    create, delete = machine.called("env")
    assert f"KIND_EXPERIMENTAL_DOCKER_NETWORK={name} " in create
    assert f"kind create cluster --name={name} --config={ROOT / 'kind-config.yaml'}" in create
    assert f"kind delete cluster --name={name}" in delete
    assert machine.called("docker network rm") == [f"docker network rm {name}"]
    kubeconfig = Path(create.split("--kubeconfig=")[1].split()[0])
    assert not kubeconfig.parent.exists()
