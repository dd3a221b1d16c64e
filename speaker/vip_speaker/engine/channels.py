"""The sockets that routers share: one to send and one to receive per interface and family."""

from __future__ import annotations

from dataclasses import dataclass

from vip_speaker.engine.aside import close_all, close_aside
from vip_speaker.engine.compile import Placed
from vip_speaker.engine.ears import Ears
from vip_speaker.engine.opener import Opener
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

    def close(self) -> None:
        """Close both sockets."""
        close_all([self.sender, self.announcements])


class Channels:
    """Opens sockets for their first user and closes them after their last."""

    def __init__(self, ears: Ears, opener: Opener) -> None:
        self._ears = ears
        self._opener = opener
        self._channels: dict[SenderKey, Channel] = {}

    def acquire(self, placed: Placed) -> Channel:
        """Return the channel of an instance. Raises OSError or MissingCapabilityError."""
        version, key = placed.source.version, (placed.index, placed.source)
        channel = self._channels.get(key)
        if channel is None:
            channel = self._open(placed)
            self._channels[key] = channel
        place = ListeningPlace(placed.index, placed.interface, version)
        try:
            self._ears.hold(place, placed.virtual_router_id, placed.sources)
        except OSError:
            self._close_unused(channel)
            raise
        channel.users += 1
        return channel

    def release(self, channel: Channel, placed: Placed) -> None:
        """Give the channel of an instance back."""
        channel.users -= 1
        self._ears.release(
            (placed.index, placed.source.version), placed.virtual_router_id, placed.sources
        )
        self._close_unused(channel)

    def _open(self, placed: Placed) -> Channel:
        return self._opener.open(
            ("channel", placed.index, placed.source), lambda: _open_channel(placed)
        )

    def _close_unused(self, channel: Channel) -> None:
        if not channel.users:
            del self._channels[channel.index, channel.source]
            close_aside([channel])


def _open_channel(placed: Placed) -> Channel:
    sender = AdvertSender(placed.index, placed.interface, placed.source.version, placed.source)
    try:
        announcements = AnnouncementSocket(placed.index)
    except BaseException:
        sender.close()
        raise
    return Channel(placed.index, placed.source, sender, announcements)
