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
from vip_speaker.vrrp.turn import TURN_NS, turn

MILLISECOND_NS = 1_000_000


@dataclass
class Recorder:
    """A driver, and one of its routers: both write down what is asked of them.

    Attributes:
        costs: how long each thing takes, in ns.
        routers: how many are due.
    """

    costs: dict[str, int] = field(default_factory=dict)
    routers: int = 1
    now: int = 0
    heard: int = 0
    asked: list[str] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)
    postponed: int = 0

    def now_ns(self) -> int:
        return self.now

    def due(self, now: int) -> Iterable[Recorder]:
        self._do("due")
        return self.routers * [self]

    def postpone(self, routers: Iterable[Recorder]) -> None:
        self.postponed = len(list(routers))

    def receive(self, until_ns: int) -> None:
        self._do("receive", until_ns)
        self.heard = self.now

    def heard_until_ns(self, router: Recorder) -> int:
        return self.heard

    def take_events(self, until_ns: int) -> None:
        self._do("take events", until_ns)

    def settle(self, until_ns: int) -> None:
        self._do("settle", until_ns)

    def advertise(self, now: int) -> None:
        self._do("advertise")

    def tick(self, now: int, heard_until_ns: int) -> None:
        self._do("tick")
        assert heard_until_ns == self.heard

    def _do(self, what: str, until_ns: int = 0) -> None:
        self.asked.append(what)
        self.limits[what] = until_ns
        self.now += self.costs.get(what, 0)


def test_order_of_a_turn() -> None:
    """Adverts that are due, what was heard, what else happened, all other timers, the rest."""
    driver = Recorder()
    turn(driver)
    assert driver.asked == [
        "due",
        "advertise",
        "receive",
        "take events",
        "due",
        "tick",
        "settle",
    ]


def test_timers_fire_for_a_limited_time() -> None:
    """A hundred routers that become Active together do not delay the adverts of the others."""
    driver = Recorder(routers=100, costs={"tick": MILLISECOND_NS})
    turn(driver)
    assert driver.asked.count("advertise") == 100
    assert driver.asked.count("tick") == 8
    assert driver.postponed == 92
    assert driver.asked[-1] == "settle"
    driver.routers = 1
    turn(driver)
    assert driver.postponed == 0


def test_nothing_is_heard_before_all_due_adverts_are_out() -> None:
    """Where they take long the turn ends with them: an Active that overslept may be among them."""
    driver = Recorder(routers=100, costs={"advertise": MILLISECOND_NS})
    turn(driver)
    assert driver.asked == ["due", *["advertise"] * 4, "settle"]
    assert driver.postponed == 96


def test_a_turn_has_one_budget() -> None:
    """What one kind of work has taken, those after it lack."""
    costs = {"advertise": 3 * MILLISECOND_NS, "receive": 2 * MILLISECOND_NS}
    driver = Recorder(costs=costs)
    turn(driver)
    assert driver.limits["receive"] == 7 * MILLISECOND_NS
    # Half of the three milliseconds that are left: the timers are to have the other half.
    assert driver.limits["take events"] == 6.5 * MILLISECOND_NS
    assert driver.limits["settle"] == TURN_NS


def test_nothing_starves_where_the_budget_is_spent() -> None:
    """Each kind of work has one step, though receiving alone took longer than a turn may."""
    driver = Recorder(routers=10, costs={"receive": 2 * TURN_NS})
    turn(driver)
    assert driver.limits["take events"] == driver.now  # at once: one step is what it does
    assert driver.asked.count("tick") == 1
    assert driver.postponed == 9


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
