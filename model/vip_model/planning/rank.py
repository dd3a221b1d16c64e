"""Who stands where in an election: slots, priorities, and the place of one node. Pure.

The agent asks `place_of` what its node is in a VirtualRouter, and `sources_of` whose adverts an
instance obeys.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from vip_model.resources.enums import UnlistedNodes
from vip_model.resources.virtual_router import Candidate, RouterInstance, VirtualRouter
from vip_model.timing import slots_below
from vip_model.vocabulary import Family

_64_BITS = (1 << 64) - 1
_ODD = 0x9E3779B97F4A7C15  # 2**64 divided by the golden ratio spreads bits well


@dataclass(frozen=True, slots=True)
class Place:
    """What one node is in one election.

    Attributes:
        slot: rank, 0 is first.
        priority: base priority, 1-255.
        hashed: the slot was drawn by hash, so that another node may have the same one; the
            engine then adds a delay below one step (`DesiredRouter.slot_is_hashed`).
    """

    slot: int
    priority: int
    hashed: bool = False


def place_of(router: VirtualRouter, node: str) -> Place | None:
    """Return the place of a node in an election, None if it is no candidate.

    A node that is not listed is a candidate only in static mode without Node documents
    (`spec.unlistedNodes: ByHash`): its slot is drawn by a hash of router and node among all
    those after the listed ones that fit.
    """
    for candidate in router.spec.candidates:
        if candidate.node == node:
            return Place(candidate.slot, candidate.priority)
    if router.spec.unlisted_nodes is UnlistedNodes.REFUSED:
        return None
    return _place_by_hash(router, node)


def _place_by_hash(router: VirtualRouter, node: str) -> Place | None:
    spec = router.spec
    free = slots_below(
        [candidate.priority for candidate in spec.candidates],
        spec.timing.step,
        health_bands=spec.health_bands,
    )
    if not free:
        return None
    drawn = stable_hash("slot", router.name, node) % len(free)
    return Place(len(spec.candidates) + drawn, free[drawn], hashed=True)


def sources_of(router: VirtualRouter, instance: RouterInstance) -> tuple[str, ...] | None:
    """Return the addresses whose adverts an instance obeys; None means anyone on the link.

    It is None wherever the source of any candidate is unknown: an advert that is dropped by
    mistake makes two holders, one that is obeyed by mistake makes none for three intervals.
    """
    if router.spec.unlisted_nodes is not UnlistedNodes.REFUSED or not router.spec.candidates:
        return None
    known = [_sources(candidate, instance.family) for candidate in router.spec.candidates]
    if not all(known):
        return None
    peers = (peer for peer in router.spec.additional_peers if _family(peer) is instance.family)
    return tuple(dict.fromkeys([source for sources in known for source in sources] + list(peers)))


def _sources(candidate: Candidate, family: Family) -> list[str]:
    return [source.address for source in candidate.sources if source.family is family]


def _family(address: str) -> Family:
    """Return the family of an address in text form."""
    return Family.IPV6 if ":" in address else Family.IPV4


def rendezvous_order(router: str, nodes: Iterable[str]) -> list[str]:
    """Return nodes in an order that differs from router to router and is the same everywhere.

    A node more or less does not change the order of the others (rendezvous hashing).
    """
    own = stable_hash("router", router)
    weighed = sorted(((own ^ _node_hash(node)) * _ODD & _64_BITS, node) for node in nodes)
    return [node for _weight, node in weighed]


@functools.lru_cache(maxsize=8192)
def _node_hash(node: str) -> int:
    return stable_hash("node", node)


def stable_hash(*parts: str) -> int:
    """Return 64 bits that are the same on every host and in every process."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big")
