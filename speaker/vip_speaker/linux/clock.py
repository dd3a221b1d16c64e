"""CLOCK_BOOTTIME, and the kernel's packet stamps brought to it.

All times of the engine are CLOCK_BOOTTIME: it counts while the machine is suspended and cannot be
set. The kernel stamps packets with CLOCK_REALTIME, which can be: a packet that waited while
somebody set the clock would look hours old, or come from the future.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

# A difference below this is slewing or the noise of taking the sample, not a step.
_STEP_NS = 1_000_000
_SAMPLES = 3
_GOOD_SAMPLE_NS = 2_000


def boottime_ns() -> int:
    """Return the time since boot in ns, suspension included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def realtime_offset_ns() -> int:
    """Return CLOCK_REALTIME minus CLOCK_BOOTTIME in ns.

    The two cannot be read at one instant: the best of a few samples is taken, since the thread
    may lose the processor between them.
    """
    best_offset = best_width = None
    for _ in range(_SAMPLES):
        before = boottime_ns()
        realtime = time.time_ns()
        width = boottime_ns() - before
        if best_width is None or width < best_width:
            best_offset, best_width = realtime - before - width // 2, width
        if width < _GOOD_SAMPLE_NS:
            break
    assert best_offset is not None
    return best_offset


def arrival_ns(
    stamp_ns: int, offsets_ns: Sequence[int], *, earliest_ns: int, latest_ns: int
) -> int:
    """Return when a packet arrived (CLOCK_BOOTTIME), never outside the two limits.

    Args:
        stamp_ns: the kernel's stamp, CLOCK_REALTIME.
        offsets_ns: offsets between the clocks that may have held when the stamp was taken; more
            than one if the clock was set meanwhile.
        earliest_ns: when the queue was last seen empty: nothing in it arrived before.
        latest_ns: now.

    Of several possible answers the latest is taken: to believe for a little longer that a peer
    is alive costs a moment, to take over from a living one costs the service.
    """
    answers = [stamp_ns - offset for offset in offsets_ns]
    possible = [answer for answer in answers if earliest_ns <= answer <= latest_ns]
    if possible:
        return max(possible)
    return min(max(answers[-1], earliest_ns), latest_ns)


class StampClock:
    """Converts the stamps of one socket's packets.

    Args:
        now: CLOCK_BOOTTIME in ns.
        offset: CLOCK_REALTIME minus CLOCK_BOOTTIME in ns.
    """

    def __init__(
        self,
        now: Callable[[], int] = boottime_ns,
        offset: Callable[[], int] = realtime_offset_ns,
    ) -> None:
        self._now = now
        self._offset = offset
        self._offset_ns = offset()
        self._emptied_ns = now()

    def convert(self, stamps_ns: Sequence[int | None], *, emptied: bool) -> list[int]:
        """Return when the packets that were just read arrived, in CLOCK_BOOTTIME ns.

        Args:
            stamps_ns: their stamps; None for a packet without one, which counts as just arrived.
            emptied: the socket had nothing more to read.
        """
        latest = self._now()
        if not stamps_ns:
            self._emptied_ns = latest if emptied else self._emptied_ns
            return []
        offset = self._offset()
        stepped = abs(offset - self._offset_ns) >= _STEP_NS
        offsets = (self._offset_ns, offset) if stepped else (offset,)
        earliest = self._emptied_ns
        arrivals = [
            latest
            if stamp is None
            else arrival_ns(stamp, offsets, earliest_ns=earliest, latest_ns=latest)
            for stamp in stamps_ns
        ]
        if emptied:
            # What is read from now on was stamped after this sample was taken, or just before.
            self._emptied_ns, self._offset_ns = latest, offset
        return arrivals
