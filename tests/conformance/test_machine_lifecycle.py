"""Bind failures, resume, adoption and bootstrap: how an address comes to be held."""

from __future__ import annotations

import pytest

from support.vrrp_scene import (
    ACTIVE,
    ANNOUNCE,
    BACKUP,
    BIND,
    INITIALIZE,
    LOWER,
    PROBE,
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

MILLISECOND_NS = 1_000_000


def backup_adopted(link: Link) -> Scene:
    """Return a Backup that found addresses of an earlier life."""
    scene = Scene(link)
    scene.start(adopted=True)
    return scene


# --- bind failures ---------------------------------------------------------------------------


@on_every_link
def test_bind_failed(link: Link) -> None:
    """Never Active without an address: priority 0, release, back-off."""
    scene = backup_of(link)
    scene.wait_for_deadline().tick()
    assert scene.wait(3).election.bind_failed(scene.now, "PermissionDenied") == [
        send(0),
        STOP_ANNOUNCING,
        RELEASE,
        changed(ACTIVE, INITIALIZE, "PermissionDenied"),
    ]
    assert scene.run_until(999) == [send(0), send(0)]
    assert scene.run_until(1) == [changed(INITIALIZE, BACKUP, "Retried")]
    assert scene.remaining_ns == 3_218_750_000


@on_every_link
def test_bind_is_retried_ever_more_rarely(link: Link) -> None:
    """The waits double from 1 s to 60 s, and start anew after a success."""
    scene = backup(link)

    def wait_after_failure() -> float:
        """Become Active, fail to bind, and return the seconds until the next try."""
        scene.wait_for_deadline().tick()
        scene.election.bind_failed(scene.now, "PermissionDenied")
        failed_at = scene.now
        scene.run_until(5)
        scene.wait_for_deadline().tick()
        return (scene.now - failed_at) / 10**9

    assert [wait_after_failure() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    scene.wait_for_deadline().tick()
    scene.bound()
    scene.election.fault(scene.now, "CarrierLost")
    scene.wait(10_000).election.recover(scene.now)
    assert wait_after_failure() == 1


@on_every_link
def test_bind_without_an_answer(link: Link) -> None:
    """A kernel that does not answer within 2 s counts as a failure."""
    scene = backup_of(link)
    scene.wait_for_deadline().tick()
    assert scene.run_until(1999) == [send(200)]
    assert scene.run_until(1) == [
        send(0),
        STOP_ANNOUNCING,
        RELEASE,
        changed(ACTIVE, INITIALIZE, "BindTimedOut"),
    ]


@on_every_link
def test_late_answers_of_the_driver(link: Link) -> None:
    """An answer that comes after the state has changed, or twice, is nothing."""
    scene = active(link)
    assert scene.bound() == []
    scene.hear(254)
    assert scene.bound() == []
    assert scene.election.bind_failed(scene.now, "PermissionDenied") == []
    assert scene.state is BACKUP
    assert scene.remaining_ns == 3_218_750_000


@on_every_link
def test_bind_fails_on_a_running_active(link: Link) -> None:
    """An address that cannot be renewed is an address that is gone."""
    scene = active(link)
    assert scene.election.bind_failed(scene.now, "AddressLost")[0] == send(0)
    assert scene.state is INITIALIZE


# --- resume and adoption ---------------------------------------------------------------------


@on_every_link
@pytest.mark.parametrize("ago_ms", [10, 1000, 2949])
def test_resume_within_the_window(link: Link, ago_ms: int) -> None:
    """An earlier life's Active goes on if nobody can have taken over, less 50 ms."""
    scene = Scene(link)
    last_sent = scene.now - ago_ms * MILLISECOND_NS
    assert scene.start(resume_last_sent_ns=last_sent, adopted=True) == [
        changed(INITIALIZE, ACTIVE, "Resumed"),
        send(200),
        BIND,
    ]
    assert scene.bound() == [ANNOUNCE]


@on_every_link
def test_no_resume_outside_the_window(link: Link) -> None:
    """Later it starts as Backup, and what is bound stays bound until somebody speaks."""
    scene = Scene(link)
    last_sent = scene.now - 2950 * MILLISECOND_NS
    assert scene.start(resume_last_sent_ns=last_sent, adopted=True) == [
        changed(INITIALIZE, BACKUP, "Started")
    ]
    assert scene.election.adopted
    assert scene.remaining_ns == 3_218_750_000
    assert scene.hear(180, LOWER) == [RELEASE]
    assert not scene.election.adopted


@on_every_link
def test_no_resume_without_the_address(link: Link) -> None:
    """An address that the kernel removed meanwhile is not resumed."""
    scene = Scene(link)
    assert scene.start(resume_last_sent_ns=scene.now - 1) == [
        changed(INITIALIZE, BACKUP, "Started")
    ]
    assert not scene.election.adopted


@on_every_link
def test_adopted_addresses_and_silence(link: Link) -> None:
    """If nobody speaks, the adopted addresses are bound anew without a gap."""
    scene = backup_adopted(link)
    scene.wait_for_deadline()
    assert scene.tick() == [changed(BACKUP, ACTIVE, "ActiveDown"), send(200), BIND]
    assert not scene.election.adopted


@on_every_link
def test_adopted_addresses_are_released_at_the_end(link: Link) -> None:
    """A Backup that stops leaves no address of an earlier life behind."""
    scene = backup_adopted(link)
    assert scene.election.stop(scene.now) == [
        STOP_ANNOUNCING,
        RELEASE,
        changed(BACKUP, INITIALIZE, "Stopped"),
    ]


@on_every_link
def test_adopted_addresses_of_a_withdrawn_router(link: Link) -> None:
    """One that the gates withdraw from the start keeps nothing."""
    scene = Scene(link, health=WITHDRAWN)
    assert scene.start(adopted=True) == [STOP_ANNOUNCING, RELEASE]
    assert not scene.election.adopted


@on_every_link
def test_resignation_while_adopted(link: Link) -> None:
    """Priority 0 claims nothing: the adopted addresses stay."""
    scene = backup_adopted(link)
    assert scene.hear(0) == []
    assert scene.election.adopted
    assert scene.remaining_ns == 218_750_000


# --- bootstrap -------------------------------------------------------------------------------


@on_every_link
def test_bootstrap_of_the_first_slot(link: Link) -> None:
    """A router that nobody has ever run starts after a probe and Skew_Time."""
    scene = Scene(link, bootstrap=True, slot=0)
    assert scene.start() == [changed(INITIALIZE, BACKUP, "Started"), PROBE]
    assert scene.remaining_ns == 368_750_000
    scene.wait_for_deadline()
    assert scene.tick() == [changed(BACKUP, ACTIVE, "ActiveDown"), send(200), BIND]


@on_every_link
def test_bootstrap_of_another_slot(link: Link) -> None:
    """All other slots wait as at any start."""
    scene = Scene(link, bootstrap=True, slot=1)
    assert scene.start() == [changed(INITIALIZE, BACKUP, "Started")]
    assert scene.remaining_ns == 3_218_750_000


@on_every_link
def test_bootstrap_probe_was_answered(link: Link) -> None:
    """Somebody has the address: a whole Active_Down_Interval, like any other."""
    scene = Scene(link, bootstrap=True, slot=0)
    scene.start()
    assert scene.wait(100).election.address_in_use(scene.now) == []
    assert scene.remaining_ns == 3_218_750_000


@on_every_link
def test_bootstrap_ends_with_an_advert(link: Link) -> None:
    """Somebody is Active already: row 6."""
    scene = Scene(link, bootstrap=True, slot=0)
    scene.start()
    assert scene.wait(100).hear(180, LOWER) == []
    assert scene.remaining_ns == 3_218_750_000
