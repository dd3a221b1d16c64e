"""One running (interface, family, VRID) of a router: what it sends, whom it believes."""

from __future__ import annotations

from typing import NamedTuple

from vip_model.vocabulary import Checksum
from vip_speaker.engine.channels import Channel
from vip_speaker.engine.compile import Placed
from vip_speaker.engine.counters import InstanceCounters
from vip_speaker.vrrp.config import Address
from vip_speaker.vrrp.packet import (
    GROUP_IPV4,
    GROUP_IPV6,
    Advertisement,
    DropReason,
    encode,
)

SEND_FAILED = "SendFailed"


class RunningInstance:
    """Sends adverts of one instance and judges those it hears."""

    def __init__(
        self,
        placed: Placed,
        channel: Channel,
        counters: InstanceCounters,
        *,
        interval_ns: int,
        checksum: Checksum,
    ) -> None:
        self.placed = placed
        self.channel = channel
        self.counters = counters
        self._interval_ns = interval_ns
        self._form = checksum
        # An advert changes only with its priority: each is encoded once.
        self._messages: dict[int, bytes] = {}

    def send(self, priority: int) -> bool:
        """Send one advert; return whether the kernel took it. A refusal is counted."""
        message = self._messages.get(priority)
        if message is None:
            message = self._messages[priority] = self._encode(priority)
        try:
            self.channel.sender.send(message)
        except OSError:
            self.counters.drops[SEND_FAILED] += 1
            return False
        self.counters.sent(priority)
        return True

    def objection_to(self, source: Address) -> DropReason | None:
        """Return why an advert from there is not to be obeyed, or None."""
        if source == self.placed.source:
            return DropReason.OWN_PACKET
        if self.placed.sources is not None and source not in self.placed.sources:
            return DropReason.UNKNOWN_SENDER
        return None

    def _encode(self, priority: int) -> bytes:
        placed = self.placed
        advertisement = Advertisement(
            placed.virtual_router_id, priority, self._interval_ns, placed.addresses
        )
        group = GROUP_IPV4 if placed.source.version == 4 else GROUP_IPV6
        return encode(advertisement, placed.source, group, self._form)


class Addressee(NamedTuple):
    """Whom an advert is for: an instance, and its place in which router's election."""

    instance: RunningInstance
    router: str
    position: int
