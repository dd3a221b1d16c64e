"""The checkers find what they are for: each broken election breaks the rule that it should."""

from __future__ import annotations

import pytest

from support.simulation.mutants import MUTANTS, Mutant
from support.simulation.swarm import SeedFailedError, simulate

SEEDS = 60


def _failure(mutant: Mutant, seed: int) -> SeedFailedError | None:
    try:
        simulate(seed, election=mutant.election, focus=mutant.focus)
    except SeedFailedError as failure:
        return failure
    return None


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.election.__name__)
def test_mutant_is_found(mutant: Mutant) -> None:
    """Within sixty seeds a broken election is found, by one of the invariants that it breaks."""
    failure = next(filter(None, (_failure(mutant, seed) for seed in range(SEEDS))), None)
    assert failure is not None, f"nothing found it in {SEEDS} seeds"
    assert failure.rule in mutant.rules.split(), str(failure)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.election.__name__)
def test_what_finds_a_mutant_finds_nothing_in_the_real_one(mutant: Mutant) -> None:
    """The same seeds and faults hold with the real election."""
    for seed in range(3):
        simulate(seed, focus=mutant.focus)


def test_a_failure_says_how_to_repeat_it() -> None:
    """The text has the seed, the options, the last events and one command, and repeats exactly."""
    texts = []
    for _ in range(2):
        with pytest.raises(SeedFailedError) as caught:
            simulate(2, election=MUTANTS[0].election)
        texts.append(str(caught.value))
    assert texts[0] == texts[1]
    assert texts[0].startswith("seed 2 broke S1\noptions:\n  seed = 2\n")
    assert "interval_ns = " in texts[0]
    assert "->Active(" in texts[0]
    assert texts[0].endswith("again: .venv/bin/python tests/simulation/run.py --seed 2")
