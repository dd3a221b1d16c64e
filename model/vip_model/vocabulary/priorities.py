"""Which priority a node advertises: the bands of docs/protocol.md, "Health"."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from dataclasses import dataclass

from vip_model.vocabulary.words import FailureAction

OWNER_PRIORITY = 255
HIGHEST_HEALTHY_PRIORITY = 254
LOWEST_HEALTHY_PRIORITY = 155
HIGHEST_PROVISIONAL_PRIORITY = 154
LOWEST_PROVISIONAL_PRIORITY = 145
HIGHEST_FAILING_PRIORITY = 144
PROVISIONAL_PRIORITIES = HIGHEST_PROVISIONAL_PRIORITY - LOWEST_PROVISIONAL_PRIORITY + 1
FAILING_PRIORITIES = HIGHEST_FAILING_PRIORITY  # how many there are: 1 is the lowest


def is_provisional(priority: int) -> bool:
    """Whether that priority, among routers with health bands, is a provisional node's."""
    return LOWEST_PROVISIONAL_PRIORITY <= priority <= HIGHEST_PROVISIONAL_PRIORITY


@dataclass(frozen=True, slots=True, order=True)
class Degradation:
    """What a node lacks of a healthy one; the lesser of two is the better node.

    Attributes:
        missing: how many instances cannot run on it.
        cost: sum of the costs of the gates that fail.
    """

    missing: int = 0
    cost: int = 0


SOUND = Degradation()


def costs_of_gate(action: FailureAction, cost: int, partial_cost: int) -> tuple[int, ...]:
    """Return what a gate can cost a node that takes part; 0, which every gate can, is left out.

    Args:
        action: what the gate does where it fails.
        cost: what it costs if that lowers the priority.
        partial_cost: what it costs where it fails only in part; 0: it never does. A node with a
            gate that withdraws it takes part until that fails wholly.
    """
    whole = (cost,) if action is FailureAction.LOWER_PRIORITY else ()
    return (partial_cost, *whole) if partial_cost else whole


def possible_degradations(
    instances: int, gates: Iterable[Iterable[int]]
) -> tuple[Degradation, ...]:
    """Return the degradations with which a node still takes part, best first; SOUND is none.

    A node without any instance takes no part. There are at most one more than there are failing
    priorities: nodes that lack more share the last place.

    Args:
        instances: how many instances the election has.
        gates: for each gate what it can cost (`costs_of_gate`).
    """
    most = FAILING_PRIORITIES + 1
    sums = [0]
    for costs in gates:
        with_it = {total + cost for cost in costs for total in sums}
        sums = sorted({*sums, *with_it})[: most + 1]
    found = [Degradation(missing, total) for missing in range(instances) for total in sums]
    return tuple(found[1 : most + 1])


def candidates_that_fit(degradations: int) -> int:
    """Return how many candidates have priorities of their own at each of so many degradations."""
    return FAILING_PRIORITIES // max(1, degradations)


@dataclass(frozen=True, slots=True)
class PriorityScale:
    """What the priority of one node in one election follows from, besides its health.

    Attributes:
        base: the priority of its slot, or the one that the user wrote.
        slot: rank among the candidates, 0 is first.
        candidates: how many slots a degradation keeps apart; those beyond share the last place.
        degradations: the possible ones, best first; those for which there is no room share the
            last place.
        health_bands: healthy beats provisional beats failing. False with routers that are not
            ours, whose priorities follow rules of their own.
        subtrahend: what a degradation takes off the base without health bands.
    """

    base: int
    slot: int = 0
    candidates: int = 1
    degradations: tuple[Degradation, ...] = ()
    health_bands: bool = True
    subtrahend: int = 100


def effective_priority(
    scale: PriorityScale,
    degradation: Degradation = SOUND,
    *,
    provisional: bool = False,
    seniority: int | None = None,
) -> int:
    """Return the priority on the wire, 1-255.

    A failing owner leaves 255 like any other node: an address without a service behind it is of
    no use to its owner either. One that is not failing is never provisional.

    Args:
        scale: the node's place.
        degradation: what it lacks.
        provisional: it took over from silence and has not been up for long enough.
        seniority: for how many tenths of the start delay it has been Active since, 0 to 9, where
            that decides between two that are provisional; None where their slots do.
    """
    failing = degradation != SOUND
    if not scale.health_bands:
        return max(1, scale.base - scale.subtrahend) if failing else scale.base
    if failing:
        candidates = min(max(1, scale.candidates), FAILING_PRIORITIES)
        last_rank = FAILING_PRIORITIES // candidates - 1
        rank = min(bisect.bisect_left(scale.degradations, degradation), last_rank)
        return HIGHEST_FAILING_PRIORITY - rank * candidates - min(scale.slot, candidates - 1)
    if provisional and scale.base != OWNER_PRIORITY:
        if seniority is not None:
            return LOWEST_PROVISIONAL_PRIORITY + min(seniority, PROVISIONAL_PRIORITIES - 1)
        return max(LOWEST_PROVISIONAL_PRIORITY, HIGHEST_PROVISIONAL_PRIORITY - scale.slot)
    return scale.base
