"""Waiting without hoping: poll until something is so, or say what was seen last."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


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
        seconds: deadline.
        every: pause between two looks, in seconds.
        show: what to tell when time is up; default: the last result of `look`.

    Raises NotInTimeError with what was there instead.
    """
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
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
