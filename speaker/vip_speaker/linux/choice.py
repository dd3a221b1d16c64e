"""Which interface of a node carries a virtual address. Pure.

An interface that is a port of a bridge or bond is never used: what it receives is its master's,
and so are the addresses that belong on it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

from vip_speaker.linux.rtnetlink import Address, Link
from vip_speaker.linux.view import Interface, NetworkView

# Kinds of interfaces whose ports do not hear for themselves. A VRF, say, is a master of another
# kind: its interfaces keep their addresses.
_KINDS_WITH_PORTS = frozenset({"bridge", "bond", "team", "openvswitch"})


class Candidate(NamedTuple):
    """An interface that may carry the addresses.

    Attributes:
        link: the interface.
        port: name of the port of it that was meant; empty if it was meant itself.
    """

    link: Link
    port: str = ""


def candidates(
    view: NetworkView, patterns: Sequence[str], addresses: Sequence[Address]
) -> tuple[Candidate, ...] | str:
    """Return the interfaces for these virtual addresses, or a sentence on why there is none.

    Args:
        view: the node.
        patterns: shell globs, best first. Interfaces whose subnet holds the first address, if there
            are any, leave the others out. Where a pattern matches several, the narrowest subnet
            comes first, then the lower index; loopback only by its own name.
            Empty: the interfaces in the narrowest subnet that holds the first address.
        addresses: the virtual addresses; a link-local one tells nothing about the interface,
            unless there is no other.
    """
    decisive = next((one for one in addresses if not one.is_link_local), None)
    if not patterns:
        return _by_subnet(view, decisive)
    found: dict[int, Candidate] = {}
    for pattern in patterns:
        matching = (_top(view, link) for link in view.links_matching(pattern))
        for one in sorted(matching, key=lambda each: _distance(view, each.link, decisive)):
            found.setdefault(one.link.index, one)
    if found:
        holding = [one for one in found.values() if _subnet(view, one.link, decisive) is not None]
        return tuple(holding or found.values())
    names = ", ".join(link.name for link in view.links)
    return f"No interface matches {' or '.join(patterns)}; this node has {names}"


def links_that_matter(
    view: NetworkView, patterns: Sequence[str], addresses: Sequence[Address]
) -> frozenset[int]:
    """Return the index of every interface that the choice depends on, masters of ports included."""
    if patterns:
        meant = [link for pattern in patterns for link in view.links_matching(pattern)]
    else:
        decisive = next((one for one in addresses if not one.is_link_local), None)
        meant = [] if decisive is None else [each for each, _ in view.links_in_subnet_of(decisive)]
    found: set[int] = set()
    for link in meant:
        each: Link | None = link
        while each is not None and each.index not in found:
            found.add(each.index)
            if each.master:
                found.add(each.master)  # also one that is not there yet
            each = port_of(view, each)
    return frozenset(found)


def choose(
    view: NetworkView, found: Iterable[Candidate], version: int, current: Container[int]
) -> Candidate | str:
    """Return the one to use, or a sentence on why none of them can be used now.

    Args:
        view: the node.
        found: the candidates, best first, at least one.
        version: IP version of the adverts.
        current: indexes of interfaces that are used now: one of them stays as long as it works.
    """
    why = {one: unusable(view, one.link, version) for one in found}
    working = [one for one, reason in why.items() if reason is None]
    if working:
        return next((one for one in working if one.link.index in current), working[0])
    return "; ".join(
        f"{one.port} is a port of {one.link.name}, and {reason}" if one.port else str(reason)
        for one, reason in why.items()
    )


def unusable(view: NetworkView, link: Link, version: int) -> str | None:
    """Return why adverts of that IP version cannot run on an interface now, None if they can.

    A link-local address that is still tentative is as good as there: in a moment it is.
    """
    if not link.up:
        return f"{link.name} is down"
    if not link.carrier:
        return f"{link.name} has no carrier"
    if version == 4:
        has_source = view.primary_ipv4(link.index) is not None
        return None if has_source else f"{link.name} has no IPv4 address to send adverts from"
    if view.link_local_ipv6(link.index) or view.is_awaiting_link_local(link.index):
        return None
    return (
        f"{link.name} has no usable IPv6 link-local address to send adverts from "
        "(is IPv6 switched off there?)"
    )


def port_of(view: NetworkView, link: Link) -> Link | None:
    """Return the bridge or bond that an interface is a port of."""
    master = view.link_by_index(link.master) if link.master else None
    return master if master is not None and master.kind in _KINDS_WITH_PORTS else None


def _top(view: NetworkView, link: Link) -> Candidate:
    """Return the interface itself, or the bridge or bond at the top that it belongs to."""
    top, seen = link, {link.index}
    while (master := port_of(view, top)) is not None and master.index not in seen:
        top = master
        seen.add(top.index)
    return Candidate(top, link.name if top is not link else "")


def _by_subnet(view: NetworkView, address: Address | None) -> tuple[Candidate, ...] | str:
    if address is None:
        return "A link-local address fits every interface: name one in vrrp.interfaces"
    holding = [
        (link, subnet.network)
        for link, subnet in view.links_in_subnet_of(address)
        if not view.is_parking(link.index)
    ]
    usable = [(link, network) for link, network in holding if port_of(view, link) is None]
    if usable:
        # A wider subnet elsewhere is another network.
        narrowest = max((network for _, network in usable), key=lambda one: one.prefixlen)
        return tuple(Candidate(link) for link, network in usable if network == narrowest)
    if holding:
        link = holding[0][0]
        top, subnet = _top(view, link).link, view.narrowest_subnet(link.index, address)
        return (
            f"{link.name} is a port of {top.name}: "
            f"move this node's address {subnet} from {link.name} to {top.name}"
        )
    have = "; ".join(
        f"{link.name} ({view.subnet_text(link.index)})"
        for link in view.links
        if not link.loopback and view.own_addresses(link.index)
    )
    return (
        f"No interface of this node is in the subnet of {address}: this node has "
        f"{have or 'no address at all'}; name an interface in vrrp.interfaces, "
        f"or give this node an address in that subnet"
    )


def _distance(view: NetworkView, link: Link, address: Address | None) -> tuple[int, int]:
    """Order interfaces: the narrowest subnet that holds the address first, then by index."""
    subnet = _subnet(view, link, address)
    return (1 if subnet is None else -subnet.network.prefixlen), link.index


def _subnet(view: NetworkView, link: Link, address: Address | None) -> Interface | None:
    return None if address is None else view.narrowest_subnet(link.index, address)
