"""Asks the link whether anybody has the addresses of a router that nobody has ever run."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

from vip_speaker.engine.aside import close_aside
from vip_speaker.engine.compile import Placed
from vip_speaker.engine.instance import RunningInstance
from vip_speaker.linux.probe import (
    ProbeSchedule,
    ProbeSocket,
    arp_request,
    neighbor_solicitation,
)
from vip_speaker.vrrp.config import Address


class Prober:
    """Three questions within 150 ms for each address (docs/protocol.md, "Bootstrap")."""

    def __init__(self) -> None:
        self._schedule = ProbeSchedule()
        self._sockets: list[tuple[Placed, ProbeSocket]] = []

    def start(self, now: int, instances: Sequence[RunningInstance]) -> None:
        """Ask from now on. An interface that cannot be asked is taken as silent."""
        self.stop()
        for placed in (instance.placed for instance in instances):
            with contextlib.suppress(OSError):
                self._sockets.append((placed, ProbeSocket(placed.index, placed.source.version)))
        self._schedule.start(now)

    def stop(self) -> None:
        """Ask no more."""
        self._schedule.stop()
        close_aside([sock for _, sock in self._sockets])
        self._sockets = []

    @property
    def is_asking(self) -> bool:
        """Whether the link has not had its say yet."""
        return self._schedule.deadline() is not None

    def deadline(self) -> int | None:
        """Return when `tick` is due next."""
        return self._schedule.deadline()

    def tick(self, now: int) -> Address | None:
        """Ask if it is time, and return an address of ours that somebody has, or None."""
        due_ns = self._schedule.deadline()
        if due_ns is None or now < due_ns:
            return None
        taken = self._answered()
        if taken is not None:
            self.stop()
            return taken
        if self._schedule.due(now):
            for placed, sock in self._sockets:
                with contextlib.suppress(OSError):
                    sock.send([_question(placed, address) for address in placed.addresses])
        else:
            self.stop()
        return None

    def _answered(self) -> Address | None:
        for placed, sock in self._sockets:
            for answer in sock.answers():
                if answer.address in placed.addresses and answer.mac != placed.mac:
                    return answer.address
        return None


def _question(placed: Placed, address: Address) -> bytes:
    if isinstance(address, IPv4Address):
        return arp_request(placed.mac, address)
    assert isinstance(placed.source, IPv6Address)
    return neighbor_solicitation(placed.mac, placed.source, address)
