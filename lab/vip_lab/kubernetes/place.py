"""Where the parts of a control plane run: beside us on loopback, or on a host of a LAN."""

from __future__ import annotations

import random
import shutil
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from vip_lab import namespaces
from vip_lab.host import Host
from vip_lab.kubernetes.guard import Guard
from vip_lab.namespaces import LabError
from vip_lab.process import Process

LOOPBACK = "127.0.0.1"

# Below the range that the kernel takes ports for outgoing connections from: nobody gets the port
# of a server while that is stopped for a test.
_PORTS = range(20_000, 32_000)
_ATTEMPTS = 100


class Place:
    """A network, a directory of its own, and the processes that were started there.

    Args:
        host: host of a LAN to run on; None: loopback of our own network, without root.

    Attributes:
        directory: removed with everything in it by `close`, or by the guard if we are killed.
    """

    # Of all places: some share a network, and a port that was given may not be in use yet.
    _given: ClassVar[set[int]] = set()

    def __init__(self, host: Host | None = None) -> None:
        self.host = host
        # Named like a LAN's, so that a later run knows the files of one that was killed.
        self.directory = Path(tempfile.mkdtemp(prefix=f"{namespaces.unique_name()}-"))
        self._guard = Guard(self.directory)
        self._processes: list[Process] = []

    @property
    def address(self) -> str:
        """Address that servers here are reached at."""
        return LOOPBACK if self.host is None else self.host.ipv4

    @property
    def namespace(self) -> str | None:
        """Network namespace, None for our own."""
        return None if self.host is None else self.host.namespace

    @property
    def processes(self) -> tuple[Process, ...]:
        """Everything that was started here, also what has ended since."""
        return tuple(self._processes)

    def start(self, name: str, command: Sequence[str]) -> Process:
        """Start a command that goes on; output is appended to NAME.log in the directory.

        The command line has to name the directory: the guard knows its own by that.
        """
        assert any(str(self.directory) in word for word in command), command
        process = Process(self.namespace, command, self.directory / f"{name}.log")
        self._guard.watch(process.pid)
        self._processes.append(process)
        if self.host is not None:
            self.host.processes.append(process)
        return process

    def open_socket(self) -> socket.socket:
        """Return a TCP socket in this network."""
        if self.namespace is None:
            return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        return namespaces.open_socket(self.namespace, socket.AF_INET, socket.SOCK_STREAM)

    def free_port(self) -> int:
        """Return a TCP port that is free on every address and was given to nobody yet.

        Raises LabError if none is found.
        """
        for port in random.sample(_PORTS, _ATTEMPTS):
            if port in self._given:
                continue
            with self.open_socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("", port))
                except OSError:
                    continue
                self._given.add(port)
                return port
        raise LabError(f"none of {_ATTEMPTS} TCP ports tried is free")

    def close(self) -> None:
        """End every process and remove the directory."""
        for process in self._processes:
            process.kill()
        self._guard.dismiss()
        shutil.rmtree(self.directory, ignore_errors=True)
