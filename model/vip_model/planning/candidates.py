"""Which nodes take part in an election, in which slots, with which priorities. Pure.

Slots are sticky: a node that has one keeps it, newcomers come after the others, and nothing moves
because a node came or went. Only an edit of the placement gives the slots out anew. A node that is
not heard may go on running its election: it stays on the list until it is known to have ended.
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
        lingering: who may run it besides, though placement or list may say otherwise by now;
            counts where it is unreachable.
        backends: nodes with something behind the gates; None: unknown or no matter.
        active: nodes that are Active.
        unreachable: nodes that are not heard.
        ended: of those that are marked so, the ones that have ended.
        waits: something waits for every candidate.
        open: others than the named nodes may be given a slot now.
    """

    router: str
    placement: Placement
    ladder: Ladder
    health_bands: bool
    eligible: Mapping[str, Sources]
    staying: frozenset[str] = frozenset()
    previous: Sequence[Candidate] = ()
    lingering: Sequence[Candidate] = ()
    backends: frozenset[str] | None = None
    active: frozenset[str] = frozenset()
    unreachable: frozenset[str] = frozenset()
    ended: frozenset[str] = frozenset()
    waits: bool = False
    open: bool = True

    @property
    def named(self) -> list[str]:
        """The nodes that the placement names, best first; each has the slot of its place."""
        by_priority = sorted(self.placement.priorities, key=lambda each: -each.priority)
        return [*(each.node for each in by_priority), *self.placement.preferred_nodes]

    def fits(self, node: str) -> bool:
        """Return whether a node that is a candidate may stay one."""
        return node in self.eligible or node in self.staying


def allocate(contest: Contest) -> tuple[Candidate, ...]:
    """Return the candidates by slot.

    A node that is not heard keeps its slot and takes nobody's place: as many others as there may
    be candidates have slots beside it, those after the ladder included.
    """
    return _Allocation(contest).candidates()


class _Allocation:
    """The slots of one election while they are given out."""

    def __init__(self, contest: Contest) -> None:
        self._contest = contest
        known = (*contest.lingering, *contest.previous)
        self._known = {each.node: each for each in known}
        self._previous = {each.node for each in contest.previous}
        self._priorities = _priorities(contest)
        named = contest.named
        written = len(contest.placement.priorities)
        self._places = min(len(self._priorities), max(contest.ladder.slots, written))
        self._first = len(named)
        self._slots = dict(enumerate(named))

    def candidates(self) -> tuple[Candidate, ...]:
        """Return the candidates by slot."""
        self._retain()
        wanted = self._add_newcomers() if self._contest.open else False
        self._give_back_extra_slots()
        self._leave_out_ended()
        contest, known = self._contest, self._known
        listed = self._listed()
        # Whether an unheard holder is there is what users want to know first.
        holders = frozenset[str]() if contest.active - contest.unreachable else contest.active
        marking = wanted or contest.waits or len(listed) > self._places
        return tuple(
            Candidate(
                node=node,
                slot=slot,
                priority=self._priorities[min(slot, len(self._priorities) - 1)],
                sources=listed_sources(contest.eligible[node])
                if node in contest.eligible
                else known[node].sources,
                unreachable=node in contest.unreachable
                and (
                    marking or node in holders or known[node].unreachable or not contest.fits(node)
                ),
            )
            for slot, node in sorted(listed.items())
        )

    def _is_listed(self, node: str) -> bool:
        """Return whether a node that has a slot is a candidate: newcomers must be heard."""
        contest = self._contest
        if node in contest.unreachable:
            return node in self._known and (node not in contest.ended or contest.fits(node))
        return node in contest.eligible or (node in self._previous and node in contest.staying)

    def _listed(self) -> dict[int, str]:
        return {slot: node for slot, node in self._slots.items() if self._is_listed(node)}

    def _living(self) -> dict[int, str]:
        unreachable = self._contest.unreachable
        return {s: node for s, node in self._listed().items() if node not in unreachable}

    def _retain(self) -> None:
        contest, slots = self._contest, self._slots
        taken = set(slots.values())
        for each in contest.previous:
            has_slot = each.slot in range(self._first, len(self._priorities))
            if has_slot and each.node not in taken and self._is_listed(each.node):
                slots[each.slot] = each.node
        taken = set(slots.values())
        for node in self._known:
            if node in contest.unreachable and node not in taken and self._is_listed(node):
                beyond = max((*slots, self._places - 1)) + 1
                slots[next(iter(self._beyond()), beyond)] = node

    def _beyond(self) -> list[int]:
        """Return the free slots after the ladder."""
        every = range(max(self._places, self._first), len(self._priorities))
        return [slot for slot in every if slot not in self._slots]

    def _add_newcomers(self) -> bool:
        """Give slots to nodes that have none; return whether there was room for one."""
        contest, slots = self._contest, self._slots
        room = self._places - len(self._living())
        if room <= 0 and contest.backends is None:
            return False
        taken = set(slots.values())
        newcomers = (
            node
            for node in contest.eligible
            if node not in taken and node not in contest.unreachable
        )
        ranked = rendezvous_order(contest.router, newcomers)
        if contest.backends is not None:
            backends = contest.backends
            ranked.sort(key=lambda node: node not in backends)  # the sort is stable
        ladder = range(self._first, self._places)
        free = [*_free(slots, ladder), *self._beyond()][: max(0, room)]
        slots.update(zip(free, ranked, strict=False))
        self._replace_without_backends(ladder, ranked[len(free) :])
        return room > 0 and bool(ranked)

    def _replace_without_backends(self, ladder: range, ranked: Sequence[str]) -> None:
        """Give nodes that have something behind the gates the places of those that have not."""
        contest, slots = self._contest, self._slots
        backends = contest.backends
        if backends is None:
            return
        waiting = [node for node in ranked if node in backends]
        kept = backends | contest.active | contest.unreachable
        replaceable = (slot for slot in reversed(ladder) if slots.get(slot) not in kept)
        slots.update(list(zip(replaceable, waiting, strict=False)))

    def _give_back_extra_slots(self) -> None:
        """Take slots after the ladder back, once enough others are heard again."""
        living = self._living()
        surplus = len(living) - self._places
        extra = (slot for slot in living if slot >= max(self._places, self._first))
        for slot in sorted(extra, reverse=True):
            if surplus > 0 and living[slot] not in self._contest.active:
                del self._slots[slot]
                surplus -= 1

    def _leave_out_ended(self) -> None:
        """Leave out nodes that have ended, as many as others have taken the places of."""
        listed = self._listed()
        surplus = len(listed) - self._places
        for slot in sorted(listed, reverse=True):
            if surplus > 0 and listed[slot] in self._contest.ended:
                del self._slots[slot]
                surplus -= 1


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
    """Return the priority of each slot: what the user wrote, then in steps as far as they go."""
    written = sorted((each.priority for each in contest.placement.priorities), reverse=True)
    below = slots_below(written, contest.ladder.step, health_bands=contest.health_bands)
    return written + below


def _free(slots: Mapping[int, str], range_of_slots: range) -> list[int]:
    """Return the free slots: those after all that are taken, then gaps from the last one up."""
    free = [slot for slot in range_of_slots if slot not in slots]
    last = max((slot for slot in slots if slot in range_of_slots), default=-1)
    return [slot for slot in free if slot > last] + [s for s in reversed(free) if s < last]
