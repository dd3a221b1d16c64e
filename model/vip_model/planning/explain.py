"""Why a node has its place in an election, for a person to read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vip_model.planning.rank import place_of
from vip_model.resources.enums import UnlistedNodes
from vip_model.resources.virtual_ip import Placement, VirtualIP
from vip_model.resources.virtual_router import Candidate, VirtualRouter
from vip_model.timing import slots_below


@dataclass(frozen=True, slots=True)
class Explained:
    """One line of a ranking.

    Attributes:
        rank: 1 is first; 0 where it differs from node to node.
        node: the node, or what nodes it is about.
        priority: base priority, or a range of them.
        why: where that comes from.
    """

    rank: int
    node: str
    priority: str
    why: str


def ranking(
    router: VirtualRouter, owner: VirtualIP, allocated: Mapping[str, VirtualRouter]
) -> list[Explained]:
    """Return the nodes of an election, best first, and why each is where it is.

    Args:
        router: the election.
        owner: a VirtualIP that it is for.
        allocated: what was allocated before, by name.
    """
    before = allocated.get(router.name)
    kept = {each.node: each.slot for each in before.spec.candidates} if before else {}
    candidates = sorted(router.spec.candidates, key=lambda each: -each.priority)
    found = [
        Explained(rank, each.node, str(each.priority), _why(each, owner.spec.placement, kept))
        for rank, each in enumerate(candidates, start=1)
    ]
    return found + _others(router)


def about_node(router: VirtualRouter, node: str) -> str:
    """Return what one node is in an election."""
    place = place_of(router, node)
    if place is None:
        return f"{node} takes no part"
    by_hash = ", drawn by hash" if place.hashed else ""
    return f"{node} has priority {place.priority} (slot {place.slot}{by_hash})"


def _why(candidate: Candidate, placement: Placement, kept: Mapping[str, int]) -> str:
    node = candidate.node
    if candidate.unreachable:
        return "is not heard, and may hold it"
    for number, each in enumerate(placement.priorities):
        if each.node == node:
            return f"placement.priorities[{number}]"
    if node in placement.preferred_nodes:
        return f"placement.preferredNodes[{placement.preferred_nodes.index(node)}]"
    if kept.get(node) == candidate.slot:
        return "keeps the slot it has"
    return "by hash of VirtualIP and node"


def _others(router: VirtualRouter) -> list[Explained]:
    if router.spec.unlisted_nodes is UnlistedNodes.REFUSED:
        return []
    spec = router.spec
    free = slots_below(
        [each.priority for each in spec.candidates],
        spec.timing.step,
        health_bands=spec.health_bands,
    )
    if not free:
        return []
    nodes = "any other" if spec.candidates else "any node"
    return [Explained(0, nodes, f"{free[-1]}-{free[0]}", "slot drawn by hash of its name")]
