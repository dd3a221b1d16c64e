"""The gate `tcpSocket`: passes if a TCP connection can be made."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Iterable
from typing import Any

from vip_model.resources.gate import Gate
from vip_speaker.gates import reasons
from vip_speaker.gates.names import AddressInfo, Lookup
from vip_speaker.gates.periodic import PeriodicGate, schedule_of
from vip_speaker.gates.surroundings import Site
from vip_speaker.gates.verdict import Outcome

KIND = "tcpSocket"


def create(gate: Gate, on_change: Callable[[], None], _site: Site) -> PeriodicGate:
    """Return a gate of this kind."""
    wanted = gate.tcp_socket
    assert wanted is not None
    return PeriodicGate(schedule_of(gate), TCPProbe(wanted.host, wanted.port), on_change)


class TCPProbe:
    """Connects and closes again; a name is resolved each time."""

    def __init__(self, host: str, port: int) -> None:
        self._port = port
        self._lookup = Lookup(host)
        self.target = reasons.target(host, port)

    async def ask(self) -> Outcome:
        """Connect once, to the first address that lets us."""
        try:
            addresses = await self._lookup.addresses(self._port)
            await _connect_to_one(addresses)
        except OSError as error:
            return Outcome(passed=False, reason=f"{reasons.of_error(error)}: {self.target}")
        return Outcome(passed=True, reason=f"connected to {self.target}")

    async def close(self) -> None:
        """Give back what the probe holds."""
        self._lookup.close()


async def _connect_to_one(addresses: Iterable[AddressInfo]) -> None:
    """Connect to one of several addresses.

    Raises:
        OSError: none can be connected to; it is that of the last one.
    """
    trouble = OSError("it has no address")
    for family, _type, protocol, _name, address in addresses:
        try:
            await _connect(family, protocol, address)
        except OSError as error:
            trouble = error
        else:
            return
    raise trouble


async def _connect(family: int, protocol: int, address: tuple[Any, ...]) -> None:
    with socket.socket(family, socket.SOCK_STREAM, protocol) as connection:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, address)
        if connection.getsockname() == connection.getpeername():
            # The kernel may choose this very port as our own and join the socket to itself.
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
