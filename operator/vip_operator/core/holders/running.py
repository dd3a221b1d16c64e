"""How every election stands in a round: who holds it, and how its candidates are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface

from vip_model.planning.plan import Plan
from vip_model.resources.speaker import ReportedInterface
from vip_model.resources.virtual_ip import CandidatesSummary, RouterSummary
from vip_model.resources.virtual_router import RouterInstance, VirtualRouter
from vip_operator.core.holders.candidate_states import Situation, situations, summary
from vip_operator.core.holders.earlier import Told
from vip_operator.core.holders.holder import ClaimKeeper, Holding
from vip_operator.core.holders.progress import LagKeeper
from vip_operator.core.holders.vacancies import VacancyKeeper
from vip_operator.core.known.round_inputs import Facts
from vip_operator.core.known.speaker_reports import Reports


@dataclass(frozen=True, slots=True)
class RunningRouter:
    """One election in one round.

    Attributes:
        router: as planned.
        holding: who holds it.
        situations: its candidates, in order of the slots.
        routers: its virtual routers, for the status.
        candidates: its candidates, for the status.
    """

    router: VirtualRouter
    holding: Holding
    situations: tuple[Situation, ...]
    routers: tuple[RouterSummary, ...]
    candidates: CandidatesSummary

    def routers_of(self, virtual_ip: str) -> tuple[RouterSummary, ...]:
        """Return those that carry an address of a VirtualIP; all where it is not known which."""
        own = set(self.router.addresses_of(virtual_ip))
        pairs = zip(self.router.spec.instances, self.routers, strict=True)
        found = tuple(one for instance, one in pairs if not own.isdisjoint(instance.addresses))
        return found or self.routers


class RunningKeeper:
    """Looks at all elections; remembers what only time tells."""

    def __init__(self) -> None:
        self._claims = ClaimKeeper()
        self._vacancies = VacancyKeeper()
        self._lags = LagKeeper()

    def round(
        self, facts: Facts, reports: Reports, told: Told
    ) -> tuple[dict[str, RunningRouter], int | None]:
        """Return the elections by name, and when one changes by time alone (monotonic, ns)."""
        routers = list(in_service(facts.plan))
        revisions = {
            each.name: each.spec.revision
            for each in facts.snapshot.virtual_routers
            if not each.spec.retired
        }
        now_ns = facts.now.monotonic_ns
        holdings = self._holdings(routers, facts, reports, told)
        self._lags.begin()
        found = {}
        for router in routers:
            progress = self._lags.progress(
                router.name,
                revisions.get(router.name),
                [each.node for each in router.spec.candidates],
                facts.heartbeats,
                now_ns,
                told_stalled=router.name in told.stalled,
            )
            candidates = situations(router, reports, progress)
            holding = holdings[router.name]
            found[router.name] = RunningRouter(
                router=router,
                holding=holding,
                situations=candidates,
                routers=_router_summaries(router, holding, reports),
                candidates=summary(candidates),
            )
        dues = (self._lags.end(), self._vacancies.due_ns)
        return found, min((due for due in dues if due is not None), default=None)

    def _holdings(
        self, routers: Sequence[VirtualRouter], facts: Facts, reports: Reports, told: Told
    ) -> dict[str, Holding]:
        now_ns = facts.now.monotonic_ns
        self._claims.begin(told.holders, told.contested)
        self._vacancies.begin(told.claimed)
        claimed = self._claims.judge(routers, reports, facts.heartbeats, now_ns)
        return self._vacancies.judge(
            routers, claimed, reports.interfaces.keys(), facts.heartbeats, now_ns
        )


def in_service(plan: Plan) -> Iterable[VirtualRouter]:
    """Return the elections that are neither given up nor waiting for another one to be."""
    return (
        router
        for router in plan.virtual_routers
        if not router.spec.retired and not router.spec.standby
    )


def by_owner(routers: Iterable[VirtualRouter]) -> dict[str, VirtualRouter]:
    """Return the election of each VirtualIP that has one, by NAMESPACE/NAME of it."""
    return {owner.key: router for router in routers for owner in router.spec.owners}


def _router_summaries(
    router: VirtualRouter, holding: Holding, reports: Reports
) -> tuple[RouterSummary, ...]:
    holder = holding.holder
    interfaces = reports.interfaces.get(holding.node, ())
    return tuple(
        RouterSummary(
            name=router.name,
            family=instance.family,
            interface=_interface(router, instance, holding.node, interfaces),
            virtual_router_id=instance.virtual_router_id,
            active_node=holding.node,
            active_since=holder.since if holder is not None else "",
        )
        for instance in router.spec.instances
    )


def _interface(
    router: VirtualRouter,
    instance: RouterInstance,
    node: str,
    interfaces: Iterable[ReportedInterface],
) -> str:
    """Return the interface at the holder; empty where it is not known.

    The planned source of adverts names it, unless the node has several of this family.
    """
    planned = _planned_interfaces(router, instance, node)
    if len(planned) == 1:
        return planned[0]
    for interface in interfaces:
        if (not planned or interface.name in planned) and _has_one_of(interface, instance):
            return interface.name
    return planned[0] if planned else ""


def _planned_interfaces(
    router: VirtualRouter, instance: RouterInstance, node: str
) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(
            source.interface
            for candidate in router.spec.candidates
            if candidate.node == node
            for source in candidate.sources
            if source.family is instance.family and source.interface
        )
    )


def _has_one_of(interface: ReportedInterface, instance: RouterInstance) -> bool:
    """Return whether an address of the instance is in a subnet of the interface."""
    addresses = [ip_address(text) for text in instance.addresses]
    networks = [network for text in interface.subnets if (network := _network(text)) is not None]
    return any(address in network for address in addresses for network in networks)


def _network(subnet: str) -> IPv4Network | IPv6Network | None:
    """Return a reported subnet; None for what a speaker of another version may write instead."""
    try:
        return ip_interface(subnet).network
    except ValueError:
        return None
