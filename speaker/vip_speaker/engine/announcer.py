"""Tells the link where the addresses of one router are, again and again."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

from vip_speaker.engine.compile import Placed
from vip_speaker.engine.instance import RunningInstance
from vip_speaker.linux.announce import (
    MAX_JITTER_NS,
    AnnouncementSchedule,
    gratuitous_arp,
    unsolicited_neighbor_advertisement,
)


class Announcer:
    """Sends gratuitous ARP and unsolicited neighbour advertisements on their schedule."""

    def __init__(self) -> None:
        self._schedules: list[tuple[RunningInstance, AnnouncementSchedule]] = []

    def start(self, now: int, instances: Sequence[RunningInstance]) -> None:
        """Announce everything now, and begin the schedule anew."""
        self._schedules = []
        for instance in instances:
            schedule = AnnouncementSchedule(instance.placed.addresses)
            schedule.start(now, jitter_ns=random.randrange(MAX_JITTER_NS))  # noqa: S311
            self._schedules.append((instance, schedule))
        self.tick(now)

    def stop(self) -> None:
        """Announce nothing any more."""
        self._schedules = []

    @property
    def is_announcing(self) -> bool:
        """Whether it was started, and not stopped since."""
        return bool(self._schedules)

    def deadline(self) -> int | None:
        """Return when `tick` is due next."""
        due = (schedule.deadline() for _, schedule in self._schedules)
        return min((at for at in due if at is not None), default=None)

    def tick(self, now: int) -> None:
        """Send what is due; a link that refuses is found out elsewhere."""
        for instance, schedule in self._schedules:
            addresses = schedule.due(now)
            with contextlib.suppress(OSError):
                instance.channel.announcements.send(
                    frame for address in addresses for frame in _frames(instance.placed, address)
                )


def _frames(placed: Placed, address: IPv4Address | IPv6Address) -> tuple[bytes, ...]:
    if isinstance(address, IPv4Address):
        return gratuitous_arp(placed.mac, address)
    assert isinstance(placed.source, IPv6Address)
    return (unsolicited_neighbor_advertisement(placed.mac, placed.source, address),)
