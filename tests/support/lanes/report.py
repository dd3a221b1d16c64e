"""What became of each test: written as it ends, read by what runs several pytests at once."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.rings import RINGS

VARIABLE = "VIP_TEST_REPORT"


class Reporter:
    """A plugin of pytest: one line of JSON for each phase of each test.

    Args:
        path: of the file to append to.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write a line."""
        line = {
            "test": report.nodeid,
            "phase": report.when,
            "outcome": report.outcome,
            "start": report.start,
            "stop": report.stop,
        }
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def register(config: pytest.Config) -> None:
    """Write reports if somebody asked for them; workers leave that to the process above them."""
    path = os.environ.get(VARIABLE)
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Reporter(Path(path)))


@dataclass
class Ring:
    """What became of the tests of one ring, each by its name."""

    outcomes: dict[str, str] = field(default_factory=dict)
    phases: list[tuple[float, float]] = field(default_factory=list)

    def count(self, outcome: str) -> int:
        """Return how many tests ended so."""
        return sum(each == outcome for each in self.outcomes.values())

    @property
    def seconds(self) -> float:
        """How long at least one of its tests was running."""
        total = end = 0.0
        for start, stop in sorted(self.phases):
            total += max(0.0, stop - max(start, end))
            end = max(end, stop)
        return total


class Tally:
    """What became of all tests so far.

    Args:
        paths: files that a Reporter wrote, or is still writing.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._rings: dict[str, Ring] = defaultdict(Ring)
        for path in paths:
            for line in path.read_text().splitlines(keepends=True):
                if line.endswith("\n"):  # else it is being written
                    self._note(json.loads(line))

    def count(self, outcome: str) -> int:
        """Return how many tests passed, failed or were skipped."""
        return sum(ring.count(outcome) for ring in self._rings.values())

    @property
    def failed(self) -> list[str]:
        """The names of tests that failed, in order of the rings."""
        return [
            test
            for _name, ring in self._in_order()
            for test, outcome in ring.outcomes.items()
            if outcome == "failed"
        ]

    def table(self) -> Sequence[str]:
        """Return one line for each ring that had tests, under a heading."""
        lines = [_row("ring", "passed", "failed", "skipped", "time")]
        for name, ring in self._in_order():
            counts = [str(ring.count(each)) for each in ("passed", "failed", "skipped")]
            lines.append(_row(name, *counts, minutes(ring.seconds)))
        return lines

    def _in_order(self) -> list[tuple[str, Ring]]:
        return [(name, self._rings[name]) for name in RINGS if name in self._rings]

    def _note(self, line: dict[str, str | float]) -> None:
        test, outcome = str(line["test"]), str(line["outcome"])
        ring = self._rings[_ring_of(test)]
        ring.phases.append((float(line["start"]), float(line["stop"])))
        before = ring.outcomes.get(test)
        if line["phase"] == "call" or outcome != "passed":
            ring.outcomes[test] = "failed" if "failed" in (before, outcome) else outcome


def minutes(seconds: float) -> str:
    """Return a time as minutes and seconds."""
    return f"{round(seconds) // 60}:{round(seconds) % 60:02d}"


def _ring_of(test: str) -> str:
    return next((name for name in RINGS if test.startswith(f"tests/{name}/")), RINGS[0])


def _row(name: str, *values: str) -> str:
    return f"{name:<12}" + "".join(f"{value:>9}" for value in values)
