"""The networks that speakers report, and which nodes are in one. Pure.

A network is the scope of a VRID: a connected component of interfaces that share a subnet, or of
subnets that share an interface. Link-local subnets join nothing, since every interface has one.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from vip_model.resources.speaker import ReportedInterface, Speaker
from vip_model.resources.virtual_router import AdvertSource
from vip_model.schema.addresses import Address
from vip_model.vocabulary import Family

_SubnetKey = tuple[int, int, int]  # IP version, prefix length, network address
Sources = tuple[AdvertSource, ...]


@dataclass(slots=True)
class _Attachment:
    """One interface of one node.

    Attributes:
        node: the node.
        name: the interface.
        network: number of its network; numbers of networks that were joined differ.
        subnets: its subnets, link-local ones left out.
        sources: what adverts can come from, by family.
    """

    node: str
    name: str
    network: int
    subnets: set[_SubnetKey] = field(default_factory=set)
    sources: dict[Family, list[AdvertSource]] = field(default_factory=dict)


class NetworkMap:
    """What all speakers together see."""

    def __init__(self, speakers: Iterable[Speaker]) -> None:
        self._joined: list[int] = []
        self._nodes: dict[str, list[_Attachment]] = {}
        self._at: dict[_SubnetKey, list[_Attachment]] = {}
        self._lengths: dict[int, list[int]] = {4: [], 6: []}
        self._holding: dict[Address, tuple[_SubnetKey, ...]] = {}
        self._current_names: dict[str, str] = {}
        self._known: dict[tuple[object, ...], Mapping[str, Sources]] = {}
        for speaker in speakers:
            self._nodes[speaker.node] = [
                self._attach(speaker.node, interface) for interface in speaker.status.interfaces
            ]
        self._names = self._name_networks()

    @property
    def is_empty(self) -> bool:
        """Whether nobody reports any subnet."""
        return not self._at

    def network_of(self, address: Address) -> str:
        """Return the name of the network of an address, empty if no node reports its subnet."""
        subnets = self._subnets_of(address)
        return self._names[self._root(self._at[subnets[0]][0].network)] if subnets else ""

    def network_of_interface(self, node: str, interface: str) -> str:
        """Return the name of the network of an interface, empty if it is not reported."""
        for attachment in self._nodes.get(node, ()):
            if attachment.name == interface:
                return self._names.get(self._root(attachment.network), "")
        return ""

    def current_name(self, name: str) -> str:
        """Return how a network is called today that had that name when it was allocated."""
        found = self._current_names.get(name)
        if found is None:
            found = self._current_names[name] = self._find_current_name(name)
        return found

    def members(
        self, family: Family, addresses: Sequence[Address], patterns: tuple[str, ...]
    ) -> Mapping[str, Sources]:
        """Return the nodes that have an interface for all the addresses, and their sources there.

        As the engine chooses: the interfaces that match a pattern and whose subnets hold the
        addresses; without patterns those in the narrowest subnet that holds the first address.
        Each of them may be the one with carrier, so that the sources of all are listed.
        """
        global_ones = [address for address in addresses if not address.is_link_local]
        wanted = tuple(dict.fromkeys(self._subnets_of(address) for address in global_ones))
        key = (family, wanted, patterns, len(global_ones) < len(addresses))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._find(family, wanted, patterns)
        return found

    def _find_current_name(self, name: str) -> str:
        try:
            attachments = self._at.get(_key(ip_interface(name)))
        except ValueError:  # no name yet
            return name
        return self._names[self._root(attachments[0].network)] if attachments else name

    def _find(
        self, family: Family, wanted: tuple[tuple[_SubnetKey, ...], ...], patterns: tuple[str, ...]
    ) -> dict[str, Sources]:
        found = {}
        for node, attachments in self._nodes.items():
            usable = [
                each
                for each in _choose(attachments, wanted[0] if wanted else (), patterns)
                if all(each.subnets.intersection(one) for one in wanted)
            ]
            sources = [source for each in usable for source in each.sources.get(family, ())]
            if sources:
                found[node] = tuple(sources)
        return found

    def _subnets_of(self, address: Address) -> tuple[_SubnetKey, ...]:
        """Return the reported subnets that hold an address, the narrowest first."""
        found = self._holding.get(address)
        if found is None:
            found = self._holding[address] = self._find_subnets(address)
        return found

    def _find_subnets(self, address: Address) -> tuple[_SubnetKey, ...]:
        if address.is_link_local and address.version == 6:
            return ()
        whole, bits = int(address), address.max_prefixlen
        keys = (
            (address.version, length, whole >> (bits - length) << (bits - length))
            for length in self._lengths[address.version]
        )
        return tuple(key for key in keys if key in self._at)

    def _attach(self, node: str, interface: ReportedInterface) -> _Attachment:
        attachment = _Attachment(node, interface.name, len(self._joined))
        self._joined.append(attachment.network)
        for subnet in interface.subnets:
            try:
                own = ip_interface(subnet)
            except ValueError:
                continue  # a report is no reason to fail: this subnet holds no address of ours
            self._add(attachment, own)
        return attachment

    def _add(self, attachment: _Attachment, own: IPv4Interface | IPv6Interface) -> None:
        family = Family.IPV4 if own.version == 4 else Family.IPV6
        if family is Family.IPV4 or own.ip.is_link_local:
            source = AdvertSource(interface=attachment.name, family=family, address=str(own.ip))
            attachment.sources.setdefault(family, []).append(source)
        if own.version == 6 and own.ip.is_link_local:
            return
        key = _key(own)
        attachment.subnets.add(key)
        there = self._at.setdefault(key, [])
        if there:
            self._joined[self._root(attachment.network)] = self._root(there[0].network)
        there.append(attachment)
        lengths = self._lengths[own.version]
        if key[1] not in lengths:
            lengths.append(key[1])
            lengths.sort(reverse=True)

    def _root(self, network: int) -> int:
        while self._joined[network] != network:
            self._joined[network] = self._joined[self._joined[network]]
            network = self._joined[network]
        return network

    def _name_networks(self) -> dict[int, str]:
        """Name each network after its first subnet, IPv4 before IPv6."""
        names: dict[int, str] = {}
        for version, length, network in sorted(self._at, key=lambda key: (key[0], key[2], key[1])):
            root = self._root(self._at[(version, length, network)][0].network)
            whole: type[IPv4Interface | IPv6Interface]
            whole = IPv4Interface if version == 4 else IPv6Interface
            names.setdefault(root, str(whole((network, length))))
        return names


def _key(interface: IPv4Interface | IPv6Interface) -> _SubnetKey:
    network = interface.network
    return (network.version, network.prefixlen, int(network.network_address))


def _choose(
    attachments: list[_Attachment], wanted: tuple[_SubnetKey, ...], patterns: tuple[str, ...]
) -> list[_Attachment]:
    """Return the interfaces that come into question, best first."""

    def distance(attachment: _Attachment) -> int:
        return next(
            (place for place, key in enumerate(wanted) if key in attachment.subnets), len(wanted)
        )

    if not patterns:
        nearest = min((distance(each) for each in attachments), default=len(wanted))
        return [each for each in attachments if distance(each) == nearest < len(wanted)]
    found: dict[str, _Attachment] = {}
    for pattern in patterns:
        matching = [each for each in attachments if fnmatch.fnmatchcase(each.name, pattern)]
        for each in sorted(matching, key=distance):
            found.setdefault(each.name, each)
    return list(found.values())
