"""Asks the link whether anybody has the addresses of a router that has not run here before."""

from __future__ import annotations

import contextlib
import logging
import zlib
from ipaddress import IPv4Address, IPv6Address

from vip_speaker.engine.compile import Placed
from vip_speaker.engine.instances import RunningInstances
from vip_speaker.engine.node import Node
from vip_speaker.linux.probe import (
    Answer,
    ProbeSchedule,
    arp_request,
    neighbor_solicitation,
)
from vip_speaker.vrrp.config import Address
from vip_speaker.vrrp.timers import SECOND_NS

# As long as another machine uses an address of an Active, it is asked for again.
_AGAIN_NS = 10 * SECOND_NS
_SPREAD_STEPS = 1024

_log = logging.getLogger("engine")


class Prober:
    """Three questions within 150 ms for each address.

    A bootstrap waits for the answers (docs/protocol.md, "Bootstrap"). Any other router that starts
    asks beside its election, which does not wait: an answer tells of another machine if this node
    becomes Active and has heard no advert.
    """

    def __init__(self, node: Node, instances: RunningInstances, shown: str) -> None:
        """Prepare; `shown` is the router's name in the log."""
        self._node = node
        self._instances = instances
        self._shown = shown
        self._schedule = ProbeSchedule()
        self._placed: list[Placed] = []
        self._holds_back = False
        self._answers: dict[Address, bytes] = {}
        self._known: dict[Address, bytes] = {}
        self._again_ns: int | None = None

    @property
    def is_asking(self) -> bool:
        """Whether the election has to wait, since the link has not had its say yet."""
        return self._holds_back and self._schedule.deadline() is not None

    @property
    def conflict(self) -> str:
        """Who else uses the addresses of an Active, in words; empty if nobody is known to."""
        return ", ".join(
            f"{address} is also used by {mac.hex(':')}" for address, mac in self._known.items()
        )

    def deadline(self) -> int | None:
        """Return when `tick` is due next."""
        due = self._schedule.deadline()
        return due if self._again_ns is None else min(self._again_ns, due or self._again_ns)

    def start(self, now: int) -> None:
        """Ask from now on, and let the election wait."""
        self._begin(now)
        self._holds_back = True

    def ask_beside(self, now: int, within_ns: int) -> None:
        """Ask beside the election; routers that start together do so at different moments."""
        moment = zlib.crc32(self._shown.encode()) % _SPREAD_STEPS
        self._begin(now + moment * min(within_ns, SECOND_NS) // _SPREAD_STEPS)

    def stop(self) -> None:
        """Ask no more."""
        self._again_ns = None
        self._finish()

    def hear_advert(self) -> None:
        """Somebody speaks VRRP for the addresses, and may well have them."""
        self._answers.clear()
        if not self._holds_back and not self._known:
            self._finish()

    def tick(self, now: int, *, active: bool) -> Address | None:
        """Ask if it is time; return an address that somebody has if the election waits for it."""
        due_ns = self._schedule.deadline()
        if due_ns is not None and now >= due_ns:
            if self._holds_back and self._answers:
                self._finish()
                return next(iter(self._answers))
            if self._schedule.due(now):
                self._ask()
            else:
                self._finish()
        self._judge(now, active=active)
        if self._again_ns is not None and now >= self._again_ns:
            self._begin(now)
            self._again_ns = now + _AGAIN_NS
        return None

    def _begin(self, at_ns: int) -> None:
        self.stop()
        self._answers.clear()
        self._holds_back = False
        for placed in self._instances.placed.values():
            # An interface that cannot be asked is taken as silent.
            with contextlib.suppress(OSError):
                for address in placed.addresses:
                    self._node.probes.listen(placed.index, address, self._heard)
                self._placed.append(placed)
        self._schedule.start(at_ns)

    def _ask(self) -> None:
        for placed in self._placed:
            questions = [_question(placed, address) for address in placed.addresses]
            with contextlib.suppress(OSError):
                self._node.probes.ask(placed.index, placed.source.version, questions)

    def _finish(self) -> None:
        self._schedule.stop()
        for placed in self._placed:
            for address in placed.addresses:
                self._node.probes.ignore(placed.index, address, self._heard)
        self._placed = []

    def _heard(self, answer: Answer) -> None:
        if answer.mac not in self._node.view.macs:
            self._answers[answer.address] = answer.mac

    def _judge(self, now: int, *, active: bool) -> None:
        """Warn of a host that has an address while this node is Active and no other speaks VRRP."""
        if self._known and not active:
            self._answers.clear()
        found = dict(self._answers) if active else {}
        if active and self._schedule.deadline() is not None and len(found) < len(self._known):
            return  # the answers of this round are not in yet
        if found != self._known:
            self._known = found
            if found:
                _log.warning("Router %s: %s", self._shown, self.conflict)
            else:
                _log.info("Router %s: nobody else uses its addresses any more", self._shown)
        if not found:
            self._again_ns = None
        elif self._again_ns is None:
            self._again_ns = now + _AGAIN_NS


def _question(placed: Placed, address: Address) -> bytes:
    if isinstance(address, IPv4Address):
        return arp_request(placed.mac, address)
    assert isinstance(placed.source, IPv6Address)
    return neighbor_solicitation(placed.mac, placed.source, address)
