"""Yield, make before break, stop and retire: how an address is given up in an orderly way."""

from __future__ import annotations

import pytest

from support.vrrp_scene import (
    ACTIVE,
    ANNOUNCE,
    BACKUP,
    BIND,
    FAILING,
    HEALTHY,
    INITIALIZE,
    LOWER,
    OTHER,
    RELEASE,
    STOP_ANNOUNCING,
    WITHDRAWN,
    Link,
    Scene,
    active,
    backup,
    backup_of,
    changed,
    on_every_link,
    send,
    yielding,
)
from vip_model.vocabulary import PreemptionMode
from vip_speaker.vrrp.config import Health

LEFT = [STOP_ANNOUNCING, RELEASE, changed(BACKUP, INITIALIZE, "Stopped")]


def stopping(link: Link, *, seconds: float = 1) -> Scene:
    """Return one that was Active and was told just now to stop."""
    scene = active(link, advertisement_interval_ns=int(seconds * 10**9))
    scene.election.stop(scene.now)
    return scene


# --- yield -----------------------------------------------------------------------------------


@on_every_link
def test_yield(link: Link) -> None:
    """Own announcements end first, then priority 0 goes out; the addresses stay bound."""
    scene = active(link)
    assert scene.election.yield_active(scene.now, "Moved") == [
        STOP_ANNOUNCING,
        send(0),
        changed(ACTIVE, BACKUP, "Moved"),
    ]
    assert scene.election.yielding


@on_every_link
def test_resignation_is_repeated(link: Link) -> None:
    """Priority 0 goes out at 0, +2 and +4 ms, and no more: one may be lost."""
    scene = yielding(link)
    assert scene.remaining_ns == 2_000_000
    assert scene.wait(2).tick() == [send(0)]
    assert scene.remaining_ns == 2_000_000
    assert scene.wait(2).tick() == [send(0)]
    assert scene.remaining_ns == 214_750_000


@on_every_link
def test_late_repeats_go_out_together(link: Link) -> None:
    """One that wakes late catches up on the repeats."""
    scene = yielding(link)
    assert scene.wait(5).tick() == [send(0), send(0)]
    assert scene.remaining_ns == 213_750_000


@on_every_link
@pytest.mark.parametrize("successor", [155, 180, 200, 254], ids="priority-{}".format)
@pytest.mark.parametrize("mode", PreemptionMode)
def test_successor_ends_the_yield(link: Link, successor: int, mode: PreemptionMode) -> None:
    """Any healthy successor's advert lets the one that yields release and listen (row 6)."""
    scene = yielding(link, preemption=mode)
    scene.run_until(50)
    assert scene.hear(successor) == [RELEASE]
    assert scene.state is BACKUP
    assert not scene.election.yielding
    assert scene.remaining_ns == 3_218_750_000


@on_every_link
def test_failing_successor_ends_the_yield_for_a_moment(link: Link) -> None:
    """A failing successor is a successor too, but one that is replaced when the timer fires."""
    scene = yielding(link)
    scene.run_until(50)
    assert scene.hear(100) == [RELEASE]
    assert scene.remaining_ns == 168_750_000
    scene.wait_for_deadline()
    assert scene.tick() == [BIND]
    assert scene.bound() == [
        changed(BACKUP, ACTIVE, "LowerPriorityPreempted"),
        ANNOUNCE,
        send(200),
    ]


@on_every_link
def test_yielded_backup_listens_to_its_successor(link: Link) -> None:
    """The successor's advert counts like that of any Active: row 6."""
    scene = yielding(link)
    scene.run_until(50)
    scene.hear(180, LOWER, interval_ms=2000)
    assert scene.remaining_ns == 6_437_500_000


@on_every_link
def test_no_repeat_after_the_successor_spoke(link: Link) -> None:
    """Once a successor is Active, no priority 0 follows that could move the address again."""
    scene = yielding(link)
    scene.wait(1)
    assert scene.hear(180) == [RELEASE]
    assert scene.remaining_ns == 3_218_750_000


@on_every_link
def test_foreign_resignation_does_not_end_the_yield(link: Link) -> None:
    """Priority 0 is not a successor: the addresses stay bound, the own timer runs on."""
    scene = yielding(link)
    scene.run_until(50)
    assert scene.hear(0, OTHER) == []
    assert scene.election.yielding
    assert scene.remaining_ns == 168_750_000


@on_every_link
def test_nobody_takes_over(link: Link) -> None:
    """After its own Skew_Time it is Active again, and was bound all the time."""
    scene = yielding(link)
    scene.run_until(100)
    scene.wait_for_deadline()
    assert scene.tick() == [changed(BACKUP, ACTIVE, "NobodyTookOver"), send(200), BIND]
    assert not scene.election.yielding
    assert scene.bound() == [ANNOUNCE]


@on_every_link
def test_no_repeat_after_the_own_timer(link: Link) -> None:
    """A Skew_Time shorter than the repeats: once it is Active again it resigns no more."""
    scene = yielding(link, priority=254, advertisement_interval_ns=100_000_000)
    assert scene.run_until(0.79) == [changed(BACKUP, ACTIVE, "NobodyTookOver"), send(254), BIND]
    assert scene.run_until(50) == []


@on_every_link
def test_yield_of_a_backup(link: Link) -> None:
    """A Backup has nothing to give up."""
    scene = backup_of(link)
    assert scene.election.yield_active(scene.now, "Moved") == []
    assert scene.remaining_ns == 3_218_750_000


@on_every_link
def test_yield_again(link: Link) -> None:
    """One that yields already does not resign anew."""
    scene = yielding(link)
    scene.run_until(50)
    assert scene.election.yield_active(scene.now, "Moved") == []
    assert scene.remaining_ns == 168_750_000


@on_every_link
def test_interval_at_yield_is_the_own_one(link: Link) -> None:
    """Skew_Time after a yield is that of the own interval, whatever was learned as Backup."""
    scene = backup_of(link)
    scene.hear(220, interval_ms=4000)
    scene.wait_for_deadline().tick()
    scene.bound()
    scene.election.yield_active(scene.now, "Moved")
    scene.run_until(5)
    assert scene.remaining_ns == 213_750_000


# --- stop ------------------------------------------------------------------------------------


@on_every_link
def test_stop_waits_for_the_successor(link: Link) -> None:
    """Row 8 here: the addresses stay bound until a successor's advert."""
    scene = stopping(link)
    assert scene.run_until(100) == [send(0), send(0)]
    assert scene.election.yielding
    assert scene.hear(180, LOWER) == LEFT
    assert scene.election.stopped
    assert scene.remaining_ns is None


@on_every_link
def test_no_resignation_after_the_successor_of_a_stopped_one(link: Link) -> None:
    """A successor that speaks within 4 ms ends the repeats of the resignation."""
    scene = stopping(link)
    assert scene.wait(1).hear(254) == LEFT
    assert scene.run_until(100) == []


@on_every_link
@pytest.mark.parametrize(
    ("seconds", "wait_ms"), [(0.1, 600), (1, 1500), (7.5, 8000), (40.95, 8000)]
)
def test_wait_of_a_stop_is_bounded(link: Link, seconds: float, wait_ms: int) -> None:
    """Without a successor it leaves after min(interval + 0.5 s, 8 s), never Active again."""
    scene = stopping(link, seconds=seconds)
    assert scene.run_until(wait_ms - 1) == [send(0), send(0)]
    assert scene.election.yielding
    assert scene.run_until(1) == LEFT
    assert scene.election.stopped
    assert scene.remaining_ns is None


@on_every_link
def test_second_stop_does_not_prolong_the_wait(link: Link) -> None:
    """Being told again to stop changes nothing."""
    scene = stopping(link)
    scene.run_until(1000)
    assert scene.election.stop(scene.now) == []
    assert scene.run_until(500) == LEFT


@on_every_link
def test_resignation_of_another_while_stopping(link: Link) -> None:
    """Priority 0 is not a successor for one that stops either."""
    scene = stopping(link)
    scene.run_until(100)
    assert scene.hear(0, OTHER) == []
    assert scene.election.yielding


@on_every_link
def test_stop_while_yielding(link: Link) -> None:
    """One that yields when told to stop does not resign anew, and leaves as bounded."""
    scene = yielding(link)
    scene.run_until(50)
    assert scene.election.stop(scene.now) == []
    assert scene.run_until(1499) == []
    assert scene.run_until(1) == LEFT


@on_every_link
@pytest.mark.parametrize("health", [FAILING, WITHDRAWN])
def test_verdict_while_stopping(link: Link, health: Health) -> None:
    """A verdict that comes while it waits does not undo the end."""
    scene = stopping(link)
    scene.run_until(100)
    assert scene.health(health) == []
    assert scene.run_until(1400) == LEFT
    assert scene.health(HEALTHY) == []
    assert scene.election.stopped


@on_every_link
def test_stopped_router_is_deaf(link: Link) -> None:
    """After the end no advert and no verdict brings it back."""
    scene = backup_of(link)
    scene.election.stop(scene.now)
    assert scene.election.stopped
    assert scene.hear(100) == []
    assert scene.hear(0) == []
    assert scene.election.recover(scene.now) == []
    assert scene.election.stop(scene.now) == []
    assert scene.wait(10_000).tick() == []
    assert scene.state is INITIALIZE


# --- retire ----------------------------------------------------------------------------------


@on_every_link
def test_retired_backup_leaves_at_once(link: Link) -> None:
    """A Backup of a deleted router goes to Initialize without a packet."""
    scene = backup_of(link)
    assert scene.election.retire(scene.now) == [changed(BACKUP, INITIALIZE, "Retired")]
    assert scene.election.stopped
    assert scene.remaining_ns is None


@on_every_link
def test_retired_active_serves_on_for_500_ms(link: Link) -> None:
    """It stays Active until the Backups know, then releases; no priority 0 is sent."""
    scene = active(link)
    assert scene.election.retire(scene.now) == []
    assert scene.run_until(499) == []
    assert scene.state is ACTIVE
    assert scene.run_until(1) == [
        STOP_ANNOUNCING,
        RELEASE,
        changed(ACTIVE, INITIALIZE, "Retired"),
    ]
    assert scene.election.stopped
    assert scene.remaining_ns is None


@on_every_link
def test_retired_active_goes_on_advertising(link: Link) -> None:
    """Within the 500 ms its adverts keep the Backups quiet that do not know yet."""
    scene = active(link, advertisement_interval_ns=200_000_000)
    scene.wait_for_deadline().tick()
    scene.election.retire(scene.now)
    assert scene.run_until(499) == [send(200), send(200)]


@on_every_link
def test_retired_active_leaves_even_if_it_is_paused(link: Link) -> None:
    """A pause within the 500 ms, longer than the peers wait, does not undo the end."""
    scene = active(link, advertisement_interval_ns=100_000_000)
    scene.election.retire(scene.now)
    scene.wait(400).tick()
    scene.run_until(2000)
    assert scene.election.stopped
    assert scene.state is INITIALIZE


@on_every_link
def test_retired_active_leaves_even_if_it_yields(link: Link) -> None:
    """A move that was asked for within the 500 ms does not undo the end."""
    scene = active(link)
    scene.election.retire(scene.now)
    scene.election.yield_active(scene.now, "Moved")
    for _ in range(10):
        scene.run_until(500)
        scene.bound()
    assert scene.election.stopped
    assert scene.state is INITIALIZE


@on_every_link
def test_retired_active_that_is_wanted_again_stays(link: Link) -> None:
    """Within the 500 ms it can stay as if nothing had been said: nothing is sent or released."""
    scene = active(link)
    scene.election.retire(scene.now)
    assert scene.run_until(499) == []
    assert scene.election.stay(scene.now) == []
    assert not scene.election.may_stay
    assert set(scene.run_until(3000)) == {send(200)}
    assert scene.state is ACTIVE


@on_every_link
def test_retired_active_that_was_withdrawn_meanwhile_leaves_as_such(link: Link) -> None:
    """What the gates said within the 500 ms counts: wanted again it resigns."""
    scene = active(link)
    scene.election.retire(scene.now)
    scene.election.set_health(scene.now, WITHDRAWN)
    assert scene.election.stay(scene.now) == [
        STOP_ANNOUNCING,
        send(0),
        changed(ACTIVE, BACKUP, "Withdrawn"),
    ]
    scene.run_until(3000)
    assert not scene.election.stopped
    assert scene.state is INITIALIZE


@on_every_link
def test_only_a_retired_active_may_stay(link: Link) -> None:
    """Who stops has resigned, and a Backup has left: both have to start anew."""
    scene = active(link)
    scene.election.stop(scene.now)
    assert not scene.election.may_stay
    scene = backup_of(link)
    scene.election.retire(scene.now)
    assert not scene.election.may_stay


@on_every_link
def test_stop_before_any_advert_was_heard(link: Link) -> None:
    """A Backup that heard nobody leaves silently too (row 3)."""
    scene = backup(link)
    assert scene.election.stop(scene.now) == [changed(BACKUP, INITIALIZE, "Stopped")]
