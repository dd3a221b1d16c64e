"""Where a watched node can be asked, as this node's links are."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address

from support.engine_node import NODE, address, link, view
from support.statuses import status
from vip_speaker.engine.evidence import Target
from vip_speaker.engine.watching import watched
from vip_speaker.linux.view import NetworkView
from vip_speaker.messages import HeardNode, WatchedNode, WatchedSource
from vip_speaker.status_command import table

SECOND = 1_000_000_000
N3 = WatchedSource(address="192.0.2.13", near="192.0.2.100")
N3_IPV6 = WatchedSource(address="fe80::13", interfaces=["eth*"], near="2001:db8::100")


def places(node_view: NetworkView, *sources: WatchedSource) -> list[set[Target]]:
    """Return where each address of a node is asked."""
    node = WatchedNode(node="n3", sources=list(sources))
    return [set(each) for each in watched(node_view, node).sources]


def at(index: int, text: str) -> Target:
    """Return an address on an interface."""
    return Target(index, ip_address(text))


def test_both_families() -> None:
    """Each on the interface that its instance would be on."""
    assert places(view(), N3, N3_IPV6) == [{at(2, "192.0.2.13")}, {at(2, "fe80::13")}]


def test_a_link_without_carrier_asks_nobody() -> None:
    """Nor does one that is down, or that is not there."""
    assert places(view(link(2, "eth0", carrier=False)), N3, N3_IPV6) == [set(), set()]
    assert places(view(link(2, "eth0", up=False)), N3) == [set()]
    elsewhere = WatchedSource(address="198.51.100.13", near="198.51.100.100")
    assert places(view(), N3, elsewhere) == [{at(2, "192.0.2.13")}, set()]


def test_two_cards_in_one_network() -> None:
    """The node is asked over both: it may be heard on either."""
    cards = (link(2, "eth0"), link(3, "eth1"))
    second = ("192.0.2.21/24", "2001:db8::21/64", "fe80::21/64")
    both = view(*cards, addresses=(*NODE, *(address(3, each) for each in second)))
    assert places(both, N3) == [{at(2, "192.0.2.13"), at(3, "192.0.2.13")}]
    assert places(both, N3_IPV6) == [{at(2, "fe80::13"), at(3, "fe80::13")}]


def test_a_pattern_that_matches_too_much() -> None:
    """An IPv4 address is asked where its subnet is."""
    cards = (link(2, "eth0"), link(3, "eth1"))
    both = view(*cards, addresses=(*NODE, address(3, "198.51.100.11/24")))
    other = WatchedSource(address="198.51.100.13", interfaces=["eth*"], near="fe80::1")
    assert places(both, other) == [{at(3, "198.51.100.13")}]


def test_one_address_in_two_elections() -> None:
    """It is asked once on each interface."""
    again = WatchedSource(address="192.0.2.13", interfaces=["eth0"], near="192.0.2.200")
    assert places(view(), N3, again) == [{at(2, "192.0.2.13")}]


def test_how_long_addresses_live() -> None:
    """Three intervals in whole seconds, and at least 3 s."""
    for interval, seconds in ((200, 3), (1000, 3), (1100, 4), (40950, 123)):
        node = WatchedNode(node="n3", sources=[N3], advertisement_interval_milliseconds=interval)
        assert watched(view(), node).lifetime_ns == seconds * SECOND


def test_what_people_see() -> None:
    """`vip-speaker status` names each node that something is certain of."""
    nodes = [HeardNode(node="n2", heard=True), HeardNode(node="n3", heard=False)]
    text = table(status(watched=nodes), datetime(2026, 1, 1, tzinfo=UTC))
    assert "Nodes that are called unreachable: n2 (heard), n3 (silent)" in text
