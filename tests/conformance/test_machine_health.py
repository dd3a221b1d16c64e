"""Health as a level: the bands, and what a verdict of the gates does in each state."""

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
    IPV4,
    LOWER,
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
)
from vip_model.vocabulary import PreemptionMode
from vip_speaker.vrrp.config import ElectionConfig, Health

PRIORITIES = {
    "owner": (255, True, 144),
    "first-slot": (254, True, 144),
    "middle-slot": (200, True, 144),
    "last-slot": (155, True, 144),
    "no-bands-owner": (255, False, 155),
    "no-bands": (200, False, 100),
    "no-bands-default": (100, False, 1),
    "no-bands-lowest": (1, False, 1),
}


@pytest.mark.parametrize(("base", "bands", "failing"), PRIORITIES.values(), ids=PRIORITIES)
def test_failing_priority(base: int, bands: bool, failing: int) -> None:
    """With bands it is that of the slot among the failing; without, 100 less, at least 1."""
    config = ElectionConfig(IPV4.instances(), base, health_bands=bands)
    assert base == config.effective_priority(HEALTHY)
    assert failing == config.effective_priority(FAILING)


@on_every_link
@pytest.mark.parametrize("mode", PreemptionMode)
@pytest.mark.parametrize("heard", [1, 99, 144])
def test_healthy_backup_replaces_failing_active(
    link: Link, mode: PreemptionMode, heard: int
) -> None:
    """A healthy Backup preempts a failing Active after Skew_Time, whatever Preempt_Mode says."""
    scene = backup(link, preemption=mode, preemption_delay_ns=10**12).wait(1000)
    assert scene.hear(heard) == []
    assert scene.remaining_ns == 218_750_000
    scene.wait_for_deadline()
    assert scene.tick() == [BIND]
    assert scene.bound() == [
        changed(BACKUP, ACTIVE, "LowerPriorityPreempted"),
        ANNOUNCE,
        send(200),
    ]


@on_every_link
def test_adverts_of_a_failing_active_do_not_postpone_the_takeover(link: Link) -> None:
    """What a failing Active goes on to say does not re-arm the timer."""
    scene = backup(link, preemption=PreemptionMode.NEVER)
    scene.hear(100)
    scene.wait(150).hear(100)
    assert scene.remaining_ns == 68_750_000


@on_every_link
def test_failing_active_is_left_alone_without_bands(link: Link) -> None:
    """With routers that are not ours the bands are off: Preempt_Mode alone decides."""
    scene = backup(link, health_bands=False, preemption=PreemptionMode.NEVER).wait(1000)
    assert scene.hear(100) == []
    assert scene.remaining_ns == 3_218_750_000


@on_every_link
def test_healthy_successor_ends_the_takeover(link: Link) -> None:
    """When another healthy router took over first, the Backup stays where it is."""
    scene = backup(link, preemption=PreemptionMode.NEVER)
    scene.hear(100)
    scene.wait(100).hear(180, LOWER)
    assert scene.remaining_ns == 3_218_750_000


@on_every_link
def test_failing_backup_accepts_a_better_failing_active(link: Link) -> None:
    """If all fail the best of them serves on: row 6 holds within the lower band."""
    scene = backup(link, health=FAILING, slot=1, candidates=3).wait(1000)
    assert scene.election.effective_priority == 143
    assert scene.hear(144) == []
    assert scene.remaining_ns == 3_441_406_250


@on_every_link
@pytest.mark.parametrize(
    ("mode", "remaining_ns"),
    [(PreemptionMode.NEVER, 3_441_406_250), (PreemptionMode.ALWAYS, 2_441_406_250)],
)
def test_failing_backup_and_worse_failing_active(
    link: Link, mode: PreemptionMode, remaining_ns: int
) -> None:
    """Between two that fail alike Preempt_Mode decides as between two that are healthy."""
    scene = backup(link, health=FAILING, preemption=mode, slot=1, candidates=3).wait(1000)
    assert scene.hear(142) == []
    assert remaining_ns == scene.remaining_ns


@on_every_link
def test_backup_that_becomes_healthy_replaces_failing_active(link: Link) -> None:
    """The moment it becomes healthy itself, it fires after Skew_Time at the new priority."""
    scene = backup_of(link, 144, health=FAILING, preemption=PreemptionMode.NEVER).wait(300)
    assert scene.remaining_ns == 3_137_500_000
    assert scene.health(HEALTHY) == []
    assert scene.remaining_ns == 218_750_000
    scene.wait_for_deadline()
    assert scene.tick() == [BIND]


@on_every_link
def test_backup_that_becomes_healthy_leaves_a_healthy_active(link: Link) -> None:
    """Becoming healthy changes only Skew_Time if the Active is healthy too."""
    scene = backup_of(link, 155, health=FAILING, preemption=PreemptionMode.NEVER).wait(300)
    assert scene.health(HEALTHY) == []
    assert scene.remaining_ns == 2_918_750_000


@on_every_link
def test_backup_that_becomes_failing_waits_longer(link: Link) -> None:
    """Skew_Time follows the priority while the timer runs, so that the healthy come first."""
    scene = backup_of(link).wait(300)
    assert scene.health(FAILING) == []
    assert scene.remaining_ns == 3_137_500_000
    assert scene.state is BACKUP


@on_every_link
def test_repeated_verdict_changes_nothing(link: Link) -> None:
    """A verdict that says what is known already is no event."""
    scene = active(link)
    assert scene.health(HEALTHY) == []
    assert scene.remaining_ns == 600_000_000


@on_every_link
def test_active_that_becomes_failing_yields(link: Link) -> None:
    """It resigns at once and counts that as heard: Skew_Time at the new priority."""
    scene = active(link)
    assert scene.health(FAILING) == [
        STOP_ANNOUNCING,
        send(0),
        changed(ACTIVE, BACKUP, "GateFailed"),
    ]
    assert scene.election.yielding
    assert scene.run_until(5) == [send(0), send(0)]
    assert scene.remaining_ns == 432_500_000


@on_every_link
def test_failing_owner_yields_too(link: Link) -> None:
    """An owner whose service is gone lets a healthy router serve (255 becomes 144)."""
    scene = active(link, priority=255)
    scene.health(FAILING)
    scene.run_until(5)
    assert scene.remaining_ns == 432_500_000
    scene.wait_for_deadline()
    assert scene.tick() == [changed(BACKUP, ACTIVE, "NobodyTookOver"), send(144), BIND]


@on_every_link
def test_failing_active_that_recovers_says_so_at_once(link: Link) -> None:
    """A better priority is advertised without waiting for Adver_Timer, which starts anew."""
    scene = active(link, health=FAILING)
    assert scene.health(HEALTHY) == [send(200)]
    assert scene.state is ACTIVE
    assert scene.remaining_ns == 1_000_000_000


@on_every_link
def test_yielding_router_that_recovers_comes_back_sooner(link: Link) -> None:
    """If nobody has spoken yet, its own timer follows the better priority."""
    scene = active(link)
    scene.health(FAILING)
    scene.run_until(100)
    assert scene.remaining_ns == 337_500_000
    assert scene.health(HEALTHY) == []
    assert scene.remaining_ns == 118_750_000
    scene.wait_for_deadline()
    assert scene.tick() == [changed(BACKUP, ACTIVE, "NobodyTookOver"), send(200), BIND]


@on_every_link
def test_failing_active_steps_down_for_a_healthy_one(link: Link) -> None:
    """The lowest healthy priority outranks the highest failing one on the wire (row 11)."""
    scene = active(link, priority=254, health=FAILING)
    assert scene.hear(155, LOWER) == [
        send(144),
        changed(ACTIVE, BACKUP, "HigherPriorityHeard"),
        STOP_ANNOUNCING,
        RELEASE,
    ]


@on_every_link
def test_withdrawn_backup_goes_to_initialize(link: Link) -> None:
    """Withdraw takes a Backup out of the election, without a packet."""
    scene = backup_of(link)
    assert scene.health(WITHDRAWN) == [changed(BACKUP, INITIALIZE, "Withdrawn")]
    assert scene.remaining_ns is None
    assert not scene.election.stopped


@on_every_link
def test_withdrawn_active_yields_and_leaves_to_its_successor(link: Link) -> None:
    """It serves on until a successor speaks, then releases and goes to Initialize."""
    scene = active(link)
    assert scene.health(WITHDRAWN) == [
        STOP_ANNOUNCING,
        send(0),
        changed(ACTIVE, BACKUP, "Withdrawn"),
    ]
    assert scene.election.yielding
    scene.run_until(100)
    assert scene.hear(180, LOWER) == [
        STOP_ANNOUNCING,
        RELEASE,
        changed(BACKUP, INITIALIZE, "Withdrawn"),
    ]
    assert scene.remaining_ns is None
    assert not scene.election.stopped


@on_every_link
def test_withdrawn_active_without_successor_leaves_in_the_end(link: Link) -> None:
    """It waits one interval and 500 ms for a successor and never becomes Active itself."""
    scene = active(link)
    scene.health(WITHDRAWN)
    assert scene.run_until(1499) == [send(0), send(0)]
    assert scene.run_until(1) == [
        STOP_ANNOUNCING,
        RELEASE,
        changed(BACKUP, INITIALIZE, "Withdrawn"),
    ]


@on_every_link
def test_start_while_withdrawn(link: Link) -> None:
    """One that the gates withdraw takes no part from the start, and hears nobody."""
    scene = Scene(link, health=WITHDRAWN)
    assert scene.start() == []
    assert scene.state is INITIALIZE
    assert scene.remaining_ns is None
    assert scene.hear(180) == []
    assert scene.election.reason == "Withdrawn"


@on_every_link
@pytest.mark.parametrize(
    ("health", "remaining_ns"), [(HEALTHY, 3_218_750_000), (FAILING, 3_437_500_000)]
)
def test_restored_router_starts_as_backup(link: Link, health: Health, remaining_ns: int) -> None:
    """When the gates let it in again it listens as long as at any start."""
    scene = backup_of(link)
    scene.health(WITHDRAWN)
    scene.wait(5000)
    assert scene.health(health) == [changed(INITIALIZE, BACKUP, "Restored")]
    assert remaining_ns == scene.remaining_ns


@on_every_link
def test_restored_while_still_yielding(link: Link) -> None:
    """Let in again before a successor spoke, it takes back its resignation after Skew_Time."""
    scene = active(link)
    scene.health(WITHDRAWN)
    scene.run_until(10)
    assert scene.health(HEALTHY) == []
    assert scene.remaining_ns == 218_750_000
    scene.wait_for_deadline()
    assert scene.tick() == [changed(BACKUP, ACTIVE, "NobodyTookOver"), send(200), BIND]
