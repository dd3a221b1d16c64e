"""Whom an election obeys and answers: resignations, intervals, rates, configuration."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

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
    OTHER,
    OWN,
    RELEASE,
    STOP_ANNOUNCING,
    Link,
    Scene,
    active,
    backup,
    backup_of,
    changed,
    on_every_link,
    send,
)
from vip_speaker.vrrp.actions import Action
from vip_speaker.vrrp.config import Address

DUAL_SECOND = LINKS[3]

# --- priority 0 ------------------------------------------------------------------------------


@on_every_link
def test_only_the_current_active_can_resign(link: Link) -> None:
    """After a second router took over, the first one's priority 0 counts no more."""
    scene = backup_of(link, sender=HIGHER)
    scene.wait(100).hear(230, OTHER)
    assert scene.wait(100).hear(0, HIGHER) == []
    assert scene.remaining_ns == 3_118_750_000
    assert scene.hear(0, OTHER) == []
    assert scene.remaining_ns == 218_750_000


def test_resignation_by_an_address_heard_on_the_other_instance() -> None:
    """The sender must be the Active of the instance on which the priority 0 came."""
    scene = backup(DUAL_SECOND)
    scene.hear(220, HIGHER, instance=0)
    scene.hear(220, OTHER, instance=1)
    scene.hear(0, HIGHER, instance=1)
    assert scene.remaining_ns == 3_218_750_000
    scene.hear(0, HIGHER, instance=0)
    assert scene.remaining_ns == 218_750_000


@on_every_link
def test_winner_of_row_11_is_the_current_active(link: Link) -> None:
    """After it stepped down it obeys the resignation of the winner and of nobody else."""
    scene = active(link)
    scene.hear(220, HIGHER)
    scene.wait(100).hear(0, OTHER)
    assert scene.remaining_ns == 3_118_750_000
    scene.hear(0, HIGHER)
    assert scene.remaining_ns == 218_750_000


@on_every_link
def test_repeats_of_a_resignation_do_not_extend_the_timer(link: Link) -> None:
    """The three priority 0 of one resignation count once."""
    scene = backup_of(link)
    for _ in range(3):
        scene.hear(0)
        scene.wait(2)
    assert scene.remaining_ns == 212_750_000


def test_resignation_on_both_instances_counts_once() -> None:
    """The second instance's priority 0 does not extend the timer either."""
    scene = backup_of(DUAL_SECOND)
    scene.hear(0, instance=0)
    scene.wait(5).hear(0, instance=1)
    assert scene.remaining_ns == 213_750_000


@on_every_link
def test_advert_that_was_overtaken_by_the_resignation(link: Link) -> None:
    """An older advert re-arms the whole interval; a repeat of the resignation mends it (L3)."""
    scene = backup_of(link)
    scene.hear(0)
    scene.wait(1).hear(220)
    assert scene.remaining_ns == 3_218_750_000
    scene.wait(1).hear(0)
    assert scene.remaining_ns == 218_750_000


@on_every_link
def test_tie_delay_applies_to_resignations_too(link: Link) -> None:
    """Where two may have one priority, the delay that parts them is in every Skew_Time."""
    scene = backup_of(link, tie_delay_ns=7_000_000)
    scene.hear(0)
    assert scene.remaining_ns == 225_750_000


# --- intervals -------------------------------------------------------------------------------


@on_every_link
def test_interval_is_learned_from_each_accepted_advert(link: Link) -> None:
    """Active_Down_Interval and Skew_Time follow the Active's interval, up and down."""
    scene = backup_of(link)
    scene.hear(220, interval_ms=40_950)
    assert scene.remaining_ns == 131_807_812_500
    scene.hear(220, interval_ms=100)
    assert scene.remaining_ns == 321_875_000
    scene.hear(220, interval_ms=10)
    assert scene.remaining_ns == 32_187_500


@on_every_link
def test_resignation_counts_with_the_learned_interval(link: Link) -> None:
    """Row 5 uses the interval learned before, not its own and not that of the resignation."""
    scene = backup_of(link)
    scene.hear(220, interval_ms=2000)
    scene.hear(0, interval_ms=5000)
    assert scene.remaining_ns == 437_500_000


@on_every_link
def test_active_sends_at_its_own_interval(link: Link) -> None:
    """What was learned as Backup is of no concern to Adver_Timer."""
    scene = backup_of(link)
    scene.hear(220, interval_ms=2000)
    scene.wait_for_deadline()
    assert scene.tick() == [changed(BACKUP, ACTIVE, "ActiveDown"), send(200), BIND]
    assert scene.remaining_ns == 1_000_000_000


@on_every_link
def test_growing_interval_is_advertised_at_once(link: Link) -> None:
    """L7: Backups that count with the old interval must learn the new one in time."""
    scene = active(link)
    assert scene.reconfigure(advertisement_interval_ns=5_000_000_000) == [send(200)]
    assert scene.remaining_ns == 5_000_000_000


@on_every_link
def test_shrinking_interval_is_advertised_at_once(link: Link) -> None:
    """A shorter interval holds from now on, not from the next advert on."""
    scene = active(link)
    assert scene.reconfigure(advertisement_interval_ns=100_000_000) == [send(200)]
    assert scene.remaining_ns == 100_000_000


@on_every_link
def test_backup_keeps_the_learned_interval(link: Link) -> None:
    """A Backup whose own interval changes goes on counting with the Active's."""
    scene = backup_of(link)
    assert scene.reconfigure(advertisement_interval_ns=100_000_000) == []
    assert scene.remaining_ns == 3_218_750_000


@on_every_link
def test_backup_that_heard_nobody_counts_with_its_new_interval(link: Link) -> None:
    """Active_Adver_Interval is the own one until an advert was accepted (row 2)."""
    scene = backup(link)
    assert scene.reconfigure(advertisement_interval_ns=2_000_000_000) == []
    assert scene.remaining_ns == 6_437_500_000


# --- configuration ---------------------------------------------------------------------------


@on_every_link
@pytest.mark.parametrize("priority", [155, 254])
def test_changed_base_priority_is_no_reason_to_yield(link: Link, priority: int) -> None:
    """An Active advertises its new priority at once and stays Active."""
    scene = active(link)
    assert scene.reconfigure(priority=priority) == [send(priority)]
    assert scene.state is ACTIVE
    assert scene.remaining_ns == 1_000_000_000


@on_every_link
def test_changed_base_priority_of_a_backup(link: Link) -> None:
    """Skew_Time follows the base priority while the timer runs."""
    scene = backup_of(link).wait(1000)
    assert scene.reconfigure(priority=254) == []
    assert scene.remaining_ns == 2_007_812_500


@on_every_link
def test_changed_tie_delay_of_a_backup(link: Link) -> None:
    """The delay that parts equals follows the configuration while the timer runs."""
    scene = backup_of(link).wait(1000)
    assert scene.reconfigure(tie_delay_ns=7_000_000) == []
    assert scene.remaining_ns == 2_225_750_000


@on_every_link
def test_changed_address_list_of_an_active(link: Link) -> None:
    """New addresses are bound, then announced, then advertised."""
    scene = active(link)
    instances = scene.election.config.instances
    more: dict[int, Address] = {4: IPv4Address("192.0.2.101"), 6: IPv6Address("2001:db8::101")}
    grown = tuple(
        replace(instance, addresses=(*instance.addresses, more[instance.addresses[0].version]))
        for instance in instances
    )
    assert scene.reconfigure(instances=grown) == [BIND]
    assert scene.wait(5).bound() == [ANNOUNCE, send(200)]
    assert scene.remaining_ns == 1_000_000_000


@on_every_link
def test_another_vrid_is_said_at_once(link: Link) -> None:
    """An Active goes on as the other virtual router: the next Backup hears it at once."""
    scene = active(link)
    moved = tuple(
        dataclasses.replace(one, virtual_router_id=77) for one in scene.election.config.instances
    )
    assert scene.reconfigure(instances=moved) == [send(200), BIND]
    assert scene.election.bound(scene.now) == [ANNOUNCE, send(200)]


@on_every_link
def test_a_backup_takes_another_vrid_and_waits_on(link: Link) -> None:
    """Its timer runs on, so that an Active that is gone is replaced in time."""
    scene = backup_of(link).wait(1000)
    before = scene.remaining_ns
    moved = tuple(
        dataclasses.replace(one, virtual_router_id=77) for one in scene.election.config.instances
    )
    assert scene.reconfigure(instances=moved) == []
    assert scene.remaining_ns == before
    assert scene.election.active_source is None


@on_every_link
def test_unchanged_configuration(link: Link) -> None:
    """The same configuration again is no event."""
    scene = active(link)
    assert scene.reconfigure() == []
    assert scene.remaining_ns == 600_000_000


# --- rates -----------------------------------------------------------------------------------


def flood(scene: Scene, priority: int, *, times: int) -> list[Action]:
    """Deliver an advert each millisecond, the timers running as well."""
    actions: list[Action] = []
    for _ in range(times):
        actions += scene.run_until(1)
        actions += scene.hear(priority, LOWER)
    return actions


@on_every_link
def test_answers_to_lower_adverts_are_limited(link: Link) -> None:
    """1000 lower adverts within a second get some 10 answers and some 5 announcements (S11)."""
    actions = flood(active(link), 180, times=1000)
    assert 5 <= actions.count(send(200)) <= 12
    assert 2 <= actions.count(ANNOUNCE) <= 6
    assert {send(200), ANNOUNCE} == set(actions)


@on_every_link
def test_answers_to_resignations_are_limited(link: Link) -> None:
    """1000 priority 0 within a second get some 10 answers and 5 announcements (row 10)."""
    actions = flood(active(link), 0, times=1000)
    assert 5 <= actions.count(send(200)) <= 12
    assert 3 <= actions.count(ANNOUNCE) <= 6
    assert {send(200), ANNOUNCE} == set(actions)


@on_every_link
def test_answer_limit_at_a_short_interval(link: Link) -> None:
    """At 20 ms adverts the limit is one answer per interval."""
    actions = flood(active(link, advertisement_interval_ns=20_000_000), 180, times=1000)
    assert 50 <= actions.count(send(200)) <= 102


@on_every_link
def test_second_answer_within_a_millisecond(link: Link) -> None:
    """The second of two lower adverts in a row is discarded, and the timer runs on."""
    scene = active(link)
    assert scene.hear(180, LOWER) == [send(200), ANNOUNCE]
    assert scene.wait(1).hear(180, OTHER) == []
    assert scene.remaining_ns == 599_000_000


@on_every_link
def test_answer_a_second_later(link: Link) -> None:
    """The limit holds for a moment: the next second's lower advert is answered in full."""
    scene = active(link)
    scene.hear(180, LOWER)
    scene.run_until(1000)
    assert scene.hear(180, LOWER) == [send(200), ANNOUNCE]


@on_every_link
def test_lower_advert_just_after_an_announcement(link: Link) -> None:
    """What was announced a moment ago is answered, not announced again."""
    scene = backup_of(link)
    scene.wait_for_deadline().tick()
    assert scene.wait(5).bound() == [ANNOUNCE]
    assert scene.wait(50).hear(180, LOWER) == [send(200)]


@on_every_link
def test_lower_advert_before_the_addresses_are_bound(link: Link) -> None:
    """After a crash takeover the answer goes out at once, the announcement after the bind."""
    scene = backup_of(link)
    scene.wait_for_deadline().tick()
    assert scene.wait(5).hear(180, LOWER) == [send(200)]
    assert scene.bound() == [ANNOUNCE]


def test_two_equal_routers_do_not_answer_each_other_for_ever() -> None:
    """Equal priority and equal address, no delay: a bounded exchange, not a storm (S11)."""
    pair = [active(IPV4), active(IPV4)]
    sent = 0
    for _ in range(700):
        waiting = [1 - number for number in (0, 1) if send(200) in pair[number].run_until(10)]
        while waiting:
            receiver = waiting.pop()
            sent += 1
            assert sent <= 200, "they answer each other for ever"
            if send(200) in pair[receiver].hear(200, OWN):
                waiting.append(1 - receiver)
    assert sent >= 14
    assert [scene.state for scene in pair] == [ACTIVE, ACTIVE]


# --- heal ------------------------------------------------------------------------------------


def test_heal_makes_the_winner_announce_again() -> None:
    """The winner's advert comes first: the loser's last one makes the winner announce again."""
    winner, loser = active(IPV4, priority=220), active(IPV4)
    last = loser.hear(220, HIGHER)
    assert last == [
        send(200),
        changed(ACTIVE, BACKUP, "HigherPriorityHeard"),
        STOP_ANNOUNCING,
        RELEASE,
    ]
    assert winner.hear(200, LOWER) == [send(220), ANNOUNCE]
