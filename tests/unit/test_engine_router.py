"""What a router does when the kernel, the link and its own clock tell in an awkward order."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from errno import EAGAIN, EMFILE, ENFILE, ENOBUFS, ENODEV, ENOMEM, ETIMEDOUT
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import cast

import pytest

from support.engine_node import NODE, address, link, router, view
from support.paper_node import PaperWorker, Scene, Silent, paper_node
from vip_model.vocabulary import Reason, State
from vip_speaker.engine.clock import WallClock
from vip_speaker.engine.holdings import Holdings
from vip_speaker.engine.placement import place
from vip_speaker.engine.router import Router
from vip_speaker.engine.state_file import RouterRecord
from vip_speaker.engine.status import routers
from vip_speaker.linux.addresses import (
    AddressResult,
    AddressWorker,
    ReleaseRequest,
)
from vip_speaker.linux.announce import gratuitous_arp
from vip_speaker.linux.ownership import PROTOCOL
from vip_speaker.linux.rtnetlink import IFA_F_TENTATIVE
from vip_speaker.messages import DesiredRouter
from vip_speaker.vrrp.config import Health, Heard
from vip_speaker.vrrp.packet import Advertisement

VIP = "192.0.2.100"
MS = 1_000_000
SECOND = 1000 * MS
OTHER_MAC = bytes.fromhex("020000000099")
BOUND = (*NODE, address(2, f"{VIP}/32", protocol=PROTOCOL))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A node with eth0 that holds no virtual address."""
    with paper_node(tmp_path) as scene:
        yield scene


def _tick_when_due(one: Router, from_ns: int, while_: Callable[[], bool]) -> int:
    """Tick at every deadline, the first time late at `from_ns`; return when that ended."""
    now = from_ns
    one.tick(now)
    while while_():
        due_ns = one.deadline()
        assert due_ns is not None
        now = max(now, due_ns)
        one.tick(now)
    return now


def _state(one: Router) -> State:
    assert one.election is not None
    return one.election.state


# --- bootstrap -----------------------------------------------------------------------------------


def _bootstrapping(scene: Scene) -> Router:
    return scene.start(router(VIP, bootstrap=True, advertisement_interval_milliseconds=1000))


def test_an_address_is_not_taken_before_the_link_had_its_say(scene: Scene) -> None:
    """Where the first question goes out late, the answers are awaited all the same."""
    one = _bootstrapping(scene)
    late_ns = 400 * MS
    taken_ns = _tick_when_due(one, late_ns, lambda: _state(one) is not State.ACTIVE)
    assert len(scene.probes.asked) == 3
    assert taken_ns >= late_ns + 150 * MS


def test_an_answer_to_a_late_question_counts(scene: Scene) -> None:
    """Somebody who has the address keeps it, however late the question was."""
    one = _bootstrapping(scene)
    one.tick(400 * MS)
    scene.probes.answer(2, ip_address(VIP), OTHER_MAC)
    one.tick(450 * MS)
    due_ns = one.deadline()
    assert _state(one) is State.BACKUP
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
    """Whoever takes over from silence does so in time, and says who answered for the address."""
    one = _first_start(scene, answered=answered)
    taken_ns = _tick_when_due(one, SECOND, lambda: _state(one) is not State.ACTIVE)
    assert taken_ns <= 3 * SECOND + SECOND // 128
    one.tick(taken_ns)
    assert one.prober.conflict == (f"{VIP} is also used by 02:00:00:00:00:99" if answered else "")


def test_another_machine_that_gives_up_is_forgotten(scene: Scene) -> None:
    """It is asked again every ten seconds; without an answer the warning ends."""
    one = _first_start(scene, answered=True)
    _tick_when_due(one, SECOND, lambda: not one.prober.conflict)
    asked = len(scene.probes.asked)
    scene.monitor.view = view(addresses=BOUND)
    _answer(scene, one, 3100 * MS)
    now = _serve(scene, one, 4 * SECOND, lambda: len(scene.probes.asked) < asked + 3)
    assert one.prober.conflict
    scene.probes.answer(2, ip_address(VIP), OTHER_MAC)
    now = _serve(scene, one, now, lambda: len(scene.probes.asked) < asked + 6)
    assert one.prober.conflict
    now = _serve(scene, one, now, lambda: bool(one.prober.conflict))
    assert now < 30 * SECOND
    assert not scene.probes.is_listening


def test_the_active_elsewhere_is_no_other_machine(scene: Scene) -> None:
    """Whoever sends adverts has the address rightly; later on nothing is made of its answer."""
    one = _first_start(scene, answered=True)
    one.hear(SECOND, 0, ip_address("192.0.2.12"), Advertisement(51, 250, SECOND, ()))
    _tick_when_due(one, 2 * SECOND, lambda: _state(one) is not State.ACTIVE)
    assert not one.prober.conflict
    assert not scene.probes.is_listening


def test_other_cards_of_this_host_are_no_other_machine(scene: Scene) -> None:
    """Linux answers for its addresses on every card, each with its own hardware address."""
    card = dataclasses.replace(link(3, "eth1"), mac=OTHER_MAC)
    scene.monitor.view = view(link(2, "eth0"), card)
    one = _first_start(scene, answered=True)
    _tick_when_due(one, SECOND, lambda: _state(one) is not State.ACTIVE)
    assert not one.prober.conflict


def test_a_later_life_asks_nobody(scene: Scene) -> None:
    """A router that has run before in this boot knows whose its addresses are."""
    earlier = RouterRecord(
        last_sent_ns=None, since_ns=0, priority=254, state=State.BACKUP, health=Health.HEALTHY
    )
    one = Router(router(VIP), scene.node, earlier, Health.HEALTHY)
    one.start(0)
    _tick_when_due(one, SECOND, lambda: _state(one) is not State.ACTIVE)
    assert not scene.probes.asked


# --- addresses -----------------------------------------------------------------------------------


def _active(scene: Scene) -> Router:
    one = scene.start(router(VIP, advertisement_interval_milliseconds=1000))
    _tick_when_due(one, 3 * SECOND, lambda: _state(one) is not State.ACTIVE)
    return one


def _answer(scene: Scene, one: Router, now: int) -> None:
    one.addresses_answered(now, AddressResult(request=scene.worker.binds[-1]))


def test_an_address_that_a_successor_loses_before_it_claims_is_bound_again(scene: Scene) -> None:
    """Nobody is told of it before the kernel has the address."""
    one = scene.start(router(VIP, advertisement_interval_milliseconds=1000))
    assert one.election is not None
    heard = Heard(0, ip_address("192.0.2.12"), 220, SECOND)
    one.election.receive(SECOND, heard)
    one.election.receive(SECOND, dataclasses.replace(heard, priority=0))
    now = _tick_when_due(one, SECOND, lambda: not scene.worker.binds)
    assert _state(one) is State.BACKUP
    _answer(scene, one, now)
    one.address_removed(now, 2, ip_address(VIP))
    one.tick(now)
    assert (_state(one), len(scene.worker.binds)) == (State.BACKUP, 2)
    _answer(scene, one, now)
    one.tick(now)
    assert _state(one) is State.ACTIVE


def test_an_address_removed_before_its_bind_is_answered_is_bound_again(scene: Scene) -> None:
    """Somebody was quicker than the kernel's answer: the router asks once more, at once."""
    one = _active(scene)
    assert len(scene.worker.binds) == 1
    scene.monitor.view = view(addresses=BOUND)
    one.address_removed(4 * SECOND, 2, IPv4Address(VIP))
    scene.monitor.view = view()
    _answer(scene, one, 4 * SECOND)
    assert len(scene.worker.binds) == 2


def test_an_address_that_is_there_is_not_bound_again(scene: Scene) -> None:
    """One that was removed and is back, or whose events were lost, needs nothing."""
    one = _active(scene)
    one.address_removed(4 * SECOND, 2, IPv4Address(VIP))
    scene.monitor.view = view(addresses=BOUND)
    _answer(scene, one, 4 * SECOND)
    scene.monitor.view, scene.monitor.needs_resync = view(), True
    one.address_removed(4 * SECOND, 2, IPv4Address(VIP))
    _answer(scene, one, 4 * SECOND)
    assert len(scene.worker.binds) == 2


MANY = [f"192.0.2.{last}" for last in range(100, 108)]


def _serving_many(scene: Scene) -> Router:
    one = scene.start(router(*MANY, advertisement_interval_milliseconds=1000))
    _tick_when_due(one, 3 * SECOND, lambda: _state(one) is not State.ACTIVE)
    _there(scene, *MANY)
    _answer(scene, one, 3 * SECOND)
    return one


def _there(scene: Scene, *addresses: str) -> None:
    bound = tuple(address(2, f"{each}/32", protocol=PROTOCOL) for each in addresses)
    scene.monitor.view = view(addresses=(*NODE, *bound))


def _sweep(scene: Scene, one: Router, began_ns: int) -> None:
    """Let a network manager remove one address after the other, and the kernel bind them again."""
    for number, each in enumerate(MANY):
        now = began_ns + number * 20 * MS
        one.address_removed(now, 2, ip_address(each))
        _answer(scene, one, now + 10 * MS)


def test_a_sweep_of_many_addresses_counts_once(scene: Scene) -> None:
    """Three within ten seconds are stood; whoever goes on after that is not to be fought."""
    one = _serving_many(scene)
    for second in (4, 6, 8):
        _sweep(scene, one, second * SECOND)
        assert _state(one) is State.ACTIVE
    _sweep(scene, one, 10 * SECOND)
    assert _state(one) is State.INITIALIZE


def test_sweeps_of_other_addresses_do_not_add_up(scene: Scene) -> None:
    """A slow flush that takes one address every two seconds is no fight about any of them."""
    one = _serving_many(scene)
    for number, each in enumerate(MANY):
        now = (4 + 2 * number) * SECOND
        one.address_removed(now, 2, ip_address(each))
        _answer(scene, one, now)
    assert _state(one) is State.ACTIVE


def test_news_of_the_kernel_that_come_late_are_awaited(scene: Scene) -> None:
    """What it answered is bound counts as bound; only after a second does that need a look."""
    one = _active(scene)
    _answer(scene, one, 3100 * MS)
    assert len(scene.worker.binds) == 1
    scene.monitor.view = view(addresses=BOUND)
    one.tick(4100 * MS)
    assert len(scene.worker.binds) == 1


def test_news_that_never_come_are_a_removal(scene: Scene) -> None:
    """An address that the kernel does not list a second after its answer is bound again."""
    one = _active(scene)
    _answer(scene, one, 3100 * MS)
    scene.monitor.needs_resync = True
    one.tick(4100 * MS)
    assert len(scene.worker.binds) == 1
    scene.monitor.needs_resync = False
    due_ns = one.deadline()
    assert due_ns is not None
    assert due_ns <= 5100 * MS
    one.tick(5100 * MS)
    assert len(scene.worker.binds) == 2


def test_one_that_yields_and_cannot_renew_leaves_its_addresses_to_their_lifetime(
    scene: Scene,
) -> None:
    """Without an answer to its renewals it asks no more, and waits without turning in circles."""
    one = _active(scene)
    scene.monitor.view = view(addresses=BOUND)
    _answer(scene, one, 3 * SECOND)
    now = 5500 * MS
    while (due_ns := one.deadline()) is not None and due_ns < now:
        one.tick(due_ns)
    one.stop(now)
    turns = 0
    while not one.ended:
        due_ns = one.deadline()
        assert due_ns is not None
        now = max(now, due_ns)
        one.tick(now)
        turns += 1
        assert turns < 20
    assert _state(one) is State.INITIALIZE


def test_renewals_of_one_interface_say_nothing_of_another() -> None:
    """An election over two interfaces notices when those of one do not come through."""
    worker = PaperWorker()
    holdings = Holdings("vip.default.web", cast("AddressWorker", worker))
    first = place(router(VIP), view()).placed[0]
    second = dataclasses.replace(first, index=3, interface="eth1")
    holdings.bind(0, (first, second), lifetime_seconds=3)
    for seconds in (1, 2, 3, 4):
        assert not holdings.is_overdue(min(seconds, 3) * SECOND)
        holdings.renew(seconds * SECOND)
        of_first = next(one for one in reversed(worker.renewals) if one.ifindex == 2)
        holdings.answer(seconds * SECOND, AddressResult(request=of_first))
    assert holdings.is_overdue(4 * SECOND)


# --- the place -----------------------------------------------------------------------------------


def _announced(one: Router) -> list[bytes]:
    """Return the announcements since the last call."""
    sock = cast("Silent", one.instances.running[0].channel.announcements)
    sent, sock.sent = sock.sent, []
    return [frame for frames in sent for frame in cast("Iterator[bytes]", frames)]


def _serving(scene: Scene) -> Router:
    """Return an Active whose addresses are bound at 3.1 s."""
    one = _active(scene)
    scene.monitor.view = view(addresses=BOUND)
    _answer(scene, one, 3100 * MS)
    return one


def test_another_hardware_address_is_announced_at_once(scene: Scene) -> None:
    """Clients must not go on sending to a hardware address that is no more."""
    one = _serving(scene)
    _announced(one)
    new = dataclasses.replace(link(2, "eth0"), mac=bytes.fromhex("02aaaaaaaaaa"))
    scene.monitor.view = view(new, addresses=BOUND)
    one.network_changed(3200 * MS)
    _answer(scene, one, 3200 * MS)
    assert _state(one) is State.ACTIVE
    assert _announced(one) == list(gratuitous_arp(new.mac, IPv4Address(VIP)))


def test_an_interface_that_came_back_under_another_index_has_the_addresses(scene: Scene) -> None:
    """Where the kernel's news came all at once, the router is Active there, and nowhere else."""
    one = _serving(scene)
    moved = tuple(dataclasses.replace(each, index=7) for each in NODE)
    scene.monitor.view = view(link(7, "eth0"), addresses=moved)
    one.network_changed(3200 * MS)
    assert [bind.ifindex for bind in scene.worker.binds] == [2, 7]
    assert _state(one) is State.ACTIVE


TWO_CARDS = (address(2, "192.0.2.11/24"), address(3, "192.0.2.21/24"))


def test_an_active_goes_on_from_the_card_that_works(scene: Scene) -> None:
    """It binds and sends there, stays when the first card is back, and leaves when it must."""
    cards = {name: link(index, name) for index, name in ((2, "eth0"), (3, "eth1"))}
    scene.monitor.view = view(*cards.values(), addresses=TWO_CARDS)
    one = _active(scene)
    dead = link(2, "eth0", carrier=False)
    for links, used in (
        ((dead, cards["eth1"]), 3),
        (tuple(cards.values()), 3),
        ((cards["eth0"], link(3, "eth1", carrier=False)), 2),
    ):
        bound = (*TWO_CARDS, address(used, f"{VIP}/32", protocol=PROTOCOL))
        scene.monitor.view = view(*links, addresses=bound)
        one.network_changed(3200 * MS)
        _answer(scene, one, 3200 * MS)
        assert _state(one) is State.ACTIVE
        assert scene.worker.binds[-1].ifindex == used
        assert [each.placed.index for each in one.instances.running] == [used]
    assert len(scene.worker.binds) == 3


def test_clients_of_another_card_are_told(scene: Scene) -> None:
    """It may have answered for the address; when it falls the holder announces again."""
    both = (link(2, "eth0"), link(3, "eth1"))
    bound = (*TWO_CARDS, BOUND[-1])
    scene.monitor.view = view(*both, addresses=TWO_CARDS)
    one = _active(scene)
    scene.monitor.view = view(*both, addresses=bound)
    _answer(scene, one, 3100 * MS)
    _announced(one)
    one.network_changed(3200 * MS)
    assert not _announced(one)
    scene.monitor.view = view(both[0], link(3, "eth1", carrier=False), addresses=bound)
    one.network_changed(3300 * MS)
    assert _announced(one)
    assert len(scene.worker.binds) == 1


def test_what_was_open_on_an_interface_that_went_is_opened_anew(scene: Scene) -> None:
    """An interface that is back with its index and its addresses is deaf on the old sockets."""
    one = _serving(scene)
    before = one.instances.running[0].channel
    one.links_vanished(3200 * MS, {2})
    assert _state(one) is State.INITIALIZE
    assert not scene.node.directory
    one.network_changed(3200 * MS)
    assert one.instances.running[0].channel is not before
    assert _state(one) is State.ACTIVE  # within three intervals


def test_an_interface_that_went_is_no_matter_to_others(scene: Scene) -> None:
    """A router on another interface goes on, on the sockets that it has."""
    one = _serving(scene)
    before = one.instances.running[0].channel
    one.links_vanished(3200 * MS, {3})
    assert _state(one) is State.ACTIVE
    assert one.instances.running[0].channel is before


def _planned(*sources: str) -> DesiredRouter:
    return router(VIP, advertisement_interval_milliseconds=1000, sources=list(sources))


OTHER_SOURCE = (address(2, "192.0.2.21/24"),)


def test_one_that_nobody_would_obey_resigns_and_waits_for_the_plan(scene: Scene) -> None:
    """Its own address changed: it is not Active before the plan has the new one, and listens."""
    one = scene.start(_planned("192.0.2.11", "192.0.2.12"))
    _tick_when_due(one, 3 * SECOND, lambda: _state(one) is not State.ACTIVE)
    scene.monitor.view = view(addresses=OTHER_SOURCE)
    one.network_changed(4 * SECOND)
    assert _state(one) is State.INITIALIZE
    assert one.obstacles.reason(one.election) == Reason.SOURCE_CHANGED
    assert "192.0.2.21" in one.obstacles.message(one.election)
    assert one.instances.running[0].counters.priority_zero_sent == 1
    one.configure(4100 * MS, _planned("192.0.2.21", "192.0.2.12"))
    assert _state(one) is State.BACKUP


def test_one_that_lost_its_address_first_listens_too(scene: Scene) -> None:
    """A lease that is replaced in two steps is no link that was away for a moment."""
    one = scene.start(_planned("192.0.2.11", "192.0.2.12"))
    _tick_when_due(one, 3 * SECOND, lambda: _state(one) is not State.ACTIVE)
    scene.monitor.view = view(addresses=())
    one.network_changed(4 * SECOND)
    scene.monitor.view = view(addresses=OTHER_SOURCE)
    one.network_changed(4 * SECOND)
    assert _state(one) is State.INITIALIZE
    (shown,) = routers([one], {}, WallClock())
    assert shown.reason == Reason.SOURCE_CHANGED
    assert "192.0.2.21" in shown.message
    one.configure(4100 * MS, _planned("192.0.2.21", "192.0.2.12"))
    assert _state(one) is State.BACKUP


def test_a_later_life_under_another_source_does_not_resume(scene: Scene) -> None:
    """The others obeyed the earlier life's source: this one starts as Backup."""
    scene.monitor.view = view(addresses=(*OTHER_SOURCE, BOUND[-1]))
    earlier = RouterRecord(
        last_sent_ns=0, since_ns=0, priority=254, state=State.ACTIVE, health=Health.HEALTHY
    )
    one = Router(_planned("192.0.2.11"), scene.node, earlier, Health.HEALTHY)
    one.start(100 * MS)
    assert one.election is None
    one.configure(200 * MS, _planned("192.0.2.21"))
    assert _state(one) is State.BACKUP


def test_an_edit_that_cannot_be_placed_leaves_the_address_where_it_is(scene: Scene) -> None:
    """The holder goes on, lets a host where the edit is in force take over, and says why."""
    one = _serving(scene)
    wrong = router(VIP, "203.0.113.5", advertisement_interval_milliseconds=1000)
    one.configure(3200 * MS, wrong)
    assert one.election is not None
    assert one.election.yielding
    assert one.election.reason == Reason.NOT_IN_FORCE
    assert "203.0.113.5" in one.instances.not_in_force
    _tick_when_due(one, 3200 * MS, lambda: _state(one) is not State.ACTIVE)
    assert not [each for each in scene.worker.requests if isinstance(each, ReleaseRequest)]
    one.configure(5 * SECOND, router(VIP, advertisement_interval_milliseconds=1000))
    assert not one.instances.not_in_force
    assert one.election.health == Health.HEALTHY


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
    _tick_when_due(one, 3 * SECOND, lambda: _state(one) is not State.ACTIVE)
    scene.monitor.view = view(addresses=BOTH)
    _answer(scene, one, 3100 * MS)
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
    _tick_when_due(one, 3200 * MS, lambda: _state(one) is not State.ACTIVE)
    assert one.election.effective_priority < 145
    assert one.holds(2, ip_address(VIP))
    assert not one.holds(2, ip_address(VIP6))
    assert "IPv6" in one.obstacles.lacks


def test_what_was_missing_and_is_back(scene: Scene) -> None:
    """The other family is bound again, and the priority is whole."""
    one = _dual(scene)
    _lose_ipv6(scene, one, 3200 * MS)
    now = _tick_when_due(one, 3200 * MS, lambda: _state(one) is not State.ACTIVE)
    _answer(scene, one, now)
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
    assert _state(one) is State.INITIALIZE
    assert one.instances.running[0].counters.priority_zero_sent >= 1
    assert not one.holds(2, ip_address(VIP))


def test_a_node_that_never_had_one_family_serves_the_other(scene: Scene) -> None:
    """It takes part from the beginning with what it has."""
    scene.monitor.view = view(addresses=NODE[:1])
    one = scene.start(router(VIP, VIP6, advertisement_interval_milliseconds=1000))
    assert _state(one) is State.BACKUP
    assert one.election is not None
    assert one.election.effective_priority < 145


def test_a_source_that_is_still_tentative_is_waited_for(scene: Scene) -> None:
    """A card that comes back has its link-local address in a moment: that is no missing family."""
    tentative = address(2, "fe80::11/64", flags=IFA_F_TENTATIVE)
    scene.monitor.view = view(addresses=(*NODE[:2], tentative))
    one = scene.start(router(VIP, VIP6, advertisement_interval_milliseconds=1000))
    assert one.election is None or _state(one) is State.INITIALIZE
    scene.monitor.view = view()
    one.network_changed(SECOND)
    assert one.election is not None
    assert one.election.effective_priority >= 145


def test_a_port_of_a_bridge_resigns_while_it_can(scene: Scene) -> None:
    """The link still carries what is sent: the others need not wait for the down interval."""
    one = _serving(scene)
    sent = one.instances.running[0].counters
    port = dataclasses.replace(link(2, "eth0"), master=7)
    scene.monitor.view = view(port, link(7, "br0", kind="bridge"), addresses=BOUND)
    one.network_changed(3200 * MS)
    assert _state(one) is State.INITIALIZE
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
    assert _state(one) is State.BACKUP


# --- an owner ------------------------------------------------------------------------------------


def test_an_owner_is_active_and_leaves_its_address_alone(scene: Scene) -> None:
    """It announces and advertises; nothing is bound, renewed or released."""
    one = scene.start(router("192.0.2.11", priority=255))
    assert _state(one) is State.ACTIVE
    _tick_when_due(one, SECOND, lambda: _now(one) < 20 * SECOND)
    one.stop(21 * SECOND)
    one.close()
    assert scene.worker.requests == []


def test_an_owner_that_loses_its_address_takes_no_part(scene: Scene) -> None:
    """What somebody removes from the host is not bound again: it is no owner any more."""
    one = scene.start(router("192.0.2.11", priority=255))
    scene.monitor.view = view(addresses=(address(2, "192.0.2.12/24"), *NODE[1:]))
    one.network_changed(SECOND)
    assert _state(one) is State.INITIALIZE
    assert "Priority 255 is for the host that has 192.0.2.11" in one.obstacles.message(one.election)
    assert scene.worker.requests == []


def _now(one: Router) -> int:
    due_ns = one.deadline()
    assert due_ns is not None
    return due_ns
