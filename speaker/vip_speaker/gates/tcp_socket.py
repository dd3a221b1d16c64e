"""The gate `tcpSocket`: passes if a TCP connection can be made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from vip_model.resources.gate import Gate
from vip_speaker.gates import reasons
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
        self._host = host
        self._port = port
        self.target = reasons.target(host, port)

    async def ask(self) -> Outcome:
        """Connect once."""
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.create_connection(asyncio.Protocol, self._host, self._port)
        except OSError as error:
            return Outcome(passed=False, reason=f"{reasons.of_error(error)}: {self.target}")
        try:
            if transport.get_extra_info("sockname") == transport.get_extra_info("peername"):
                # The kernel may choose this very port as our own and join the socket to itself.
                return Outcome(passed=False, reason=f"connection refused: {self.target}")
            return Outcome(passed=True, reason=f"connected to {self.target}")
        finally:
            transport.close()

    async def close(self) -> None:
        """Nothing is held between two probes."""
