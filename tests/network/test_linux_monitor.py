"""Changes of links and addresses reach the monitor, none is lost, and renewals are none."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_interface

import pytest
from pyroute2 import IPRoute  # type: ignore[import-untyped]

from support.linux_lan import Host, Lan, lan
from vip_speaker.linux.monitor import AddressChanged, Event, LinkChanged, Monitor
from vip_speaker.linux.netlink import (
    AddressOperation,
    InterfaceAddress,
    Link,
    NetlinkError,
    NetlinkSocket,
    Operation,
)
from vip_speaker.linux.ownership import PROTOCOL


@pytest.fixture
def wire() -> Iterator[Lan]:
    """A node and a peer."""
    with lan() as made:
        yield made


@pytest.fixture
def monitor(wire: Lan) -> Iterator[Monitor]:
    """A monitor in the node's namespace."""
    with wire.node.entered():
        made = Monitor()
    yield made
    made.close()


def next_event(monitor: Monitor, wanted: Callable[[Event], bool], seconds: float = 5.0) -> Event:
    """Wait with a selector, as the engine does, for an event that is wanted."""
    deadline = time.monotonic() + seconds
    while True:
        assert select.select([monitor], [], [], max(0, deadline - time.monotonic()))[0], "no event"
        for event in monitor.read():
            if wanted(event):
                return event


def apply(
    host: Host, operation: Operation, index: int, *addresses: str, lifetime_seconds: int = 60
) -> None:
    """Change addresses in one batch; each change must succeed."""
    changes = [
        AddressOperation(operation, index, ip_address(one), lifetime_seconds, PROTOCOL)
        for one in addresses
    ]
    with host.entered(), NetlinkSocket() as netlink:
        assert not any(netlink.apply(changes))


def listed(host: Host) -> tuple[list[Link], list[InterfaceAddress]]:
    """Return all links and addresses, as the worker would list them."""
    with host.entered(), NetlinkSocket() as netlink:
        return netlink.dump_links(), netlink.dump_addresses()


def test_the_first_view(wire: Lan, monitor: Monitor) -> None:
    """At creation the view holds every link and address there is."""
    view = monitor.view
    eth0 = view.link("eth0")

    assert eth0 is not None
    assert (eth0.up, eth0.carrier, eth0.kind, eth0.mtu) == (True, True, "veth", 1500)
    assert view.primary_ipv4(eth0.index) == ip_address("192.0.2.11")
    assert view.link_local_ipv6(eth0.index) == ip_address("fe80::11")
    assert [facts.name for facts in view.reports()] == ["eth0"]


def test_dumps_agree_with_pyroute2(wire: Lan) -> None:
    """Links and addresses are the ones pyroute2 lists, attribute by attribute."""
    wire.node.ip("link", "add", "br0", "type", "bridge")
    wire.node.ip("link", "set", "eth0", "master", "br0")
    apply(wire.node, Operation.ADD, wire.index, "192.0.2.100", "2001:db8::100")
    links, addresses = listed(wire.node)

    with wire.node.entered(), IPRoute() as oracle:
        oracle_links = [
            (
                link["index"],
                link.get("IFLA_IFNAME"),
                link.get("IFLA_ADDRESS"),
                bool(link["flags"] & 1),
                bool(link["flags"] & 1 and link.get("IFLA_CARRIER")),
                (link.get("IFLA_LINKINFO") or {}).get("IFLA_INFO_KIND") or "",
                link.get("IFLA_MASTER") or 0,
                link.get("IFLA_MTU"),
            )
            for link in oracle.get_links()
        ]
        oracle_addresses = [
            (
                one["index"],
                ip_interface(f"{one.get('IFA_ADDRESS')}/{one['prefixlen']}"),
                one.get("IFA_LABEL") or "",
                one.get("IFA_PROTO"),
                one.get("IFA_FLAGS"),
                one["scope"],
            )
            for one in oracle.get_addr()
        ]
    ours = [
        (one.index, one.name, one.mac.hex(":"), one.up, one.carrier, one.kind, one.master, one.mtu)
        for one in links
    ]
    assert sorted(ours) == sorted(oracle_links)
    assert [
        (
            one.index,
            ip_interface(f"{one.address}/{one.prefix_length}"),
            one.label,
            one.protocol,
            one.flags,
            one.scope,
        )
        for one in addresses
    ] == oracle_addresses


def test_dump_of_one_interface(wire: Lan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the addresses of that interface are listed, also by a kernel that cannot choose."""
    wire.node.ip("link", "set", "lo", "up")
    with wire.node.entered(), NetlinkSocket() as netlink:
        chosen = netlink.dump_addresses(wire.index)
    # Without strict checking the kernel ignores what was asked for, as before Linux 4.20.
    monkeypatch.setattr(NetlinkSocket, "_enable", lambda *_: None)
    with wire.node.entered(), NetlinkSocket() as netlink:
        chosen_by_us = netlink.dump_addresses(wire.index)

    expected = [ip_address("192.0.2.11"), ip_address("fe80::11")]
    assert [one.address for one in chosen] == expected
    assert chosen_by_us == chosen


def test_dump_of_an_interface_that_is_not_there(wire: Lan) -> None:
    """Listing the addresses of an unknown interface is an error, not an empty list."""
    with (
        wire.node.entered(),
        NetlinkSocket() as netlink,
        pytest.raises(NetlinkError, match="No such device"),
    ):
        netlink.dump_addresses(4711)


def test_carrier_lost_when_the_peer_goes_down(wire: Lan, monitor: Monitor) -> None:
    """When the other end goes down, the node's link is up without carrier; then it is back."""
    wire.peer.ip("link", "set", "eth0", "down")
    lost = next_event(monitor, lambda event: isinstance(event, LinkChanged))

    assert isinstance(lost, LinkChanged)
    assert lost.before is not None
    assert lost.after is not None
    assert (lost.before.carrier, lost.after.carrier) == (True, False)
    assert lost.after.up
    eth0 = monitor.view.link("eth0")
    assert eth0 is not None
    assert not eth0.carrier

    wire.peer.ip("link", "set", "eth0", "up")
    next_event(
        monitor,
        lambda event: isinstance(event, LinkChanged) and bool(event.after and event.after.carrier),
    )


def test_admin_down_takes_ipv6_away(wire: Lan, monitor: Monitor) -> None:
    """Setting the link down removes its IPv6 addresses, and each removal is an event."""
    wire.node.ip("link", "set", "eth0", "down")
    gone = next_event(monitor, lambda event: isinstance(event, AddressChanged))

    assert isinstance(gone, AddressChanged)
    assert gone.after is None
    assert gone.before is not None
    assert gone.before.address == ip_address("fe80::11")
    assert monitor.view.link_local_ipv6(wire.index) is None


def test_an_interface_appears_and_vanishes(wire: Lan, monitor: Monitor) -> None:
    """A new interface is an event without before, its removal one without after."""
    wire.node.ip("link", "add", "br0", "type", "bridge")
    came = next_event(monitor, lambda event: isinstance(event, LinkChanged))
    assert isinstance(came, LinkChanged)
    assert came.before is None
    assert monitor.view.link("br0") == came.after

    wire.node.ip("link", "delete", "br0")
    next_event(monitor, lambda event: isinstance(event, LinkChanged) and event.after is None)
    assert monitor.view.link("br0") is None


def test_leaving_a_bridge_is_not_the_end_of_a_link(wire: Lan, monitor: Monitor) -> None:
    """A port that leaves its bridge stays in the view, without a master."""
    wire.node.ip("link", "add", "br0", "type", "bridge")
    wire.node.ip("link", "set", "eth0", "master", "br0")
    wire.node.ip("link", "set", "eth0", "nomaster")
    wire.node.ip("link", "set", "eth0", "mtu", "1400")
    last = next_event(
        monitor,
        lambda event: (
            isinstance(event, LinkChanged) and bool(event.after and event.after.mtu == 1400)
        ),
    )

    assert isinstance(last, LinkChanged)
    assert last.after == monitor.view.link("eth0")
    assert last.after is not None
    assert last.after.master == 0


def test_addresses_come_and_go(wire: Lan, monitor: Monitor) -> None:
    """Added and deleted addresses are events, and the view follows."""
    apply(wire.node, Operation.ADD, wire.index, "192.0.2.100", "2001:db8::100")
    next_event(
        monitor,
        lambda event: (
            isinstance(event, AddressChanged)
            and bool(event.after and event.after.address == ip_address("2001:db8::100"))
        ),
    )
    assert len(monitor.view.tagged_addresses(wire.index)) == 2

    apply(wire.node, Operation.DELETE, wire.index, "192.0.2.100")
    gone = next_event(monitor, lambda event: isinstance(event, AddressChanged))
    assert isinstance(gone, AddressChanged)
    assert gone.after is None
    assert [str(one.address) for one in monitor.view.tagged_addresses(wire.index)] == [
        "2001:db8::100"
    ]


def test_a_renewal_is_no_event(wire: Lan, monitor: Monitor) -> None:
    """A renewed lifetime wakes the monitor but is reported to nobody."""
    apply(wire.node, Operation.ADD, wire.index, "192.0.2.100", "2001:db8::100")
    next_event(
        monitor,
        lambda event: (
            isinstance(event, AddressChanged)
            and bool(event.after and event.after.address == ip_address("2001:db8::100"))
        ),
    )
    before = monitor.view
    renewed = ("192.0.2.100", "2001:db8::100")
    apply(wire.node, Operation.REPLACE, wire.index, *renewed, lifetime_seconds=90)

    assert select.select([monitor], [], [], 5)[0]
    assert monitor.read() == []
    assert monitor.view is before


MANY = [f"10.1.{n // 250}.{n % 250 + 1}" for n in range(500)]


@pytest.fixture
def overflowed(wire: Lan) -> Iterator[Monitor]:
    """A monitor that has lost events about MANY addresses."""
    with wire.node.entered():
        made = Monitor(receive_buffer_bytes=4096)
    try:
        apply(wire.node, Operation.ADD, wire.index, *MANY)
        empty(made)
        assert made.needs_resync
        yield made
    finally:
        made.close()


def empty(monitor: Monitor) -> None:
    """Read everything; one call ends after two milliseconds, and a busy machine has many."""
    monitor.read()
    while not monitor.emptied:
        monitor.read()


def test_lost_events_are_made_up_for(wire: Lan, overflowed: Monitor) -> None:
    """After ENOBUFS a list brings what was missed as events, and the view is right again."""
    monitor = overflowed
    known = len(monitor.view.tagged_addresses(wire.index))
    assert known < len(MANY)

    events = monitor.resync(*listed(wire.node), monitor.overflows)

    assert not monitor.needs_resync
    assert len(events) == len(MANY) - known
    assert [str(one.address) for one in monitor.view.tagged_addresses(wire.index)] == MANY


def test_an_event_is_newer_than_the_list(wire: Lan, overflowed: Monitor) -> None:
    """What is heard between list and resync is not undone by the list."""
    monitor = overflowed
    lists = listed(wire.node)
    wire.peer.ip("link", "set", "eth0", "down")
    next_event(monitor, lambda event: isinstance(event, LinkChanged))
    apply(wire.node, Operation.DELETE, wire.index, MANY[-1])
    apply(wire.node, Operation.ADD, wire.index, "192.0.2.100")
    next_event(
        monitor,
        lambda event: (
            isinstance(event, AddressChanged)
            and bool(event.after and event.after.address == ip_address("192.0.2.100"))
        ),
    )

    monitor.resync(*lists, monitor.overflows)

    eth0 = monitor.view.link("eth0")
    assert eth0 is not None
    assert not eth0.carrier
    assert {str(one.address) for one in monitor.view.tagged_addresses(wire.index)} == {
        *MANY[:-1],
        "192.0.2.100",
    }


def test_a_list_from_before_another_loss_is_refused(wire: Lan, overflowed: Monitor) -> None:
    """A list that was asked for before events were lost again changes nothing."""
    monitor = overflowed
    asked = monitor.overflows
    lists = listed(wire.node)
    apply(wire.node, Operation.DELETE, wire.index, *MANY)
    empty(monitor)
    assert monitor.overflows > asked

    assert monitor.resync(*lists, asked) == []
    still_needed = monitor.needs_resync
    assert still_needed

    monitor.resync(*listed(wire.node), monitor.overflows)
    assert not monitor.needs_resync
    assert monitor.view.tagged_addresses(wire.index) == ()
