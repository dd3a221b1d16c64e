"""How far apart neighbouring slots stand, and how many of them fit (docs/protocol.md). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vip_model.vocabulary import HIGHEST_HEALTHY_PRIORITY, LOWEST_HEALTHY_PRIORITY

_POINTS = HIGHEST_HEALTHY_PRIORITY - LOWEST_HEALTHY_PRIORITY
_WANTED_MILLISECONDS = 10
_NEEDED_MILLISECONDS = 5


@dataclass(frozen=True, slots=True)
class Ladder:
    """The slots of an election.

    Attributes:
        step: points of priority between neighbours.
        slots: how many candidates there may be.
    """

    step: int
    slots: int


def ladder(interval_milliseconds: int, most_candidates: int) -> Ladder:
    """Return step and number of slots for an interval and a wish for so many candidates.

    Neighbours' Skew_Times differ by 10 ms where so many candidates then fit into the 100 points
    of the healthy band, else by 5 ms. Where even that does not fit, there are fewer candidates,
    and at 10 ms adverts two, as far apart as the band allows.
    """
    wanted = _points(_WANTED_MILLISECONDS, interval_milliseconds)
    if (most_candidates - 1) * wanted <= _POINTS:
        return Ladder(wanted, most_candidates)
    needed = _points(_NEEDED_MILLISECONDS, interval_milliseconds)
    fitting = 1 + _POINTS // needed
    return Ladder(needed, min(most_candidates, fitting))


def _points(milliseconds: int, interval_milliseconds: int) -> int:
    """Return the fewest points of priority that are so many milliseconds of Skew_Time.

    Never more than the band has: two candidates always fit.
    """
    return min(_POINTS, -(-milliseconds * 256 // interval_milliseconds))


def slots_below(taken: Iterable[int], step: int, *, health_bands: bool) -> list[int]:
    """Return the priorities of the slots after those that are taken, best first.

    Args:
        taken: priorities of the candidates that come before.
        step: points of priority between neighbours.
        health_bands: healthy priorities end at 155.
    """
    highest = min((priority - step for priority in taken), default=HIGHEST_HEALTHY_PRIORITY)
    lowest = LOWEST_HEALTHY_PRIORITY if health_bands else 1
    return list(range(min(highest, HIGHEST_HEALTHY_PRIORITY), lowest - 1, -step))
