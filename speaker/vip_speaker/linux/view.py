"""What this node's network looks like, and what that means for an address. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import NamedTuple

from vip_speaker.linux.ownership import is_ours
from vip_speaker.linux.rtnetlink import (
    IFA_F_DADFAILED,
    IFA_F_DEPRECATED,
    IFA_F_SECONDARY,
    IFA_F_TENTATIVE,
    Address,
    InterfaceAddress,
    Link,
)

Interface = IPv4Interface | IPv6Interface

_MAC_BYTES = 6
_CONTAINER_VETH_NAMES = ("veth*", "cali*", "lxc*")


class InterfaceFacts(NamedTuple):
    """An interface as it is reported to others.

    Attributes:
        name: its name.
        mac: hardware address, 02:00:00:00:00:01.
        subnets: the node's own addresses on it with their prefix lengths, 192.0.2.11/24.
        carrier: whether the link is there.
    """

    name: str
    mac: str
    subnets: tuple[str, ...]
    carrier: bool


class ListeningPlace(NamedTuple):
    """Where adverts are listened for.

    Attributes:
        ifindex: index of the interface.
        interface: its name.
        version: IP version, 4 or 6.
    """

    ifindex: int
    interface: str
    version: int


class NetworkView:
    """Links and addresses of one network namespace at one moment.

    Addresses that carry our tag are virtual ones: they count neither as the node's own nor as a
    subnet.
    """

    def __init__(self, links: Iterable[Link], addresses: Iterable[InterfaceAddress]) -> None:
        self._links = {link.index: link for link in links}
        self._names = {link.name: link for link in self._links.values()}
        self._own: dict[int, list[InterfaceAddress]] = {}
        self._tagged: dict[int, list[InterfaceAddress]] = {}
        self._subnets: dict[int, tuple[Interface, ...]] = {}
        self._matching: dict[str, tuple[Link, ...]] = {}
        for address in addresses:
            kept = self._tagged if is_ours(address) else self._own
            kept.setdefault(address.index, []).append(address)

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """Every interface, by index."""
        return tuple(self._links[index] for index in sorted(self._links))

    @cached_property
    def macs(self) -> frozenset[bytes]:
        """The hardware addresses of all interfaces."""
        return frozenset(link.mac for link in self._links.values())

    @cached_property
    def carriers(self) -> Mapping[str, bool]:
        """Whether an interface works, by its name."""
        return {link.name: link.up and link.carrier for link in self._links.values()}

    def link(self, name: str) -> Link | None:
        """Return the interface of that name."""
        return self._names.get(name)

    def link_by_index(self, index: int) -> Link | None:
        """Return the interface with that index."""
        return self._links.get(index)

    def own_addresses(self, index: int) -> tuple[InterfaceAddress, ...]:
        """Return the addresses of an interface that are not tagged as ours, in kernel order."""
        return tuple(self._own.get(index, ()))

    def tagged_addresses(self, index: int) -> tuple[InterfaceAddress, ...]:
        """Return the virtual addresses that a speaker, maybe of an earlier life, has bound."""
        return tuple(self._tagged.get(index, ()))

    @cached_property
    def tagged(self) -> frozenset[tuple[int, Address]]:
        """(interface index, address) of all virtual addresses."""
        return frozenset(
            (index, one.address) for index, listed in self._tagged.items() for one in listed
        )

    def primary_ipv4(self, index: int) -> IPv4Address | None:
        """Return the IPv4 address that adverts come from (RFC 9568 §5.1.1.1).

        The first of the widest scope; a /32, which may be somebody else's virtual address, only
        if there is nothing better.
        """
        candidates = [
            (one.prefix_length == 32, one.scope, order, one.address)
            for order, one in enumerate(self._own.get(index, ()))
            if isinstance(one.address, IPv4Address) and not one.flags & IFA_F_SECONDARY
        ]
        return min(candidates)[3] if candidates else None

    def link_local_ipv6(self, index: int) -> IPv6Address | None:
        """Return the IPv6 link-local address that adverts come from (RFC 9568 §5.1.2.1).

        One that is still tentative, or failed duplicate address detection, cannot be used.
        """
        candidates = [
            (bool(one.flags & IFA_F_DEPRECATED), order, one.address)
            for order, one in enumerate(self._own.get(index, ()))
            if isinstance(one.address, IPv6Address)
            and one.address.is_link_local
            and not one.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)
        ]
        return min(candidates)[2] if candidates else None

    def is_awaiting_link_local(self, index: int) -> bool:
        """Whether the kernel is still asking if anybody else has its link-local address."""
        return any(
            one.address.is_link_local and one.flags & IFA_F_TENTATIVE
            for one in self._own.get(index, ())
            if isinstance(one.address, IPv6Address) and not one.flags & IFA_F_DADFAILED
        )

    def is_own(self, address: Address) -> bool:
        """Return whether the node has the address, on whatever interface, as its own."""
        return address in self._holders

    def subnets(self, index: int) -> tuple[Interface, ...]:
        """Return the node's own addresses on an interface with their prefix lengths."""
        known = self._subnets.get(index)
        if known is None:
            known = tuple(_interface(one) for one in self._own.get(index, ()))
            self._subnets[index] = known
        return known

    def narrowest_subnet(self, index: int, address: Address) -> Interface | None:
        """Return the smallest subnet of an interface that holds an address."""
        holding = [subnet for subnet in self.subnets(index) if address in subnet.network]
        return max(holding, key=lambda subnet: subnet.network.prefixlen, default=None)

    def links_in_subnet_of(self, address: Address) -> list[tuple[Link, Interface]]:
        """Return the interfaces whose subnets hold an address, by index, each with its narrowest.

        As quick with many interfaces as with few.
        """
        whole, bits = int(address), address.max_prefixlen
        found: dict[int, Interface] = {}
        for length, networks in self._networks[address.version].items():
            shift = bits - length
            for index, subnet in networks.get(whole >> shift << shift, {}).items():
                found.setdefault(index, subnet)
        return [(self._links[index], found[index]) for index in sorted(found)]

    def links_matching(self, pattern: str) -> tuple[Link, ...]:
        """Return the interfaces whose names match a shell glob; loopback only by its own name."""
        known = self._matching.get(pattern)
        if known is None:
            known = tuple(link for link in self.links if _matches(link, pattern))
            self._matching[pattern] = known
        return known

    def subnet_text(self, index: int) -> str:
        """Return the subnets of an interface as a person reads them."""
        return ", ".join(str(subnet) for subnet in self.subnets(index)) or "no address of its own"

    def is_parking(self, index: int) -> bool:
        """Whether it is one where load balancers park addresses: loopback or a dummy."""
        link = self._links.get(index)
        return link is not None and (link.loopback or link.kind == "dummy")

    def check_address(self, index: int, address: Address) -> str | None:
        """Return what speaks against binding a virtual address to an interface, None if nothing.

        An address that the node has on another interface is refused as well, except on loopback
        and dummy interfaces, where load balancers of other kinds park the addresses they serve.
        """
        name = self._name(index)
        for holder in self._holders.get(address, ()):
            # Every link has a link-local network of its own.
            elsewhere = address.is_link_local or self.is_parking(holder)
            if holder == index or not elsewhere:
                return (
                    f"{address} is the node's own address on {self._name(holder)}: "
                    f"choose one that no node has, or remove it there"
                )
        subnet = self.narrowest_subnet(index, address)
        if subnet is None:
            return f"{address} is in no connected subnet of {name} ({self.subnet_text(index)})"
        network = subnet.network
        if network.prefixlen >= network.max_prefixlen - 1:
            return None  # RFC 3021, RFC 6164: no network and no broadcast address
        if address == network.network_address:
            return f"{address} is the network address of {network}, the subnet of {name}"
        if address.version == 4 and address == network.broadcast_address:
            return f"{address} is the broadcast address of {network}, the subnet of {name}"
        return None

    def reports(self) -> list[InterfaceFacts]:
        """Return every up interface that a virtual address could be on, see `is_reported`."""
        return [
            InterfaceFacts(
                link.name,
                link.mac.hex(":"),
                tuple(str(subnet) for subnet in self.subnets(link.index)),
                link.carrier,
            )
            for link in self.links
            if is_reported(link)
        ]

    def listening_places(self) -> list[ListeningPlace]:
        """Return where other hosts may speak VRRP, by interface index.

        That is every interface of `reports` with a subnet that can hold somebody else. Tunnels and
        dummy interfaces are no link with neighbours, and on a bridge that only containers are
        attached to there is nobody else's router.
        """
        return [
            ListeningPlace(link.index, link.name, version)
            for link in self.links
            if is_reported(link) and self._has_neighbours(link)
            for version in (4, 6)
            if any(_holds_others(subnet, version) for subnet in self.subnets(link.index))
        ]

    def _has_neighbours(self, link: Link) -> bool:
        if link.kind == "bridge":
            return any(port.master == link.index and port.kind != "veth" for port in self.links)
        return link.kind != "dummy" and len(link.mac) == _MAC_BYTES

    @cached_property
    def _networks(self) -> dict[int, dict[int, dict[int, dict[int, Interface]]]]:
        """IP version to prefix length, longest first, to network to interface to its subnet."""
        found: dict[int, dict[int, dict[int, dict[int, Interface]]]] = {4: {}, 6: {}}
        for index in self._own:
            for subnet in self.subnets(index):
                network = subnet.network
                lengths = found[network.version].setdefault(network.prefixlen, {})
                lengths.setdefault(int(network.network_address), {}).setdefault(index, subnet)
        return {version: dict(sorted(by.items(), reverse=True)) for version, by in found.items()}

    @cached_property
    def _holders(self) -> dict[Address, list[int]]:
        """Index of every interface that has the address as the node's own."""
        holders: dict[Address, list[int]] = {}
        for index, addresses in self._own.items():
            for one in addresses:
                holders.setdefault(one.address, []).append(index)
        return holders

    def _name(self, index: int) -> str:
        link = self._links.get(index)
        return link.name if link else f"interface {index}"


def is_reported(link: Link) -> bool:
    """Whether a virtual address could be on an interface.

    Not on loopback, nor on the node's ends of containers' links: a veth that belongs to a bridge,
    or whose name is one that container networks give. A plain veth called eth0 is what a
    container, or a host in a laboratory, sees as its network card.
    """
    return link.up and not link.loopback and not _is_container_end(link)


def _interface(one: InterfaceAddress) -> Interface:
    if isinstance(one.address, IPv4Address):
        return IPv4Interface((one.address, one.prefix_length))
    return IPv6Interface((one.address, one.prefix_length))


def _holds_others(subnet: Interface, version: int) -> bool:
    network = subnet.network
    is_link_local = version == 6 and network.is_link_local
    return (
        network.version == version
        and network.prefixlen < network.max_prefixlen
        and not is_link_local
    )


def _matches(link: Link, pattern: str) -> bool:
    if link.loopback:
        return link.name == pattern
    return fnmatch.fnmatchcase(link.name, pattern)


def _is_container_end(link: Link) -> bool:
    if link.kind != "veth":
        return False
    named = any(fnmatch.fnmatchcase(link.name, pattern) for pattern in _CONTAINER_VETH_NAMES)
    return bool(link.master) or named
