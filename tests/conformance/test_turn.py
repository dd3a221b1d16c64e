"""One turn of the loop: what comes before what, in the engine and in the simulation alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from support.vrrp_scene import (
    ACTIVE,
    ANNOUNCE,
    BACKUP,
    BIND,
    HIGHER,
    LOWER,
    RELEASE,
    STOP_ANNOUNCING,
    Link,
    active,
    backup_of,
    changed,
    on_every_link,
    send,
)
from vip_speaker.vrrp.turn import turn

MILLISECOND_NS = 1_000_000


@dataclass
class Recorder:
    """A driver and its only router: both write down what is asked of them."""

    now: int = 0
    heard: int = 0
    asked: list[str] = field(default_factory=list)
    routers: int = 1
    adverts_per_turn: int = 1000
    ticks_per_turn: int = 10

    def now_ns(self) -> int:
        self.now += 1
        return self.now

    def due(self, now: int) -> Iterable[Recorder]:
        self.asked.append(f"due at {now}")
        return self.routers * [self]

    def receive(self) -> None:
        self.asked.append("receive")
        self.heard = self.now

    def heard_until_ns(self, router: Recorder) -> int:
        return self.heard

    def take_events(self) -> None:
        self.asked.append("take events")

    def has_time(self, since_ns: int) -> bool:
        adverts = [one for one in self.asked if one == f"advertise at {since_ns}"]
        ticks = [one for one in self.asked if one.startswith(f"tick at {since_ns},")]
        return len(adverts) < self.adverts_per_turn and len(ticks) < self.ticks_per_turn

    def settle(self) -> None:
        self.asked.append("settle")

    def advertise(self, now: int) -> None:
        self.asked.append(f"advertise at {now}")

    def tick(self, now: int, heard_until_ns: int) -> None:
        self.asked.append(f"tick at {now}, heard until {heard_until_ns}")


def test_order_of_a_turn() -> None:
    """Adverts that are due, what was heard, what else happened, all other timers, the rest."""
    driver = Recorder()
    turn(driver)
    assert driver.asked == [
        "due at 1",
        "advertise at 1",
        "receive",
        "take events",
        "due at 2",
        "tick at 2, heard until 1",
        "settle",
    ]


def test_timers_fire_for_a_limited_time() -> None:
    """A hundred routers that become Active together do not delay the adverts of the others."""
    driver = Recorder(routers=100, ticks_per_turn=3)
    turn(driver)
    assert sum(one.startswith("advertise") for one in driver.asked) == 100
    assert sum(one.startswith("tick") for one in driver.asked) == 3
    assert driver.asked[-1] == "settle"


def test_nothing_is_heard_before_all_due_adverts_are_out() -> None:
    """Where they take long the turn ends with them: an Active that overslept may be among them."""
    driver = Recorder(routers=100, adverts_per_turn=7)
    turn(driver)
    assert driver.asked == ["due at 1", *["advertise at 1"] * 7, "settle"]


@on_every_link
def test_active_sends_before_it_hears(link: Link) -> None:
    """What is due for an Active goes out first: the peers count on it."""
    scene = active(link).wait_for_deadline()
    assert scene.election.advertise(scene.now) == [send(200)]
    assert scene.election.advertise(scene.now) == []


@on_every_link
def test_active_that_overslept_finds_out_before_it_hears(link: Link) -> None:
    """It becomes Backup before it can answer anything that waited in its sockets."""
    scene = active(link).wait(7000)
    assert scene.election.advertise(scene.now) == [
        changed(ACTIVE, BACKUP, "Overslept"),
        STOP_ANNOUNCING,
    ]
    assert scene.hear(0) == []
    assert scene.hear(180, LOWER) == [RELEASE]


@on_every_link
def test_priority_zero_from_within_the_sleep_is_not_answered(link: Link) -> None:
    """An answer would make the real Active release: it is judged now, not when it arrived."""
    scene = active(link)
    arrived_ns = scene.now + 500 * MILLISECOND_NS
    scene.wait(7000)
    assert scene.hear(0, arrived_ns=arrived_ns) == [
        changed(ACTIVE, BACKUP, "Overslept"),
        STOP_ANNOUNCING,
    ]


@on_every_link
def test_backup_does_not_advertise(link: Link) -> None:
    """A Backup's timers wait until everything was heard."""
    scene = backup_of(link).wait_for_deadline()
    assert scene.election.advertise(scene.now) == []


@on_every_link
def test_down_timer_waits_for_what_is_unread(link: Link) -> None:
    """While adverts from before its deadline may be unread Active_Down_Timer does not fire."""
    scene = backup_of(link).wait_for_deadline()
    assert scene.election.tick(scene.now, scene.now - 1) == []
    assert scene.state is BACKUP
    assert scene.election.tick(scene.now, scene.now) == [
        changed(BACKUP, ACTIVE, "ActiveDown"),
        send(200),
        BIND,
    ]
    assert scene.bound() == [ANNOUNCE]


@on_every_link
def test_advert_that_was_unread_counts_from_its_arrival(link: Link) -> None:
    """Read late, it arms Active_Down_Timer as if it had been read at once."""
    scene = backup_of(link)
    arrived_ns = scene.wait(1000).now
    scene.wait_for_deadline()
    assert scene.election.tick(scene.now, arrived_ns) == []
    assert scene.hear(220, HIGHER, arrived_ns=arrived_ns) == []
    assert scene.tick() == []
    assert scene.remaining_ns == 1_000_000_000


@on_every_link
def test_other_timers_do_not_wait(link: Link) -> None:
    """Repeats of a resignation go out whatever is unread."""
    scene = active(link)
    scene.election.yield_active(scene.now, "Moved")
    scene.wait(2)
    assert scene.election.tick(scene.now, 0) == [send(0)]
