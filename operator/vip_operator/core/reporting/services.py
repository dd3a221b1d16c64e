"""Which addresses a Service of our load-balancer class shows. Pure.

They are written once a VirtualIP is accepted, stay while it is unbound, and go when it goes. Left
out are those that would take somebody else's traffic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.schema.addresses import normalised
from vip_model.vocabulary import Reason
from vip_operator.core.changes import SetIngress
from vip_operator.core.holders.running import RunningRouter, addresses_of
from vip_operator.core.known.round_inputs import Facts
from vip_operator.core.known.snapshot import ServiceObject
from vip_operator.core.reporting.publication import Publication

LOAD_BALANCER = "LoadBalancer"

# NAMESPACE/NAME of a VirtualIP, or namespace and name of a Service.
_ServiceKey = tuple[str, str]


class ServiceKeeper:
    """Finds what to write to Services of our class, and to no other.

    Args:
        load_balancer_class: spec.loadBalancerClass of the Services that are ours.
    """

    def __init__(self, load_balancer_class: str) -> None:
        self._load_balancer_class = load_balancer_class
        self._publication = Publication()

    def changes(
        self, facts: Facts, elections: Mapping[str, RunningRouter]
    ) -> tuple[SetIngress, ...]:
        """Return what must be written.

        Args:
            facts: what is known.
            elections: what runs for a VirtualIP, by NAMESPACE/NAME of it.
        """
        ours = [each for each in facts.snapshot.services if self._is_ours(each)]
        if not ours:
            return ()
        wishes = _wishes(facts, {key: each.router for key, each in elections.items()})
        self._publication.begin(facts, _bound(elections))
        changes = []
        for service in ours:
            addresses = self._allowed(wishes.ingress(service), service)
            if addresses != service.ingress:
                changes.append(
                    SetIngress(
                        namespace=service.namespace,
                        name=service.name,
                        uid=service.uid,
                        resource_version=service.resource_version,
                        addresses=addresses,
                    )
                )
        return tuple(changes)

    def _allowed(self, addresses: Iterable[str], service: ServiceObject) -> tuple[str, ...]:
        allows = self._publication.allows
        return tuple(one for one in addresses if allows(one, service.ingress))

    def _is_ours(self, service: ServiceObject) -> bool:
        return (
            service.type == LOAD_BALANCER
            and service.load_balancer_class == self._load_balancer_class
            and not service.deleting
        )


@dataclass(frozen=True, slots=True)
class _Wishes:
    """What VirtualIPs want their Services to show.

    Attributes:
        accepted: by Service: name of each accepted VirtualIP that refers to it, and its addresses.
        kept: by namespace: name of each VirtualIP that is refused or cannot be read, and what
            its election still carries.
        spoken_for: by namespace: addresses of accepted VirtualIPs.
    """

    accepted: Mapping[_ServiceKey, list[tuple[str, tuple[str, ...]]]]
    kept: Mapping[str, list[tuple[str, frozenset[str]]]]
    spoken_for: Mapping[str, set[str]]

    def ingress(self, service: ServiceObject) -> tuple[str, ...]:
        """Return what a Service is to show, in order of the VirtualIPs' names."""
        namespace = service.namespace
        shares = list(self.accepted.get((namespace, service.name), ()))
        spoken_for = self.spoken_for.get(namespace, set())
        for name, carried in self.kept.get(namespace, ()):
            # A refused edit changes nothing: what the Service shows of it stays as it is.
            stays = tuple(
                one for one in service.ingress if one in carried and one not in spoken_for
            )
            shares.append((name, stays))
        return tuple(dict.fromkeys(one for _name, share in sorted(shares) for one in share))


def _wishes(facts: Facts, routers: Mapping[str, VirtualRouter]) -> _Wishes:
    judged = {
        status.virtual_ip: status.accepted or status.reason is Reason.MOVING
        for status in facts.plan.statuses
    }
    accepted: dict[_ServiceKey, list[tuple[str, tuple[str, ...]]]] = {}
    kept: dict[str, list[tuple[str, frozenset[str]]]] = {}
    spoken_for: dict[str, set[str]] = {}
    for virtual_ip in facts.snapshot.virtual_ips:
        name, namespace = virtual_ip.metadata.name, virtual_ip.namespace
        if judged.get(virtual_ip.key, False):
            addresses = _addresses(virtual_ip)
            spoken_for.setdefault(namespace, set()).update(addresses)
            reference = virtual_ip.spec.service_ref
            if reference is not None:
                accepted.setdefault((namespace, reference.name), []).append((name, addresses))
        else:
            carried = _carried(virtual_ip.key, routers)
            kept.setdefault(namespace, []).append((name, carried))
    for unreadable in facts.snapshot.unreadable:
        carried = _carried(unreadable.key, routers)
        kept.setdefault(unreadable.namespace, []).append((unreadable.name, carried))
    return _Wishes(accepted, kept, spoken_for)


def _bound(elections: Mapping[str, RunningRouter]) -> frozenset[str]:
    """Return the addresses that somebody holds, be it that the speaker is silent."""
    return frozenset(
        one
        for election in elections.values()
        if election.holding.claims
        for one in _every_address(election.router)
    )


def _addresses(virtual_ip: VirtualIP) -> tuple[str, ...]:
    return tuple(str(address) for address in normalised(virtual_ip.spec.addresses))


def _carried(virtual_ip: str, routers: Mapping[str, VirtualRouter]) -> frozenset[str]:
    router = routers.get(virtual_ip)
    if router is None:
        return frozenset()
    return frozenset(str(one) for one in normalised(addresses_of(router, virtual_ip)))


def _every_address(router: VirtualRouter) -> Iterator[str]:
    addresses: Iterable[str] = (one for each in router.spec.instances for one in each.addresses)
    return (str(address) for address in normalised(tuple(addresses)))
