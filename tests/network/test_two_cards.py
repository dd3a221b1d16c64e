"""Hosts with two cards in one network: carrier decides which of them is used."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from support.network_manifests import NODES, ROUTER, VIP, manifest, virtual_ip
from support.speakers import SETTLED_SECONDS, SLACK_SECONDS
from vip_lab.client import Probing
from vip_lab.fleet import Fleet
from vip_lab.lan import Lan
from vip_lab.wait import throughout, until

INTERVAL_MS = 1000
SERVED_AGAIN_MS = 4000.0
CARDS = ("eth0", "eth1")


@pytest.fixture
def joined(fresh_lan: Lan) -> Lan:
    """n1, n2 and n3 have a card at each of two joined switches; the client is at the second."""
    fresh_lan.join_switches()
    fresh_lan.partition(["client"])
    for number, name in enumerate(NODES, start=21):
        # Without this a host goes on sending through the card that has lost its cable.
        fresh_lan[name].run("sysctl", "-qw", "net.ipv4.conf.all.ignore_routes_with_linkdown=1")
        fresh_lan.add_card(name, "eth1", f"192.0.2.{number}/24")
    return fresh_lan


@pytest.fixture(params=[[], list(CARDS)], ids=["by subnet", "named"])
def fleet(joined: Lan, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """A speaker on each, all settled."""
    vrrp = {"interfaces": request.param} if request.param else {}
    fleet = Fleet(joined, NODES, manifest(virtual_ip(interval_ms=INTERVAL_MS, vrrp=vrrp)))
    fleet.start()
    fleet.await_settled(ROUTER, SETTLED_SECONDS)
    yield fleet
    fleet.end()


def test_every_first_card_is_lost(joined: Lan, fleet: Fleet) -> None:
    """The address is served over the second cards, by the same host, and stays there."""
    holder = fleet.await_holder(VIP, NODES, 2.0)
    assert joined[holder].interface_of(VIP) == "eth0"
    since = (fleet[holder].router(ROUTER) or {})["since"]
    with Probing(joined["client"], [f"icmp:{VIP}"], 200) as probing:
        time.sleep(0.3)
        for name in NODES:
            joined.cut(name)
        until("the second card", lambda: joined[holder].interface_of(VIP) == "eth1", 4.0)
        time.sleep(4.0)
    assert probing.result.longest_gap_ms < SERVED_AGAIN_MS + probing.result.late_ms_max
    assert fleet.await_settled(ROUTER, SETTLED_SECONDS) == holder
    with Probing(joined["client"], [f"icmp:{VIP}"], 200) as probing:
        for name in NODES:
            joined.restore(name)
        throughout("eth1", lambda: joined[holder].interface_of(VIP) == "eth1", 4.0, every=0.1)
    assert probing.result.longest_gap_ms < SLACK_SECONDS * 1000 + probing.result.late_ms_max
    assert (fleet[holder].router(ROUTER) or {})["since"] == since


def test_one_host_loses_one_card_after_the_other(joined: Lan, fleet: Fleet) -> None:
    """The holder goes on while one of its cards works; without any it hands over."""
    holder = fleet.await_holder(VIP, NODES, 2.0)
    joined.cut(holder)
    until("the second card", lambda: joined[holder].interface_of(VIP) == "eth1", 2.0)
    throughout("one holder", lambda: joined.holders(VIP) == [holder], 4.0, every=0.1)
    joined.restore(holder)
    joined.cut(holder, "eth1")
    until("the first card", lambda: joined[holder].interface_of(VIP) == "eth0", 2.0)
    throughout("one holder", lambda: joined.holders(VIP) == [holder], 4.0, every=0.1)
    joined.cut(holder)
    fleet.await_holder(VIP, fleet.others(holder), SETTLED_SECONDS)
    message = (fleet[holder].router(ROUTER) or {})["message"]
    assert all(f"{card} has no carrier" in message for card in CARDS), message


def test_clients_that_learned_the_other_card_are_told(joined: Lan, fleet: Fleet) -> None:
    """Both cards may have answered for the address: when one dies, clients learn of the other."""
    holder = fleet.await_holder(VIP, NODES, 2.0)
    client, other = joined["client"], joined[holder]
    mac = other.ip("-o", "link", "show", "eth1").split("link/ether ")[1].split()[0]
    client.ip("neighbour", "replace", VIP, "lladdr", mac, "nud", "reachable", "dev", "eth0")
    joined.cut(holder, "eth1")
    until("the first card's address", lambda: client.neighbour_mac(VIP) == other.mac, 2.0)
