"""Two hundred seeds of faults in virtual time; every invariant is checked after every step.

`make simulate SEEDS=20000` runs more, `make simulate SEED=17` repeats one.
"""

from __future__ import annotations

from collections import Counter

import pytest

from support.simulation.faults import MENU
from support.simulation.options import FAULTS
from support.simulation.swarm import simulate

SEEDS = 200
CHUNK = 20


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_seeds(first: int) -> None:
    """Twenty worlds keep every invariant under faults, and come to rest when the faults end."""
    for seed in range(first, first + CHUNK):
        simulate(seed)


def test_the_same_seed_runs_the_same() -> None:
    """A seed decides everything that happens, down to the last action."""
    once, again = (simulate(17, fingerprinted=True) for _ in range(2))
    assert once == again
    assert once.fingerprint != simulate(18, fingerprinted=True).fingerprint


def test_the_seeds_meet_what_they_are_for() -> None:
    """Every fault, every kind of transition and every promise occurs in 150 seeds."""
    met: Counter[str] = Counter()
    for seed in range(1100, 1250):
        met += simulate(seed).marks
    reasons = {
        "ActiveDown",
        "ActiveResigned",
        "BindFailed",
        "GateFailed",
        "HigherPriorityHeard",
        "LinkReturned",
        "LowerPriorityPreempted",
        "Moved",
        "NobodyTookOver",
        "Overslept",
        "Restored",
        "Resumed",
        "Retried",
        "Stopped",
        "Withdrawn",
    }
    promises = {"kept L2", "kept L3", "kept L4"}
    assert set() == {*reasons, *promises, *FAULTS} - set(met)


def test_the_menu_is_complete() -> None:
    """Every kind of fault that can be drawn can be done, and the other way round."""
    assert set(FAULTS) == set(MENU)
