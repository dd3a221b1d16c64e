"""From what is desired and what this node looks like to what the election runs. Pure.

Interfaces, subnets and our own addresses are known here only, so this is where an address that
does not fit this node is found out, in words that a person can act on.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address

from vip_model.vocabulary import OWNER_PRIORITY, Family, costs_of_gate
from vip_speaker.linux.choice import candidates, choose, unusable
from vip_speaker.linux.rtnetlink import Link
from vip_speaker.linux.view import NetworkView
from vip_speaker.messages import DesiredInstance, DesiredRouter
from vip_speaker.vrrp.config import Address, ElectionConfig, Instance
from vip_speaker.vrrp.timers import MILLISECOND_NS, SECOND_NS

# The virtual router's own link-local address (RFC 9568 §5.2.9): unique by VRID on a link, and
# not made from the virtual MAC (RFC 9568 §7.4).
_LINK_LOCAL_BASE = int(IPv6Address("fe80::112:0"))
_TIE_STEPS = 4
_ADDRESSES_MAX = 255
_IPV4_HEADERS = 20 + 8  # IP and VRRP
_IPV6_HEADERS = 40 + 8


InstanceKey = tuple[int, int, int]  # interface index, IP version, VRID
Choice = tuple[Family, int, tuple[str, ...]]  # family, VRID, patterns of interfaces


@dataclass(frozen=True, slots=True)
class Placed:
    """One instance with its place on this node.

    Attributes:
        family: address family.
        interface: name of the interface.
        index: its index.
        mac: its hardware address, six bytes.
        source: our address in adverts.
        virtual_router_id: VRID.
        addresses: what is bound and advertised, a generated link-local address included.
        wanted: what the user asked for.
        sources: whose adverts are obeyed; None is anyone on the link.
        patterns: what the user said about interfaces.
        beside: indexes of all interfaces that could be used now, this one among them.
        owned: addresses that are the host's own and stay on it: it is their owner.
    """

    family: Family
    interface: str
    index: int
    mac: bytes
    source: Address
    virtual_router_id: int
    addresses: tuple[Address, ...]
    wanted: tuple[str, ...]
    sources: frozenset[Address] | None
    patterns: tuple[str, ...] = ()
    beside: frozenset[int] = field(default=frozenset(), compare=False)
    owned: tuple[Address, ...] = ()

    @property
    def key(self) -> InstanceKey:
        """What an advert is matched by."""
        return (self.index, self.source.version, self.virtual_router_id)

    @property
    def lent(self) -> tuple[Address, ...]:
        """The addresses that are bound while this node is Active, and released afterwards."""
        return tuple(one for one in self.addresses if one not in self.owned)

    @property
    def choice(self) -> Choice:
        """What the choice of the interface was made for: while it is the same, it stands."""
        return (self.family, self.virtual_router_id, self.patterns)


class NotPlaceableError(Exception):
    """The router cannot run on this node now; the text says why and what would help."""


class NotPlaceableYetError(NotPlaceableError):
    """The kernel decides in a moment, and tells of it."""


class UnplannedSourceError(NotPlaceableError):
    """The others would not obey this node: its adverts come from an address that none expects."""


def place_instance(
    router: DesiredRouter,
    instance: DesiredInstance,
    view: NetworkView,
    used: Mapping[Choice, Container[int]],
) -> Placed:
    """Return an instance with its interface and source address.

    Raises NotPlaceableError while an interface, its link, its source address or the subnet of a
    virtual address is missing, or a virtual address is one that no node may bind.

    Args:
        router: the router.
        instance: one of its instances.
        view: this node.
        used: interfaces that instances are on now: they stay there as long as that works.
    """
    wanted = tuple(ip_address(address) for address in instance.addresses)
    patterns = tuple(instance.interfaces)
    version = 4 if instance.family is Family.IPV4 else 6
    found = candidates(view, patterns, wanted)
    if isinstance(found, str):
        raise NotPlaceableError(found)
    current = used.get((instance.family, instance.virtual_router_id, patterns), ())
    chosen = choose(view, found, version, current)
    if isinstance(chosen, str):
        raise NotPlaceableError(chosen)
    link = chosen.link
    is_owner = router.priority == OWNER_PRIORITY
    for address in wanted:
        check = _check_owned if is_owner else NetworkView.check_address
        problem = check(view, link.index, address)
        if problem is not None:
            raise NotPlaceableError(
                f"{chosen.port} is a port of {link.name}, and {problem}" if chosen.port else problem
            )
    source: Address | None
    source = view.primary_ipv4(link.index) if version == 4 else view.link_local_ipv6(link.index)
    if source is None:
        raise NotPlaceableYetError(f"The IPv6 link-local address of {link.name} is still tentative")
    addresses = _advertised(router, instance, wanted)
    _check_size(instance.family, addresses, link)
    return Placed(
        family=instance.family,
        interface=link.name,
        index=link.index,
        mac=link.mac,
        source=source,
        virtual_router_id=instance.virtual_router_id,
        addresses=addresses,
        wanted=tuple(instance.addresses),
        sources=None
        if instance.sources is None
        else frozenset(ip_address(source) for source in instance.sources),
        patterns=patterns,
        beside=frozenset(
            one.link.index for one in found if unusable(view, one.link, version) is None
        ),
        owned=wanted if is_owner else (),
    )


def _check_owned(view: NetworkView, index: int, address: Address) -> str | None:
    """Return why this node is not the owner of an address, None if it is."""
    if address in (subnet.ip for subnet in view.subnets(index)):
        return None
    return (
        f"Priority 255 is for the host that has {address} as its own address, "
        "which this one has not: choose 155 to 254"
    )


def check_sources(placed: Iterable[Placed]) -> None:
    """Raise UnplannedSourceError if an instance sends from an address that is not planned."""
    for one in placed:
        if one.sources is not None and one.source not in one.sources:
            planned = ", ".join(str(source) for source in sorted(one.sources, key=int))
            raise UnplannedSourceError(
                f"Adverts from {one.source}, this node's address on {one.interface}, would be "
                f"ignored by the other nodes, which expect {planned or 'nobody'}: "
                "waiting until the plan has it"
            )


def _check_size(family: Family, addresses: tuple[Address, ...], link: Link) -> None:
    """An advert is one packet and never fragmented (RFC 9568 §5.2.5 bounds the count by 255)."""
    headers, size = (_IPV4_HEADERS, 4) if family is Family.IPV4 else (_IPV6_HEADERS, 16)
    fitting = min(_ADDRESSES_MAX, (link.mtu - headers) // size)
    if len(addresses) > fitting:
        raise NotPlaceableError(
            f"{len(addresses)} {family.value} addresses do not fit into one advert on "
            f"{link.name} (MTU {link.mtu}: {fitting}): spread them over several groups"
        )


def _advertised(
    router: DesiredRouter, instance: DesiredInstance, wanted: tuple[Address, ...]
) -> tuple[Address, ...]:
    if instance.family is Family.IPV4 or not router.generate_link_local:
        return wanted
    if any(address.is_link_local for address in wanted):
        return tuple(sorted(wanted, key=lambda address: not address.is_link_local))
    return (IPv6Address(_LINK_LOCAL_BASE + instance.virtual_router_id), *wanted)


def election_config(router: DesiredRouter, placed: Mapping[int, Placed]) -> ElectionConfig:
    """Return the election's configuration.

    Args:
        router: its configuration.
        placed: the instances that have a place, at least one, by their position.
    """
    first = placed[min(placed)]
    interval_ns = router.advertisement_interval_milliseconds * MILLISECOND_NS
    return ElectionConfig(
        instances=tuple(
            _instance(router, instance, placed.get(at))
            for at, instance in enumerate(router.instances)
        ),
        priority=router.priority,
        advertisement_interval_ns=interval_ns,
        preemption=router.preemption,
        preemption_delay_ns=router.preemption_delay_seconds * SECOND_NS,
        health_bands=router.health_bands,
        failing_subtrahend=min((gate.by for gate in router.gates), default=100),
        tie_delay_ns=_tie_delay_ns(router, first.source, interval_ns),
        bootstrap=router.bootstrap,
        slot=router.slot,
        gate_costs=tuple(
            costs_of_gate(gate.action, gate.cost, gate.partial_cost) for gate in router.gates
        ),
        candidates=router.candidates,
        start_delay_ns=router.start_delay_seconds * SECOND_NS,
    )


def _instance(router: DesiredRouter, wanted: DesiredInstance, placed: Placed | None) -> Instance:
    addresses = tuple(ip_address(address) for address in wanted.addresses)
    return Instance(
        wanted.virtual_router_id,
        placed.source if placed is not None else None,
        _advertised(router, wanted, addresses),
    )


def _tie_delay_ns(router: DesiredRouter, source: IPv4Address | IPv6Address, interval: int) -> int:
    """Two nodes may have drawn one slot: neighbours on the link then differ by a quarter step."""
    if not router.slot_is_hashed:
        return 0
    return (int(source) % _TIE_STEPS) * router.step * interval // (256 * _TIE_STEPS)


def has_moved(before: Mapping[int, Placed], after: Mapping[int, Placed]) -> bool:
    """Whether an instance that stays sends its adverts from another address than before."""
    sources = {one.key: one.source for one in before.values()}
    return any(sources.get(one.key, one.source) != one.source for one in after.values())


def is_elsewhere(before: Mapping[int, Placed], after: Mapping[int, Placed]) -> bool:
    """Whether an instance is on another interface than before, or its MAC is another."""
    return any(
        (one.index, one.mac) != (before[at].index, before[at].mac)
        for at, one in after.items()
        if at in before
    )
