"""Which addresses Services may show: none that would take somebody else's traffic. Pure.

What a Service shows, kube-proxy sends to its pods on every node, whoever has the address in truth.
So an address that no node could ever hold is not shown, nor one that is a node's own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_interface

from vip_model.planning.own_addresses import own_addresses
from vip_model.resources.node import Node
from vip_model.resources.speaker import Speaker
from vip_model.schema.addresses import Address, parse_address
from vip_operator.core.known.round_inputs import Facts

_Length = tuple[int, int]  # IP version and prefix length


@dataclass(frozen=True, slots=True)
class Reported:
    """What the nodes say of addresses.

    Attributes:
        subnets: by IP version and prefix length: network addresses as numbers.
        own: what nodes have themselves.
    """

    subnets: Mapping[_Length, Collection[int]] = field(default_factory=dict)
    own: Collection[Address] = frozenset()

    def in_a_subnet(self, address: Address) -> bool:
        """Return whether some node has a subnet that holds an address."""
        whole, bits = int(address), address.max_prefixlen
        return any(
            version == address.version and whole >> (bits - length) << (bits - length) in networks
            for (version, length), networks in self.subnets.items()
        )


def reported(speakers: Sequence[Speaker], nodes: Sequence[Node]) -> Reported:
    """Return what Speakers and Nodes say of addresses."""
    subnets: dict[_Length, set[int]] = {}
    for speaker in speakers:
        for text in (one for each in speaker.status.interfaces for one in each.subnets):
            try:
                network = ip_interface(text).network
            except ValueError:
                continue  # a report is no reason to fail
            of_length = subnets.setdefault((network.version, network.prefixlen), set())
            of_length.add(int(network.network_address))
    return Reported(subnets, own_addresses(speakers, nodes))


class Publication:
    """Judges addresses, round after round; remembers which of those shown were once in order."""

    def __init__(self) -> None:
        self._basis: tuple[object, object] | None = None
        self._reported = Reported()
        self._bound: Collection[str] = ()
        self._proved: frozenset[str] = frozenset()
        self._shown: set[str] = set()

    def begin(self, facts: Facts, bound: Collection[str]) -> None:
        """Begin a round.

        Args:
            facts: what is known.
            bound: addresses that somebody holds, as far as is reported.
        """
        snapshot = facts.snapshot
        basis = (snapshot.speakers, snapshot.nodes)
        # Comparing is cheap: parts that did not change hold the same objects.
        if self._basis != basis:
            self._basis, self._reported = basis, reported(*basis)
        self._bound = bound
        self._proved, self._shown = frozenset(self._shown), set()

    def allows(self, text: str, shown: Collection[str]) -> bool:
        """Return whether a Service may show an address of a VirtualIP that refers to it.

        What it shows already stays while somebody holds the address, and if its subnet is merely
        not reported any more: a link that went down takes nothing from the Service.

        Args:
            text: the address, normalised.
            shown: what the Service shows.
        """
        address = parse_address(text)
        found = self._reported
        if address in found.own:
            allowed = text in shown and text in self._bound
        elif found.in_a_subnet(address):
            self._shown.add(text)
            allowed = True
        else:
            allowed = text in shown and self._was_in_order(text)
        return allowed

    def _was_in_order(self, text: str) -> bool:
        if text in self._proved:
            self._shown.add(text)
        return text in self._bound or text in self._proved or not self._reported.subnets
