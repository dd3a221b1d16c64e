"""Virtual time: a heap of (time, sequence, call), and clocks that run at their own rate."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_MILLION = 1_000_000


class Agenda:
    """What is to happen, in order; `now_ns` is the time of the event that is running."""

    def __init__(self) -> None:
        self.now_ns = 0
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._sequence = 0

    def at(self, time_ns: int, call: Callable[..., None], *arguments: Any) -> None:
        """Plan a call; one for the past happens next."""
        self._sequence += 1
        heapq.heappush(self._heap, (max(time_ns, self.now_ns), self._sequence, call, arguments))

    def after(self, delay_ns: int, call: Callable[..., None], *arguments: Any) -> None:
        """Plan a call so long from now."""
        self.at(self.now_ns + delay_ns, call, *arguments)

    def run_until(self, end_ns: int, after_each: Callable[[], None]) -> None:
        """Let everything happen that is planned up to that time."""
        heap = self._heap
        while heap and heap[0][0] <= end_ns:
            self.now_ns, _, call, arguments = heapq.heappop(heap)
            call(*arguments)
            after_each()
        self.now_ns = end_ns


@dataclass(frozen=True, slots=True)
class Clock:
    """A node's monotonic clock: another origin, and a little fast or slow.

    Attributes:
        origin_ns: what it shows at time 0.
        rate_ppm: parts per million by which it runs fast.
    """

    origin_ns: int
    rate_ppm: int

    def local_ns(self, time_ns: int) -> int:
        """Return what it shows at that time."""
        return self.origin_ns + time_ns * (_MILLION + self.rate_ppm) // _MILLION

    def time_ns(self, local_ns: int) -> int:
        """Return the first time at which it shows that much."""
        return -(-(local_ns - self.origin_ns) * _MILLION // (_MILLION + self.rate_ppm))
