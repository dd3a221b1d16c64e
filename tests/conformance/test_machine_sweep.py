"""Every combination of priority, Preempt_Mode, address and state against a second reading.

The reference (support/vrrp_reference.py) was written from the table of RFC 9568 §6.4 and knows
nothing of the machine.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest

from support.vrrp_reference import Advert, Outcome, Router, hear
from support.vrrp_scene import (
    ACTIVE,
    ANNOUNCE,
    BACKUP,
    HIGHER,
    INITIALIZE,
    IPV4,
    LINKS,
    LOWER,
    OTHER,
    OWN,
    RELEASE,
    STOP_ANNOUNCING,
    Link,
    Scene,
    active,
)
from vip_model.vocabulary import PreemptionMode, State
from vip_speaker.vrrp.actions import Action, SendAdvertisement, StateChanged
from vip_speaker.vrrp.config import Health

HEARD = (0, 1, 99, 143, 144, 145, 154, 155, 254, 255)
SENDERS = {LOWER: -1, OWN: 0, HIGHER: 1}
# Preempt_Mode with its delay, and whether a lower Active is to be replaced at once.
MODES = {
    "Always": (PreemptionMode.ALWAYS, 0, True),
    "Never": (PreemptionMode.NEVER, 0, False),
    "Delayed-over": (PreemptionMode.DELAYED, 0, True),
    "Delayed-running": (PreemptionMode.DELAYED, 10**15, False),
}
# Base priorities with bands and without.
ROUTERS = [(True, base) for base in (155, 200, 254, 255)]
ROUTERS += [(False, base) for base in (1, 99, 100, 101, 154, 155, 254, 255)]


def words(actions: list[Action], own: int) -> list[str]:
    """Return the actions in the reference's words; an unexpected priority shows."""
    names: dict[Action, str] = {
        SendAdvertisement(own): "send",
        ANNOUNCE: "announce",
        STOP_ANNOUNCING: "stop-announcing",
        RELEASE: "release",
    }
    return [
        "changed" if isinstance(action, StateChanged) else names.get(action, repr(action))
        for action in actions
    ]


def in_backup(scene: Scene, current_active: int) -> None:
    """Bring the router to Backup, the advert of an Active heard one second ago."""
    scene.start()
    if scene.state is ACTIVE:  # an owner loses to another owner only
        scene.hear(255, HIGHER)
    scene.hear(255, current_active)
    scene.wait(1000)


def prepared(
    link: Link, state: State, *, health: Health, bands: bool, base: int, mode: str, sender: int
) -> Scene:
    """Return the router in that state; in Backup the sender is the current Active."""
    preemption, delay_ns, _ = MODES[mode]
    changes = {
        "priority": base,
        "health_bands": bands,
        "preemption": preemption,
        "preemption_delay_ns": delay_ns,
    }
    if state is ACTIVE:
        return active(link, health=health, **changes)
    scene = Scene(link, health=health, **changes)
    if state is BACKUP:
        in_backup(scene, sender)
    return scene


def outcome(scene: Scene, priority: int, sender: int) -> Outcome:
    """Return what the machine makes of the advert, in the reference's words."""
    own = scene.election.effective_priority
    actions = scene.hear(priority, sender, interval_ms=2000)
    remaining_ns = scene.remaining_ns
    seconds = None if remaining_ns is None else Fraction(remaining_ns, 10**9)
    return str(scene.state), words(actions, own), seconds


@pytest.mark.parametrize("link", LINKS[:3], ids=[link.name for link in LINKS[:3]])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("health", [Health.HEALTHY, Health.FAILING])
@pytest.mark.parametrize("state", [INITIALIZE, BACKUP, ACTIVE])
def test_machine_agrees_with_the_reference(
    state: State, health: Health, mode: str, link: Link
) -> None:
    """Machine and reference agree on state, actions and timer for every priority and address."""
    differences = []
    for (bands, base), priority, (sender, order), known in product(
        ROUTERS, HEARD, SENDERS.items(), (True, False)
    ):
        current_active = sender if known else OTHER
        scene = prepared(
            link, state, health=health, bands=bands, base=base, mode=mode, sender=current_active
        )
        own = scene.election.effective_priority
        runs_out = scene.remaining_ns
        router = Router(
            state=str(state),
            own=own,
            healthy=health.is_healthy,
            bands=bands,
            preempts=MODES[mode][2],
            runs_out=None if runs_out is None else Fraction(runs_out, 10**9),
            interval=Fraction(1),
        )
        expected = hear(router, Advert(priority, order, Fraction(2), known))
        found = outcome(scene, priority, sender)
        if expected != found:
            differences.append((bands, base, priority, order, known, expected, found))
    assert differences == []


def test_sweep_starts_where_it_says() -> None:
    """The prepared routers are in the state, and have the timer, that the sweep relies on."""
    for base, state, remaining_ns in (
        (200, INITIALIZE, None),
        (200, BACKUP, 2_218_750_000),
        (200, ACTIVE, 600_000_000),
        (255, BACKUP, 2_003_906_250),
    ):
        scene = prepared(
            IPV4,
            state,
            health=Health.HEALTHY,
            bands=True,
            base=base,
            mode="Always",
            sender=HIGHER,
        )
        assert (state, remaining_ns) == (scene.state, scene.remaining_ns)
