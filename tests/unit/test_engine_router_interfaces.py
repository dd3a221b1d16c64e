"""Routers whose interface, hardware address or source changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import cast

from support.engine_node import NODE, address, link, router, view
from support.paper_node import Scene, Silent
from support.router_scene import (
    BOUND,
    MS,
    SECOND,
    VIP,
    active_router,
    answer_bind,
    serving_router,
    state_of,
    tick_when_due,
)
from vip_model.vocabulary import Reason, State
from vip_speaker.engine.chores import run_to_end
from vip_speaker.engine.clock import WallClock
from vip_speaker.engine.opener import StillOpeningError
from vip_speaker.engine.router import Router
from vip_speaker.engine.state_file import RouterRecord
from vip_speaker.engine.status import routers
from vip_speaker.linux.addresses import (
    ReleaseRequest,
)
from vip_speaker.linux.announce import gratuitous_arp
from vip_speaker.linux.ownership import PROTOCOL
from vip_speaker.messages import DesiredRouter
from vip_speaker.vrrp.config import Health


def _announced(one: Router) -> list[bytes]:
    """Return the announcements since the last call."""
    sock = cast("Silent", one.instances.running[0].channel.announcements)
    sent, sock.sent = sock.sent, []
    return [frame for frames in sent for frame in cast("Iterator[bytes]", frames)]


def test_another_hardware_address_is_announced_at_once(scene: Scene) -> None:
    """Clients must not go on sending to a hardware address that is no more."""
    one = serving_router(scene)
    _announced(one)
    new = dataclasses.replace(link(2, "eth0"), mac=bytes.fromhex("02aaaaaaaaaa"))
    scene.monitor.view = view(new, addresses=BOUND)
    one.network_changed(3200 * MS)
    answer_bind(scene, one, 3200 * MS)
    assert state_of(one) is State.ACTIVE
    assert _announced(one) == list(gratuitous_arp(new.mac, IPv4Address(VIP)))


def test_an_interface_that_came_back_under_another_index_has_the_addresses(scene: Scene) -> None:
    """Where the kernel's news came all at once, the router is Active there, and nowhere else."""
    one = serving_router(scene)
    moved = tuple(dataclasses.replace(each, index=7) for each in NODE)
    scene.monitor.view = view(link(7, "eth0"), addresses=moved)
    one.network_changed(3200 * MS)
    assert [bind.ifindex for bind in scene.worker.binds] == [2, 7]
    assert state_of(one) is State.ACTIVE


TWO_CARDS = (address(2, "192.0.2.11/24"), address(3, "192.0.2.21/24"))


def test_an_active_goes_on_from_the_card_that_works(scene: Scene) -> None:
    """It binds and sends there, stays when the first card is back, and leaves when it must."""
    cards = {name: link(index, name) for index, name in ((2, "eth0"), (3, "eth1"))}
    scene.monitor.view = view(*cards.values(), addresses=TWO_CARDS)
    one = active_router(scene)
    dead = link(2, "eth0", carrier=False)
    for links, used in (
        ((dead, cards["eth1"]), 3),
        (tuple(cards.values()), 3),
        ((cards["eth0"], link(3, "eth1", carrier=False)), 2),
    ):
        bound = (*TWO_CARDS, address(used, f"{VIP}/32", protocol=PROTOCOL))
        scene.monitor.view = view(*links, addresses=bound)
        one.network_changed(3200 * MS)
        answer_bind(scene, one, 3200 * MS)
        assert state_of(one) is State.ACTIVE
        assert scene.worker.binds[-1].ifindex == used
        assert [each.placed.index for each in one.instances.running] == [used]
    assert len(scene.worker.binds) == 3


def test_an_active_goes_on_while_the_other_sockets_are_being_opened(scene: Scene) -> None:
    """The kernel may take a while: nothing that there is is given up before."""
    scene.monitor.view = view(link(2, "eth0"), link(3, "eth1"), addresses=TWO_CARDS)
    one = active_router(scene)
    dead = link(2, "eth0", carrier=False)
    scene.monitor.view = view(dead, link(3, "eth1"), addresses=(*TWO_CARDS, BOUND[-1]))
    scene.channels.trouble = StillOpeningError()
    one.network_changed(3200 * MS)
    one.tick(3210 * MS)
    assert state_of(one) is State.ACTIVE
    assert [each.placed.index for each in one.instances.running] == [2]
    scene.channels.trouble = None
    one.tick(3220 * MS)
    assert state_of(one) is State.ACTIVE
    assert [each.placed.index for each in one.instances.running] == [3]
    one.close()
    assert not scene.channels.in_use


def test_clients_of_another_card_are_told(scene: Scene) -> None:
    """It may have answered for the address; when it falls the holder announces again."""
    both = (link(2, "eth0"), link(3, "eth1"))
    bound = (*TWO_CARDS, BOUND[-1])
    scene.monitor.view = view(*both, addresses=TWO_CARDS)
    one = active_router(scene)
    scene.monitor.view = view(*both, addresses=bound)
    answer_bind(scene, one, 3100 * MS)
    _announced(one)
    one.network_changed(3200 * MS)
    assert not _announced(one)
    scene.monitor.view = view(both[0], link(3, "eth1", carrier=False), addresses=bound)
    one.network_changed(3300 * MS)
    assert _announced(one)
    assert len(scene.worker.binds) == 1


def test_what_was_open_on_an_interface_that_went_is_opened_anew(scene: Scene) -> None:
    """An interface that is back with its index and its addresses is deaf on the old sockets."""
    one = serving_router(scene)
    before = one.instances.running[0].channel
    one.links_vanished(3200 * MS, {2})
    assert state_of(one) is State.INITIALIZE
    assert not scene.node.directory
    one.network_changed(3200 * MS)
    assert one.instances.running[0].channel is not before
    assert state_of(one) is State.ACTIVE  # within three intervals


def test_an_interface_that_went_is_no_matter_to_others(scene: Scene) -> None:
    """A router on another interface goes on, on the sockets that it has."""
    one = serving_router(scene)
    before = one.instances.running[0].channel
    one.links_vanished(3200 * MS, {3})
    assert state_of(one) is State.ACTIVE
    assert one.instances.running[0].channel is before


def _planned(*sources: str) -> DesiredRouter:
    return router(VIP, advertisement_interval_milliseconds=1000, sources=list(sources))


OTHER_SOURCE = (address(2, "192.0.2.21/24"),)


def test_one_that_nobody_would_obey_resigns_and_waits_for_the_plan(scene: Scene) -> None:
    """Its own address changed: it is not Active before the plan has the new one, and listens."""
    one = scene.start(_planned("192.0.2.11", "192.0.2.12"))
    tick_when_due(one, 3 * SECOND, lambda: state_of(one) is not State.ACTIVE)
    scene.monitor.view = view(addresses=OTHER_SOURCE)
    one.network_changed(4 * SECOND)
    assert state_of(one) is State.INITIALIZE
    assert one.obstacles.reason(one.election) == Reason.SOURCE_CHANGED
    assert "192.0.2.21" in one.obstacles.message(one.election)
    assert one.instances.running[0].counters.priority_zero_sent == 1
    one.configure(4100 * MS, _planned("192.0.2.21", "192.0.2.12"))
    assert state_of(one) is State.BACKUP


def test_one_that_lost_its_address_first_listens_too(scene: Scene) -> None:
    """A lease that is replaced in two steps is no link that was away for a moment."""
    one = scene.start(_planned("192.0.2.11", "192.0.2.12"))
    tick_when_due(one, 3 * SECOND, lambda: state_of(one) is not State.ACTIVE)
    scene.monitor.view = view(addresses=())
    one.network_changed(4 * SECOND)
    scene.monitor.view = view(addresses=OTHER_SOURCE)
    one.network_changed(4 * SECOND)
    assert state_of(one) is State.INITIALIZE
    (shown,) = run_to_end(routers([one], {}, WallClock()))
    assert shown.reason == Reason.SOURCE_CHANGED
    assert "192.0.2.21" in shown.message
    one.configure(4100 * MS, _planned("192.0.2.21", "192.0.2.12"))
    assert state_of(one) is State.BACKUP


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
    assert state_of(one) is State.BACKUP


def test_an_edit_that_cannot_be_placed_leaves_the_address_where_it_is(scene: Scene) -> None:
    """The holder goes on, lets a host where the edit is in force take over, and says why."""
    one = serving_router(scene)
    wrong = router(VIP, "203.0.113.5", advertisement_interval_milliseconds=1000)
    one.configure(3200 * MS, wrong)
    assert one.election is not None
    assert one.election.yielding
    assert one.election.reason == Reason.NOT_IN_FORCE
    assert "203.0.113.5" in one.instances.not_in_force
    tick_when_due(one, 3200 * MS, lambda: state_of(one) is not State.ACTIVE)
    assert not [each for each in scene.worker.requests if isinstance(each, ReleaseRequest)]
    one.configure(5 * SECOND, router(VIP, advertisement_interval_milliseconds=1000))
    assert not one.instances.not_in_force
    assert one.election.health == Health.HEALTHY
