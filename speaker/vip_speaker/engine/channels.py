"""The sockets that routers share: one to send and one to receive per interface and family."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from vip_speaker.engine.compile import Placed
from vip_speaker.engine.ears import Ears
from vip_speaker.linux.sockets import AdvertSender, AnnouncementSocket
from vip_speaker.linux.view import ListeningPlace
from vip_speaker.vrrp.config import Address

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


class Channels:
    """Opens sockets for their first user and closes them after their last."""

    def __init__(self, ears: Ears) -> None:
        self._ears = ears
        self._channels: dict[SenderKey, Channel] = {}

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
        self._ears.release((channel.index, channel.source.version))

    def _open(self, placed: Placed) -> Channel:
        version = placed.source.version
        with contextlib.ExitStack() as undo:
            sender = AdvertSender(placed.index, placed.interface, version, placed.source)
            undo.callback(sender.close)
            announcements = AnnouncementSocket(placed.index)
            undo.callback(announcements.close)
            self._ears.hold(ListeningPlace(placed.index, placed.interface, version))
            undo.pop_all()
        return Channel(placed.index, placed.source, sender, announcements)
