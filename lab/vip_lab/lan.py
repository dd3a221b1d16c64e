"""A LAN: hosts on a switch, with links that can be cut and a switch that can be split.

The switch is two bridges in a namespace of their own; all hosts are on the first one unless the
LAN is partitioned. A cut link means that the host loses carrier; a partition, that nobody does.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from vip_lab import namespaces
from vip_lab.host import INTERFACE, Host
from vip_lab.running import Running

IPV4_PREFIX_LENGTH = 24
IPV6_PREFIX_LENGTH = 64
BROADCAST = "192.0.2.255"

_SWITCHES = ("switch0", "switch1")
_FIRST_HOST_NUMBER = 11
_HOSTS_MAX = 80
_SYSCTLS = (
    "net.ipv4.conf.all.rp_filter=0",
    "net.ipv4.conf.default.rp_filter=0",
    "net.ipv6.conf.default.accept_ra=0",
    # The lab's addresses are unique by construction: no second of waiting at every start.
    "net.ipv6.conf.default.accept_dad=0",
)


class Lan(Running):
    """Hosts named by the caller on one switch; a context manager that leaves nothing behind.

    Addresses: 192.0.2.11/24 and 2001:db8::11/64 for the first host, and so on upwards.
    """

    def __init__(self, names: Sequence[str]) -> None:
        if len(names) > _HOSTS_MAX:
            raise ValueError(f"a lab has room for {_HOSTS_MAX} hosts, not {len(names)}")
        self._names = list(names)
        self._prefix = namespaces.unique_name()
        self._switch = f"{self._prefix}-switch"
        self._hosts: dict[str, Host] = {}
        self.directory = Path()

    def start(self) -> None:
        """Make namespaces and links; what labs that were killed have left goes first."""
        namespaces.sweep()
        self._build()

    def __getitem__(self, name: str) -> Host:
        return self._hosts[name]

    @property
    def hosts(self) -> list[Host]:
        """Every host, in the order they were named."""
        return list(self._hosts.values())

    def close(self) -> None:
        """End every process of the lab, remove its namespaces and files."""
        for host in self.hosts:
            for process in host.processes:
                process.kill()
        for name in [*self._names, "switch"]:
            namespaces.remove(f"{self._prefix}-{name}")
        if self.directory != Path():
            shutil.rmtree(self.directory, ignore_errors=True)

    # --- what can go wrong with it ---------------------------------------------------------------

    def cut(self, name: str, interface: str = INTERFACE) -> None:
        """Pull a host's cable at the switch: it loses carrier."""
        self._set_port(name, interface, "down")

    def restore(self, name: str, interface: str = INTERFACE) -> None:
        """Plug the cable in again."""
        self._set_port(name, interface, "up")

    def partition(self, other_side: Iterable[str]) -> None:
        """Split the switch: these hosts hear each other and nobody else. Nobody loses carrier."""
        for name in other_side:
            self._move_port(name, _SWITCHES[1])

    def heal(self) -> None:
        """Make it one switch again."""
        for name in self._names:
            self._move_port(name, _SWITCHES[0])

    def join_switches(self) -> None:
        """Lay a cable between the two switches, so that they are one network."""
        first, second = _SWITCHES
        self._ip(
            f"link add name between type veth peer name {first}-to-{second[-1]}",
            f"link set dev between master {second} up",
            f"link set dev {first}-to-{second[-1]} master {first} up",
        )

    def add_card(self, name: str, interface: str, address: str) -> None:
        """Give a host another card, on the second switch, with an address and its prefix length."""
        host, port = self._hosts[name], _port(name, interface)
        self._ip(
            f"link add name {port} type veth peer name {interface} netns {host.namespace}",
            f"link set dev {port} master {_SWITCHES[1]} up",
        )
        host.ip("link", "set", "dev", interface, "up")
        host.ip("address", "add", address, "dev", interface)

    def holders(self, address: str) -> list[str]:
        """Return the names of the hosts that have the address, on whatever interface."""
        return [host.name for host in self.hosts if host.holds(address)]

    # --- building --------------------------------------------------------------------------------

    def _build(self) -> None:
        # Short on purpose: the path of a unix socket has room for 107 characters.
        self.directory = Path(tempfile.mkdtemp(prefix=f"{self._prefix}-"))
        namespaces.add(self._switch)
        self._configure(self._switch, "net.ipv6.conf.default.disable_ipv6=1")
        for switch in _SWITCHES:
            self._ip(
                f"link add name {switch} type bridge stp_state 0 mcast_snooping 0",
                f"link set dev {switch} up",
            )
        for number, name in enumerate(self._names, start=_FIRST_HOST_NUMBER):
            self._hosts[name] = self._add_host(number, name)

    def _add_host(self, number: int, name: str) -> Host:
        namespace = f"{self._prefix}-{name}"
        directory = self.directory / name
        directory.mkdir()
        host = Host(
            name=name,
            namespace=namespace,
            ipv4=f"192.0.2.{number}",
            ipv6=f"2001:db8::{number}",
            mac=f"02:00:00:00:00:{number}",
            directory=directory,
        )
        namespaces.add(namespace)
        self._configure(namespace, *_SYSCTLS)
        port = _port(name)
        self._ip(
            f"link add name {port} type veth peer name {INTERFACE} address {host.mac} "
            f"netns {namespace}",
            f"link set dev {port} master {_SWITCHES[0]} up",
        )
        commands = (
            "link set dev lo up",
            f"link set dev {INTERFACE} up",
            f"address add {host.ipv4}/{IPV4_PREFIX_LENGTH} brd {BROADCAST} dev {INTERFACE}",
            f"address add {host.ipv6}/{IPV6_PREFIX_LENGTH} dev {INTERFACE} nodad",
        )
        namespaces.run("ip", "-n", namespace, "-batch", "-", input_text="\n".join(commands))
        return host

    def _configure(self, namespace: str, *assignments: str) -> None:
        namespaces.run(*namespaces.inside(namespace), "sysctl", "-q", "-w", *assignments)

    def _ip(self, *commands: str) -> None:
        namespaces.run("ip", "-n", self._switch, "-batch", "-", input_text="\n".join(commands))

    def _set_port(self, name: str, interface: str, state: str) -> None:
        self._ip(f"link set dev {_port(self._hosts[name].name, interface)} {state}")

    def _move_port(self, name: str, switch: str) -> None:
        self._ip(f"link set dev {_port(self._hosts[name].name)} master {switch}")


def _port(name: str, interface: str = INTERFACE) -> str:
    return f"to-{name}" if interface == INTERFACE else f"to-{name}-{interface}"


@contextlib.contextmanager
def ending_on_sigterm() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C inside the block, so that context managers clean up."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
