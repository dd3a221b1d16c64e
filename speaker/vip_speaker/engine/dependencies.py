"""Which routers a change of links or addresses concerns. Pure.

On a node with many containers links come and go all the time, and hardly any of them matters: an
event costs what it concerns, not what there is.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from vip_speaker.linux.choice import links_that_matter
from vip_speaker.linux.monitor import AddressChanged, Event, LinkChanged
from vip_speaker.linux.rtnetlink import Address, InterfaceAddress
from vip_speaker.linux.view import NetworkView
from vip_speaker.messages import DesiredRouter

_HOST_PREFIX_LENGTHS = {4: 32, 6: 128}


@dataclass(frozen=True, slots=True)
class Needs:
    """What a router's place on this node, and its gates, depend on.

    Attributes:
        indexes: the interfaces that come into question, their ports and masters.
        patterns: which interfaces would, if they were there.
        names: interfaces whose carrier is a gate.
        addresses: its virtual addresses.
        by_subnet: those of instances that go by subnet: any interface in it comes into question.
    """

    indexes: frozenset[int]
    patterns: frozenset[str]
    names: frozenset[str]
    addresses: frozenset[Address]
    by_subnet: frozenset[Address]


def needs_of(routers: Iterable[DesiredRouter], view: NetworkView) -> Needs:
    """Return what any of these configurations of one router depends on."""
    indexes: set[int] = set()
    patterns: set[str] = set()
    names: set[str] = set()
    every: set[Address] = set()
    by_subnet: set[Address] = set()
    for router in routers:
        names.update(gate.interface for gate in router.gates if gate.interface is not None)
        for instance in router.instances:
            addresses = [ip_address(address) for address in instance.addresses]
            every.update(addresses)
            patterns.update(instance.interfaces)
            if not instance.interfaces:
                by_subnet.update(addresses)
            indexes |= links_that_matter(view, instance.interfaces, addresses)
    return Needs(
        frozenset(indexes),
        frozenset(patterns),
        frozenset(names),
        frozenset(every),
        frozenset(by_subnet),
    )


class Dependencies:
    """Remembers the needs of every router, and finds those that an event concerns."""

    def __init__(self) -> None:
        self._needs: dict[str, Needs] = {}
        self._by_index: dict[int, set[str]] = {}
        self._by_pattern: dict[str, set[str]] = {}
        self._by_name: dict[str, set[str]] = {}
        self._by_address: dict[Address, set[str]] = {}
        self._by_subnet: dict[Address, set[str]] = {}

    def note(self, router: str, needs: Needs) -> None:
        """Take what a router depends on from now on."""
        if self._needs.get(router) == needs:
            return
        self.forget(router)
        self._needs[router] = needs
        for key, table in self._entries(needs):
            table.setdefault(key, set()).add(router)

    def forget(self, router: str) -> None:
        """A router is gone."""
        needs = self._needs.pop(router, None)
        if needs is None:
            return
        for key, table in self._entries(needs):
            table[key].discard(router)
            if not table[key]:
                del table[key]

    def on(self, indexes: Iterable[int]) -> set[str]:
        """Return the routers for which one of these interfaces comes into question."""
        return {router for index in indexes for router in self._by_index.get(index, ())}

    def concerned(self, events: Iterable[Event]) -> set[str]:
        """Return the routers whose place or gates may be others after these events."""
        found: set[str] = set()
        for event in events:
            if isinstance(event, LinkChanged):
                found.update(self._concerned_by_link(event))
            else:
                found.update(self._concerned_by_address(event))
        return found

    def _concerned_by_link(self, event: LinkChanged) -> Iterator[str]:
        for name in {link.name for link in (event.before, event.after) if link is not None}:
            yield from self._by_name.get(name, ())
            for pattern, routers in self._by_pattern.items():
                if fnmatch.fnmatchcase(name, pattern):
                    yield from routers
        known = event.after or event.before
        assert known is not None
        yield from self.on((known.index,))

    def _concerned_by_address(self, event: AddressChanged) -> Iterator[str]:
        known = event.after or event.before
        assert known is not None
        yield from self.on((known.index,))
        yield from self._by_address.get(known.address, ())
        if _is_subnet(known):
            network = ip_network((known.address, known.prefix_length), strict=False)
            for address, routers in self._by_subnet.items():
                if address in network:
                    yield from routers

    def _entries(self, needs: Needs) -> Iterator[tuple[object, dict[object, set[str]]]]:
        for keys, table in (
            (needs.indexes, self._by_index),
            (needs.patterns, self._by_pattern),
            (needs.names, self._by_name),
            (needs.addresses, self._by_address),
            (needs.by_subnet, self._by_subnet),
        ):
            for key in keys:
                yield key, table  # type: ignore[misc]


def _is_subnet(address: InterfaceAddress) -> bool:
    """Whether it can hold a virtual address; every link has the same link-local network."""
    is_host = address.prefix_length == _HOST_PREFIX_LENGTHS[address.family]
    return not is_host and not (address.family == 6 and address.address.is_link_local)
