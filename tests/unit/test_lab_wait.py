"""Waiting: limits are for an idle machine, and a busy one gets more time."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from vip_lab import wait
from vip_lab.wait import Deadline, NotInTimeError, until


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock, to be moved by the test."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def _run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wanting: int) -> None:
    """Let so many processes want to run."""
    load = tmp_path / "loadavg"
    load.write_text(f"0.50 0.50 0.50 {wanting}/200 1234\n")
    monkeypatch.setattr(wait, "_LOAD", load)


@pytest.mark.parametrize(
    ("wanting_for_each_core", "seconds"), [(0, 10.0), (1, 10.0), (3, 30.0), (1000, 100.0)]
)
def test_a_second_of_a_busy_machine_is_less(
    clock: list[float],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    wanting_for_each_core: int,
    seconds: float,
) -> None:
    """A limit of ten seconds lasts as long as what is waited for needs, up to ten times that."""
    _run(monkeypatch, tmp_path, wanting_for_each_core * (os.cpu_count() or 1))
    deadline = Deadline(10.0)
    clock[0] += seconds - 0.1
    assert not deadline.is_over()
    clock[0] += 0.2
    assert deadline.is_over()


def test_each_moment_counts_as_it_was(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A machine that was busy for a while had less time for that while only."""
    cores = os.cpu_count() or 1
    deadline = Deadline(10.0)
    _run(monkeypatch, tmp_path, 2 * cores)
    clock[0] += 10.0
    assert not deadline.is_over()
    _run(monkeypatch, tmp_path, cores)
    clock[0] += 4.9
    assert not deadline.is_over()
    clock[0] += 0.2
    assert deadline.is_over()


def test_what_was_seen_last_is_told() -> None:
    """Time that is up is an error with what was waited for and what was there instead."""
    with pytest.raises(NotInTimeError, match="for the end, last seen: 0"):
        until("the end", lambda: 0, 0.05)
