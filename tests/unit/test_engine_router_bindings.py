"""Addresses that go missing: when a router binds them again, and when it gives up."""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Address, ip_address
from typing import cast

from support.engine_node import NODE, address, router, view
from support.paper_node import PaperWorker, Scene
from support.router_scene import (
    BOUND,
    MS,
    SECOND,
    VIP,
    active_router,
    answer_bind,
    state_of,
    tick_when_due,
)
from vip_model.vocabulary import State
from vip_speaker.engine.holdings import Holdings
from vip_speaker.engine.placement import place
from vip_speaker.engine.router import Router
from vip_speaker.linux.addresses import (
    AddressResult,
    AddressWorker,
)
from vip_speaker.linux.ownership import PROTOCOL
from vip_speaker.vrrp.config import Heard


def test_an_address_that_a_successor_loses_before_it_claims_is_bound_again(scene: Scene) -> None:
    """Nobody is told of it before the kernel has the address."""
    one = scene.start(router(VIP, advertisement_interval_milliseconds=1000))
    assert one.election is not None
    heard = Heard(0, ip_address("192.0.2.12"), 220, SECOND)
    one.election.receive(SECOND, heard)
    one.election.receive(SECOND, dataclasses.replace(heard, priority=0))
    now = tick_when_due(one, SECOND, lambda: not scene.worker.binds)
    assert state_of(one) is State.BACKUP
    answer_bind(scene, one, now)
    one.address_removed(now, 2, ip_address(VIP))
    one.tick(now)
    assert (state_of(one), len(scene.worker.binds)) == (State.BACKUP, 2)
    answer_bind(scene, one, now)
    one.tick(now)
    assert state_of(one) is State.ACTIVE


def test_an_address_removed_before_its_bind_is_answered_is_bound_again(scene: Scene) -> None:
    """Somebody was quicker than the kernel's answer: the router asks once more, at once."""
    one = active_router(scene)
    assert len(scene.worker.binds) == 1
    scene.monitor.view = view(addresses=BOUND)
    one.address_removed(4 * SECOND, 2, IPv4Address(VIP))
    scene.monitor.view = view()
    answer_bind(scene, one, 4 * SECOND)
    assert len(scene.worker.binds) == 2


def test_an_address_that_is_there_is_not_bound_again(scene: Scene) -> None:
    """One that was removed and is back, or whose events were lost, needs nothing."""
    one = active_router(scene)
    one.address_removed(4 * SECOND, 2, IPv4Address(VIP))
    scene.monitor.view = view(addresses=BOUND)
    answer_bind(scene, one, 4 * SECOND)
    scene.monitor.view, scene.monitor.needs_resync = view(), True
    one.address_removed(4 * SECOND, 2, IPv4Address(VIP))
    answer_bind(scene, one, 4 * SECOND)
    assert len(scene.worker.binds) == 2


MANY = [f"192.0.2.{last}" for last in range(100, 108)]


def _serving_many(scene: Scene) -> Router:
    one = scene.start(router(*MANY, advertisement_interval_milliseconds=1000))
    tick_when_due(one, 3 * SECOND, lambda: state_of(one) is not State.ACTIVE)
    _there(scene, *MANY)
    answer_bind(scene, one, 3 * SECOND)
    return one


def _there(scene: Scene, *addresses: str) -> None:
    bound = tuple(address(2, f"{each}/32", protocol=PROTOCOL) for each in addresses)
    scene.monitor.view = view(addresses=(*NODE, *bound))


def _sweep(scene: Scene, one: Router, began_ns: int) -> None:
    """Let a network manager remove one address after the other, and the kernel bind them again."""
    for number, each in enumerate(MANY):
        now = began_ns + number * 20 * MS
        one.address_removed(now, 2, ip_address(each))
        answer_bind(scene, one, now + 10 * MS)


def test_a_sweep_of_many_addresses_counts_once(scene: Scene) -> None:
    """Three within ten seconds are repaired; a program that goes on after that is left alone."""
    one = _serving_many(scene)
    for second in (4, 6, 8):
        _sweep(scene, one, second * SECOND)
        assert state_of(one) is State.ACTIVE
    _sweep(scene, one, 10 * SECOND)
    assert state_of(one) is State.INITIALIZE


def test_sweeps_of_other_addresses_do_not_add_up(scene: Scene) -> None:
    """A slow flush that takes one address every two seconds is no fight about any of them."""
    one = _serving_many(scene)
    for number, each in enumerate(MANY):
        now = (4 + 2 * number) * SECOND
        one.address_removed(now, 2, ip_address(each))
        answer_bind(scene, one, now)
    assert state_of(one) is State.ACTIVE


def test_news_of_the_kernel_that_come_late_are_awaited(scene: Scene) -> None:
    """What it answered is bound counts as bound; only after a second does that need a look."""
    one = active_router(scene)
    answer_bind(scene, one, 3100 * MS)
    assert len(scene.worker.binds) == 1
    scene.monitor.view = view(addresses=BOUND)
    one.tick(4100 * MS)
    assert len(scene.worker.binds) == 1


def test_news_that_never_come_are_a_removal(scene: Scene) -> None:
    """An address that the kernel does not list a second after its answer is bound again."""
    one = active_router(scene)
    answer_bind(scene, one, 3100 * MS)
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
    one = active_router(scene)
    scene.monitor.view = view(addresses=BOUND)
    answer_bind(scene, one, 3 * SECOND)
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
    assert state_of(one) is State.INITIALIZE


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
