"""From a draft to the VirtualRouter that speakers run. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from vip_model.planning import failing
from vip_model.planning.candidates import Contest, allocate, placement_digest
from vip_model.planning.claims import Locator
from vip_model.planning.contests import Site, contest_of
from vip_model.planning.drafts import Draft
from vip_model.planning.sharing import addresses_of, gates_of, owners_of
from vip_model.resources.base import API_VERSION
from vip_model.resources.enums import LinkLocalAddress, PreemptionChoice, UnlistedNodes
from vip_model.resources.metadata import ObjectMeta
from vip_model.resources.virtual_ip import Placement
from vip_model.resources.virtual_router import (
    MOST_ITEMS,
    RouterInstance,
    RouterPreemption,
    Timing,
    VirtualRouter,
    VirtualRouterSpec,
)
from vip_model.resources.vrrp import VRRP
from vip_model.schema.addresses import Address, family_of, parse_address
from vip_model.timing import ladder
from vip_model.vocabulary import Family, PreemptionMode

_FAMILY_ORDER = {Family.IPV4: 0, Family.IPV6: 1}


@dataclass(frozen=True, slots=True)
class Election:
    """A draft that became a VirtualRouter.

    Attributes:
        draft: what it was made from.
        contest: who could take part.
        router: the VirtualRouter.
    """

    draft: Draft
    contest: Contest
    router: VirtualRouter


def elect(draft: Draft, site: Site) -> Election:
    """Return the election of a draft that has members and a VRID."""
    first = draft.members[0]
    vrrp, placement = first.spec.vrrp, first.spec.placement
    rungs = ladder(vrrp.advertisement_interval_milliseconds, placement.max_candidates)
    gates = gates_of(draft, static=site.inputs.static)
    instances = _instances(draft, vrrp, site.locator)
    addresses = [one for each in instances for one in each.addresses]
    releasing = site.endings.releasing(
        draft.allocated, addresses, announced=draft.announced, standby=draft.standby
    )
    waits = draft.is_left or bool(releasing)
    contest = contest_of(draft, site, rungs, instances, gates, waits=waits)
    if draft.running is not None and len(releasing) > MOST_ITEMS:
        return Election(draft, contest, draft.running)  # once some are free it goes on
    digest = "" if site.inputs.static else placement_digest(placement)
    spec = VirtualRouterSpec(
        owners=owners_of(draft, static=site.inputs.static),
        revision=draft.allocated.spec.revision if draft.allocated else 0,
        epoch=draft.allocated.spec.epoch if draft.allocated else 0,
        standby=draft.standby,
        releasing=releasing,
        bootstrap=_bootstrap(draft, site),
        timing=Timing(
            advertisement_interval_milliseconds=vrrp.advertisement_interval_milliseconds,
            step=rungs.step,
            failing_slots=failing.slots_kept_apart(
                rungs.slots,
                failing.degradations(gates, len(instances), static=site.inputs.static),
                gates,
            ),
            start_delay_seconds=vrrp.decided_start_delay_seconds,
        ),
        preemption=_preemption(vrrp, placement),
        handover=vrrp.handover,
        health_bands=not vrrp.additional_peers,
        checksum=vrrp.compatibility.checksum,
        generate_link_local=_generates_link_local(vrrp),
        additional_peers=tuple(str(parse_address(peer)) for peer in vrrp.additional_peers),
        instances=instances,
        candidates=allocate(contest),
        unlisted_nodes=_unlisted(site, contest),
        gates=gates,
        placement_digest=digest,
    )
    metadata = draft.allocated.metadata if draft.allocated else ObjectMeta(name=draft.name)
    router = VirtualRouter(
        api_version=API_VERSION, kind="VirtualRouter", metadata=metadata, spec=spec
    )
    return Election(draft, contest, router)


def prefers_nodes(placement: Placement) -> bool:
    """Return whether a placement says which nodes are better than others."""
    return bool(placement.preferred_nodes or placement.priorities)


def _bootstrap(draft: Draft, site: Site) -> bool:
    if site.inputs.static or site.active.get(draft.name):
        return False
    return draft.running.spec.bootstrap if draft.running else True


def _preemption(vrrp: VRRP, placement: Placement) -> RouterPreemption:
    choice = vrrp.preemption.mode
    if choice is PreemptionChoice.AUTO:
        mode = PreemptionMode.ALWAYS if prefers_nodes(placement) else PreemptionMode.NEVER
    else:
        mode = PreemptionMode(choice.value)
    return RouterPreemption(mode=mode, delay_seconds=vrrp.preemption.delay_seconds)


def _generates_link_local(vrrp: VRRP) -> bool:
    wanted = vrrp.compatibility.link_local_address
    if wanted is LinkLocalAddress.AUTO:
        return not vrrp.additional_peers
    return wanted is LinkLocalAddress.ALWAYS


def _instances(draft: Draft, vrrp: VRRP, locator: Locator) -> tuple[RouterInstance, ...]:
    """Return one instance per network and family, IPv4 first, so that an edit reorders none."""
    addresses = [parse_address(text) for text in addresses_of(draft)]
    decisive = {
        family: next((locator.network_of(one) for one in addresses if _decides(one, family)), None)
        for family in Family
    }
    groups: dict[tuple[int, str, Family], list[str]] = {}
    for address in addresses:
        family = family_of(address)
        network = locator.network_of(address)
        if address.version == 6 and address.is_link_local:
            network = decisive[Family.IPV6] or decisive[Family.IPV4] or ""
        groups.setdefault((_FAMILY_ORDER[family], network, family), []).append(str(address))
    assert draft.virtual_router_id is not None
    return tuple(
        RouterInstance(
            network=network,
            family=family,
            virtual_router_id=draft.virtual_router_id,
            interfaces=vrrp.interfaces,
            addresses=tuple(group),
        )
        for (_order, network, family), group in sorted(groups.items())
    )


def _decides(address: Address, family: Family) -> bool:
    return family_of(address) is family and not (family is Family.IPV6 and address.is_link_local)


def _unlisted(site: Site, contest: Contest) -> UnlistedNodes:
    """Where the nodes are not known, others may come, unless as many are named as may take part."""
    unknown = site.inputs.static and site.nodes is None
    by_hash = unknown and len(contest.named) < contest.ladder.slots
    return UnlistedNodes.BY_HASH if by_hash else UnlistedNodes.REFUSED
