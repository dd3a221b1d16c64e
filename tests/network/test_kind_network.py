"""What the cluster by kind does to Linux itself: cables, namespaces by process, and the sweep.

The bridge is in a namespace of the test's own, and the containers are processes without a program
of Docker's; the rest is real.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.fake_commands import FakeCommands
from vip_lab import namespaces
from vip_lab.host import INTERFACE, Host
from vip_lab.kind import remains
from vip_lab.kind.bridge import Bridge, attach, detach
from vip_lab.namespaces import LabError
from vip_lab.process import Process
from vip_lab.wait import until

_BRIDGE = "br-kind"
_OWNER = """
import signal, sys
from pathlib import Path
from vip_lab import namespaces
from vip_lab.kind import remains
from vip_lab.kind.bridge import attach
name = namespaces.unique_name()
namespaces.add(remains.client_namespace(name))
attach(f"{name}-worker", int(sys.argv[1]))
Path(sys.argv[2]).write_text(name)
signal.pause()
"""


class Container:
    """A process with a network of its own, plugged into the bridge as Docker does it.

    Attributes:
        host: the same by a name of ours, which `attach` gives it.
        process: ends with its network, unless that has a name.
    """

    def __init__(self, switch: str, host: Host, number: int) -> None:
        self.host = host
        self.process = Process(None, ["unshare", "--net", "sleep", "600"], host.directory / "log")
        ours = Path("/proc/self/ns/net").readlink()
        network = Path(f"/proc/{self.process.pid}/ns/net")
        until("a network of its own", lambda: network.readlink() != ours, 5.0)
        namespaces.run(
            *("ip", "-n", switch, "link", "add", f"veth{number}", "type", "veth"),
            *("peer", "name", INTERFACE, "netns", str(self.process.pid)),
        )
        namespaces.run("ip", "-n", switch, "link", "set", f"veth{number}", "master", _BRIDGE, "up")
        enter = ["nsenter", f"--net={network}", "ip"]
        namespaces.run(*enter, "address", "add", f"{host.ipv4}/24", "dev", INTERFACE)
        namespaces.run(*enter, "link", "set", INTERFACE, "up")


class Stage:
    """A bridge with a client, and containers as they are asked for."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        self._stack = stack
        self._directory = directory
        self._prefix = namespaces.unique_name()
        self._switch = self._namespace("switch")
        namespaces.run(
            *("ip", "-n", self._switch, "link", "add", "name", _BRIDGE),
            *("type", "bridge", "stp_state", "0"),
        )
        namespaces.run("ip", "-n", self._switch, "link", "set", _BRIDGE, "up")
        self.bridge = Bridge(_BRIDGE, self._switch)
        self.client = self._host("client", 200)
        namespaces.add(self.client.namespace)
        stack.callback(namespaces.remove, self.client.namespace)
        self.bridge.plug(self.client, "vip-client")

    def container(self, number: int) -> Container:
        """Start one with the address 192.0.2.NUMBER and attach to its network."""
        container = Container(self._switch, self._host(f"worker{number}", number), number)
        self._stack.callback(container.process.kill)
        self._stack.callback(detach, container.host.namespace)
        attach(container.host.namespace, container.process.pid)
        return container

    def _host(self, name: str, number: int) -> Host:
        return Host(
            name=name,
            namespace=f"{self._prefix}-{name}",
            ipv4=f"192.0.2.{number}",
            ipv6="",
            mac=f"02:00:00:00:02:{number % 100:02}",
            directory=self._directory,
        )

    def _namespace(self, name: str) -> str:
        namespace = f"{self._prefix}-{name}"
        namespaces.add(namespace)
        self._stack.callback(namespaces.remove, namespace)
        return namespace


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A bridge with a client."""
    with ExitStack() as stack:
        yield Stage(stack, tmp_path)


def _answers(client: Host, address: str) -> bool:
    with contextlib.suppress(LabError):
        client.run("ping", "-c1", "-W1", address)
        return True
    return False


def await_answer(client: Host, address: str) -> None:
    """Wait until an address answers: a port of a bridge forwards some time after it is up."""
    until(f"{address} to answer", lambda: _answers(client, address), 5.0)


def test_client_reaches_containers_and_their_further_addresses(stage: Stage) -> None:
    """A client on the bridge reaches a container, and an address that is put on its interface."""
    container = stage.container(2)
    await_answer(stage.client, container.host.ipv4)
    assert not container.host.holds("192.0.2.100")
    container.host.ip("address", "add", "192.0.2.100/32", "dev", INTERFACE)
    assert container.host.holds("192.0.2.100")
    await_answer(stage.client, "192.0.2.100")


def test_cable_of_one_container_is_cut(stage: Stage) -> None:
    """The port that is found is the container's own: cut, that one loses carrier and no other."""
    first, second = stage.container(2), stage.container(3)
    port = stage.bridge.port_of(second.host.namespace)
    assert port == "veth3"
    stage.bridge.set_port(port, up=False)
    until(
        "the carrier to be lost",
        lambda: "NO-CARRIER" in second.host.ip("link", "show", INTERFACE),
        5.0,
    )
    assert not _answers(stage.client, second.host.ipv4)
    await_answer(stage.client, first.host.ipv4)
    stage.bridge.set_port(port, up=True)
    await_answer(stage.client, second.host.ipv4)


def test_cable_that_ends_elsewhere_is_not_found(stage: Stage) -> None:
    """A namespace whose interface is not on this bridge is an error that names both."""
    stage.client.ip("link", "delete", INTERFACE)
    stage.client.ip("link", "add", INTERFACE, "type", "veth", "peer", "name", "elsewhere")
    with pytest.raises(LabError, match=f"client is not plugged into {_BRIDGE}"):
        stage.bridge.port_of(stage.client.namespace)


def test_taking_the_name_away_ends_nobody(stage: Stage) -> None:
    """Detached, a container goes on and may be attached again; nobody has to be attached."""
    container = stage.container(2)
    detach(container.host.namespace)
    detach(container.host.namespace)
    assert container.process.running
    await_answer(stage.client, container.host.ipv4)
    attach(container.host.namespace, container.process.pid)
    assert stage.bridge.port_of(container.host.namespace) == "veth2"


def test_killed_container_is_off_the_bridge_once_it_is_detached(stage: Stage) -> None:
    """The name keeps a dead container's kernel answering; without it the cable is gone, too."""
    container = stage.container(2)
    container.process.kill()
    await_answer(stage.client, container.host.ipv4)
    detach(container.host.namespace)
    until("silence", lambda: not _answers(stage.client, container.host.ipv4), 5.0)


# --- nothing stays behind -----------------------------------------------------------------------


@pytest.fixture
def owner(
    stage: Stage, tmp_path: Path
) -> Iterator[Callable[[int], tuple[subprocess.Popen[bytes], str]]]:
    """Return what starts a process that owns a cluster of one container."""
    with ExitStack() as stack:

        def start(number: int) -> tuple[subprocess.Popen[bytes], str]:
            note = tmp_path / f"cluster{number}"
            pid = str(stage.container(number).process.pid)
            process = subprocess.Popen([sys.executable, "-c", _OWNER, pid, str(note)])
            stack.callback(namespaces.sweep)
            stack.callback(process.wait)
            stack.callback(process.kill)
            until("the cluster", lambda: note.exists() and note.read_text(), 20.0)
            return process, note.read_text()

        yield start


def test_sweep_removes_what_a_killed_owner_left(
    owner: Callable[[int], tuple[subprocess.Popen[bytes], str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cluster of a killed owner is deleted with its namespaces; that of a living one stays."""
    fakes = FakeCommands(tmp_path, monkeypatch)
    (killed, dead), (_process, living) = owner(2), owner(3)
    (fakes.state / "networks").write_text(f"{living}\n{dead}\n")
    remove = f"echo {living} >networks"
    fakes.add("docker", {"network ls *": "cat networks", f"network rm {dead}": remove})
    fakes.add("kind")
    remains.sweep()
    assert fakes.called("kind", "docker network rm") == []
    assert len(_named(dead)) == len(_named(living)) == 2
    killed.kill()
    killed.wait()
    remains.sweep()
    assert _named(dead) == []
    assert len(_named(living)) == 2
    assert f"--name={dead} " in fakes.called("kind delete cluster")[0]
    assert fakes.called("docker network rm") == [f"docker network rm {dead}"]


def _named(cluster: str) -> list[str]:
    return [path.name for path in Path("/run/netns").glob(f"{cluster}-*")]
