"""What a node's network looks like, what speaks against it, and what a node reports."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface

import pytest

from vip_speaker.linux.choice import Candidate, candidates
from vip_speaker.linux.ownership import PROTOCOL
from vip_speaker.linux.rtnetlink import (
    IFA_F_DADFAILED,
    IFA_F_DEPRECATED,
    IFA_F_SECONDARY,
    IFA_F_TENTATIVE,
    InterfaceAddress,
    Link,
)
from vip_speaker.linux.view import InterfaceFacts, NetworkView

LO, ETH0, ETH1, DUMMY = 1, 2, 3, 4


def link(
    index: int,
    name: str,
    *,
    kind: str = "",
    up: bool = True,
    carrier: bool = True,
    loopback: bool = False,
    master: int = 0,
    mac: bytes | None = None,
) -> Link:
    """Return an interface."""
    mac = bytes([2, 0, 0, 0, 0, index]) if mac is None else mac
    return Link(index, name, mac, up, carrier, loopback, kind, master, 1500)


def address(
    index: int, text: str, *, protocol: int | None = None, flags: int = 0, scope: int = 0
) -> InterfaceAddress:
    """Return an address on an interface."""
    ip = ip_interface(text)
    prefix = ip.network.prefixlen
    return InterfaceAddress(index, ip.version, ip.ip, prefix, protocol, "", flags, scope, None)


LINKS = [
    link(LO, "lo", loopback=True),
    link(ETH0, "eth0"),
    link(ETH1, "eth1"),
    link(DUMMY, "kube-ipvs0", kind="dummy", up=False),
]
ADDRESSES = [
    address(LO, "127.0.0.1/8", scope=254),
    address(ETH0, "192.0.2.11/24"),
    address(ETH0, "192.0.2.100/32", protocol=PROTOCOL),
    address(ETH0, "2001:db8::11/64"),
    address(ETH0, "fe80::11/64", scope=253),
    address(ETH1, "198.51.100.1/31"),
    address(ETH1, "10.0.0.1/8"),
    address(ETH1, "10.1.0.1/16"),
    address(DUMMY, "192.0.2.150/32"),
]
VIEW = NetworkView(LINKS, ADDRESSES)


def view_of(*addresses: InterfaceAddress) -> NetworkView:
    """Return a view with the usual links and these addresses."""
    return NetworkView(LINKS, addresses)


def test_an_address_that_a_load_balancer_parks_is_on_the_link_of_its_subnet() -> None:
    """kube-proxy in IPVS mode binds what a Service has to a device of its own, as a /32."""
    parked = view_of(*ADDRESSES, address(DUMMY, "192.0.2.100/32"))
    wanted = ip_address("192.0.2.100")
    assert candidates(parked, [], [wanted]) == (Candidate(link(ETH0, "eth0")),)
    assert parked.check_address(ETH0, wanted) is None


def test_links_are_found() -> None:
    """A link is found by its name and by its index, and an unknown one is None."""
    assert VIEW.link("eth1") == LINKS[2] == VIEW.link_by_index(ETH1)
    assert VIEW.link("eth9") is None
    assert VIEW.link_by_index(9) is None


def test_own_and_tagged_addresses() -> None:
    """What carries our tag is listed apart from the node's own addresses."""
    assert ADDRESSES[2] not in VIEW.own_addresses(ETH0)
    assert VIEW.own_addresses(ETH0) == (ADDRESSES[1], ADDRESSES[3], ADDRESSES[4])
    assert VIEW.tagged_addresses(ETH0) == (ADDRESSES[2],)
    assert VIEW.own_addresses(9) == VIEW.tagged_addresses(9) == ()


def test_subnets() -> None:
    """Subnets are the node's own addresses with their prefix lengths."""
    expected = ("192.0.2.11/24", "2001:db8::11/64", "fe80::11/64")

    assert tuple(str(one) for one in VIEW.subnets(ETH0)) == expected


@pytest.mark.parametrize(
    ("addresses", "primary"),
    [
        (["192.0.2.11/24", "192.0.2.12/25"], "192.0.2.11"),
        (["192.0.2.77/32", "192.0.2.11/24"], "192.0.2.11"),
        (["192.0.2.77/32"], "192.0.2.77"),
        (["2001:db8::11/64"], None),
        ([], None),
    ],
)
def test_primary_ipv4(addresses: list[str], primary: str | None) -> None:
    """The primary address is the first; somebody's /32 only if there is nothing better."""
    found = view_of(*(address(ETH0, one) for one in addresses)).primary_ipv4(ETH0)

    assert found == (None if primary is None else ip_address(primary))


def test_primary_ipv4_is_neither_secondary_nor_ours_nor_local() -> None:
    """Secondary addresses and virtual ones are passed over, and a wider scope goes first."""
    view = view_of(
        address(ETH0, "192.0.2.100/32", protocol=PROTOCOL),
        address(ETH0, "169.254.7.7/16", scope=253),
        address(ETH0, "192.0.2.12/24", flags=IFA_F_SECONDARY),
        address(ETH0, "192.0.2.11/24"),
    )

    assert view.primary_ipv4(ETH0) == ip_address("192.0.2.11")


@pytest.mark.parametrize("flag", [IFA_F_TENTATIVE, IFA_F_DADFAILED])
def test_unusable_link_local(flag: int) -> None:
    """A link-local address that is tentative or a duplicate is no source for adverts."""
    assert view_of(address(ETH0, "fe80::11/64", flags=flag)).link_local_ipv6(ETH0) is None


def test_link_local() -> None:
    """The first usable link-local address is taken: not a global one, not ours, not deprecated."""
    view = view_of(
        address(ETH0, "2001:db8::11/64"),
        address(ETH0, "fe80::100/128", protocol=PROTOCOL),
        address(ETH0, "fe80::1/64", flags=IFA_F_DEPRECATED),
        address(ETH0, "fe80::2/64"),
        address(ETH0, "fe80::3/64"),
    )

    assert view.link_local_ipv6(ETH0) == ip_address("fe80::2")


@pytest.mark.parametrize(
    ("index", "address", "words"),
    [
        (ETH0, "192.0.2.0", "network address of 192.0.2.0/24"),
        (ETH0, "192.0.2.255", "broadcast address of 192.0.2.0/24"),
        (ETH0, "2001:db8::", "network address of 2001:db8::/64"),
        (ETH0, "192.0.2.11", "node's own address on eth0"),
        (ETH0, "2001:db8::11", "node's own address on eth0"),
        (ETH0, "fe80::11", "node's own address on eth0"),
        (ETH0, "10.1.0.1", "node's own address on eth1"),
        (ETH0, "203.0.113.1", "in no connected subnet of eth0 (192.0.2.11/24"),
        (ETH1, "192.0.2.100", "in no connected subnet of eth1"),
        (ETH1, "198.51.100.1", "node's own address on eth1"),
        (ETH1, "10.1.255.255", "broadcast address of 10.1.0.0/16"),
        (9, "192.0.2.100", "in no connected subnet of interface 9 (no address of its own)"),
    ],
)
def test_refused_addresses(index: int, address: str, words: str) -> None:
    """An address that no node may bind there is refused with the reason."""
    problem = VIEW.check_address(index, ip_address(address))

    assert problem is not None
    assert problem.startswith(address)
    assert words in problem


@pytest.mark.parametrize(
    ("index", "address"),
    [
        (ETH0, "192.0.2.1"),
        (ETH0, "192.0.2.100"),
        (ETH0, "192.0.2.150"),
        (ETH0, "2001:db8::ffff:ffff:ffff:ffff"),
        (ETH0, "fe80::100"),
        (ETH1, "198.51.100.0"),
        (ETH1, "10.0.255.255"),
    ],
    ids=[
        "first",
        "bound by us",
        "parked on a dummy interface",
        "no broadcast in IPv6",
        "link-local",
        "a /31 has no network address",
        "broadcast of a smaller subnet elsewhere",
    ],
)
def test_accepted_addresses(index: int, address: str) -> None:
    """An address in a subnet of the interface that nobody on the node has may be bound."""
    assert VIEW.check_address(index, ip_address(address)) is None


def test_link_local_on_another_link_is_another_address() -> None:
    """A link-local address that the node has on another link does not stand in the way."""
    view = view_of(address(ETH0, "fe80::11/64"), address(ETH1, "fe80::12/64"))

    assert view.check_address(ETH1, ip_address("fe80::11")) is None


def test_virtual_addresses_are_no_subnets() -> None:
    """A virtual address of ours connects the node to nothing."""
    view = view_of(address(ETH0, "192.0.2.100/32", protocol=PROTOCOL))

    assert view.check_address(ETH0, ip_address("192.0.2.100")) is not None


def test_reports() -> None:
    """Up interfaces are reported with MAC, own addresses and carrier; loopback is not."""
    links = [*LINKS[:2], link(ETH1, "eth1", carrier=False), link(4, "eth2", up=False)]
    expected = [
        InterfaceFacts(
            "eth0", "02:00:00:00:00:02", ("192.0.2.11/24", "2001:db8::11/64", "fe80::11/64"), True
        ),
        InterfaceFacts("eth1", "02:00:00:00:00:03", (), False),
    ]

    assert NetworkView(links, ADDRESSES[:5]).reports() == expected


@pytest.mark.parametrize(
    ("one", "reported"),
    [
        (link(9, "veth12ab34", kind="veth"), False),
        (link(9, "cali1234", kind="veth"), False),
        (link(9, "lxc_health", kind="veth"), False),
        (link(9, "enp1", kind="veth", master=5), False),
        (link(9, "eth0", kind="veth"), True),
        (link(9, "veth-lan"), True),
        (link(9, "eth0", master=5), True),
        (link(9, "br0", kind="bridge"), True),
        (link(9, "bond0.10", kind="vlan"), True),
    ],
    ids=lambda value: value.name if isinstance(value, Link) else str(value),
)
def test_container_ends_are_not_reported(one: Link, reported: bool) -> None:
    """The node's end of a container's veth is left out, a veth that plays network card is not."""
    assert bool(NetworkView([one], []).reports()) is reported


def test_where_others_are_listened_to() -> None:
    """Every reported interface with a subnet, for each family that it has one of."""
    expected = [(ETH0, "eth0", 4), (ETH0, "eth0", 6), (ETH1, "eth1", 4)]
    assert VIEW.listening_places() == expected


@pytest.mark.parametrize("subnet", ["192.0.2.77/32", "2001:db8::7/128", "fe80::7/64"])
def test_a_host_address_is_no_subnet(subnet: str) -> None:
    """Where there is room for nobody else, or every link has the same, nobody is listened to."""
    assert view_of(address(ETH0, subnet)).listening_places() == []


@pytest.mark.parametrize(
    ("one", "ports", "heard"),
    [
        (link(ETH0, "eth0", up=False), [], False),
        (link(ETH0, "veth1", kind="veth"), [], False),
        (link(ETH0, "eth0", kind="veth"), [], True),
        (link(ETH0, "dummy0", kind="dummy"), [], False),
        (link(ETH0, "wg0", kind="wireguard", mac=b""), [], False),
        (link(ETH0, "tunl0", kind="ipip", mac=bytes(4)), [], False),
        (link(ETH0, "bond0", kind="bond"), [], True),
        (link(ETH0, "eth0.5", kind="vlan"), [], True),
        (link(ETH0, "docker0", kind="bridge"), [], False),
        (link(ETH0, "cni0", kind="bridge"), [link(9, "veth9", kind="veth", master=ETH0)], False),
        (link(ETH0, "br0", kind="bridge"), [link(9, "eth9", master=ETH0)], True),
    ],
    ids=lambda value: value.name if isinstance(value, Link) else None,
)
def test_what_is_a_link_with_neighbours(one: Link, ports: list[Link], heard: bool) -> None:
    """Cards, VLANs, bonds and bridges with a card are; what only containers see is not."""
    view = NetworkView([one, *ports], [address(ETH0, "192.0.2.11/24")])
    assert bool(view.listening_places()) is heard


def test_own_addresses_are_known_on_every_interface() -> None:
    """The node's own are told apart from virtual and from others' addresses."""
    assert VIEW.is_own(ip_address("192.0.2.11"))
    assert VIEW.is_own(ip_address("10.0.0.1"))
    assert not VIEW.is_own(ip_address("192.0.2.100"))
    assert not VIEW.is_own(ip_address("192.0.2.12"))
