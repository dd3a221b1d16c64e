"""A probe on a grid of times: thresholds, timeouts, no overlap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from vip_model.vocabulary import GateState
from vip_speaker.gates.periodic import PeriodicGate, Schedule, next_due
from vip_speaker.gates.verdict import Outcome

PASS = Outcome(passed=True, reason="fine")
FAIL = Outcome(passed=False, reason="broken")


class ScriptedProbe:
    """Answers with what it was given, then with the last of it for ever."""

    target = "the script"

    def __init__(self, *answers: Outcome | Exception | float) -> None:
        self._answers = list(answers)
        self.asked = 0
        self.running = 0
        self.most_running = 0
        self.closed = False

    async def ask(self) -> Outcome:
        """Return an outcome, raise an error, or hang for some seconds before passing."""
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Outcome):
            return answer
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.sleep(answer)
        finally:
            self.running -= 1
        return PASS

    async def close(self) -> None:
        """Note it."""
        self.closed = True


@asynccontextmanager
async def running(
    probe: ScriptedProbe, *, period: float = 0.01, timeout: float = 1.0, failures: int = 2
) -> AsyncIterator[tuple[PeriodicGate, list[GateState]]]:
    """Run a gate; yield it with the states that it reported."""
    seen: list[GateState] = []
    schedule = Schedule(period, timeout, success_threshold=1, failure_threshold=failures)
    gate = PeriodicGate(schedule, probe, lambda: seen.append(gate.verdict.state))
    gate.start()
    try:
        yield gate, seen
    finally:
        await gate.stop()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; fail after 5 s."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.002)


async def test_reports_each_change_once() -> None:
    """A verdict is reported when it changes and not at every probe."""
    probe = ScriptedProbe(PASS, PASS, FAIL, FAIL, FAIL, PASS)
    async with running(probe) as (_gate, seen):
        await until(lambda: probe.asked >= 8)

    assert seen == [GateState.PASSING, GateState.FAILING, GateState.PASSING]


async def test_a_probe_beyond_its_timeout_has_failed() -> None:
    """A probe that hangs is ended at the timeout and counts as failed, with the bound named."""
    probe = ScriptedProbe(60.0)
    async with running(probe, timeout=0.02, failures=1) as (gate, seen):
        await until(lambda: bool(seen))

        assert gate.verdict.state is GateState.FAILING
        assert gate.verdict.reason == "no answer within 20 ms from the script"


async def test_probes_do_not_overlap() -> None:
    """A probe slower than its period delays the next one instead of running beside it."""
    probe = ScriptedProbe(0.02)
    async with running(probe, period=0.005):
        await until(lambda: probe.asked >= 4)

    assert probe.most_running == 1


async def test_a_broken_probe_counts_as_failed_and_is_asked_again() -> None:
    """An unexpected error in a probe does not end its gate."""
    probe = ScriptedProbe(ValueError("oops"), PASS)
    async with running(probe, failures=1) as (gate, seen):
        await until(lambda: len(seen) == 2)

        assert seen == [GateState.FAILING, GateState.PASSING]
        assert gate.verdict.reason == "fine"


async def test_stop_ends_a_probe_under_way_and_closes_it() -> None:
    """Nothing of a stopped gate goes on."""
    probe = ScriptedProbe(60.0)
    async with running(probe):
        await until(lambda: probe.running == 1)

    assert probe.running == 0
    assert probe.closed


async def test_a_gate_that_never_ran_can_be_stopped() -> None:
    """Stopping is safe at any time."""
    probe = ScriptedProbe(PASS)
    await PeriodicGate(Schedule(1, 1, 1, 1), probe, lambda: None).stop()

    assert probe.closed


@pytest.mark.parametrize(
    ("due", "now", "expected"),
    [
        pytest.param(10.0, 10.25, 11.0, id="in time"),
        pytest.param(10.0, 11.0, 12.0, id="took exactly a period"),
        pytest.param(10.0, 13.5, 14.0, id="missed three"),
        pytest.param(10.0, 9.9, 11.0, id="woke a moment early"),
    ],
)
def test_next_time_stays_on_the_grid(due: float, now: float, expected: float) -> None:
    """The next probe is due at the first time of the grid that has not passed."""
    assert next_due(due, now, 1.0) == expected
