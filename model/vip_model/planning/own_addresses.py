"""The addresses that nodes have themselves, as Speakers and Nodes report them. Pure.

Virtual addresses are none of these: speakers do not report what they have bound. A kubelet may
take one for its own, where it starts while its node holds the address.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_interface

from vip_model.resources.node import Node
from vip_model.resources.speaker import Speaker
from vip_model.schema.addresses import Address, is_valid, parse_address


@dataclass(frozen=True, slots=True)
class OwnAddresses:
    """Which node says that it has an address itself.

    Attributes:
        nodes: name of the node, by address.
        kubelets: as what a Node lists an address that no Speaker reports as its node's own:
            InternalIP, for one.
    """

    nodes: Mapping[Address, str] = field(default_factory=dict)
    kubelets: Mapping[Address, str] = field(default_factory=dict)


def own_addresses(speakers: Iterable[Speaker], nodes: Iterable[Node]) -> OwnAddresses:
    """Return the addresses that nodes have themselves."""
    own: dict[Address, str] = {}
    for speaker in speakers:
        for text in (one for each in speaker.status.interfaces for one in each.subnets):
            try:
                own.setdefault(ip_interface(text).ip, speaker.metadata.name)
            except ValueError:
                continue  # a report is no reason to fail
    of_speakers = frozenset(own)
    kubelets: dict[Address, str] = {}
    for node in nodes:
        for each in node.status.addresses:
            if not is_valid(each.address):
                continue  # a name
            address = parse_address(each.address)
            own[address] = node.name
            if address not in of_speakers:
                kubelets.setdefault(address, each.type)
    return OwnAddresses(own, kubelets)
