"""Who wins: ties between two Actives, and Preempt_Mode between a Backup and a lower Active."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from support.vrrp_scene import (
    ACTIVE,
    ANNOUNCE,
    BACKUP,
    BIND,
    HIGHER,
    IPV4,
    LINKS,
    LOWER,
    OWN,
    Link,
    active,
    backup,
    changed,
    on_every_link,
    send,
)
from vip_model.vocabulary import PreemptionMode

DUAL_SECOND = LINKS[3]

# --- ties ------------------------------------------------------------------------------------


@pytest.mark.parametrize("instance", [0, 1])
@pytest.mark.parametrize("sender", [LOWER, HIGHER])
def test_tie_is_decided_on_the_first_instance_only(instance: int, sender: int) -> None:
    """Two Actives of one priority look at the first instance's addresses and nothing else."""
    scene = active(DUAL_SECOND)
    scene.hear(200, sender, instance=instance)
    expected = BACKUP if (instance, sender) == (0, HIGHER) else ACTIVE
    assert expected is scene.state


def test_tie_compares_addresses_as_numbers() -> None:
    """192.0.2.100 is higher than 192.0.2.99, whatever the text says."""
    scene = active(IPV4)
    own = replace(scene.election.config.instances[0], source=IPv4Address("192.0.2.99"))
    scene.reconfigure(instances=(own,))
    scene.bound()
    scene.wait(500).hear(200, 100)
    assert scene.state is BACKUP


@on_every_link
@pytest.mark.parametrize("sender", [LOWER, OWN, HIGHER])
def test_backup_accepts_an_equal_priority_from_any_address(link: Link, sender: int) -> None:
    """Addresses decide between two Actives, not between a Backup and the Active (L1)."""
    scene = backup(link, preemption=PreemptionMode.ALWAYS).wait(1000)
    scene.hear(200, sender)
    assert scene.remaining_ns == 3_218_750_000


# --- preemption ------------------------------------------------------------------------------


@on_every_link
def test_always(link: Link) -> None:
    """A higher Backup is Active one Active_Down_Interval after its start (L4)."""
    scene = backup(link, preemption=PreemptionMode.ALWAYS)
    for _ in range(3):
        scene.wait(1000).hear(180)
    scene.wait_for_deadline()
    assert scene.tick() == [BIND]
    assert scene.bound() == [
        changed(BACKUP, ACTIVE, "LowerPriorityPreempted"),
        ANNOUNCE,
        send(200),
    ]
    assert scene.now == 5_000_000_000_000 + 3_218_750_000


@on_every_link
def test_never(link: Link) -> None:
    """A higher Backup leaves a lower healthy Active alone as long as that one speaks."""
    scene = backup(link, preemption=PreemptionMode.NEVER)
    for _ in range(100):
        assert scene.wait(1000).tick() == []
        scene.hear(155)
    assert scene.state is BACKUP


@on_every_link
def test_delayed(link: Link) -> None:
    """A lower Active is left alone for the delay, then the timer runs out."""
    scene = backup(link, preemption=PreemptionMode.DELAYED, preemption_delay_ns=10_000_000_000)
    for _ in range(10):  # at 0 to 9 s
        scene.hear(180)
        assert scene.remaining_ns == 3_218_750_000
        scene.wait(1000)
    scene.hear(180)
    assert scene.remaining_ns == 2_218_750_000
    scene.wait_for_deadline()
    assert scene.tick() == [BIND]
    assert scene.bound() == [
        changed(BACKUP, ACTIVE, "LowerPriorityPreempted"),
        ANNOUNCE,
        send(200),
    ]


@on_every_link
def test_delay_counts_anew_after_a_better_active(link: Link) -> None:
    """The delay is the time for which the Active was lower without a break."""
    scene = backup(link, preemption=PreemptionMode.DELAYED, preemption_delay_ns=10_000_000_000)
    scene.hear(180)
    scene.wait(3000).hear(220)
    scene.wait(3000).hear(180)
    for _ in range(3):
        scene.wait(3000).hear(180)
        assert scene.remaining_ns == 3_218_750_000


@on_every_link
def test_delayed_does_not_delay_after_a_crash(link: Link) -> None:
    """When the lower Active falls silent, the delay has no say."""
    scene = backup(link, preemption=PreemptionMode.DELAYED, preemption_delay_ns=10**12)
    scene.hear(180)
    assert scene.remaining_ns == 3_218_750_000
    scene.wait_for_deadline()
    assert scene.tick() == [changed(BACKUP, ACTIVE, "ActiveDown"), send(200), BIND]
