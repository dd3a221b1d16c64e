"""Which nodes an election can choose from. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from vip_model.planning.backends import Backends
from vip_model.planning.candidates import Contest, placement_digest
from vip_model.planning.claims import Locator
from vip_model.planning.drafts import Draft
from vip_model.planning.endings import Endings
from vip_model.planning.inputs import PlanInputs
from vip_model.planning.networks import NetworkMap, Sources
from vip_model.resources.gate import Gate
from vip_model.resources.node import Node
from vip_model.resources.virtual_ip import Placement
from vip_model.resources.virtual_router import AdvertSource, RouterInstance
from vip_model.schema.addresses import AddressError, family_of, normalised, parse_address
from vip_model.timing import Ladder
from vip_model.vocabulary import Family


@dataclass(frozen=True, slots=True)
class Site:
    """What nodes are like.

    Attributes:
        inputs: as they were given.
        networks: what speakers report; None in static mode.
        locator: networks of addresses.
        backends: what is behind the gates.
        nodes: the nodes by name; None: unknown.
        active: name of a VirtualRouter to the nodes that are Active for it.
        endings: whom elections wait for.
    """

    inputs: PlanInputs
    networks: NetworkMap | None
    locator: Locator
    backends: Backends
    nodes: Mapping[str, Node] | None
    active: Mapping[str, frozenset[str]]
    endings: Endings
    _fitting: dict[frozenset[tuple[str, str]], frozenset[str]] = field(default_factory=dict)

    def fitting(self, placement: Placement) -> frozenset[str]:
        """Return the nodes that exist, as far as is known, and have the labels that are wanted."""
        labels = frozenset(placement.node_selector.items())
        found = self._fitting.get(labels)
        if found is None:
            found = self._fitting[labels] = frozenset(self._find(labels))
        return found

    def _find(self, labels: frozenset[tuple[str, str]]) -> Iterator[str]:
        if self.nodes is not None:
            for node in self.nodes.values():
                if labels <= node.metadata.labels.items():
                    yield node.name
        elif not labels:
            yield from (speaker.node for speaker in self.inputs.speakers or ())


def contest_of(
    draft: Draft,
    site: Site,
    ladder: Ladder,
    instances: tuple[RouterInstance, ...],
    gates: tuple[Gate, ...],
    *,
    waits: bool = False,
) -> Contest:
    """Return the contest for the slots of an election.

    Args:
        draft: the election in the making.
        site: what nodes are like.
        ladder: the slots.
        instances: what nodes must have a place for.
        gates: the gates.
        waits: something waits for every candidate.
    """
    first = draft.members[0].spec
    contest = Contest(
        router=draft.name,
        placement=first.placement,
        ladder=ladder,
        health_bands=not first.vrrp.additional_peers,
        eligible={},
    )
    if site.networks is None:
        return replace(contest, eligible=_static_nodes(contest, site))
    running, before = draft.running, draft.allocated
    same = running and running.spec.placement_digest == placement_digest(first.placement)
    stays = running is not None and _places(running.spec.instances, site) == _places(
        instances, site
    )
    return replace(
        contest,
        eligible=_eligible(first.placement, instances, site, site.networks),
        previous=running.spec.candidates if running and same else (),
        lingering=(*site.endings.former(before), *before.spec.candidates) if before else (),
        staying=site.fitting(first.placement) if stays else frozenset(),
        backends=site.backends.nodes(draft, gates),
        active=site.active.get(draft.name, frozenset()),
        unreachable=site.endings.unreachable,
        ended=site.endings.ended(before) if before is not None else frozenset(),
        waits=waits,
        open=site.inputs.settings.all_nodes_reported,
    )


def _static_nodes(contest: Contest, site: Site) -> dict[str, Sources]:
    """Return the nodes of the documents, and those that the placement names."""
    if site.nodes is None:
        return dict.fromkeys(contest.named, ())
    # One without a document is taken at the user's word, unless labels are asked for.
    named = (
        name
        for name in contest.named
        if name not in site.nodes and not contest.placement.node_selector
    )
    fitting = site.fitting(contest.placement)
    found = {name: _document_sources(site.nodes[name]) for name in site.nodes if name in fitting}
    return found | dict.fromkeys(named, ())


def _document_sources(node: Node) -> Sources:
    """Return the addresses of a Node document that adverts can come from."""
    found = []
    for each in node.status.addresses:
        if each.type not in ("", "InternalIP"):
            continue
        try:
            address = parse_address(each.address)
        except AddressError:
            continue
        family = family_of(address)
        if family is Family.IPV4 or address.is_link_local:
            found.append(AdvertSource(family=family, address=str(address)))
    return tuple(found)


def _eligible(
    placement: Placement, instances: tuple[RouterInstance, ...], site: Site, networks: NetworkMap
) -> Mapping[str, Sources]:
    """Return the nodes that report an interface for every instance."""
    first, *others = (
        networks.members(each.family, normalised(each.addresses), each.interfaces)
        for each in instances
    )
    fitting = site.fitting(placement)
    if not others and first.keys() <= fitting:
        return first  # nearly always, and there may be thousands of elections
    common = fitting.intersection(first, *others)
    return {
        node: sum((members[node] for members in others), start=first[node])
        for node in first
        if node in common
    }


def _places(instances: tuple[RouterInstance, ...], site: Site) -> set[tuple[str, Family]]:
    current_name = site.networks.current_name if site.networks else str
    return {(current_name(each.network), each.family) for each in instances}
