"""A node that is a container: its power switch, its cable, and the way into its network."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

from vip_lab.host import Host
from vip_lab.kind.bridge import Bridge, attach, detach
from vip_lab.kind.commands import docker
from vip_lab.namespaces import LabError

_LAST_LINES = 15


class KindNode:
    """A container of kind's; its network is a namespace of the container's own name.

    Args:
        name: of the container, of the Node object and of the namespace.
        network: Docker network that it is on.
        bridge: of that network.
        directory: where files of the host go.
    """

    def __init__(self, name: str, network: str, bridge: Bridge, directory: Path) -> None:
        self.name = name
        self._network = network
        self._bridge = bridge
        self._directory = directory
        self._host: Host | None = None
        self._port = ""
        self.powered_at_seconds = 0.0

    @property
    def has_power(self) -> bool:
        """Whether it was switched on last, not off; whether its container still runs is `runs`."""
        return self._host is not None

    @property
    def host(self) -> Host:
        """Its network. Raises LabError if it has no power."""
        if self._host is None:
            raise LabError(f"node {self.name} has no power")
        return self._host

    def runs(self) -> bool:
        """Return whether its container runs, as Docker says."""
        state = docker("inspect", "--type=container", "--format={{.State.Running}}", self.name)
        return state.strip() == "true"

    # --- its life --------------------------------------------------------------------------------

    def enter(self) -> None:
        """Find the network and the cable of a container that runs; both are new at every start."""
        shown = json.loads(docker("inspect", "--type=container", self.name))[0]
        endpoint = shown["NetworkSettings"]["Networks"][self._network]
        attach(self.name, shown["State"]["Pid"])
        self._port = self._bridge.port_of(self.name)
        self._host = Host(
            name=self.name,
            namespace=self.name,
            ipv4=endpoint["IPAddress"],
            ipv6=endpoint.get("GlobalIPv6Address", ""),
            mac=endpoint["MacAddress"],
            directory=self._directory,
        )

    def leave(self) -> None:
        """Forget the network, which else would outlive the container."""
        self._host = None
        detach(self.name)

    def power_off(self) -> None:
        """Kill it at once, without any goodbye; its disk stays."""
        # The kernel of a killed container goes on answering ARP until Docker has cleaned up.
        self.cut()
        docker("kill", self.name)
        self.leave()

    def power_on(self) -> None:
        """Start it again; its cable is a new one, plugged in."""
        if self.has_power:
            raise LabError(f"node {self.name} runs already")
        self.powered_at_seconds = time.time()
        docker("start", self.name)
        self.enter()

    # --- what a person beside it could do --------------------------------------------------------

    def cut(self) -> None:
        """Pull its cable. Raises LabError if it has no power."""
        if not self.has_power:
            raise LabError(f"node {self.name} has no power, so it has no cable to pull")
        self._bridge.set_port(self._port, up=False)

    def restore(self) -> None:
        """Plug the cable in; without power there is none, and that is no error."""
        if self.has_power:
            self._bridge.set_port(self._port, up=True)

    def exec(self, *command: str) -> str:
        """Run a command to its end in it and return its output. Raises LabError."""
        return docker("exec", self.name, *command)

    def last_words(self, lines: int = _LAST_LINES) -> str:
        """Return the last lines of its services' journal, or of the container if that is off."""
        with contextlib.suppress(LabError):
            if self.runs():
                journal = ("journalctl", "--no-pager", f"--lines={lines}", "--unit=kubelet")
                return f"--- {self.name}: kubelet\n{self.exec(*journal)}"
        with contextlib.suppress(LabError):
            return f"--- {self.name}: container\n{docker('logs', f'--tail={lines}', self.name)}"
        return f"--- {self.name}: Docker says nothing of it"
