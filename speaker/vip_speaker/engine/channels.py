"""The sockets that routers share: one to send and one to receive per interface and family."""

from __future__ import annotations

import contextlib
import selectors
from collections.abc import Callable
from dataclasses import dataclass

from vip_speaker.engine.compile import Placed
from vip_speaker.linux.sockets import AdvertReceiver, AdvertSender, AnnouncementSocket, Packet
from vip_speaker.vrrp.election import Address

ReceiverKey = tuple[int, int]  # interface index, IP version
SenderKey = tuple[int, Address]  # interface index, source


@dataclass(slots=True)
class Channel:
    """What one instance sends with.

    Attributes:
        index: interface index.
        source: our address in adverts.
        sender: for adverts.
        announcements: for gratuitous ARP and unsolicited neighbour advertisements.
        users: how many instances use it.
    """

    index: int
    source: Address
    sender: AdvertSender
    announcements: AnnouncementSocket
    users: int = 0


@dataclass(slots=True)
class _Ear:
    """The receiver of one interface and family, and how many channels use it."""

    receiver: AdvertReceiver
    users: int = 0


class Channels:
    """Opens sockets for their first user and closes them after their last."""

    def __init__(
        self, selector: selectors.BaseSelector, handle: Callable[[int, Packet], None]
    ) -> None:
        """Wake `selector` for packets; `drain` hands each to `handle` with its interface index."""
        self._selector = selector
        self._handle = handle
        self._channels: dict[SenderKey, Channel] = {}
        self._ears: dict[ReceiverKey, _Ear] = {}
        self._malformed_before = 0

    def acquire(self, placed: Placed) -> Channel:
        """Return the channel of an instance. Raises OSError or MissingCapabilityError."""
        key = (placed.index, placed.source)
        channel = self._channels.get(key)
        if channel is None:
            channel = self._open(placed)
            self._channels[key] = channel
        channel.users += 1
        return channel

    def release(self, channel: Channel) -> None:
        """Give a channel back."""
        channel.users -= 1
        if channel.users:
            return
        del self._channels[channel.index, channel.source]
        # An interface that is gone takes its sockets with it.
        with contextlib.suppress(OSError):
            channel.sender.close()
        with contextlib.suppress(OSError):
            channel.announcements.close()
        self._stop_listening((channel.index, channel.source.version))

    def drain(self) -> None:
        """Handle every packet that has arrived, so that no timer fires on stale knowledge."""
        for (index, _version), ear in list(self._ears.items()):
            self._read(index, ear.receiver)

    def malformed(self) -> int:
        """Return how many packets had an IP header that made no sense."""
        return self._malformed_before + sum(ear.receiver.malformed for ear in self._ears.values())

    def _open(self, placed: Placed) -> Channel:
        version = placed.source.version
        with contextlib.ExitStack() as undo:
            sender = AdvertSender(placed.index, placed.interface, version, placed.source)
            undo.callback(sender.close)
            announcements = AnnouncementSocket(placed.index)
            undo.callback(announcements.close)
            self._listen(placed.index, placed.interface, version)
            undo.pop_all()
        return Channel(placed.index, placed.source, sender, announcements)

    def _listen(self, index: int, interface: str, version: int) -> None:
        ear = self._ears.get((index, version))
        if ear is None:
            receiver = AdvertReceiver(index, interface, version)
            ear = self._ears[index, version] = _Ear(receiver)
            # No callback: the loop drains every receiver before anything else.
            self._selector.register(receiver, selectors.EVENT_READ, None)
        ear.users += 1

    def _stop_listening(self, key: ReceiverKey) -> None:
        ear = self._ears[key]
        ear.users -= 1
        if ear.users == 0:
            del self._ears[key]
            self._malformed_before += ear.receiver.malformed
            self._selector.unregister(ear.receiver)
            with contextlib.suppress(OSError):
                ear.receiver.close()

    def _read(self, index: int, receiver: AdvertReceiver) -> None:
        while packets := receiver.receive():
            for packet in packets:
                self._handle(index, packet)
