"""Run many seeds of the simulation, or one again.

.venv/bin/python tests/simulation/run.py --seeds 20000
.venv/bin/python tests/simulation/run.py --seed 4711 --verbose
"""

# ruff: noqa: T201  (a command prints)

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support.simulation.swarm import SeedFailedError, simulate


def main() -> int:
    """Run what the command line asks for; 1 if a seed failed."""
    options = _parse()
    if options.seed is not None:
        return _run_one(options.seed, verbose=options.verbose)
    return _run_many(range(options.first, options.first + options.seeds), options.failures)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Simulate elections in virtual time.")
    parser.add_argument("--seeds", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--first", type=int, default=0, help="the first one (default 0)")
    parser.add_argument("--failures", type=int, default=1, help="stop after so many failures")
    parser.add_argument("--seed", type=int, help="run this one only and show what was drawn")
    parser.add_argument("--verbose", action="store_true", help="with --seed: the whole trace")
    return parser.parse_args()


def _run_one(seed: int, *, verbose: bool) -> int:
    try:
        outcome = simulate(seed, lines=None if verbose else 50, fingerprinted=True)
    except SeedFailedError as failure:
        print(failure)
        return 1
    print(f"seed {seed} holds, {outcome.simulated_ns / 1e9:.1f} s simulated")
    print(f"options:\n{outcome.options.describe()}")
    print(f"met: {_listed(outcome.marks)}")
    print(f"fingerprint {outcome.fingerprint:08x}")
    return 0


def _run_many(seeds: range, failures_max: int) -> int:
    began, failures, simulated_ns, done = time.monotonic(), 0, 0, 0
    marks: Counter[str] = Counter()
    for done, seed in enumerate(seeds, start=1):
        try:
            outcome = simulate(seed)
            simulated_ns += outcome.simulated_ns
            marks += outcome.marks
        except SeedFailedError as failure:
            failures += 1
            print(failure, end="\n\n")
            if failures == failures_max:
                break
        if done % 500 == 0:
            print(_progress(done, time.monotonic() - began, simulated_ns), flush=True)
    print(_progress(done, time.monotonic() - began, simulated_ns))
    print(f"met: {_listed(marks)}")
    print(f"{failures} failed" if failures else "all hold")
    return 1 if failures else 0


def _progress(done: int, seconds: float, simulated_ns: int) -> str:
    rate, hours = done / max(seconds, 1e-9), simulated_ns / 3.6e12
    return f"{done} seeds in {seconds:.1f} s ({rate:.1f} per second), {hours:.2f} h simulated"


def _listed(marks: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(marks.items())) or "nothing"


if __name__ == "__main__":
    sys.exit(main())
