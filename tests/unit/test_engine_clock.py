"""Moments as people read them: the same words for the same moment."""

from __future__ import annotations

import random

from vip_speaker.engine.clock import WallClock

SECOND = 1_000_000_000
MICROSECOND = 1_000
# On the edge of a millisecond: 2026-01-01T00:00:12.345Z.
OFFSET = 1_767_225_600 * SECOND
MOMENT = 12 * SECOND + 345_000_000


def test_a_moment_is_told_in_the_same_words_each_time() -> None:
    """Two clocks are never read at one instant; nobody may see that in what is told."""
    rng = random.Random(1)
    clock = WallClock(lambda: OFFSET + rng.randint(-10, 10) * MICROSECOND)
    assert len({clock.rfc3339(MOMENT) for _ in range(1000)}) == 1


def test_a_clock_that_is_set_tells_other_words() -> None:
    """Where the clock was wrong by an hour, moments are told anew once it is right."""
    offsets = [OFFSET, OFFSET, OFFSET + 3600 * SECOND, OFFSET + 3600 * SECOND]
    clock = WallClock(lambda: offsets.pop(0))
    told = [clock.rfc3339(MOMENT) for _ in range(3)]
    assert told == ["2026-01-01T00:00:12.345Z", *["2026-01-01T01:00:12.345Z"] * 2]
