"""What a router does at its first start, beside another machine, and with a part missing."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from errno import EAGAIN, EMFILE, ENFILE, ENOBUFS, ENODEV, ENOMEM, ETIMEDOUT
from ipaddress import ip_address
from pathlib import Path

import pytest

from support.engine_node import NODE, address, link, router, view
from support.paper_node import Scene
from support.router_scene import (
    BOUND,
    MS,
    SECOND,
    VIP,
    answer_bind,
    serving_router,
    state_of,
    tick_when_due,
)
from vip_model.vocabulary import State
from vip_speaker.engine.opener import StillOpeningError
from vip_speaker.engine.router import Router
from vip_speaker.engine.state_file import RouterRecord, StateFile
from vip_speaker.linux.addresses import (
    AddressResult,
)
from vip_speaker.linux.ownership import PROTOCOL
from vip_speaker.linux.rtnetlink import IFA_F_TENTATIVE
from vip_speaker.vrrp.config import Health
from vip_speaker.vrrp.packet import Advertisement

OTHER_MAC = bytes.fromhex("020000000099")


# --- bootstrap -----------------------------------------------------------------------------------


def _bootstrapping(scene: Scene) -> Router:
    return scene.start(router(VIP, bootstrap=True, advertisement_interval_milliseconds=1000))


def test_an_address_is_not_taken_before_the_link_had_its_say(scene: Scene) -> None:
    """Where the first question goes out late, the answers are awaited all the same."""
    one = _bootstrapping(scene)
    late_ns = 400 * MS
    taken_ns = tick_when_due(one, late_ns, lambda: state_of(one) is not State.ACTIVE)
    assert len(scene.probes.asked) == 3
    assert taken_ns >= late_ns + 150 * MS


def test_an_answer_to_a_late_question_counts(scene: Scene) -> None:
    """Somebody who has the address keeps it, however late the question was."""
    one = _bootstrapping(scene)
    one.tick(400 * MS)
    scene.probes.answer(2, ip_address(VIP), OTHER_MAC)
    one.tick(450 * MS)
    due_ns = one.deadline()
    assert state_of(one) is State.BACKUP
    assert due_ns is not None
    assert due_ns > 3 * SECOND


# --- another machine -----------------------------------------------------------------------------


def _serve(scene: Scene, one: Router, from_ns: int, while_: Callable[[], bool]) -> int:
    """Tick at every deadline, with a kernel that renews what it is asked to."""
    now = from_ns
    while while_():
        due_ns = one.deadline()
        assert due_ns is not None
        now = max(now, due_ns)
        one.tick(now)
        for renewal in scene.worker.renewals[-1:]:
            one.addresses_answered(now, AddressResult(request=renewal))
        assert now < 60 * SECOND
    return now


def _first_start(scene: Scene, *, answered: bool) -> Router:
    """Return a router that has asked, beside its election, who has its address."""
    one = scene.start(router(VIP, advertisement_interval_milliseconds=1000))
    while len(scene.probes.asked) < 3:
        due_ns = one.deadline()
        assert due_ns is not None
        assert due_ns < 3 * SECOND
        one.tick(due_ns)
    if answered:
        scene.probes.answer(2, ip_address(VIP), OTHER_MAC)
    return one


@pytest.mark.parametrize("answered", [True, False])
def test_another_machine_delays_nothing_and_is_named(scene: Scene, *, answered: bool) -> None:
    """It takes over from silence in time, and says who answered for the address."""
    one = _first_start(scene, answered=answered)
    taken_ns = tick_when_due(one, SECOND, lambda: state_of(one) is not State.ACTIVE)
    assert taken_ns <= 3 * SECOND + SECOND // 128
    one.tick(taken_ns)
    assert one.prober.conflict == (f"{VIP} is also used by 02:00:00:00:00:99" if answered else "")


def test_another_machine_that_gives_up_is_forgotten(scene: Scene) -> None:
    """It is asked again every ten seconds; without an answer the warning ends."""
    one = _first_start(scene, answered=True)
    tick_when_due(one, SECOND, lambda: not one.prober.conflict)
    asked = len(scene.probes.asked)
    scene.monitor.view = view(addresses=BOUND)
    answer_bind(scene, one, 3100 * MS)
    now = _serve(scene, one, 4 * SECOND, lambda: len(scene.probes.asked) < asked + 3)
    assert one.prober.conflict
    scene.probes.answer(2, ip_address(VIP), OTHER_MAC)
    now = _serve(scene, one, now, lambda: len(scene.probes.asked) < asked + 6)
    assert one.prober.conflict
    now = _serve(scene, one, now, lambda: bool(one.prober.conflict))
    assert now < 30 * SECOND
    assert not scene.probes.is_listening


def test_the_active_elsewhere_is_no_other_machine(scene: Scene) -> None:
    """A host that sends adverts has the address rightly; later on nothing is made of its answer."""
    one = _first_start(scene, answered=True)
    one.hear(SECOND, 0, ip_address("192.0.2.12"), Advertisement(51, 250, SECOND, ()))
    tick_when_due(one, 2 * SECOND, lambda: state_of(one) is not State.ACTIVE)
    assert not one.prober.conflict
    assert not scene.probes.is_listening


def test_other_cards_of_this_host_are_no_other_machine(scene: Scene) -> None:
    """Linux answers for its addresses on every card, each with its own hardware address."""
    card = dataclasses.replace(link(3, "eth1"), mac=OTHER_MAC)
    scene.monitor.view = view(link(2, "eth0"), card)
    one = _first_start(scene, answered=True)
    tick_when_due(one, SECOND, lambda: state_of(one) is not State.ACTIVE)
    assert not one.prober.conflict


def test_a_later_life_asks_nobody(scene: Scene) -> None:
    """A router that has run before in this boot knows whose its addresses are."""
    earlier = RouterRecord(
        last_sent_ns=None, since_ns=0, priority=254, state=State.BACKUP, health=Health.HEALTHY
    )
    one = Router(router(VIP), scene.node, earlier, Health.HEALTHY)
    one.start(0)
    tick_when_due(one, SECOND, lambda: state_of(one) is not State.ACTIVE)
    assert not scene.probes.asked


def test_a_provisional_active_is_still_one_in_its_next_life(scene: Scene, tmp_path: Path) -> None:
    """The state file says until when, so that a killed engine is not established by that."""
    wanted = router(VIP, advertisement_interval_milliseconds=1000, start_delay_seconds=30)
    one = scene.start(wanted)
    tick_when_due(one, 3 * SECOND, lambda: state_of(one) is not State.ACTIVE)
    scene.monitor.view = view(addresses=BOUND)
    answer_bind(scene, one, 3100 * MS)
    assert one.election is not None
    before = one.election.effective_priority
    assert before == 145
    earlier = StateFile(tmp_path / "state", "a-boot").earlier[wanted.name]
    next_life = Router(wanted, scene.node, earlier, Health.HEALTHY)
    next_life.start(3500 * MS)
    resumed = next_life.election
    assert resumed is not None
    assert resumed.reason == "Resumed"
    assert resumed.effective_priority == before
    assert resumed.provisional_until_ns == one.election.provisional_until_ns


# --- some of it is missing -----------------------------------------------------------------------

VIP6 = "2001:db8::100"
BOTH = (
    *NODE,
    *(
        address(2, f"{one}/{length}", protocol=PROTOCOL)
        for one, length in ((VIP, 32), (VIP6, 128), ("fe80::112:33", 128))
    ),
)
ONLY_IPV4 = (BOTH[0], BOTH[3])


def _dual(scene: Scene, **fields: object) -> Router:
    """Return an Active with both families, bound at 3.1 s."""
    one = scene.start(router(VIP, VIP6, advertisement_interval_milliseconds=1000, **fields))
    tick_when_due(one, 3 * SECOND, lambda: state_of(one) is not State.ACTIVE)
    scene.monitor.view = view(addresses=BOTH)
    answer_bind(scene, one, 3100 * MS)
    return one


def _lose_ipv6(scene: Scene, one: Router, now: int) -> None:
    scene.monitor.view = view(addresses=ONLY_IPV4)
    one.network_changed(now)


def test_what_a_node_can_still_do_it_does(scene: Scene) -> None:
    """Without IPv6 it resigns on IPv4, keeps that, and comes back if nobody is fuller."""
    one = _dual(scene)
    _lose_ipv6(scene, one, 3200 * MS)
    assert one.election is not None
    assert one.election.yielding
    assert one.instances.at(0) is not None
    assert one.instances.at(1) is None
    assert one.instances.running[0].counters.priority_zero_sent >= 1
    assert scene.worker.binds[-1].addresses == (ip_address(VIP),)
    tick_when_due(one, 3200 * MS, lambda: state_of(one) is not State.ACTIVE)
    assert one.election.effective_priority < 145
    assert (2, ip_address(VIP)) in one.held
    assert (2, ip_address(VIP6)) not in one.held
    assert "IPv6" in one.obstacles.lacks


def test_what_was_missing_and_is_back(scene: Scene) -> None:
    """The other family is bound again, and the priority is whole."""
    one = _dual(scene)
    _lose_ipv6(scene, one, 3200 * MS)
    now = tick_when_due(one, 3200 * MS, lambda: state_of(one) is not State.ACTIVE)
    answer_bind(scene, one, now)
    scene.monitor.view = view(addresses=BOTH)
    one.network_changed(now + SECOND)
    assert one.election is not None
    assert one.election.effective_priority >= 145
    assert ip_address(VIP6) in scene.worker.binds[-1].addresses
    assert not one.obstacles.lacks


def test_a_peer_of_another_make_gets_all_or_nothing(scene: Scene) -> None:
    """Without health bands nobody could tell a partial node from a whole one."""
    one = _dual(scene, health_bands=False)
    _lose_ipv6(scene, one, 3200 * MS)
    assert state_of(one) is State.INITIALIZE
    assert one.instances.running[0].counters.priority_zero_sent >= 1
    assert (2, ip_address(VIP)) not in one.held


def test_a_node_that_never_had_one_family_serves_the_other(scene: Scene) -> None:
    """It takes part from the beginning with what it has."""
    scene.monitor.view = view(addresses=NODE[:1])
    one = scene.start(router(VIP, VIP6, advertisement_interval_milliseconds=1000))
    assert state_of(one) is State.BACKUP
    assert one.election is not None
    assert one.election.effective_priority < 145


def test_a_source_that_is_still_tentative_is_waited_for(scene: Scene) -> None:
    """A card that comes back has its link-local address in a moment: that is no missing family."""
    tentative = address(2, "fe80::11/64", flags=IFA_F_TENTATIVE)
    scene.monitor.view = view(addresses=(*NODE[:2], tentative))
    one = scene.start(router(VIP, VIP6, advertisement_interval_milliseconds=1000))
    assert one.election is None or state_of(one) is State.INITIALIZE
    scene.monitor.view = view()
    one.network_changed(SECOND)
    assert one.election is not None
    assert one.election.effective_priority >= 145


def test_a_port_of_a_bridge_resigns_while_it_can(scene: Scene) -> None:
    """The link still carries what is sent: the others need not wait for the down interval."""
    one = serving_router(scene)
    sent = one.instances.running[0].counters
    port = dataclasses.replace(link(2, "eth0"), master=7)
    scene.monitor.view = view(port, link(7, "br0", kind="bridge"), addresses=BOUND)
    one.network_changed(3200 * MS)
    assert state_of(one) is State.INITIALIZE
    assert sent.priority_zero_sent == 1


# --- trouble that passes -------------------------------------------------------------------------


@pytest.mark.parametrize("number", [ENOBUFS, EAGAIN, ETIMEDOUT, ENOMEM, EMFILE, ENFILE, ENODEV])
def test_sockets_that_cannot_be_had_are_tried_again(scene: Scene, number: int) -> None:
    """No event need come: within 5 s after the trouble has passed the router runs."""
    scene.channels.trouble = OSError(number, os.strerror(number))
    one = scene.start(router(VIP))
    assert os.strerror(number) in one.obstacles.message(one.election)
    now = 0
    while now < 60 * SECOND:
        due_ns = one.deadline()
        assert due_ns is not None
        assert due_ns - now <= 5 * SECOND
        now = due_ns
        one.tick(now)
    scene.channels.trouble = None
    due_ns = one.deadline()
    assert due_ns is not None
    one.tick(due_ns)
    assert state_of(one) is State.BACKUP


def test_sockets_that_are_being_opened_are_there_in_a_moment(scene: Scene) -> None:
    """That is no trouble: it is looked at every 10 ms, and not said to anybody."""
    scene.channels.trouble = StillOpeningError()
    one = scene.start(router(VIP))
    for now in range(0, 500 * MS, 10 * MS):
        assert one.deadline() == now + 10 * MS
        one.tick(now + 10 * MS)
    scene.channels.trouble = None
    one.tick(510 * MS)
    assert state_of(one) is State.BACKUP


# --- an owner ------------------------------------------------------------------------------------


def test_an_owner_is_active_and_leaves_its_address_alone(scene: Scene) -> None:
    """It announces and advertises; nothing is bound, renewed or released."""
    one = scene.start(router("192.0.2.11", priority=255))
    assert state_of(one) is State.ACTIVE
    tick_when_due(one, SECOND, lambda: _now(one) < 20 * SECOND)
    one.stop(21 * SECOND)
    one.close()
    assert scene.worker.requests == []


def test_an_owner_that_loses_its_address_takes_no_part(scene: Scene) -> None:
    """What somebody removes from the host is not bound again: it is no owner any more."""
    one = scene.start(router("192.0.2.11", priority=255))
    scene.monitor.view = view(addresses=(address(2, "192.0.2.12/24"), *NODE[1:]))
    one.network_changed(SECOND)
    assert state_of(one) is State.INITIALIZE
    assert "Priority 255 is for the host that has 192.0.2.11" in one.obstacles.message(one.election)
    assert scene.worker.requests == []


def _now(one: Router) -> int:
    due_ns = one.deadline()
    assert due_ns is not None
    return due_ns
