"""How long the turns of the loop are and how late its timers: always measured, shown in status.

A turn that is long delays an advert; a timer that is late already did.
"""

from __future__ import annotations

import time
from bisect import bisect_left

from vip_speaker.engine.clock import boottime_ns
from vip_speaker.messages import Histogram, Turns
from vip_speaker.vrrp.timers import MILLISECOND_NS, SECOND_NS

# Upper bounds of the buckets; what is longer is in the last, which has no bound.
BOUNDS_MILLISECONDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_BOUNDS_NS = tuple(bound * MILLISECOND_NS for bound in BOUNDS_MILLISECONDS)
_WINDOW_NS = 60 * SECOND_NS


class Durations:
    """Counts durations by size, and keeps the longest of all and the longest of late.

    The longest of late is that of the current minute and of the one before.
    """

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS_NS) + 1)
        self._sum_ns = 0
        self._longest_ns = 0
        self._recent_ns = [0, 0]
        self._window = 0

    def add(self, now: int, duration_ns: int) -> None:
        """Count one that ended now."""
        self._counts[bisect_left(_BOUNDS_NS, duration_ns)] += 1
        self._sum_ns += duration_ns
        self._longest_ns = max(self._longest_ns, duration_ns)
        self._turn_window(now)
        self._recent_ns[0] = max(self._recent_ns[0], duration_ns)

    def message(self, now: int) -> Histogram:
        """Return them as they are reported."""
        self._turn_window(now)
        return Histogram(
            bounds_milliseconds=list(BOUNDS_MILLISECONDS),
            counts=list(self._counts),
            sum_milliseconds=self._sum_ns / MILLISECOND_NS,
            longest_milliseconds=self._longest_ns / MILLISECOND_NS,
            recent_longest_milliseconds=max(self._recent_ns) / MILLISECOND_NS,
        )

    def _turn_window(self, now: int) -> None:
        window = now // _WINDOW_NS
        if window != self._window:
            before = self._recent_ns[0] if window == self._window + 1 else 0
            self._recent_ns = [0, before]
            self._window = window


class TurnMeter:
    """Measures each turn in time of this thread's processor and in elapsed time."""

    def __init__(self) -> None:
        self._cpu = Durations()
        self._wall = Durations()
        self._lateness = Durations()
        self._began_ns = self._began_cpu_ns = 0

    def begin(self, due_ns: int | None) -> None:
        """A turn begins; its earliest timer was due then."""
        self._began_ns, self._began_cpu_ns = boottime_ns(), time.thread_time_ns()
        if due_ns is not None and due_ns <= self._began_ns:
            self._lateness.add(self._began_ns, self._began_ns - due_ns)

    def end(self) -> None:
        """It is over."""
        now = boottime_ns()
        self._wall.add(now, now - self._began_ns)
        self._cpu.add(now, time.thread_time_ns() - self._began_cpu_ns)

    def message(self) -> Turns:
        """Return what was measured since the engine started."""
        now = boottime_ns()
        return Turns(
            processor=self._cpu.message(now),
            elapsed=self._wall.message(now),
            lateness=self._lateness.message(now),
        )
