"""Which nodes take part in an election, in which slots, with which priorities. Pure.

Slots are sticky: a node that has one keeps it, newcomers come after the others, and nothing moves
because a node came or went. Only an edit of the placement gives the slots out anew.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from vip_model.planning.networks import Sources
from vip_model.planning.rank import rendezvous_order
from vip_model.resources.virtual_ip import Placement
from vip_model.resources.virtual_router import MOST_ITEMS, Candidate
from vip_model.timing import Ladder, slots_below


@dataclass(frozen=True, slots=True)
class Contest:
    """The nodes that an election can choose from.

    Attributes:
        router: name of the VirtualRouter.
        placement: what the user prefers.
        ladder: the slots.
        health_bands: healthy priorities end at 155.
        eligible: nodes that can hold the addresses now, with the sources of their adverts.
        staying: nodes that keep a slot they have although they are not eligible now, such as
            one whose link is down.
        previous: what was allocated for the same placement.
        backends: nodes with something behind the gates; None: unknown or no matter.
        active: nodes that are Active.
        open: others than the named nodes may be given a slot now.
    """

    router: str
    placement: Placement
    ladder: Ladder
    health_bands: bool
    eligible: Mapping[str, Sources]
    staying: frozenset[str] = frozenset()
    previous: Sequence[Candidate] = ()
    backends: frozenset[str] | None = None
    active: frozenset[str] = frozenset()
    open: bool = True

    @property
    def named(self) -> list[str]:
        """The nodes that the placement names, best first; each has the slot of its place."""
        by_priority = sorted(self.placement.priorities, key=lambda each: -each.priority)
        return [*(each.node for each in by_priority), *self.placement.preferred_nodes]


def allocate(contest: Contest) -> tuple[Candidate, ...]:
    """Return the candidates by slot."""
    priorities = _priorities(contest)
    named = contest.named
    slots = dict(enumerate(named))
    slots |= _retained(contest, range(len(named), len(priorities)))
    if contest.open:
        _add_newcomers(contest, slots, range(len(named), len(priorities)))
    known = {candidate.node: candidate.sources for candidate in contest.previous}
    return tuple(
        Candidate(
            node=node,
            slot=slot,
            priority=priorities[slot],
            sources=listed_sources(contest.eligible[node])
            if node in contest.eligible
            else known[node],
        )
        for slot, node in sorted(slots.items())
        if node in contest.eligible or (node in known and node in contest.staying)
    )


def listed_sources(sources: Sources) -> Sources:
    """Return the sources that a candidate can list.

    A family whose sources do not fit has none, which means that anyone is obeyed: with some of
    them the adverts of a node that sends from another one would be dropped.
    """
    if len(sources) <= MOST_ITEMS:
        return sources
    sources = tuple(dict.fromkeys(sources))  # instances on one interface share its sources
    room = MOST_ITEMS
    listed = set()
    for family, count in reversed(Counter(each.family for each in sources).most_common()):
        if count <= room:
            room -= count
            listed.add(family)
    return tuple(each for each in sources if each.family in listed)


def placement_digest(placement: Placement) -> str:
    """Return a short text that differs where the placement does."""
    return hashlib.sha256(msgspec.json.encode(placement, order="sorted")).hexdigest()[:16]


def _priorities(contest: Contest) -> list[int]:
    """Return the priority of each slot: what the user wrote, then in steps below it."""
    written = sorted((each.priority for each in contest.placement.priorities), reverse=True)
    below = slots_below(written, contest.ladder.step, health_bands=contest.health_bands)
    return written + below[: max(0, contest.ladder.slots - len(written))]


def _retained(contest: Contest, slots: range) -> dict[int, str]:
    return {
        candidate.slot: candidate.node
        for candidate in contest.previous
        if candidate.slot in slots
        and (candidate.node in contest.eligible or candidate.node in contest.staying)
    }


def _add_newcomers(contest: Contest, slots: dict[int, str], range_of_slots: range) -> None:
    free = _free(slots, range_of_slots)
    if not free and contest.backends is None:
        return
    taken = set(slots.values())
    newcomers = (node for node in contest.eligible if node not in taken)
    ranked = rendezvous_order(contest.router, newcomers)
    if contest.backends is None:
        slots.update(zip(free, ranked, strict=False))
        return
    backends = contest.backends
    ranked.sort(key=lambda node: node not in backends)  # the sort is stable
    slots.update(zip(free, ranked, strict=False))
    waiting = [node for node in ranked[len(free) :] if node in backends]
    replaceable = (
        slot
        for slot in reversed(range_of_slots)
        if slots.get(slot) not in backends and slots.get(slot) not in contest.active
    )
    slots.update(list(zip(replaceable, waiting, strict=False)))


def _free(slots: Mapping[int, str], range_of_slots: range) -> list[int]:
    """Return the free slots: those after all that are taken, then gaps from the last one up."""
    free = [slot for slot in range_of_slots if slot not in slots]
    last = max((slot for slot in slots if slot in range_of_slots), default=-1)
    return [slot for slot in free if slot > last] + [s for s in reversed(free) if s < last]
