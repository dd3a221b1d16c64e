"""Whether a VirtualIP can be part of the plan, given what others have. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from vip_model.planning import failing
from vip_model.planning.backends import service_gates
from vip_model.planning.claims import (
    VIRTUAL_ROUTER_IDS,
    AddressClaims,
    Locator,
    Scope,
    VirtualRouterIDs,
)
from vip_model.planning.claims import by_name as virtual_router_id_by_name
from vip_model.planning.drafts import Draft, disagreements, display_name
from vip_model.planning.endings import Endings
from vip_model.planning.gate_hosts import asking_the_holder
from vip_model.planning.immutable import immutable_findings
from vip_model.planning.inputs import AddressPolicy, PlanInputs
from vip_model.planning.links import Link
from vip_model.planning.own_addresses import OwnAddresses
from vip_model.planning.pools import PoolBook
from vip_model.planning.sharing import (
    gate_names,
    too_many_addresses,
    too_many_gates,
    too_many_owners,
)
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import MOST_INSTANCES, VirtualRouter
from vip_model.schema import support, validation
from vip_model.schema.addresses import Address, normalised
from vip_model.schema.limits import Finding
from vip_model.schema.owner import false_claims, owner_of
from vip_model.vocabulary import Reason

_VRID_FIELD = "spec.vrrp.virtualRouterID"

Verdict = tuple[Reason, list[Finding]]


@dataclass(slots=True)
class Claims:
    """What is taken so far.

    Attributes:
        addresses: addresses.
        locator: networks of addresses.
        virtual_router_ids: VRIDs.
        own: addresses that nodes have themselves.
        sizes: how many addresses each instance has: by name of its VirtualRouter, by scope.
        wished: VRIDs that VirtualIPs of this plan ask for; not to be suggested to others.
    """

    addresses: AddressClaims
    locator: Locator
    virtual_router_ids: VirtualRouterIDs
    own: OwnAddresses
    sizes: dict[str, Counter[Scope]] = field(default_factory=dict)
    wished: frozenset[int] = frozenset()


class Judge:
    """Judges VirtualIPs one after the other; those that came first have the first choice."""

    def __init__(self, inputs: PlanInputs, claims: Claims, endings: Endings) -> None:
        self._inputs = inputs
        self._unheard = endings.unheard(inputs.allocated or ())
        self._claims = claims
        self._pools = PoolBook(() if inputs.static else inputs.pools)
        self._nodes_own = claims.own.nodes
        self._reporting = frozenset(speaker.node for speaker in inputs.speakers or ())
        wanted = {virtual_ip.router_name for virtual_ip in inputs.virtual_ips}
        self._leaving = frozenset(
            router.name
            for router in inputs.allocated or ()
            if router.spec.retired or router.name not in wanted
        )
        self._owners = {
            router.name: {each.key for each in router.spec.owners}
            for router in inputs.allocated or ()
        }
        self._left_behind: dict[str, list[str]] = {}
        for name, owners in self._owners.items():
            for owner in owners if name not in wanted else ():
                self._left_behind.setdefault(owner, []).append(name)
        self._releasing = {
            router.name: frozenset(normalised(router.spec.releasing)) - _held(router)
            for router in inputs.allocated or ()
        }

    @property
    def pools(self) -> PoolBook:
        """The pools as they were understood."""
        return self._pools

    def judge(self, virtual_ip: VirtualIP, draft: Draft) -> Verdict | None:
        """Return why a VirtualIP is refused; None where it is accepted.

        One that is accepted, or only has to wait for another election, has its claims then.
        """
        invalid = validation.findings(virtual_ip) + list(self._static_findings(virtual_ip))
        unbuilt = list(support.unsupported(virtual_ip, self._inputs.supported_gates))
        if invalid:
            return Reason.INVALID, invalid + unbuilt
        if unbuilt:
            return Reason.NOT_SUPPORTED, unbuilt
        addresses = normalised(virtual_ip.spec.addresses)
        scopes = self._claims.locator.scopes(addresses)
        virtual_router_id = self._wanted(virtual_ip, draft)
        moving = list(self._moving_findings(virtual_ip, draft))
        moving = moving or list(self._left_findings(virtual_ip, draft, virtual_router_id, scopes))
        checks: tuple[tuple[Reason, Iterable[Finding]], ...] = (
            (Reason.NOT_IN_POOL, self._pool_findings(virtual_ip, draft)),
            (Reason.IMMUTABLE, immutable_findings(virtual_ip, draft)),
            (Reason.GROUP_MISMATCH, disagreements(virtual_ip, draft)),
            (Reason.INVALID, asking_the_holder(virtual_ip, draft.sharing)),
            (Reason.INVALID, false_claims(virtual_ip, self._nodes_own, self._reporting)),
            (Reason.ADDRESS_IN_USE, self._address_findings(virtual_ip, draft, moving=bool(moving))),
            (Reason.INVALID, self._room_findings(virtual_ip, draft, addresses)),
            (
                Reason.VIRTUAL_ROUTER_ID_IN_USE,
                self._virtual_router_id_findings(virtual_ip, draft, virtual_router_id, scopes),
            ),
        )
        for reason, findings in checks:
            found = list(findings)
            if found:
                return reason, found
        self._claim(virtual_ip, draft, virtual_router_id, scopes)
        return (Reason.MOVING, moving) if moving else None

    def _claim(
        self, virtual_ip: VirtualIP, draft: Draft, virtual_router_id: int | None, scopes: set[Scope]
    ) -> None:
        addresses = normalised(virtual_ip.spec.addresses)
        self._claims.addresses.claim(addresses, virtual_ip.key, self._link(virtual_ip))
        self._claims.sizes.setdefault(draft.name, Counter()).update(self._sizes(addresses))
        if virtual_router_id is not None:
            draft.virtual_router_id = virtual_router_id
            interfaces = self._interfaces(virtual_ip)
            self._claims.virtual_router_ids.take(virtual_router_id, scopes, draft.name, interfaces)

    def _wanted(self, virtual_ip: VirtualIP, draft: Draft) -> int | None:
        """Return the VRID that is written, was allocated, or follows from the name."""
        return wanted_virtual_router_id(virtual_ip, draft.allocated, static=self._inputs.static)

    def _static_findings(self, virtual_ip: VirtualIP) -> Iterator[Finding]:
        placement = virtual_ip.spec.placement
        if self._inputs.static and self._inputs.nodes is None and placement.node_selector:
            yield (
                "spec.placement.nodeSelector",
                (
                    "labels of nodes are not known here: add Node documents with labels, "
                    "or name the nodes in preferredNodes"
                ),
            )

    def _pool_findings(self, virtual_ip: VirtualIP, draft: Draft) -> Iterator[Finding]:
        if self._inputs.static:
            return
        if self._inputs.settings.address_policy is not AddressPolicy.POOLS_ONLY:
            return
        serving = _held(draft.running)
        for number, address in enumerate(normalised(virtual_ip.spec.addresses)):
            if address in serving or self._pools.allows(address, virtual_ip.namespace):
                continue
            yield (
                f"spec.addresses[{number}]",
                (
                    f"{address} is in no VirtualIPPool that namespace {virtual_ip.namespace} may "
                    "use: choose one that is, or ask for a pool"
                ),
            )

    def _moving_findings(self, virtual_ip: VirtualIP, draft: Draft) -> Iterator[Finding]:
        """Yield the addresses that it takes along, or that another election lets go of.

        Nobody may hold an address for two elections at a time.
        """
        addresses = normalised(virtual_ip.spec.addresses)
        link = self._link(virtual_ip)
        holders = {
            each: self._claims.addresses.holder(each, draft.name, link) for each in addresses
        }
        held = {address: name for address, name in holders.items() if name is not None}
        if not all(
            virtual_ip.key in self._owners[name] or address in self._releasing[name]
            for address, name in held.items()
        ):
            return
        for number, address in enumerate(addresses):
            if address in held:
                yield f"spec.addresses[{number}]", f"{address} {self._let_go_by(held[address])}"

    def _left_findings(
        self, virtual_ip: VirtualIP, draft: Draft, wanted: int | None, scopes: set[Scope]
    ) -> Iterator[Finding]:
        """Yield that only the election that it leaves still has the VRID that is written."""
        left = self._left_behind.get(virtual_ip.key)
        if wanted is None or not left:
            return
        ids, interfaces = self._claims.virtual_router_ids, self._interfaces(virtual_ip)
        user = ids.user(wanted, scopes, draft.name, interfaces)
        if user in left:
            yield _VRID_FIELD, f"{wanted} {self._let_go_by(user)}"

    def _address_findings(
        self, virtual_ip: VirtualIP, draft: Draft, *, moving: bool
    ) -> Iterator[Finding]:
        held, link = _held(draft.running), self._link(virtual_ip)
        owner = owner_of(virtual_ip.spec.placement)
        for number, address in enumerate(normalised(virtual_ip.spec.addresses)):
            path = f"spec.addresses[{number}]"
            node = self._nodes_own.get(address)
            if node is not None and address not in held and node != owner:
                yield path, f"{address} is an address of node {node} itself: choose another"
                continue
            holder = None
            if not moving:
                holder = self._claims.addresses.holder(address, draft.name, link)
            claimant = self._claims.addresses.claimant(address, link)
            if holder is not None:
                yield path, f"{address} {self._held_by(holder)}"
            elif claimant is not None:
                also = " or name different vrrp.interfaces" if address.is_link_local else ""
                text = f"{address} is an address of {claimant} too: remove it from one of them"
                yield path, f"{text}{also}"

    def _held_by(self, router: str) -> str:
        if router in self._leaving:
            return self._let_go_by(router)
        return f"belongs to {display_name(router)}: remove it there first, or choose another"

    def _let_go_by(self, router: str) -> str:
        text = f"is still being released by {display_name(router)}"
        unheard = ", ".join(sorted(self._unheard.get(router, ())))
        if not unheard:
            return f"{text}: it is free in a moment"
        return f"{text}: it is free once {unheard}, not heard now, is back or known to have ended"

    def _room_findings(
        self, virtual_ip: VirtualIP, draft: Draft, addresses: tuple[Address, ...]
    ) -> Iterator[Finding]:
        """Yield why all that shares the election does not fit into it."""
        there = self._claims.sizes.get(draft.name, Counter())
        new = self._sizes(addresses)
        for scope, count in new.items():
            yield from too_many_addresses(draft, scope[1], there[scope] + count)
        yield from self._degradation_findings(virtual_ip, draft, len(there.keys() | new.keys()))
        if self._inputs.static:
            return  # the other limits are those of what the API server stores
        if len(there.keys() | new.keys()) > MOST_INSTANCES:
            yield from self._instance_findings(draft, addresses)
        yield from too_many_owners(draft, len(draft.sharing) + 1)
        gates = gate_names(virtual_ip)
        if gates:
            gates.update(*(gate_names(each) for each in draft.sharing))
            yield from too_many_gates(draft, len(gates))

    def _degradation_findings(
        self, virtual_ip: VirtualIP, draft: Draft, instances: int
    ) -> Iterator[Finding]:
        """Yield why the costs that are written leave too few priorities to failing nodes."""
        sharing = (*draft.sharing, virtual_ip)
        static = self._inputs.static
        gates = {gate.name: gate for each in sharing for gate in each.spec.gates}
        if virtual_ip.spec.vrrp.additional_peers or not failing.writes_costs(gates.values()):
            return
        if not static:
            gates |= {gate.name: gate for gate in service_gates(sharing)}
        yield from failing.too_many(
            display_name(draft.name),
            failing.degradations(gates.values(), instances, static=static),
            virtual_ip.spec,
            drawn=static and self._inputs.nodes is None,
        )

    def _instance_findings(self, draft: Draft, addresses: tuple[Address, ...]) -> Iterator[Finding]:
        others = (one for each in draft.sharing for one in normalised(each.spec.addresses))
        count = len(self._claims.locator.scopes([*others, *addresses]))
        if count > MOST_INSTANCES:
            yield (
                "spec.addresses",
                (
                    f"{display_name(draft.name)} would have addresses in {count} networks, and "
                    f"{MOST_INSTANCES} can share an election: make a VirtualIP of its own of some"
                ),
            )

    def _sizes(self, addresses: Iterable[Address]) -> Counter[Scope]:
        locator = self._claims.locator
        return Counter(scope for each in addresses for scope in locator.scopes([each]))

    def _virtual_router_id_findings(
        self, virtual_ip: VirtualIP, draft: Draft, wanted: int | None, scopes: set[Scope]
    ) -> Iterator[Finding]:
        if wanted is None:
            return
        written = virtual_ip.spec.vrrp.virtual_router_id is not None
        virtual_router_ids = self._claims.virtual_router_ids
        interfaces = self._interfaces(virtual_ip)
        left = frozenset(self._left_behind.get(virtual_ip.key, ()))
        user = virtual_router_ids.user(wanted, scopes, draft.name, interfaces, left)
        if user is not None:
            taken = f"is taken by {display_name(user)}"
        elif written and virtual_router_ids.is_reserved(wanted):
            taken = "is reserved by the operator's settings"
        else:
            return
        suggestion = self._suggest(draft, scopes, interfaces)
        if suggestion is None:
            yield _VRID_FIELD, f"{wanted} {taken}, and no other is free: share one in a `group`"
        elif written:
            line = f"`virtualRouterID: {suggestion}`"
            yield _VRID_FIELD, f"{wanted} {taken}: write another, such as {line}"
        else:
            yield (
                _VRID_FIELD,
                (
                    f"{wanted}, which follows from the name, {taken}: "
                    f"add the line `virtualRouterID: {suggestion}` to spec.vrrp"
                ),
            )

    def _suggest(self, draft: Draft, scopes: set[Scope], interfaces: tuple[str, ...]) -> int | None:
        free = self._claims.virtual_router_ids.free
        unwished = free(scopes, draft.name, interfaces=interfaces, avoid=self._claims.wished)
        return unwished or free(scopes, draft.name, interfaces=interfaces)

    def _link(self, virtual_ip: VirtualIP) -> Link:
        """Return where the addresses are to be, as far as it is known."""
        addresses = normalised(virtual_ip.spec.addresses)
        networks = {network for network, _family in self._claims.locator.scopes(addresses)}
        known = frozenset() if "" in networks else frozenset(networks)
        return Link(known, virtual_ip.spec.vrrp.interfaces)

    def _interfaces(self, virtual_ip: VirtualIP) -> tuple[str, ...]:
        """Return what tells links apart for a VRID: names of interfaces, where networks do not."""
        return virtual_ip.spec.vrrp.interfaces if self._inputs.static else ()


def wanted_virtual_router_id(
    virtual_ip: VirtualIP, allocated: VirtualRouter | None, *, static: bool
) -> int | None:
    """Return the VRID that is written, was allocated, or in static mode follows from the name.

    None where the operator is to choose one.
    """
    written = virtual_ip.spec.vrrp.virtual_router_id
    if written is not None:
        return written
    if allocated is not None:
        return allocated.spec.instances[0].virtual_router_id
    return virtual_router_id_by_name(virtual_ip.router_name) if static else None


def remembered_virtual_router_id(virtual_ip: VirtualIP) -> int | None:
    """Return the VRID that the status shows for the election that the VirtualIP belongs to.

    The status is no record of what was allocated. But where the record itself is lost, nodes
    still run what the status shows, and another VRID would be a second election beside it.
    """
    for router in virtual_ip.status.routers:
        if router.name == virtual_ip.router_name and router.virtual_router_id in VIRTUAL_ROUTER_IDS:
            return router.virtual_router_id
    return None


def _held(router: VirtualRouter | None) -> frozenset[Address]:
    if router is None:
        return frozenset()
    return frozenset(normalised(router.addresses))
