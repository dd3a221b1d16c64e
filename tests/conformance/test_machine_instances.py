"""An election of several instances that loses one of them, and ties between such elections."""

from __future__ import annotations

from typing import Any

import pytest

from support.vrrp_scene import (
    ACTIVE,
    ANNOUNCE,
    BACKUP,
    BIND,
    HIGHER,
    INITIALIZE,
    LINKS,
    LOWER,
    RELEASE,
    STOP_ANNOUNCING,
    Scene,
    active,
    backup,
    backup_of,
    changed,
    send,
)
from vip_model.vocabulary import PreemptionMode, Substate
from vip_speaker.vrrp.actions import Action
from vip_speaker.vrrp.config import Health

DUAL = LINKS[2]
BOTH, FIRST, SECOND = frozenset({0, 1}), frozenset({0}), frozenset({1})
LOST = "InstanceLost"


def work(scene: Scene, working: frozenset[int]) -> list[Action]:
    """Say which instances work."""
    return scene.election.instances_changed(scene.now, working)


def partial(scene: Scene, working: frozenset[int] = FIRST) -> Scene:
    """Return an Active that has lost an instance and come back with the rest."""
    work(scene, working)
    scene.run_until(5)
    scene.wait_for_deadline().tick()
    scene.bound()
    assert scene.state is ACTIVE
    return scene


@pytest.mark.parametrize("left", [FIRST, SECOND])
def test_active_that_loses_one_resigns_and_serves_on(left: frozenset[int]) -> None:
    """Priority 0 on what works, the addresses stay until a successor speaks."""
    scene = active(DUAL)
    assert work(scene, left) == [STOP_ANNOUNCING, send(0), changed(ACTIVE, BACKUP, LOST)]
    assert scene.election.substate is Substate.YIELDING
    assert scene.election.missing == tuple(sorted(BOTH - left))
    assert scene.hear(180, LOWER, instance=min(left)) == [RELEASE]


def test_nobody_is_fuller() -> None:
    """It comes back with what works, at a priority of the failing band."""
    scene = active(DUAL)
    work(scene, FIRST)
    scene.run_until(5)
    scene.wait_for_deadline()
    assert scene.tick() == [changed(BACKUP, ACTIVE, "NobodyTookOver"), send(143), BIND]
    assert scene.bound() == [ANNOUNCE]


def test_the_same_again_changes_nothing() -> None:
    """It is told in every round of placing."""
    scene = partial(active(DUAL))
    remaining_ns = scene.remaining_ns
    assert work(scene, FIRST) == []
    assert scene.remaining_ns == remaining_ns


def test_one_that_returns_is_bound_and_told() -> None:
    """The others know at once that nothing is missing any more; its clients when it is bound."""
    scene = partial(active(DUAL))
    assert work(scene.wait(100), BOTH) == [send(200), BIND]
    assert scene.bound() == [ANNOUNCE, send(200)]
    assert scene.election.missing == ()


def test_another_instance_instead() -> None:
    """As many as before: no reason to resign, but to bind what works now."""
    scene = partial(active(DUAL))
    assert work(scene.wait(100), SECOND) == [BIND]
    assert scene.bound() == [ANNOUNCE, send(143)]


@pytest.mark.parametrize("mode", PreemptionMode)
def test_fuller_replaces_partial_in_every_mode(mode: PreemptionMode) -> None:
    """A missing instance counts like a failing gate, and more."""
    scene = backup_of(DUAL, 143, preemption=mode, preemption_delay_ns=10**12).wait(100)
    assert scene.remaining_ns == 118_750_000


def test_failing_but_full_replaces_partial_but_healthy() -> None:
    """Fewer missing instances come first, then the costs."""
    scene = backup_of(DUAL, 143, health=Health.FAILING).wait(100)
    assert scene.election.effective_priority == 144
    assert scene.remaining_ns == 337_500_000


def test_backup_that_loses_one_leaves_the_active_alone() -> None:
    """Its priority falls, and its timer moves with it."""
    scene = backup_of(DUAL, 180, preemption=PreemptionMode.ALWAYS)
    assert work(scene, SECOND) == []
    assert scene.election.effective_priority == 143
    scene.wait(1000).hear(180, instance=1)
    assert scene.remaining_ns == 3_441_406_250


def test_backup_that_has_all_again_relieves_a_partial_active() -> None:
    """As soon as it is fuller, after Skew_Time."""
    scene = backup_of(DUAL, 143)
    work(scene, FIRST)
    scene.hear(143, instance=0)
    assert work(scene.wait(100), BOTH) == []
    assert scene.remaining_ns == 218_750_000


def test_successor_that_loses_one_binds_the_rest() -> None:
    """Somebody has to serve what it can."""
    scene = backup_of(DUAL)
    scene.hear(0)
    scene.wait_for_deadline()
    assert scene.tick() == [BIND]
    assert work(scene, FIRST) == [BIND]
    assert scene.bound() == [changed(BACKUP, ACTIVE, "ActiveResigned"), ANNOUNCE, send(143)]


def test_all_are_lost() -> None:
    """Nothing can be sent or served any more: a fault, and its end when one is back."""
    scene = active(DUAL)
    assert work(scene, frozenset()) == [
        STOP_ANNOUNCING,
        RELEASE,
        changed(ACTIVE, INITIALIZE, LOST),
    ]
    assert scene.election.substate is Substate.FAULTED
    assert work(scene.wait(100), SECOND) == [
        changed(INITIALIZE, ACTIVE, "LinkReturned"),
        send(143),
        BIND,
    ]


def test_start_with_some() -> None:
    """It takes part with what it has."""
    scene = Scene(DUAL)
    assert work(scene, FIRST) == []
    assert scene.start() == [changed(INITIALIZE, BACKUP, "Started")]
    assert scene.election.effective_priority == 143


@pytest.mark.parametrize("left", [FIRST, SECOND])
def test_without_bands_it_takes_no_part_until_all_work(left: frozenset[int]) -> None:
    """To routers that are not ours a lower priority says nothing: it resigns where it can."""
    scene = active(DUAL, health_bands=False)
    assert work(scene, left) == [
        send(0),
        STOP_ANNOUNCING,
        RELEASE,
        changed(ACTIVE, INITIALIZE, LOST),
    ]
    assert work(scene.wait(100), left) == []
    assert work(scene.wait(100), BOTH) == [changed(INITIALIZE, BACKUP, "Recovered")]


def test_retired_one_ignores_it() -> None:
    """It is on its way out, and nobody is to succeed."""
    scene = active(DUAL)
    scene.election.retire(scene.now)
    assert work(scene, FIRST) == []
    assert scene.state is ACTIVE


# --- ties --------------------------------------------------------------------------------------


def meet(scene: Scene, sender: int, *, instance: int, seconds: int) -> None:
    """Hear an equal Active on one instance, once a second."""
    for _ in range(seconds):
        if scene.state is not ACTIVE:
            return
        scene.hear(200, sender, instance=instance)
        scene.run_until(1000)


@pytest.mark.parametrize(("sender", "expected"), [(LOWER, ACTIVE), (HIGHER, BACKUP)])
def test_first_instance_decides_at_once(sender: int, expected: Any) -> None:
    """Where both hear each other on the first one, nothing else counts."""
    scene = active(DUAL)
    scene.hear(200, sender, instance=0)
    assert scene.state is expected


def test_second_instance_does_not_decide_while_the_first_works() -> None:
    """The families could disagree."""
    scene = active(DUAL)
    for _ in range(10):
        scene.hear(200, LOWER, instance=0)
        scene.hear(200, HIGHER, instance=1)
        scene.run_until(1000)
    assert scene.state is ACTIVE


@pytest.mark.parametrize(("sender", "expected"), [(LOWER, ACTIVE), (HIGHER, BACKUP)])
def test_second_instance_decides_when_nothing_comes_on_the_first(
    sender: int, expected: Any
) -> None:
    """After three intervals in which the other was heard on the second one only."""
    scene = active(DUAL)
    meet(scene, sender, instance=1, seconds=3)
    assert scene.state is ACTIVE
    meet(scene, sender, instance=1, seconds=2)
    assert scene.state is expected


def test_second_instance_decides_at_once_if_the_first_is_missing() -> None:
    """What this node does not have cannot decide."""
    scene = partial(active(DUAL), SECOND)
    scene.hear(143, HIGHER, instance=1)
    assert scene.state is BACKUP


def test_bind_again_of_a_backup() -> None:
    """A Backup binds nothing whatever returns."""
    scene = backup(DUAL)
    work(scene, FIRST)
    assert work(scene, BOTH) == []
