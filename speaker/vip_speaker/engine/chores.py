"""Work of the loop that grows with the number of routers: a little of it in each turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from typing import TypeVar, cast

from vip_speaker.engine.clock import boottime_ns

T = TypeVar("T")

# More than there can be clients.
_WAITING_MAX = 256


class Chores:
    """Does one chore after the other, in the order in which they came.

    A chore is a generator that yields wherever the next turn may go on; each step is to be short.
    """

    def __init__(self) -> None:
        self._waiting: deque[Iterator[None]] = deque()

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._waiting)

    def add(self, chore: Iterator[None]) -> None:
        """Do this after all others. Raises ValueError if too many wait already."""
        if len(self._waiting) >= _WAITING_MAX:
            raise ValueError(f"{_WAITING_MAX} requests wait already")
        self._waiting.append(chore)

    def proceed(self, until_ns: int) -> None:
        """Go on until then, or until all is done; at least one step."""
        while self._waiting:
            for _ in self._waiting[0]:
                if boottime_ns() >= until_ns:
                    return
            self._waiting.popleft()


def run_to_end(steps: Generator[None, None, T]) -> T:
    """Return the result of what can be done in steps, at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return cast("T", end.value)
