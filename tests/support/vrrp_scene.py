"""One election under a hand-held clock, for tests that compare every action with literals.

A *link* says what the election runs on and on which of its instances adverts are heard; tests run
on all of `LINKS`, since an election of two families must behave like one of a single family.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest

from vip_model.vocabulary import State
from vip_speaker.vrrp.actions import (
    Action,
    Announce,
    BindAddresses,
    ProbeAddresses,
    ReleaseAddresses,
    SendAdvertisement,
    StateChanged,
    StopAnnouncing,
)
from vip_speaker.vrrp.config import Address, ElectionConfig, Health, Heard, Instance
from vip_speaker.vrrp.election import Election

MILLISECOND_NS = 1_000_000

# Last part of the senders' addresses. Our own lies between the lower and the higher ones.
LOWER, OWN, OTHER, HIGHER = 5, 11, 77, 200

BIND = BindAddresses()
RELEASE = ReleaseAddresses()
ANNOUNCE = Announce()
STOP_ANNOUNCING = StopAnnouncing()
PROBE = ProbeAddresses()

INITIALIZE, BACKUP, ACTIVE = State.INITIALIZE, State.BACKUP, State.ACTIVE
HEALTHY, FAILING, WITHDRAWN = Health.HEALTHY, Health.FAILING, Health.WITHDRAWN


def send(priority: int) -> SendAdvertisement:
    """Return the action that sends one advert."""
    return SendAdvertisement(priority)


def changed(previous: State, state: State, reason: str) -> StateChanged:
    """Return the action that tells of a transition."""
    return StateChanged(previous, state, reason)


@dataclass(frozen=True)
class Link:
    """Families of the election's instances, and the instance on which adverts are heard."""

    name: str
    families: tuple[int, ...]
    heard: int

    def address(self, instance: int, last: int) -> Address:
        """Return the address of that sender on that instance."""
        if self.families[instance] == 4:
            return IPv4Address(f"192.0.2.{last}")
        return IPv6Address(f"fe80::{last:x}")

    def instances(self) -> tuple[Instance, ...]:
        """Return our own instances."""
        virtual: dict[int, Address] = {
            4: IPv4Address("192.0.2.100"),
            6: IPv6Address("2001:db8::100"),
        }
        return tuple(
            Instance(51 + number, self.address(number, OWN), (virtual[family],))
            for number, family in enumerate(self.families)
        )


IPV4 = Link("IPv4", (4,), 0)
LINKS = (
    IPV4,
    Link("IPv6", (6,), 0),
    Link("dual-stack-first", (4, 6), 0),
    Link("dual-stack-second", (4, 6), 1),
)
on_every_link = pytest.mark.parametrize("link", LINKS, ids=[link.name for link in LINKS])


class Scene:
    """An election of priority 200 (unless said otherwise) at 1 s adverts, and its clock."""

    def __init__(self, link: Link, *, health: Health = HEALTHY, **changes: Any) -> None:
        self.link = link
        self.now = 5_000_000 * MILLISECOND_NS
        changes.setdefault("priority", 200)
        self.election = Election(ElectionConfig(link.instances(), **changes), health)

    @property
    def state(self) -> State:
        """The election's state."""
        return self.election.state

    @property
    def remaining_ns(self) -> int | None:
        """Nanoseconds until the earliest timer fires, or None."""
        deadline = self.election.deadline()
        return None if deadline is None else deadline - self.now

    def start(self, **arguments: Any) -> list[Action]:
        """Start the election."""
        return self.election.start(self.now, **arguments)

    def tick(self) -> list[Action]:
        """Let the timers that are due fire."""
        return self.election.tick(self.now)

    def bound(self) -> list[Action]:
        """Tell that the addresses are bound; a successor claims once everything was heard."""
        return self.election.bound(self.now) + self.election.tick(self.now)

    def hear(
        self,
        priority: int,
        sender: int = HIGHER,
        *,
        interval_ms: int = 1000,
        instance: int | None = None,
        arrived_ns: int | None = None,
    ) -> list[Action]:
        """Deliver an advert on the link's instance or the one named; it arrived now or then."""
        where = self.link.heard if instance is None else instance
        source = self.link.address(where, sender)
        heard = Heard(where, source, priority, interval_ms * MILLISECOND_NS)
        return self.election.receive(self.now, heard, arrived_ns=arrived_ns)

    def health(self, health: Health) -> list[Action]:
        """Deliver a verdict of the gates."""
        return self.election.set_health(self.now, health)

    def reconfigure(self, **changes: Any) -> list[Action]:
        """Change the configuration."""
        return self.election.reconfigure(self.now, replace(self.election.config, **changes))

    def wait(self, milliseconds: float) -> Scene:
        """Let time pass; nothing fires by itself."""
        self.now += round(milliseconds * MILLISECOND_NS)
        return self

    def wait_for_deadline(self) -> Scene:
        """Let time pass until the earliest timer is due; nothing fires by itself."""
        deadline = self.election.deadline()
        assert deadline is not None, "no timer is armed"
        assert deadline >= self.now, "the earliest timer was due before now"
        self.now = deadline
        return self

    def run_until(self, milliseconds: float) -> list[Action]:
        """Let time pass and every timer fire exactly when it is due."""
        end = self.now + round(milliseconds * MILLISECOND_NS)
        actions: list[Action] = []
        while (deadline := self.election.deadline()) is not None and deadline <= end:
            self.now = deadline
            actions += self.tick()
        self.now = end
        return actions


def backup(link: Link, **changes: Any) -> Scene:
    """Return a Backup that was started just now and has heard nobody."""
    scene = Scene(link, **changes)
    scene.start()
    assert scene.state is BACKUP
    return scene


def backup_of(link: Link, heard: int = 220, sender: int = HIGHER, **changes: Any) -> Scene:
    """Return a Backup that has just heard the current Active, on every instance."""
    scene = backup(link, **changes)
    for instance in range(len(link.families)):
        scene.hear(heard, sender, instance=instance)
    return scene


def active(link: Link, **changes: Any) -> Scene:
    """Return an Active with bound addresses, two fifths of an interval after an advert."""
    scene = Scene(link, **changes)
    scene.start()
    if scene.state is BACKUP:
        scene.wait_for_deadline().tick()
    assert scene.state is ACTIVE
    scene.bound()
    return scene.wait(scene.election.config.advertisement_interval_ns / MILLISECOND_NS * 0.4)


def yielding(link: Link, **changes: Any) -> Scene:
    """Return one that was Active, resigned just now and still serves."""
    scene = active(link, **changes)
    scene.election.yield_active(scene.now, "Moved")
    assert scene.election.yielding
    return scene
