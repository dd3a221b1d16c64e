"""Late timers, pauses, and links or addresses that are lost."""

from __future__ import annotations

from typing import Any

import pytest

from support.vrrp_scene import (
    ACTIVE,
    ANNOUNCE,
    BACKUP,
    BIND,
    HEALTHY,
    HIGHER,
    INITIALIZE,
    LOWER,
    RELEASE,
    STOP_ANNOUNCING,
    WITHDRAWN,
    Link,
    Scene,
    active,
    backup_of,
    changed,
    on_every_link,
    send,
    yielding,
)

MILLISECOND_NS = 1_000_000


def faulted(link: Link, **changes: Any) -> Scene:
    """Return one that was Active and lost its link just now, 400 ms after an advert."""
    scene = active(link, **changes)
    scene.election.fault(scene.now, "CarrierLost")
    return scene


# --- late timers -----------------------------------------------------------------------------


@on_every_link
def test_late_backup_listens_before_it_claims(link: Link) -> None:
    """One that slept past its timer may have missed adverts: interval + Skew_Time more."""
    scene = backup_of(link).wait(3218.75 + 2000)
    assert scene.tick() == []
    assert scene.state is BACKUP
    assert scene.remaining_ns == 1_218_750_000
    scene.wait_for_deadline()
    assert scene.tick() == [changed(BACKUP, ACTIVE, "ActiveDown"), send(200), BIND]


@on_every_link
def test_late_backup_that_hears_the_active(link: Link) -> None:
    """An advert in the additional time keeps it a Backup."""
    scene = backup_of(link).wait(10_000)
    scene.tick()
    assert scene.wait(900).hear(220) == []
    assert scene.remaining_ns == 3_218_750_000


@on_every_link
@pytest.mark.parametrize("late_ms", [0.001, 8, 15])
def test_scheduling_noise_is_not_late(link: Link, late_ms: float) -> None:
    """A timer that fires as late as timers do on a loaded machine is on time."""
    scene = backup_of(link, priority=254, advertisement_interval_ns=100_000_000)
    scene.hear(254, HIGHER, interval_ms=100)
    scene.wait_for_deadline().wait(late_ms)
    assert scene.tick() == [changed(BACKUP, ACTIVE, "ActiveDown"), send(254), BIND]


@on_every_link
def test_late_again_is_late_enough(link: Link) -> None:
    """A machine that is always late takes over at the second time."""
    scene = backup_of(link).wait(10_000)
    assert scene.tick() == []
    assert scene.wait(10_000).tick() == [changed(BACKUP, ACTIVE, "ActiveDown"), send(200), BIND]


@on_every_link
def test_late_again_after_an_advert(link: Link) -> None:
    """An advert in between makes the next delay a first one."""
    scene = backup_of(link).wait(10_000)
    scene.tick()
    scene.hear(220)
    assert scene.wait(10_000).tick() == []
    assert scene.remaining_ns == 1_218_750_000


@on_every_link
def test_active_that_overslept_listens(link: Link) -> None:
    """One that was silent for as long as its peers wait listens for interval + Skew_Time."""
    scene = active(link).wait(2600)
    assert scene.tick() == [changed(ACTIVE, BACKUP, "Overslept"), STOP_ANNOUNCING]
    assert scene.election.adopted
    assert scene.remaining_ns == 1_218_750_000


@on_every_link
def test_active_that_overslept_and_hears_nobody(link: Link) -> None:
    """If nobody took over it goes on, and was bound as long as the kernel let it."""
    scene = active(link).wait(10_000)
    scene.tick()
    scene.wait_for_deadline()
    assert scene.tick() == [changed(BACKUP, ACTIVE, "ActiveDown"), send(200), BIND]
    assert not scene.election.adopted


@on_every_link
def test_active_that_overslept_and_hears_a_successor(link: Link) -> None:
    """Any advert of another Active lets it release the addresses."""
    scene = active(link).wait(10_000)
    scene.tick()
    assert scene.wait(500).hear(180, LOWER) == [RELEASE]
    assert not scene.election.adopted
    assert scene.state is BACKUP


@on_every_link
@pytest.mark.parametrize("priority", [1, 180, 250])
def test_active_that_overslept_does_not_answer_a_successor(link: Link, priority: int) -> None:
    """What waited in its sockets is heard before its timers: it must not win with row 12."""
    scene = active(link, health_bands=False).wait(10_000)
    assert scene.hear(priority, LOWER) == [
        changed(ACTIVE, BACKUP, "Overslept"),
        STOP_ANNOUNCING,
        RELEASE,
    ]


@on_every_link
def test_active_that_slept_less_than_its_peers_wait(link: Link) -> None:
    """Up to three intervals of silence nobody can have taken over: it goes on."""
    scene = active(link).wait(2599)
    assert scene.tick() == [send(200)]
    assert scene.remaining_ns == 1_000_000_000


@on_every_link
def test_small_delays_do_not_add_up(link: Link) -> None:
    """Adver_Timer that fires 8 ms late each time still yields one advert per interval."""
    scene = active(link)
    start = scene.now
    for _ in range(100):
        scene.wait_for_deadline().wait(8)
        assert scene.tick() == [send(200)]
    assert scene.now - start <= 100 * 1000 * MILLISECOND_NS


# --- faults ----------------------------------------------------------------------------------


@on_every_link
def test_fault_of_an_active(link: Link) -> None:
    """A router whose link or address is broken releases at once."""
    scene = active(link)
    assert scene.election.fault(scene.now, "CarrierLost") == [
        STOP_ANNOUNCING,
        RELEASE,
        changed(ACTIVE, INITIALIZE, "CarrierLost"),
    ]
    assert scene.remaining_ns is None
    assert not scene.election.stopped


@on_every_link
def test_fault_of_a_backup(link: Link) -> None:
    """A Backup without a link takes no part, without a packet."""
    scene = backup_of(link)
    assert scene.election.fault(scene.now, "CarrierLost") == [
        changed(BACKUP, INITIALIZE, "CarrierLost")
    ]
    assert scene.remaining_ns is None


@on_every_link
def test_fault_while_yielding(link: Link) -> None:
    """One that yields holds addresses as well: it releases them at once."""
    scene = yielding(link)
    scene.run_until(50)
    assert scene.election.fault(scene.now, "CarrierLost") == [
        STOP_ANNOUNCING,
        RELEASE,
        changed(BACKUP, INITIALIZE, "CarrierLost"),
    ]


@on_every_link
def test_fault_while_stopping(link: Link) -> None:
    """A broken link ends the wait for a successor."""
    scene = active(link)
    scene.election.stop(scene.now)
    scene.run_until(50)
    assert scene.election.fault(scene.now, "CarrierLost") == [
        STOP_ANNOUNCING,
        RELEASE,
        changed(BACKUP, INITIALIZE, "Stopped"),
    ]
    assert scene.election.stopped


@on_every_link
@pytest.mark.parametrize("away_ms", [0, 1000, 2599])
def test_link_returns_within_the_window(link: Link, away_ms: int) -> None:
    """Within three intervals after its last advert nobody can have taken over: on it goes."""
    scene = faulted(link).wait(away_ms)
    assert scene.election.recover(scene.now) == [
        changed(INITIALIZE, ACTIVE, "LinkReturned"),
        send(200),
        BIND,
    ]
    assert scene.bound() == [ANNOUNCE]
    assert scene.remaining_ns == 1_000_000_000


@on_every_link
@pytest.mark.parametrize("away_ms", [2600, 60_000])
def test_link_returns_outside_the_window(link: Link, away_ms: int) -> None:
    """Later somebody may have taken over: it starts as at any start."""
    scene = faulted(link).wait(away_ms)
    assert scene.election.recover(scene.now) == [changed(INITIALIZE, BACKUP, "Recovered")]
    assert scene.remaining_ns == 3_218_750_000


@on_every_link
def test_link_returns_and_somebody_was_heard(link: Link) -> None:
    """An advert heard in between closes the window."""
    scene = faulted(link).wait(500)
    assert scene.hear(180, LOWER) == []
    assert scene.election.recover(scene.now) == [changed(INITIALIZE, BACKUP, "Recovered")]


@on_every_link
def test_second_fault_keeps_the_window(link: Link) -> None:
    """Carrier and address are often lost one after the other; that is one fault."""
    scene = faulted(link).wait(100)
    assert scene.election.fault(scene.now, "AddressLost") == []
    assert scene.election.recover(scene.now)[0] == changed(INITIALIZE, ACTIVE, "LinkReturned")


@on_every_link
def test_backup_recovers(link: Link) -> None:
    """A Backup whose link returns listens for a whole Active_Down_Interval."""
    scene = backup_of(link)
    scene.election.fault(scene.now, "CarrierLost")
    assert scene.wait(100).election.recover(scene.now) == [changed(INITIALIZE, BACKUP, "Recovered")]
    assert scene.remaining_ns == 3_218_750_000


@on_every_link
def test_recovered_backup_counts_with_its_own_interval(link: Link) -> None:
    """What it learned from an Active before the fault may be out of date."""
    scene = backup_of(link)
    scene.hear(220, interval_ms=9000)
    scene.election.fault(scene.now, "CarrierLost")
    scene.election.recover(scene.now)
    assert scene.remaining_ns == 3_218_750_000


@on_every_link
def test_restored_while_the_link_is_down(link: Link) -> None:
    """Gates that let it in again do not let it in without a link."""
    scene = backup_of(link)
    scene.health(WITHDRAWN)
    scene.election.fault(scene.now, "CarrierLost")
    assert scene.health(HEALTHY) == []
    assert scene.state is INITIALIZE
    assert scene.election.recover(scene.now) == [changed(INITIALIZE, BACKUP, "Recovered")]


@on_every_link
def test_recover_without_a_fault(link: Link) -> None:
    """A link that was never lost cannot return."""
    scene = active(link)
    assert scene.election.recover(scene.now) == []
    assert scene.remaining_ns == 600_000_000


@on_every_link
def test_withdrawn_while_the_link_is_down(link: Link) -> None:
    """A verdict that comes during the fault holds when the link returns."""
    scene = faulted(link)
    assert scene.health(WITHDRAWN) == []
    scene.election.recover(scene.now)
    assert scene.state is INITIALIZE
    assert scene.remaining_ns is None
