"""The plan: from VirtualIPs and what is known of the nodes to VirtualRouters. Pure.

Who calls what:

- the operator: `plan(PlanInputs(...))` with speakers and with what was allocated before;
- an agent in static mode: `static.plan_documents(documents, ...)`, which parses,
  plans, and says whether the set may be used or the last good one stays;
- an agent in either mode, for each VirtualRouter: `rank.place_of(router, node)` gives slot,
  priority and whether the slot was drawn by hash, None where the node is no candidate;
  `rank.sources_of(router, instance)` gives the addresses whose adverts count, None where anyone
  on the link may speak. `router.name` and `router.display_name`,
  `router.spec.timing`, `.preemption`, `.health_bands`, `.checksum`, `.generate_link_local`,
  `.bootstrap`, `.instances` and `.gates` are what the engine needs besides. A gate whose `kind`
  is in `vip_model.resources.gate.CLUSTER_GATE_KINDS` is NotApplicable in static mode.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from vip_model.planning import advice
from vip_model.planning.backends import Backends
from vip_model.planning.claims import AddressClaims, Locator, Scope, VirtualRouterIDs
from vip_model.planning.contests import Site
from vip_model.planning.drafts import Draft, Ledger, gather, in_order
from vip_model.planning.elections import Election, elect
from vip_model.planning.endings import Endings
from vip_model.planning.gate_hosts import asking_one_place
from vip_model.planning.ingress import Ingress, Known, ServiceKey, ingress
from vip_model.planning.inputs import PlanInputs
from vip_model.planning.judge import (
    Claims,
    Judge,
    remembered_virtual_router_id,
    wanted_virtual_router_id,
)
from vip_model.planning.networks import NetworkMap
from vip_model.planning.own_addresses import own_addresses
from vip_model.planning.planned_status import PlannedStatus
from vip_model.planning.sharing import kept_elections, note_what_stays, what_stays
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.schema.addresses import canonical, normalised
from vip_model.schema.errors import Problem
from vip_model.vocabulary import Reason


@dataclass(frozen=True, slots=True)
class Plan:
    """Who gets what, and why.

    Attributes:
        virtual_routers: every election, those that are retired included, by name. Revisions are
            those that were allocated, 0 for a new one: the writer raises them.
        statuses: what is said of each VirtualIP, in the order given.
        warnings: what does not hinder but should be known.
        deletable: names of those that are retired, and that no node runs any more.
        awaited: by name of those that are retired, stand by or let go of addresses: nodes that
            have not applied that.
        ingress: the addresses that each Service of our load-balancer class is to show.
        not_shown: NAMESPACE/NAME of a VirtualIP to what its Services do not show, and why.
        virtual_router_ids_used: how many of the 255 VRIDs of each network and family are taken.
    """

    virtual_routers: tuple[VirtualRouter, ...]
    statuses: tuple[PlannedStatus, ...]
    warnings: tuple[Problem, ...]
    deletable: frozenset[str]
    virtual_router_ids_used: Mapping[Scope, int]
    ingress: Mapping[ServiceKey, tuple[str, ...]] = field(default_factory=dict)
    not_shown: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    awaited: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def refusals(self) -> tuple[PlannedStatus, ...]:
        """The VirtualIPs that are refused."""
        return tuple(status for status in self.statuses if not status.accepted)


def plan(inputs: PlanInputs) -> Plan:
    """Return the elections that follow from the inputs.

    A VirtualIP that is refused changes nothing: what was allocated for it stays. An election
    whose VirtualIPs are all gone is retired and keeps VRID and addresses.
    """
    networks = None if inputs.static else NetworkMap(inputs.speakers or ())
    endings = Endings(inputs.liveness, networks)
    inputs = replace(inputs, allocated=_allocated(inputs, endings), remembered=())
    allocated = {router.name: router for router in inputs.allocated or ()}
    drafts = gather(inputs, allocated)
    claims = _claims(inputs, drafts, networks, endings)
    ledger = Ledger(inputs.virtual_ips)
    _judge_all(inputs, drafts, claims, ledger, endings)
    _choose_virtual_router_ids(drafts.values(), claims, ledger)
    note_what_stays(inputs, drafts, ledger, claims.locator, endings)
    site = _site(inputs, networks, claims.locator, endings)
    routers: dict[str, VirtualRouter] = {}
    for draft in drafts.values():
        if draft.members:
            election = elect(draft, site)
            routers[draft.name] = election.router
            _advise(election, site, claims, ledger)
        elif draft.running is not None and draft.staying:
            routers[draft.name] = what_stays(draft.running, draft, endings)
    has_candidates = {
        name: bool(router.spec.candidates) for name, router in routers.items() if not inputs.static
    }
    routers |= {
        name: endings.retire(router) for name, router in allocated.items() if name not in routers
    }
    statuses = ledger.statuses(has_candidates, kept_elections(inputs.virtual_ips, drafts))
    services = _ingress(inputs, statuses, routers.values(), networks, claims)
    return Plan(
        virtual_routers=tuple(routers[name] for name in sorted(routers)),
        statuses=statuses,
        warnings=(*ledger.warnings, *services.problems),
        deletable=frozenset(
            name
            for name, router in allocated.items()
            if routers[name].spec.retired and endings.is_over(router)
        ),
        virtual_router_ids_used=claims.virtual_router_ids.usage(),
        ingress=services.addresses,
        not_shown=services.left_out,
        awaited={
            name: endings.awaited(router)
            for name, router in allocated.items()
            if router.spec.retired or router.spec.standby or router.spec.releasing
        },
    )


def _ingress(
    inputs: PlanInputs,
    statuses: Iterable[PlannedStatus],
    routers: Iterable[VirtualRouter],
    networks: NetworkMap | None,
    claims: Claims,
) -> Ingress:
    if networks is None:
        return Ingress()
    reported = inputs.settings.all_nodes_reported
    known = Known(networks, claims.own, all_nodes_reported=reported)
    return ingress(inputs, statuses, routers, known)


def _allocated(inputs: PlanInputs, endings: Endings) -> tuple[VirtualRouter, ...] | None:
    """Return what was allocated: what vanished is, unless it was retired and is over."""
    if inputs.allocated is None:
        return None
    there = {router.name for router in inputs.allocated}
    vanished = (
        router
        for router in inputs.remembered
        if router.name not in there and not endings.is_over(router)
    )
    return (*inputs.allocated, *vanished)


def _claims(
    inputs: PlanInputs,
    drafts: Mapping[str, Draft],
    networks: NetworkMap | None,
    endings: Endings,
) -> Claims:
    """Return what is taken before any VirtualIP is looked at."""
    allocated = inputs.allocated or ()
    locator = Locator(networks, allocated)
    virtual_router_ids = VirtualRouterIDs(inputs.settings.reserved_virtual_router_ids)
    for router in allocated:
        for instance in router.spec.instances if not endings.is_over(router) else ():
            network = networks.current_name(instance.network) if networks else ""
            scope = (network, instance.family)
            virtual_router_ids.take(instance.virtual_router_id, [scope], router.name)
    if not inputs.static:
        _restore(inputs.virtual_ips, drafts, locator, virtual_router_ids)
    for speaker in inputs.speakers or ():
        for stranger in speaker.status.foreign:
            if networks is not None:
                network = networks.network_of_interface(speaker.node, stranger.interface)
                virtual_router_ids.hear(network, stranger.virtual_router_id, stranger.source)
    wished = (
        wanted_virtual_router_id(each, drafts[each.router_name].allocated, static=inputs.static)
        for each in inputs.virtual_ips
    )
    return Claims(
        addresses=AddressClaims(endings.holding(allocated)),
        locator=locator,
        virtual_router_ids=virtual_router_ids,
        own=own_addresses(inputs.speakers or (), inputs.nodes or ()),
        wished=frozenset(each for each in wished if each is not None),
    )


def _restore(
    virtual_ips: Iterable[VirtualIP],
    drafts: Mapping[str, Draft],
    locator: Locator,
    virtual_router_ids: VirtualRouterIDs,
) -> None:
    """Give elections whose VirtualRouter is lost the VRID that nodes still run, if it is free."""
    for virtual_ip in virtual_ips:
        draft = drafts[virtual_ip.router_name]
        remembered = remembered_virtual_router_id(virtual_ip)
        if remembered is None or draft.allocated is not None or draft.remembered_virtual_router_id:
            continue
        scopes = locator.scopes(normalised(virtual_ip.spec.addresses))
        if virtual_router_ids.user(remembered, scopes, draft.name) is None:
            virtual_router_ids.take(remembered, scopes, draft.name)
            draft.remembered_virtual_router_id = remembered


def _judge_all(
    inputs: PlanInputs,
    drafts: Mapping[str, Draft],
    claims: Claims,
    ledger: Ledger,
    endings: Endings,
) -> None:
    judge = Judge(inputs, claims, endings)
    ledger.warnings += judge.pools.problems
    for virtual_ip in in_order(inputs, drafts):
        draft = drafts[virtual_ip.router_name]
        verdict = judge.judge(virtual_ip, draft)
        if verdict is None:
            draft.members.append(virtual_ip)
            continue
        ledger.refuse(virtual_ip, *verdict)
        is_moving = ledger.is_moving(virtual_ip)
        (draft.moving if is_moving else draft.refused).append(virtual_ip)
    for draft in drafts.values():
        draft.stand_by()


def _choose_virtual_router_ids(drafts: Iterable[Draft], claims: Claims, ledger: Ledger) -> None:
    """Give a VRID to each election that has none yet, written and allocated ones being taken."""
    for draft in drafts:
        if not draft.members or draft.virtual_router_id is not None:
            continue
        addresses = [one for each in draft.members for one in normalised(each.spec.addresses)]
        scopes = claims.locator.scopes(addresses)
        draft.virtual_router_id = draft.remembered_virtual_router_id
        if draft.virtual_router_id is None:
            peers = frozenset(map(canonical, draft.members[0].spec.vrrp.additional_peers))
            draft.virtual_router_id = claims.virtual_router_ids.free(
                scopes, draft.name, peers=peers
            )
        if draft.virtual_router_id is not None:
            claims.virtual_router_ids.take(draft.virtual_router_id, scopes, draft.name)
            continue
        text = (
            "all 255 virtual router IDs of the network are taken, reserved or used by others: "
            "let VirtualIPs of one namespace share one with `group`"
        )
        for virtual_ip in draft.members:
            finding = ("spec.vrrp.virtualRouterID", text)
            ledger.refuse(virtual_ip, Reason.VIRTUAL_ROUTER_IDS_EXHAUSTED, [finding])
        draft.refused += draft.members
        draft.members.clear()


def _site(
    inputs: PlanInputs, networks: NetworkMap | None, locator: Locator, endings: Endings
) -> Site:
    active: dict[str, set[str]] = {}
    for speaker in inputs.speakers or ():
        for each in speaker.status.active:
            active.setdefault(each.router, set()).add(speaker.node)
    return Site(
        inputs=inputs,
        networks=networks,
        locator=locator,
        backends=Backends(inputs),
        nodes=None if inputs.nodes is None else {node.name: node for node in inputs.nodes},
        active={router: frozenset(nodes) for router, nodes in active.items()},
        endings=endings,
    )


def _advise(election: Election, site: Site, claims: Claims, ledger: Ledger) -> None:
    first = election.draft.members[0]
    findings = [*advice.for_election(election), *advice.for_priorities(first)]
    if not site.inputs.static:
        findings += _stranger(election.router, claims)
    elif site.nodes is not None:
        findings += advice.for_documents(election)
    for path, text in findings:
        ledger.warn(first, path, text)
    for virtual_ip in election.draft.members:
        for path, text in (
            *advice.for_gates(virtual_ip),
            *advice.for_hidden_pods(virtual_ip, site.inputs.hidden_pods),
            *asking_one_place(virtual_ip),
        ):
            ledger.warn(virtual_ip, path, text)
        if site.inputs.static:
            for path, text in advice.for_static_mode(virtual_ip):
                ledger.warn(virtual_ip, path, text)
        else:
            for path, text in advice.for_own_addresses(virtual_ip, claims.own):
                ledger.warn(virtual_ip, path, text)
        missing = site.backends.missing_service(virtual_ip)
        if missing is not None:
            text = f"there is no Service {missing} in the namespace: create it"
            ledger.warn(virtual_ip, "spec.serviceRef.name", text)
        for name in site.backends.nameless_endpoints(virtual_ip):
            text = (
                f"Service {name} has ready endpoints without nodeName, which count on no node with "
                f"externalTrafficPolicy Local ({Reason.ENDPOINT_NAMES_NO_NODE}): write nodeName "
                "into its EndpointSlices, or set the policy to Cluster"
            )
            ledger.warn(virtual_ip, "spec", text)


def _stranger(router: VirtualRouter, claims: Claims) -> list[tuple[str, str]]:
    virtual_router_id = router.spec.instances[0].virtual_router_id
    scopes = [(each.network, each.family) for each in router.spec.instances]
    peers = frozenset(router.spec.additional_peers)
    source = claims.virtual_router_ids.stranger(virtual_router_id, scopes, peers)
    if source is None:
        return []
    text = (
        f"{source}, which is none of our nodes, speaks with {virtual_router_id} on this network: "
        "list it in vrrp.additionalPeers if it shares the address, else choose another ID"
    )
    return [("spec.vrrp.virtualRouterID", text)]
