"""One host of the lab: a namespace with an interface on the LAN."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from vip_lab import namespaces
from vip_lab.process import Process

INTERFACE = "eth0"


@dataclass(frozen=True)
class Host:
    """A host and what a person at its console could do.

    Attributes:
        name: short name, as in manifests.
        namespace: its network namespace.
        ipv4: its own address on the LAN.
        ipv6: the same for IPv6.
        mac: hardware address of its interface.
        directory: where its files live: manifests, state, sockets, logs.
        processes: everything that was started with `start`.
    """

    name: str
    namespace: str
    ipv4: str
    ipv6: str
    mac: str
    directory: Path
    processes: list[Process] = field(default_factory=list, compare=False, repr=False)

    @property
    def link_local(self) -> str:
        """Link-local address of its interface, made from the hardware address (EUI-64)."""
        octets = bytes.fromhex(self.mac.replace(":", ""))
        identifier = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
        return str(ip_address(b"\xfe\x80" + bytes(6) + identifier))

    def run(self, *command: str) -> str:
        """Run a command to its end in the host's network. Raises LabError if it fails."""
        return namespaces.run(*namespaces.inside(self.namespace), *command)

    def start(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        preferred: bool = False,
    ) -> Process:
        """Start a command that goes on; its output is appended to NAME.log in the directory."""
        output = self.directory / f"{name}.log"
        process = Process(self.namespace, command, output, environment, preferred=preferred)
        self.processes.append(process)
        return process

    def open_socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """Return a socket in the host's network."""
        return namespaces.open_socket(self.namespace, family, kind, protocol)

    def ip(self, *words: str) -> str:
        """Run `ip` on the host."""
        return namespaces.run("ip", "-n", self.namespace, *words)

    def addresses(self, interface: str = INTERFACE) -> dict[str, dict[str, object]]:
        """Return what the kernel knows of each address on an interface, by address."""
        answer = namespaces.run("ip", "-j", "-d", "-n", self.namespace, "address", "show")
        return {
            entry["local"]: entry
            for link in json.loads(answer)
            if link.get("ifname") == interface
            for entry in link["addr_info"]
        }

    def holds(self, address: str) -> bool:
        """Return whether the address is bound, on whatever interface."""
        return self.interface_of(address) is not None

    def interface_of(self, address: str) -> str | None:
        """Return the name of the interface that the address is bound on."""
        answer = namespaces.run("ip", "-j", "-n", self.namespace, "address", "show")
        wanted = str(ip_address(address))
        for link in json.loads(answer):
            if any(entry.get("local") == wanted for entry in link.get("addr_info", ())):
                return str(link["ifname"])
        return None

    def neighbour_mac(self, address: str) -> str | None:
        """Return the hardware address that the host would send to for an address, if it knows."""
        answer = namespaces.run(
            "ip", "-j", "-n", self.namespace, "neighbour", "show", "to", address, "dev", INTERFACE
        )
        entries = json.loads(answer or "[]")
        return entries[0].get("lladdr") if entries else None
