"""Addresses and VRIDs belong to one election each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from vip_model.planning.links import Link, are_apart
from vip_model.planning.networks import NetworkMap
from vip_model.planning.rank import stable_hash
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.schema.addresses import Address, canonical, family_of, normalised
from vip_model.vocabulary import Family

VIRTUAL_ROUTER_IDS = range(1, 256)
Scope = tuple[str, Family]  # network and family: what a VRID is unique in


class AddressClaims:
    """Which election has an address; what was allocated before has the first word.

    A link-local address is claimed on a link: the same one on another link is another claim.
    """

    def __init__(self, allocated: Iterable[VirtualRouter]) -> None:
        self._holders: dict[Address, dict[str, Link]] = {}
        self._heirs: dict[Address, dict[str, Link]] = {}
        self._claimants: dict[Address, dict[str, Link]] = {}
        for router in allocated:
            self._note(router)

    def _note(self, router: VirtualRouter) -> None:
        spec = router.spec
        networks = frozenset(one.network for one in spec.instances if one.network)
        claims = self._heirs if spec.standby else self._holders
        for instance in spec.instances if not (spec.standby and spec.retired) else ():
            link = Link(networks, instance.interfaces)
            for address in normalised(instance.addresses):
                claims.setdefault(address, {})[router.name] = link
        for address in normalised(spec.releasing):
            link = Link(networks, spec.instances[0].interfaces)
            self._holders.setdefault(address, {})[router.name] = link

    def holder(self, address: Address, router: str, link: Link) -> str | None:
        """Return the name of another election that holds an address of a link already.

        One on standby is to have the address next: it yields to the one that has it.
        """
        holders = self._holders.get(address, {})
        found = _first(address, link, _others(holders, router))
        if found is not None or router in holders:
            return found
        return _first(address, link, _others(self._heirs.get(address, {}), router))

    def claimant(self, address: Address, link: Link) -> str | None:
        """Return NAMESPACE/NAME of the VirtualIP that has claimed an address in this plan."""
        return _first(address, link, self._claimants.get(address, {}))

    def claim(self, addresses: Iterable[Address], virtual_ip: str, link: Link) -> None:
        """Note that a VirtualIP has these addresses on a link."""
        for address in addresses:
            self._claimants.setdefault(address, {})[virtual_ip] = link


def _others(links: Mapping[str, Link], router: str) -> dict[str, Link]:
    return {name: link for name, link in links.items() if name != router}


def _first(address: Address, link: Link, claims: Mapping[str, Link]) -> str | None:
    """Return who of several claims an address on the same link, as far as is known."""
    for name, other in claims.items():
        if not address.is_link_local or not link.is_apart_from(other):
            return name
    return None


class Locator:
    """Finds the network of an address: as reported, else as it was allocated."""

    def __init__(self, networks: NetworkMap | None, allocated: Iterable[VirtualRouter]) -> None:
        self._networks = networks
        self._remembered: dict[str, str] = {}
        if networks is not None:
            for router in allocated:
                for instance in router.spec.instances:
                    name = networks.current_name(instance.network)
                    self._remembered.update(dict.fromkeys(instance.addresses, name))

    def network_of(self, address: Address) -> str:
        """Return the name of its network; empty in static mode and where it is unknown."""
        if self._networks is None:
            return ""
        return self._networks.network_of(address) or self._remembered.get(str(address), "")

    def scopes(self, addresses: Iterable[Address]) -> set[Scope]:
        """Return the networks and families of addresses.

        A link-local IPv6 address is where the other addresses are.
        """
        everywhere = list(addresses)
        found = {
            (self.network_of(address), family_of(address))
            for address in everywhere
            if not (address.version == 6 and address.is_link_local)
        }
        if any(address.version == 6 and address.is_link_local for address in everywhere):
            networks = sorted(network for network, _family in found) or [""]
            if not any(family is Family.IPV6 for _network, family in found):
                found.add((networks[0], Family.IPV6))
        return found


class VirtualRouterIDs:
    """Which election has a VRID in which network and family.

    A network that is not known yet overlaps with all others.
    """

    def __init__(self, reserved: frozenset[int] = frozenset()) -> None:
        self._reserved = reserved
        self._taken: dict[tuple[Family, int], dict[str, dict[str, tuple[str, ...]]]] = {}
        self._foreign: dict[str, dict[int, set[str]]] = {}

    def take(
        self,
        virtual_router_id: int,
        scopes: Iterable[Scope],
        router: str,
        interfaces: tuple[str, ...] = (),
    ) -> None:
        """Note that an election has a VRID, where nothing else tells links apart on interfaces."""
        for network, family in scopes:
            taken = self._taken.setdefault((family, virtual_router_id), {})
            taken.setdefault(network, {}).setdefault(router, interfaces)

    def hear(self, network: str, virtual_router_id: int, source: str) -> None:
        """Note that a router that is not ours speaks with a VRID in a network."""
        heard = self._foreign.setdefault(network, {}).setdefault(virtual_router_id, set())
        heard.add(canonical(source))

    def user(
        self,
        virtual_router_id: int,
        scopes: Iterable[Scope],
        router: str,
        interfaces: tuple[str, ...] = (),
        leaving: frozenset[str] = frozenset(),
    ) -> str | None:
        """Return the name of another election that has a VRID in any of the scopes.

        Args:
            virtual_router_id: the VRID.
            scopes: where.
            router: the one that asks.
            interfaces: where nothing else tells links apart.
            leaving: elections that will be over before that one runs.
        """
        for network, family in scopes:
            taken = self._taken.get((family, virtual_router_id), {})
            near = taken if network == "" else {each: taken.get(each, {}) for each in (network, "")}
            for users in near.values():
                for other, others in users.items():
                    if (
                        other != router
                        and other not in leaving
                        and not are_apart(interfaces, others)
                    ):
                        return other
        return None

    def stranger(
        self, virtual_router_id: int, scopes: Iterable[Scope], peers: frozenset[str] = frozenset()
    ) -> str | None:
        """Return the address of a stranger who speaks with a VRID in any of the scopes.

        Args:
            virtual_router_id: the VRID.
            scopes: where.
            peers: who shares it and is no stranger, as `canonical` spells it.
        """
        heard = (self._foreign.get(network, {}).get(virtual_router_id) for network, _ in scopes)
        strangers = (source for sources in heard if sources for source in sources - peers)
        return min(strangers, default=None)

    def is_reserved(self, virtual_router_id: int) -> bool:
        """Return whether the operator's settings keep a VRID from being used."""
        return virtual_router_id in self._reserved

    def free(
        self,
        scopes: Iterable[Scope],
        router: str,
        *,
        interfaces: tuple[str, ...] = (),
        avoid: frozenset[int] = frozenset(),
        peers: frozenset[str] = frozenset(),
    ) -> int | None:
        """Return a VRID that nobody has in the scopes: the one of the name, else the next.

        Args:
            scopes: where.
            router: name of the VirtualRouter.
            interfaces: where nothing else tells links apart.
            avoid: VRIDs that are not to be chosen.
            peers: who shares the VRID of the name, if they speak with it. What else they speak
                with is for other addresses.
        """
        wanted = by_name(router)
        scopes = tuple(scopes)
        for offset in range(len(VIRTUAL_ROUTER_IDS)):
            each = 1 + (wanted - 1 + offset) % len(VIRTUAL_ROUTER_IDS)
            if each in self._reserved or each in avoid:
                continue
            sharing = peers if each == wanted else frozenset()
            if self.stranger(each, scopes, sharing) is not None:
                continue
            if self.user(each, scopes, router, interfaces) is None:
                return each
        return None

    def usage(self) -> Mapping[Scope, int]:
        """Return how many VRIDs are used in each network and family."""
        counts: dict[Scope, int] = {}
        for (family, _virtual_router_id), networks in self._taken.items():
            for network in networks:
                counts[(network, family)] = counts.get((network, family), 0) + 1
        return counts


def by_name(router: str) -> int:
    """Return the VRID that follows from the name of a VirtualRouter."""
    return 1 + stable_hash("virtualRouterID", router) % len(VIRTUAL_ROUTER_IDS)
