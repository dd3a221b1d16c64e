"""Waiting without hoping: poll until something is so, or say what was seen last."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_LOAD = Path("/proc/loadavg")
_LEAST_SHARE = 0.1


class Deadline:
    """A limit for something that somebody else does, on a clock that runs as slowly as he does.

    Where more processes want to run than there are cores, each gets a share of a second in every
    second; so much counts. On an idle machine a second is a second.

    Args:
        seconds: the limit.
    """

    def __init__(self, seconds: float) -> None:
        self._left_seconds = seconds
        self._looked = time.monotonic()

    def is_over(self) -> bool:
        """Return whether time is up; to be asked again and again, as the share changes."""
        before, self._looked = self._looked, time.monotonic()
        self._left_seconds -= (self._looked - before) * _share()
        return self._left_seconds < 0


def _share() -> float:
    """Return which part of its time a process that could run does run, at this moment."""
    wanting = int(_LOAD.read_text().split()[3].partition("/")[0])
    return max(_LEAST_SHARE, min(1.0, (os.cpu_count() or 1) / max(1, wanting)))


class NotInTimeError(AssertionError):
    """What was waited for did not come about; the text says what was there instead."""


def until(
    what: str,
    look: Callable[[], T],
    seconds: float,
    *,
    every: float = 0.02,
    show: Callable[[], object] | None = None,
) -> T:
    """Return the first true result of `look`.

    Args:
        what: what is waited for, in words that complete "waited for …".
        look: called again and again; None, False and whatever else is not true mean "not yet".
        seconds: limit, on the clock of a Deadline.
        every: pause between two looks, in seconds.
        show: what to tell when time is up; default: the last result of `look`.

    Raises NotInTimeError with what was there instead.
    """
    deadline = Deadline(seconds)
    while True:
        seen = look()
        if seen:
            return seen
        if deadline.is_over():
            told = show() if show is not None else repr(seen)
            raise NotInTimeError(f"waited {seconds:g} s for {what}, last seen: {told}")
        time.sleep(every)


def throughout(
    what: str,
    look: Callable[[], object],
    seconds: float,
    *,
    every: float = 0.02,
    show: Callable[[], object] | None = None,
) -> None:
    """Check that `look` stays true all that time. Raises NotInTimeError if it does not."""
    start = time.monotonic()
    while (passed := time.monotonic() - start) < seconds:
        if not (seen := look()):
            told = show() if show is not None else repr(seen)
            raise NotInTimeError(f"no longer so after {passed:.2f} s: {what}; now: {told}")
        time.sleep(every)
