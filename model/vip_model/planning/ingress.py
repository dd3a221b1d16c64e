"""Which addresses Services of our load-balancer class show, and which are left out. Pure.

They are shown once a VirtualIP is accepted, stay while it is unbound, and go when it goes. What a
Service shows, kube-proxy sends to its pods on every node, whoever has the address in truth. So an
address that no node could ever hold is not shown, nor one that is a node's own; only what is shown
already stays if a VirtualRouter had it before. And kube-proxy forwards only the families that the
Service has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from vip_model.planning.inputs import PlanInputs, Service
from vip_model.planning.networks import NetworkMap
from vip_model.planning.own_addresses import OwnAddresses
from vip_model.planning.planned_status import PlannedStatus
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.schema.addresses import Address, family_of, normalised
from vip_model.schema.errors import Problem
from vip_model.vocabulary import Reason

ServiceKey = tuple[str, str]  # namespace and name


@dataclass(frozen=True, slots=True)
class Ingress:
    """What Services show.

    Attributes:
        addresses: of each Service of our load-balancer class, in the order to be written.
        left_out: what they do not show of a VirtualIP, and why, by NAMESPACE/NAME of it.
    """

    addresses: Mapping[ServiceKey, tuple[str, ...]] = field(default_factory=dict)
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def problems(self) -> Iterator[Problem]:
        """What is left out, as warnings about the VirtualIPs."""
        for key, sentences in self.left_out.items():
            yield from (Problem(f"VirtualIP {key}", "spec.addresses", one) for one in sentences)


@dataclass(frozen=True, slots=True)
class Known:
    """What decides whether an address may be shown.

    Attributes:
        networks: what speakers report.
        own: the addresses that nodes have themselves.
        all_nodes_reported: no report is merely late.
    """

    networks: NetworkMap
    own: OwnAddresses
    all_nodes_reported: bool


def ingress(
    inputs: PlanInputs,
    statuses: Iterable[PlannedStatus],
    routers: Iterable[VirtualRouter],
    known: Known,
) -> Ingress:
    """Return what the Services of our load-balancer class show.

    Args:
        inputs: what the plan follows from.
        statuses: what it says of each VirtualIP.
        routers: its elections.
        known: what decides whether an address may be shown.
    """
    ours = [each for each in inputs.services or () if each.ours]
    if not ours:
        return Ingress()
    wishes = _wishes(inputs, statuses, routers)
    publication = _Publication(known, inputs.allocated or ())
    addresses: dict[ServiceKey, tuple[str, ...]] = {}
    left_out: defaultdict[str, list[str]] = defaultdict(list)
    for service in ours:
        shown: list[str] = []
        for virtual_ip, share in wishes.shares(service):
            hindrances = {one: publication.hindrance(one, service) for one in share}
            shown += [str(one) for one, why in hindrances.items() if why is None]
            left_out[virtual_ip] += _findings(service, hindrances, known)
        addresses[(service.namespace, service.name)] = tuple(dict.fromkeys(shown))
    return Ingress(addresses, {key: tuple(found) for key, found in left_out.items() if found})


@dataclass(frozen=True, slots=True)
class _Hindrance:
    """Why an address is not shown; what may merely be late may pass."""

    why: str
    may_pass: bool = False


class _Publication:
    """Judges addresses."""

    def __init__(self, known: Known, allocated: Sequence[VirtualRouter]) -> None:
        self._known = known
        # A network is the proof that a node once reported a subnet that holds the address.
        self._recorded = frozenset(
            address
            for router in allocated
            for instance in router.spec.instances
            if instance.network
            for address in normalised(instance.addresses)
        )

    def hindrance(self, address: Address, service: Service) -> _Hindrance | None:
        """Return why a Service may not show an address of a VirtualIP that refers to it."""
        family = family_of(address)
        if service.families and family not in service.families:
            return _Hindrance(
                f"it has no {family}; spec.ipFamilyPolicy PreferDualStack gives it both families "
                "where the cluster has them"
            )
        if address.version == 6 and address.is_link_local:
            return _Hindrance("a link-local address means nothing beside its link")
        stays = str(address) in service.shown and address in self._recorded
        owner = self._known.own.nodes.get(address)
        if owner is not None:
            return None if stays else _Hindrance(f"node {owner} has it itself")
        networks = self._known.networks
        if networks.network_of(address) or stays:
            return None
        if str(address) in service.shown and networks.is_empty:
            return None  # all reports are lost, and nothing is known against it
        return _Hindrance("no speaker reports a subnet that holds it", may_pass=True)


def _findings(
    service: Service, hindrances: Mapping[Address, _Hindrance | None], known: Known
) -> Iterator[str]:
    """Yield what a Service does not show of one VirtualIP, one sentence for each reason."""
    hindered: dict[_Hindrance, list[str]] = {}
    for address, hindrance in hindrances.items():
        if hindrance is None or (hindrance.may_pass and not known.all_nodes_reported):
            continue
        hindered.setdefault(hindrance, []).append(str(address))
    for hindrance, addresses in hindered.items():
        those = ", ".join(addresses)
        yield f"Service {service.name} does not show {those}: {hindrance.why}"


@dataclass(frozen=True, slots=True)
class _Wishes:
    """What VirtualIPs want their Services to show.

    Attributes:
        accepted: by Service: each accepted VirtualIP that refers to it, and its addresses.
        kept: by namespace: each VirtualIP that is refused or cannot be read, and what its
            election still carries.
        spoken_for: by namespace: addresses of accepted VirtualIPs.
    """

    accepted: Mapping[ServiceKey, list[tuple[str, tuple[Address, ...]]]]
    kept: Mapping[str, list[tuple[str, frozenset[Address]]]]
    spoken_for: Mapping[str, set[Address]]

    def shares(self, service: Service) -> list[tuple[str, tuple[Address, ...]]]:
        """Return NAMESPACE/NAME and addresses of what a Service is to show, by name."""
        namespace = service.namespace
        found = list(self.accepted.get((namespace, service.name), ()))
        spoken_for = self.spoken_for.get(namespace, set())
        shown = normalised(service.shown)
        for name, carried in self.kept.get(namespace, ()):
            # A refused edit changes nothing: what the Service shows of it stays as it is.
            stays = (one for one in shown if one in carried and one not in spoken_for)
            found.append((name, tuple(stays)))
        return sorted(found, key=lambda share: share[0])


def _wishes(
    inputs: PlanInputs, statuses: Iterable[PlannedStatus], routers: Iterable[VirtualRouter]
) -> _Wishes:
    judged = {each.virtual_ip: each.accepted or each.reason is Reason.MOVING for each in statuses}
    running = {
        owner.key: router
        for router in routers
        if not router.spec.retired and not router.spec.standby
        for owner in router.spec.owners
    }
    accepted: defaultdict[ServiceKey, list[tuple[str, tuple[Address, ...]]]] = defaultdict(list)
    spoken_for: defaultdict[str, set[Address]] = defaultdict(set)
    kept: defaultdict[str, list[tuple[str, frozenset[Address]]]] = defaultdict(list)
    for virtual_ip in inputs.virtual_ips:
        if judged.get(virtual_ip.key, False):
            addresses = normalised(virtual_ip.spec.addresses)
            spoken_for[virtual_ip.namespace].update(addresses)
            for name in _services_of(virtual_ip):
                accepted[(virtual_ip.namespace, name)].append((virtual_ip.key, addresses))
        else:
            carried = _carried(virtual_ip.key, running)
            kept[virtual_ip.namespace].append((virtual_ip.key, carried))
    for key in inputs.unreadable:
        kept[key.partition("/")[0]].append((key, _carried(key, running)))
    return _Wishes(accepted, kept, spoken_for)


def _services_of(virtual_ip: VirtualIP) -> tuple[str, ...]:
    reference = virtual_ip.spec.service_ref
    return () if reference is None else (reference.name,)


def _carried(virtual_ip: str, running: Mapping[str, VirtualRouter]) -> frozenset[Address]:
    router = running.get(virtual_ip)
    return frozenset() if router is None else frozenset(normalised(router.addresses_of(virtual_ip)))
