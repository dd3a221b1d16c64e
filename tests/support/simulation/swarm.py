"""One seed: draw a world, let it suffer, heal a part of it, and see that it comes to rest."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random

from support.simulation.injector import Injector
from support.simulation.liveness import require_convergence, transition_to_liveness
from support.simulation.options import Options, draw, focused
from support.simulation.trace import Trace, ViolationError
from support.simulation.world import World
from vip_model.vocabulary import Substate
from vip_speaker.vrrp.election import Election

RUNNER = ".venv/bin/python tests/simulation/run.py"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a seed.

    Attributes:
        options: what was drawn.
        simulated_ns: virtual time that passed.
        fingerprint: of the whole trace; equal for equal runs.
        marks: what was met on the way, and how often.
        edges: which ways through the chart were taken, and how often.
    """

    options: Options
    simulated_ns: int
    fingerprint: int
    marks: Counter[str]
    edges: Counter[tuple[Substate, Substate]]


class SeedFailedError(AssertionError):
    """A seed broke an invariant; the text is all that is needed to look into it."""

    def __init__(self, options: Options, violation: ViolationError, trace: Trace) -> None:
        super().__init__(
            f"seed {options.seed} broke {violation.rule}\n"
            f"options:\n{options.describe()}\n"
            f"last events (time, node, state, event -> actions):\n{trace}\n"
            f"{violation}\n"
            f"again: {RUNNER} --seed {options.seed}"
        )
        self.rule = violation.rule


def simulate(
    seed: int,
    *,
    election: type[Election] = Election,
    focus: tuple[str, ...] = (),
    lines: int | None = 50,
    fingerprinted: bool = False,
) -> Outcome:
    """Run one seed through both phases.

    Args:
        seed: decides everything.
        election: the class that the nodes run; a broken one shows what the checkers find.
        focus: let only these faults happen, instead of those that were drawn.
        lines: how many lines of the trace to keep, None for all.
        fingerprinted: take the fingerprint of the trace.

    Raises SeedFailedError if an invariant does not hold.
    """
    random = Random(seed)
    options = draw(seed, random)
    if focus:
        options = focused(options, focus)
    trace = Trace(lines=lines, fingerprinted=fingerprinted)
    world = World(options, random, election=election, trace=trace)
    injector = Injector(world)
    try:
        world.boot_all()
        injector.begin()
        world.run_until(options.safety_ns)
        core = transition_to_liveness(world, injector)
        require_convergence(world, core)
    except ViolationError as violation:
        raise SeedFailedError(options, violation, trace) from violation
    return Outcome(options, world.now_ns, trace.fingerprint, world.marks, world.edges)
