"""A gate that asks one question again and again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from vip_model.resources.gate import Gate, PodProbe
from vip_speaker.gates.verdict import Outcome, Tally
from vip_speaker.messages import Verdict

_log = logging.getLogger("gates")


class Probe(Protocol):
    """One question, asked of one target."""

    @property
    def target(self) -> str:
        """Who is asked, for a person to read."""

    async def ask(self) -> Outcome:
        """Ask once; ended from outside when it takes too long."""

    async def close(self) -> None:
        """Give back what the probe holds."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How often a gate asks, how long it waits, and how many answers in a row decide.

    Attributes:
        period_seconds: from the start of one probe to the start of the next.
        timeout_seconds: a probe without an answer by then has failed.
        success_threshold: passes in a row that make it Passing.
        failure_threshold: failures in a row that make it Failing.
    """

    period_seconds: float
    timeout_seconds: float
    success_threshold: int
    failure_threshold: int


def schedule_of(wanted: Gate | PodProbe) -> Schedule:
    """Return the schedule that the fields of a gate, or of its probe of pods, ask for."""
    return Schedule(
        period_seconds=wanted.period_milliseconds / 1000,
        timeout_seconds=wanted.timeout_milliseconds / 1000,
        success_threshold=wanted.success_threshold,
        failure_threshold=wanted.failure_threshold,
    )


class PeriodicGate:
    """Runs a probe on a fixed grid of times and keeps the verdict.

    Probes never overlap: one that takes longer than a period makes the gate skip the times it
    missed, and one that outlives its timeout is ended and counts as failed.
    """

    def __init__(self, schedule: Schedule, probe: Probe, on_change: Callable[[], None]) -> None:
        self._schedule = schedule
        self._probe = probe
        self._on_change = on_change
        self._tally = Tally(schedule.success_threshold, schedule.failure_threshold)
        self._task: asyncio.Task[None] | None = None

    @property
    def verdict(self) -> Verdict:
        """The verdict now."""
        return self._tally.verdict

    @property
    def tally(self) -> Tally:
        """The counts behind the verdict, on the clock of time.time_ns()."""
        return self._tally

    def start(self) -> None:
        """Ask for the first time as soon as the loop runs, then once a period."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Ask no more; a probe under way is ended."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._probe.close()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            outcome = await self._ask()
            if self._tally.count(time.time_ns(), outcome):
                self._on_change()
            due = next_due(due, loop.time(), self._schedule.period_seconds)
            await asyncio.sleep(due - loop.time())

    async def _ask(self) -> Outcome:
        try:
            async with asyncio.timeout(self._schedule.timeout_seconds):
                return await self._probe.ask()
        except TimeoutError:
            milliseconds = round(self._schedule.timeout_seconds * 1000)
            what = f"no answer within {milliseconds} ms from {self._probe.target}"
            return Outcome(passed=False, reason=what)
        except Exception as error:  # noqa: BLE001  a probe that breaks has failed; the gate goes on
            _log.warning("The probe of %s broke: %r", self._probe.target, error)
            return Outcome(passed=False, reason=f"the probe of {self._probe.target} broke: {error}")


def next_due(due: float, now: float, period: float) -> float:
    """Return the first time after `now` on the grid of `due` and `period`, all in seconds."""
    missed = max(0, int((now - due) // period))
    return due + (missed + 1) * period
