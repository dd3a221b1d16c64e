"""Decisions to take over are judged when they are carried out, not only when they are made."""

from __future__ import annotations

from typing import Any

import pytest

from support.vrrp_scene import (
    ACTIVE,
    ANNOUNCE,
    BACKUP,
    BIND,
    FAILING,
    HEALTHY,
    HIGHER,
    RELEASE,
    Link,
    Scene,
    backup_of,
    changed,
    on_every_link,
    send,
)
from vip_model.vocabulary import PreemptionMode, Substate
from vip_speaker.vrrp.config import Health

ALWAYS, NEVER = PreemptionMode.ALWAYS, PreemptionMode.NEVER

# What takes the right to preempt a healthy Active of 180 from a Backup of 200.
LOSSES = {
    "gate-failed": lambda scene: scene.health(FAILING),
    "priority-lowered": lambda scene: scene.reconfigure(priority=170),
    "mode-is-never": lambda scene: scene.reconfigure(preemption=NEVER),
}


def about_to_preempt(link: Link, **changes: Any) -> Scene:
    """Return a Backup that hears a lower Active, half a second before its timer is due."""
    scene = backup_of(link, 180, preemption=ALWAYS, **changes)
    for _ in range(2):
        scene.wait(1000).hear(180)
    return scene.wait(700)


@on_every_link
def test_a_preemption_that_stays_right(link: Link) -> None:
    """With nothing changed it binds, and claims once bound."""
    scene = about_to_preempt(link).wait_for_deadline()
    assert scene.tick() == [BIND]
    assert scene.bound() == [
        changed(BACKUP, ACTIVE, "LowerPriorityPreempted"),
        ANNOUNCE,
        send(200),
    ]


@on_every_link
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_before_the_timer(link: Link, loss: Any) -> None:
    """What it may no longer do when the timer fires it does not: the Active's advert counts."""
    scene = about_to_preempt(link)
    assert loss(scene) == []
    scene.wait_for_deadline()
    assert scene.tick() == []
    assert scene.election.substate is Substate.WAITING
    remaining_ns = scene.remaining_ns
    assert remaining_ns is not None
    assert remaining_ns > 1_500_000_000


@on_every_link
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_while_it_binds(link: Link, loss: Any) -> None:
    """One that binds lets go at once."""
    scene = about_to_preempt(link).wait_for_deadline()
    assert scene.tick() == [BIND]
    assert loss(scene.wait(10)) == [RELEASE]
    assert scene.election.substate is Substate.WAITING
    assert scene.bound() == []


@on_every_link
def test_relief_that_is_no_longer_one(link: Link) -> None:
    """A Backup that was to relieve a failing Active, and fails itself before its timer, stays."""
    scene = backup_of(link, 144, preemption=NEVER).wait(100)
    assert scene.remaining_ns == 118_750_000
    assert scene.health(FAILING) == []
    scene.wait_for_deadline()
    assert scene.tick() == []
    assert scene.election.substate is Substate.WAITING


@on_every_link
def test_relief_that_is_not_needed_any_more(link: Link) -> None:
    """An Active that is healthy again is left alone."""
    scene = backup_of(link, 144, preemption=NEVER).wait(100)
    scene.hear(180)
    assert scene.remaining_ns == 3_218_750_000


@on_every_link
def test_succession_goes_on_whatever_the_gates_say(link: Link) -> None:
    """Somebody must serve after a resignation: a gate that fails meanwhile changes the priority."""
    scene = backup_of(link)
    scene.hear(0)
    scene.wait_for_deadline()
    assert scene.tick() == [BIND]
    assert scene.health(FAILING) == []
    assert scene.bound()[1:] == [ANNOUNCE, send(144)]


@on_every_link
def test_silence_is_no_preemption(link: Link) -> None:
    """A lower Active that fell silent is succeeded by anybody."""
    scene = about_to_preempt(link)
    scene.health(FAILING)
    scene.run_until(4000)
    assert scene.election.reason == "ActiveDown"


# --- degrees of failing ----------------------------------------------------------------------


@on_every_link
@pytest.mark.parametrize("mode", PreemptionMode)
def test_less_degraded_replaces_more_degraded(link: Link, mode: PreemptionMode) -> None:
    """A node whose failing gates cost less relieves one whose cost more, in every mode."""
    scene = backup_of(
        link,
        health=Health(cost=20),
        preemption=mode,
        preemption_delay_ns=10**12,
        gate_costs=((60,), (20,)),
        candidates=3,
        slot=2,
    )
    assert scene.election.effective_priority == 142
    scene.wait(1000).hear(141, HIGHER)
    assert scene.remaining_ns == 445_312_500
    scene.wait_for_deadline()
    assert scene.tick() == [BIND]


@on_every_link
def test_a_gate_more_that_fails_makes_an_active_yield(link: Link) -> None:
    """A failing Active that gets worse resigns: another may be better now."""
    scene = Scene(link, health=Health(cost=20), gate_costs=((60,), (20,)), candidates=3)
    scene.start()
    scene.wait_for_deadline().tick()
    scene.bound()
    assert scene.health(Health(cost=80))[1] == send(0)
    assert scene.election.substate is Substate.YIELDING


def test_nodes_never_share_a_failing_priority() -> None:
    """Whatever fails where, no two candidates of one election have the same priority."""
    link = Link("dual-stack", (4, 6), 0)
    seen: dict[int, tuple[int, int, int]] = {}
    for slot in range(5):
        config = Scene(link, gate_costs=((50,), (30,)), candidates=5, slot=slot).election.config
        for missing in (0, 1):
            for cost in (0, 30, 50, 80):
                if missing or cost:
                    priority = config.effective_priority(Health(cost), missing=missing)
                    assert priority not in seen, (seen.get(priority), slot, missing, cost)
                    seen[priority] = (slot, missing, cost)
    assert config.effective_priority(HEALTHY) == 200
