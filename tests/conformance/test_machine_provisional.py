"""A claim from silence soon after a start is provisional; with others' routers it is held off."""

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
    INITIALIZE,
    LOWER,
    RELEASE,
    STOP_ANNOUNCING,
    Link,
    Scene,
    backup,
    backup_of,
    changed,
    on_every_link,
    send,
)
from vip_model.vocabulary import PreemptionMode, Substate

DELAY_NS = 30_000_000_000


def provisional(link: Link, **changes: Any) -> Scene:
    """Return one that claimed from silence after its start, bound, two fifths after an advert."""
    scene = backup(link, start_delay_ns=DELAY_NS, **changes)
    scene.wait_for_deadline().tick()
    scene.bound()
    return scene.wait(400)


@on_every_link
def test_claim_after_a_start(link: Link) -> None:
    """It comes no later than ever, and its adverts carry 154 less the slot under Always."""
    scene = backup(link, start_delay_ns=DELAY_NS, slot=2, preemption=PreemptionMode.ALWAYS)
    assert scene.remaining_ns == 3_218_750_000
    scene.wait_for_deadline()
    assert scene.tick() == [changed(BACKUP, ACTIVE, "ActiveDown"), send(152), BIND]
    assert scene.election.effective_priority == 152
    assert scene.election.substate is Substate.PROVISIONAL


@on_every_link
@pytest.mark.parametrize(("slot", "priority"), [(0, 154), (9, 145), (10, 145), (200, 145)])
def test_last_slots_share_a_priority(link: Link, slot: int, priority: int) -> None:
    """The band has ten places."""
    scene = provisional(link, slot=slot, preemption=PreemptionMode.ALWAYS)
    assert scene.election.effective_priority == priority


@on_every_link
def test_it_ends_on_time(link: Link) -> None:
    """30 s after the start, not after the claim, the priority of the slot is advertised at once."""
    scene = provisional(link, preemption=PreemptionMode.ALWAYS)
    actions = scene.run_until(30_000 - 3218.75 - 400 - 0.001)
    assert set(actions) == {send(154)}
    assert scene.run_until(0.001) == [send(200)]
    assert scene.election.substate is Substate.ESTABLISHED
    assert scene.remaining_ns == 1_000_000_000


@on_every_link
def test_established_active_wins_whatever_its_slot(link: Link) -> None:
    """Two that meet: the one that has been there for long keeps the address (R: Never)."""
    scene = provisional(link)
    assert scene.hear(155, LOWER) == [
        send(145),
        changed(ACTIVE, BACKUP, "HigherPriorityHeard"),
        STOP_ANNOUNCING,
        RELEASE,
    ]


@on_every_link
def test_failing_active_loses(link: Link) -> None:
    """Provisional is not failing."""
    scene = provisional(link)
    assert scene.hear(144, HIGHER) == [send(145), ANNOUNCE]
    assert scene.state is ACTIVE


@on_every_link
def test_under_never_seniority_counts(link: Link) -> None:
    """Each tenth of the delay as Active counts one, whatever the slot; the last is kept."""
    scene = provisional(link, slot=5)
    assert scene.election.effective_priority == 145
    for tenths in range(1, 9):
        assert set(scene.run_until(3000)) == {send(145 + tenths - 1), send(145 + tenths)}
        assert scene.election.effective_priority == 145 + tenths


@on_every_link
def test_the_senior_of_two_newcomers_keeps_it(link: Link) -> None:
    """Neither is established: the one that found itself alone later gives way, under Never."""
    scene = provisional(link, slot=2)
    scene.run_until(6000)
    assert scene.hear(145, HIGHER) == [send(147), ANNOUNCE]
    assert scene.state is ACTIVE
    late = provisional(link, slot=0)
    assert late.hear(147, LOWER) == [
        send(145),
        changed(ACTIVE, BACKUP, "HigherPriorityHeard"),
        STOP_ANNOUNCING,
        RELEASE,
    ]


@on_every_link
def test_backup_under_never_leaves_it_alone(link: Link) -> None:
    """A healthy Backup does not preempt a provisional Active under Never."""
    scene = backup_of(link, 145, preemption=PreemptionMode.NEVER)
    assert scene.wait(1000).hear(145) == []
    assert scene.remaining_ns == 3_218_750_000


@on_every_link
@pytest.mark.parametrize(("own_slot", "preempts"), [(0, True), (1, False), (2, False)])
def test_backup_under_always_compares_slots(link: Link, own_slot: int, preempts: bool) -> None:
    """153 is the provisional priority of slot 1: only a better slot preempts it."""
    scene = backup_of(link, 153, preemption=PreemptionMode.ALWAYS, slot=own_slot)
    scene.wait(1000).hear(153)
    assert scene.remaining_ns == (2_218_750_000 if preempts else 3_218_750_000)


@on_every_link
def test_failing_backup_accepts_it(link: Link) -> None:
    """Any provisional priority is higher than any failing one."""
    scene = backup_of(link, 145, health=FAILING, preemption=PreemptionMode.ALWAYS)
    scene.wait(1000).hear(145)
    assert scene.remaining_ns == 3_437_500_000


@on_every_link
def test_gate_that_fails_meanwhile(link: Link) -> None:
    """It yields like any other, and is still provisional if it is healthy again in time."""
    scene = provisional(link)
    assert scene.health(FAILING)[1] == send(0)
    scene.run_until(10)
    scene.health(HEALTHY)
    scene.wait_for_deadline()
    assert scene.tick() == [changed(BACKUP, ACTIVE, "NobodyTookOver"), send(145), BIND]


@on_every_link
def test_successor_is_not_provisional(link: Link) -> None:
    """In a handover the last holder was heard."""
    scene = backup_of(link, start_delay_ns=DELAY_NS)
    scene.hear(0)
    scene.wait_for_deadline().tick()
    assert scene.bound() == [changed(BACKUP, ACTIVE, "ActiveResigned"), ANNOUNCE, send(200)]


@on_every_link
def test_one_that_resumes_is_not_provisional(link: Link) -> None:
    """It was Active all the time, as far as the others know."""
    scene = Scene(link, start_delay_ns=DELAY_NS)
    sent_ns = scene.now - 1_000_000_000
    actions = scene.start(resume_last_sent_ns=sent_ns, adopted=True)
    assert actions == [changed(INITIALIZE, ACTIVE, "Resumed"), send(200), BIND]


@on_every_link
@pytest.mark.parametrize("mode", [PreemptionMode.NEVER, PreemptionMode.ALWAYS])
def test_one_that_resumes_is_as_provisional_as_it_was(link: Link, mode: PreemptionMode) -> None:
    """A process that dies within the delay does not make it established, nor junior again."""
    earlier = provisional(link, slot=5, preemption=mode)
    earlier.run_until(10_000)
    before = earlier.election
    scene = Scene(link, slot=5, preemption=mode, start_delay_ns=DELAY_NS)
    scene.wait((earlier.now - scene.now) // 1_000_000)
    actions = scene.start(
        resume_last_sent_ns=before.last_sent_ns,
        resume_provisional_until_ns=before.provisional_until_ns,
        resume_seniority=before.seniority,
        adopted=True,
    )
    assert send(before.effective_priority) in actions
    assert before.effective_priority == (148 if mode is PreemptionMode.NEVER else 149)
    scene.bound()
    assert before.provisional_until_ns is not None
    scene.run_until((before.provisional_until_ns - scene.now) / 1_000_000 - 0.001)
    assert scene.election.effective_priority < 155
    assert scene.run_until(0.001)[-1] == send(200)
    assert scene.election.substate is Substate.ESTABLISHED


@on_every_link
def test_one_that_resumes_when_the_delay_is_over(link: Link) -> None:
    """It would be established by now, had it lived."""
    scene = Scene(link, start_delay_ns=DELAY_NS)
    actions = scene.start(
        resume_last_sent_ns=scene.now - 1_000_000_000,
        resume_provisional_until_ns=scene.now,
        adopted=True,
    )
    assert actions == [changed(INITIALIZE, ACTIVE, "Resumed"), send(200), BIND]


@on_every_link
def test_node_that_was_up_for_long(link: Link) -> None:
    """What counts is since when the node can hear, not since when it runs this router."""
    scene = Scene(link, start_delay_ns=DELAY_NS)
    scene.start(up_since_ns=scene.now - DELAY_NS)
    scene.wait_for_deadline()
    assert scene.tick() == [changed(BACKUP, ACTIVE, "ActiveDown"), send(200), BIND]


@on_every_link
@pytest.mark.parametrize("away_ms", [100, 5000])
def test_link_that_returns_makes_it_young_again(link: Link, away_ms: int) -> None:
    """Carrier may be there long before anything passes."""
    scene = Scene(link, start_delay_ns=DELAY_NS)
    scene.start(up_since_ns=scene.now - DELAY_NS)
    scene.wait_for_deadline().tick()
    scene.bound()
    scene.election.fault(scene.now, "NotPlaceable")
    actions = scene.wait(away_ms).election.recover(scene.now)
    if scene.state is BACKUP:
        actions = scene.wait_for_deadline().tick()
    assert send(145) in actions
    assert scene.election.substate is Substate.PROVISIONAL


@on_every_link
def test_owner_is_never_provisional(link: Link) -> None:
    """It is Active from its start with 255 (row 1)."""
    scene = Scene(link, priority=255, start_delay_ns=DELAY_NS)
    assert scene.start() == [changed(INITIALIZE, ACTIVE, "AddressOwner"), send(255), BIND]


# --- with routers that are not ours ----------------------------------------------------------


@on_every_link
def test_without_bands_a_claim_is_held_off(link: Link) -> None:
    """It listens until the delay is over, and then claims after Skew_Time with its priority."""
    scene = backup(link, health_bands=False, start_delay_ns=DELAY_NS)
    assert scene.run_until(30_218.749) == []
    assert scene.election.substate is Substate.LISTENING
    assert scene.run_until(0.001) == [changed(BACKUP, ACTIVE, "ActiveDown"), send(200), BIND]


@on_every_link
def test_without_bands_a_handover_is_not_held_off(link: Link) -> None:
    """An Active was heard, and resigned."""
    scene = backup_of(link, health_bands=False, start_delay_ns=DELAY_NS)
    scene.hear(0)
    scene.wait_for_deadline()
    assert scene.tick() == [BIND]


@on_every_link
def test_without_bands_an_advert_ends_the_wait(link: Link) -> None:
    """It is a Backup of whom it hears."""
    scene = backup(link, health_bands=False, start_delay_ns=DELAY_NS)
    scene.run_until(10_000)
    assert scene.hear(100) == []
    assert scene.election.substate is Substate.WAITING
    assert scene.remaining_ns == 3_218_750_000
