"""What the kernel tells of links and addresses costs what it concerns, and is never given up."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.engine_node import NODE, address, link, router, view
from support.paper_node import Scene, paper_node
from vip_speaker.engine.fleet import Fleet
from vip_speaker.engine.network import NetworkNews
from vip_speaker.engine.router import Router
from vip_speaker.linux.addresses import DumpRequest, DumpResult
from vip_speaker.linux.monitor import AddressChanged, Event, LinkChanged
from vip_speaker.linux.netlink import NetlinkError
from vip_speaker.linux.rtnetlink import Link
from vip_speaker.messages import Desired, DesiredGate, DesiredRouter

ROUTERS, VETHS = 255, 250
LATER_NS = 1 << 62


def numbered(number: int, *addresses: str, **fields: object) -> DesiredRouter:
    """Return a router with a name of its own."""
    return router(*addresses, **{"name": f"vip.default.r{number}", **fields})


class Places:
    """The node's other listener, which counts what it is told, and routers that are placed."""

    def __init__(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scene = scene
        self.touched: set[Router] = set()
        self.fleet = Fleet(scene.node, self.touched)
        self.news = NetworkNews(scene.node, self.fleet, self)
        self.placed: list[str] = []
        self.interfaces = 0
        original = Router.network_changed

        def network_changed(one: Router, now: int) -> None:
            self.placed.append(one.name)
            original(one, now)

        monkeypatch.setattr(Router, "network_changed", network_changed)

    def touch(self, one: Router) -> None:
        """Its timers may be others."""

    def links_vanished(self, indexes: frozenset[int]) -> None:
        """Nothing is open."""

    def interfaces_changed(self) -> None:
        """What is reported may be another."""
        self.interfaces += 1

    def run(self, *routers: DesiredRouter) -> None:
        """Start routers."""
        self.fleet.apply(Desired(node="n1", routers=list(routers)))
        self.fleet.proceed(None)
        self.placed.clear()

    def hear(self, *events: Event) -> list[str]:
        """Return the names of the routers that these events place anew."""
        self.placed.clear()
        self.scene.monitor.events = list(events)
        assert self.news.read(LATER_NS)
        return sorted(self.placed)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    """A node with many interfaces."""
    with paper_node(tmp_path) as scene:
        veths = [link(100 + each, f"veth{each}", kind="veth") for each in range(VETHS)]
        scene.monitor.view = view(link(2, "eth0"), link(3, "eth1"), *veths)
        yield Places(scene, monkeypatch)


def veth(name: str = "vethnew") -> Link:
    """Return the node's end of a new container's link."""
    return link(999, name, kind="veth")


def test_a_container_that_starts_places_no_router(places: Places) -> None:
    """Its link, the link's address, its end: nobody looks at the network for any of them."""
    routers = (numbered(each, f"192.0.2.{each + 20}") for each in range(ROUTERS - 30))
    named = {"interfaces": ["eth0", "bond*"]}
    by_name = [numbered(300 + each, f"192.0.2.{each + 1}", **named) for each in range(10)]
    places.run(*routers, *by_name)
    looks = places.scene.monitor.looks
    told = (
        LinkChanged(None, veth()),
        LinkChanged(veth(), link(999, "vethnew", kind="veth", master=5)),
        AddressChanged(None, address(999, "fe80::1234/64")),
        LinkChanged(veth(), None),
    )
    for event in told:
        assert places.hear(event) == []
    assert places.interfaces == 0
    assert places.scene.monitor.looks == looks


def test_a_link_places_the_routers_on_it(places: Places) -> None:
    """Those by subnet and those by name, none of another interface."""
    places.scene.monitor.view = view(
        link(2, "eth0"), link(3, "eth1"), addresses=(*NODE, address(3, "198.51.100.1/24"))
    )
    places.run(
        numbered(1, "192.0.2.100"),
        numbered(2, "198.51.100.100"),
        numbered(3, "198.51.100.101", interfaces=["eth1"]),
        numbered(4, "192.0.2.101", interfaces=["eth[0-9]"]),
        numbered(5, "192.0.2.102", gates=[DesiredGate(name="uplink", interface="eth1")]),
    )
    changed = LinkChanged(link(3, "eth1", carrier=False), link(3, "eth1"))
    named = [f"vip.default.r{each}" for each in (2, 3, 4, 5)]
    assert places.hear(changed) == named
    assert places.interfaces == 1


@pytest.mark.parametrize(
    ("event", "concerned"),
    [
        (AddressChanged(None, address(9, "203.0.113.1/24")), True),
        (AddressChanged(None, address(9, "203.0.113.5/32")), True),
        (AddressChanged(None, address(9, "203.0.113.6/32")), False),
        (AddressChanged(None, address(9, "198.51.100.1/24")), False),
        (AddressChanged(None, address(9, "fe80::1/64")), False),
    ],
    ids=["its subnet", "itself", "a neighbour alone", "another subnet", "link-local"],
)
def test_one_that_waits_for_a_subnet(places: Places, event: Event, *, concerned: bool) -> None:
    """An address that makes a difference to it is looked at, no other."""
    places.run(numbered(1, "203.0.113.5"))
    assert bool(places.hear(event)) is concerned


def test_one_that_waits_for_an_interface(places: Places) -> None:
    """It is placed when one comes that its pattern matches."""
    places.run(numbered(1, "192.0.2.100", interfaces=["bond*"]))
    assert places.hear(LinkChanged(None, link(50, "bond0", kind="bond")))
    assert not places.hear(LinkChanged(None, link(51, "dummy0", kind="dummy")))


def test_a_port_and_its_bridge(places: Places) -> None:
    """A router on a card depends on the bridge that the card becomes a port of."""
    places.run(numbered(1, "192.0.2.100"))
    port, bridge = link(2, "eth0", master=7), link(7, "br0", kind="bridge")
    places.scene.monitor.view = view(port, bridge)
    assert places.hear(LinkChanged(link(2, "eth0"), port))
    assert places.hear(LinkChanged(link(7, "br0", kind="bridge", up=False), bridge))


def test_a_router_that_is_gone_is_forgotten(places: Places) -> None:
    """Nothing of it is left to look up."""
    places.run(numbered(1, "192.0.2.100"))
    places.fleet.apply(Desired(node="n1", complete=True))
    places.fleet.proceed(None)
    places.fleet.note_ended(places.touched)
    assert len(places.fleet.remove_ended(LATER_NS)) == 1
    assert len(places.fleet) == 0
    assert not places.scene.node.dependencies.on([2])
    assert not places.hear(LinkChanged(link(2, "eth0", carrier=False), link(2, "eth0")))


def test_lists_that_cannot_be_had_are_asked_for_again(places: Places) -> None:
    """After lost events, and not in circles: with growing waits, for ever."""
    requests = places.scene.worker.requests
    places.scene.monitor.needs_resync = True
    request = DumpRequest(overflows=1)
    now = 0
    for _ in range(10):
        error = NetlinkError(105, "list links")
        places.news.listed(DumpResult(request=request, error=error))
        asked = len(requests)
        assert places.news.due_ns is not None
        now = places.news.due_ns
        places.news.tick(now - 1)
        assert len(requests) == asked
        places.news.tick(now)
        assert len(requests) == asked + 1
        assert isinstance(requests[-1], DumpRequest)
        assert places.news.due_ns is None


def test_routers_end_and_start_a_little_at_a_time(places: Places) -> None:
    """However many end, a turn ends one of them at least, and no more than there is time for."""
    places.run(*(numbered(each, f"192.0.2.{each + 20}") for each in range(40)))
    places.fleet.apply(Desired(node="n1", complete=True, routers=[numbered(99, "192.0.2.9")]))
    turns = 0
    while not places.fleet.proceed(0):
        turns += 1
        assert sum(one.leaving for one in places.fleet) <= turns
    assert [one.name for one in places.fleet if not one.leaving] == ["vip.default.r99"]
    assert turns > 20


def test_a_link_that_concerns_many_routers_takes_many_turns(places: Places) -> None:
    """One router at least, and no more than there is time for; nothing else is read meanwhile."""
    places.run(*(numbered(each, f"192.0.2.{each + 20}") for each in range(40)))
    places.scene.monitor.events = [
        LinkChanged(link(2, "eth0", carrier=False), link(2, "eth0")),
    ]
    assert not places.news.read(0)
    turns = 1
    while places.news.has_work:
        assert len(places.placed) <= turns
        places.news.proceed(0)
        turns += 1
    assert len(set(places.placed)) == 40
    assert places.news.read(0)


def test_a_router_that_ends_meanwhile_is_not_placed(places: Places) -> None:
    """What is left to do looks at what there is by then."""
    places.run(numbered(1, "192.0.2.100"), numbered(2, "192.0.2.101"))
    places.scene.monitor.events = [
        LinkChanged(link(2, "eth0", carrier=False), link(2, "eth0")),
    ]
    places.news.read(0)
    places.fleet.apply(Desired(node="n1", complete=True))
    places.fleet.proceed(None)
    places.fleet.note_ended(places.touched)
    places.fleet.remove_ended(LATER_NS)
    places.news.proceed(LATER_NS)
    assert len(places.placed) == 1


def test_verdicts_are_judged_a_little_at_a_time(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One router at least, each once, however often the agent speaks meanwhile."""
    gates = [DesiredGate(name="web")]
    places.run(*(numbered(each, f"192.0.2.{each + 20}", gates=gates) for each in range(40)))
    judged: list[str] = []
    original = Router.judge

    def judge(one: Router, now: int) -> bool:
        judged.append(one.name)
        return original(one, now)

    monkeypatch.setattr(Router, "judge", judge)
    places.fleet.judge_all()
    turns = 0
    while len(judged) < 40:
        places.fleet.judge(0)
        turns += 1
        places.fleet.judge_all()
        assert len(judged) == turns
    assert len(set(judged)) == 40


def test_a_router_that_has_ended_is_no_garbage(places: Places) -> None:
    """It goes without the collector, which is not to look at what lives for long."""
    places.run(numbered(1, "192.0.2.100"))
    (name,) = [weakref.ref(one) for one in places.fleet]
    gc.disable()
    try:
        places.fleet.apply(Desired(node="n1", complete=True))
        places.fleet.proceed(None)
        places.fleet.note_ended(places.touched)
        places.touched.clear()
        places.fleet.remove_ended(LATER_NS)
        assert name() is None
    finally:
        gc.enable()
