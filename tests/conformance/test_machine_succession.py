"""The successor in a handover: it binds as a Backup, and says nothing before."""

from __future__ import annotations

from typing import Any

import pytest

from support.vrrp_scene import (
    ACTIVE,
    ANNOUNCE,
    BACKUP,
    BIND,
    INITIALIZE,
    OTHER,
    RELEASE,
    STOP_ANNOUNCING,
    Link,
    Scene,
    backup_of,
    changed,
    on_every_link,
    send,
)
from vip_model.vocabulary import PreemptionMode, Substate

TAKEN_OVER = [changed(BACKUP, ACTIVE, "ActiveResigned"), ANNOUNCE, send(200)]


def succeeding(link: Link, **changes: Any) -> Scene:
    """Return one that binds, since the Active resigned."""
    scene = backup_of(link, **changes)
    scene.hear(0)
    scene.wait_for_deadline()
    assert scene.tick() == [BIND]
    return scene


@on_every_link
def test_successor_speaks_only_when_bound(link: Link) -> None:
    """Bind, announce, then send: until the addresses are bound it is a Backup and mute."""
    scene = succeeding(link)
    assert scene.election.substate is Substate.BINDING
    assert scene.wait(20).hear(0) == []
    assert scene.state is BACKUP
    assert scene.wait(20).bound() == TAKEN_OVER
    assert scene.remaining_ns == 1_000_000_000


@on_every_link
@pytest.mark.parametrize("priority", [145, 180, 200, 220, 255])
@pytest.mark.parametrize("mode", PreemptionMode)
def test_successor_that_hears_another_gives_up(
    link: Link, priority: int, mode: PreemptionMode
) -> None:
    """An advert that comes before it has bound ends the handover: nothing is announced or sent."""
    scene = succeeding(link, preemption=mode)
    assert scene.wait(20).hear(priority, OTHER) == [RELEASE]
    assert scene.election.substate is Substate.WAITING
    assert scene.remaining_ns == 3_218_750_000
    assert scene.bound() == []


@on_every_link
def test_successor_that_hears_the_resigned_one_again_gives_up(link: Link) -> None:
    """The one that resigned found nobody in time and is Active again."""
    scene = succeeding(link)
    assert scene.wait(20).hear(220) == [RELEASE]
    assert scene.bound() == []


@on_every_link
def test_successor_that_hears_a_failing_one_goes_on(link: Link) -> None:
    """It would replace that one at once: to begin anew would only take longer."""
    scene = succeeding(link)
    assert scene.wait(20).hear(144, OTHER) == []
    assert scene.bound() == [
        changed(BACKUP, ACTIVE, "LowerPriorityPreempted"),
        ANNOUNCE,
        send(200),
    ]


@on_every_link
def test_successor_claims_only_when_everything_was_heard(link: Link) -> None:
    """What arrived before the kernel answered may be another's claim."""
    scene = succeeding(link)
    scene.wait(20).election.bound(scene.now)
    assert scene.election.tick(scene.now, scene.now - 1) == []
    assert scene.election.tick(scene.now, scene.now) == TAKEN_OVER


@on_every_link
def test_successor_that_cannot_bind_says_nothing(link: Link) -> None:
    """It never advertised, so that it has nothing to resign from; it tries again in a second."""
    scene = succeeding(link)
    assert scene.election.bind_failed(scene.now, "BindFailed") == [
        STOP_ANNOUNCING,
        RELEASE,
        changed(BACKUP, INITIALIZE, "BindFailed"),
    ]
    assert scene.remaining_ns == 1_000_000_000


@on_every_link
def test_successor_is_reconfigured_before_it_is_bound(link: Link) -> None:
    """A new priority or interval is no reason to speak before the addresses are bound."""
    scene = succeeding(link)
    assert scene.reconfigure(priority=210, advertisement_interval_ns=2_000_000_000) == []
    assert scene.wait(20).bound() == [
        changed(BACKUP, ACTIVE, "ActiveResigned"),
        ANNOUNCE,
        send(210),
    ]
    assert scene.remaining_ns == 2_000_000_000


@on_every_link
def test_takeover_after_silence_is_not_orderly(link: Link) -> None:
    """A resignation that was followed by another Active counts no more when that one crashes."""
    scene = backup_of(link)
    scene.hear(0)
    scene.wait(10).hear(220, OTHER)
    scene.wait_for_deadline()
    assert scene.tick() == [changed(BACKUP, ACTIVE, "ActiveDown"), send(200), BIND]
