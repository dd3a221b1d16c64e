"""The LAN of a Docker network: a Linux bridge, and the networks of containers by our own names."""

from __future__ import annotations

import json
from pathlib import Path

from vip_lab import namespaces
from vip_lab.host import INTERFACE, Host
from vip_lab.lan import IPV4_PREFIX_LENGTH
from vip_lab.namespaces import LabError

_NAMED_NAMESPACES = Path("/run/netns")


class Bridge:
    """The bridge behind a Docker network; its ports are the other ends of the hosts' cables.

    Args:
        name: of the bridge's interface.
        namespace: network in which it is; None: our own, where Docker puts it.
    """

    def __init__(self, name: str, namespace: str | None = None) -> None:
        self.name = name
        self._ip = ["ip"] if namespace is None else ["ip", "-n", namespace]

    def plug(self, host: Host, port: str) -> None:
        """Lay a cable from a host's namespace, which has none yet, to the bridge.

        Args:
            host: its interface gets this address, prefix length 24, and hardware address.
            port: name of the bridge's end; at most 15 characters.
        """
        # The peer is made in the host's namespace, so that no name of ours clashes with another's.
        self._run(
            *("link", "add", "name", port, "type", "veth", "peer", "name", INTERFACE),
            *("address", host.mac, "netns", host.namespace),
        )
        self._run("link", "set", "dev", port, "master", self.name, "up")
        host.ip("link", "set", "dev", "lo", "up")
        host.ip("link", "set", "dev", INTERFACE, "up")
        host.ip("address", "add", f"{host.ipv4}/{IPV4_PREFIX_LENGTH}", "brd", "+", "dev", INTERFACE)

    def port_of(self, namespace: str) -> str:
        """Return the bridge's end of the cable of a namespace. Raises LabError if it has none."""
        shown = json.loads(
            namespaces.run("ip", "-j", "-n", namespace, "link", "show", "dev", INTERFACE)
        )
        other_end = shown[0].get("link_index")
        ports = json.loads(self._run("-j", "link", "show", "master", self.name) or "[]")
        for port in ports:
            if port["ifindex"] == other_end:
                return str(port["ifname"])
        raise LabError(f"{INTERFACE} of namespace {namespace} is not plugged into {self.name}")

    def set_port(self, port: str, *, up: bool) -> None:
        """Plug the cable in or pull it: the host at the other end gains or loses carrier."""
        self._run("link", "set", "dev", port, "up" if up else "down")

    def _run(self, *words: str) -> str:
        # Options of ip go before the object that it is about.
        return namespaces.run(*self._ip, *words)


def attach(namespace: str, pid: int) -> None:
    """Give the network of a process a name; the name keeps it in being until `detach`."""
    namespaces.run("ip", "netns", "attach", namespace, str(pid))


def detach(namespace: str) -> None:
    """Take the name away again: unlike `namespaces.remove`, who lives in it goes on."""
    if (_NAMED_NAMESPACES / namespace).exists():
        namespaces.run("ip", "netns", "delete", namespace)
