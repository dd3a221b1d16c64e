"""What is measured of the engine's turns."""

from __future__ import annotations

from vip_speaker.engine.turns import BOUNDS_MILLISECONDS, Durations
from vip_speaker.vrrp.timers import MILLISECOND_NS, SECOND_NS


def test_durations_are_counted_by_size() -> None:
    """A bound belongs to its bucket, and what exceeds all bounds is counted too."""
    durations = Durations()
    for milliseconds in (0, 1, 3, 5000):
        durations.add(0, milliseconds * MILLISECOND_NS)
    told = durations.message(0)
    assert len(told.counts) == len(BOUNDS_MILLISECONDS) + 1
    assert told.counts[:3] == [2, 0, 1]
    assert told.counts[-1] == 1
    assert (told.sum_milliseconds, told.longest_milliseconds) == (5004, 5000)


def test_the_longest_of_late_is_forgotten() -> None:
    """It stands for the rest of its minute and the next, and then only as the longest of all."""
    durations = Durations()
    durations.add(59 * SECOND_NS, 7 * MILLISECOND_NS)
    assert durations.message(119 * SECOND_NS).recent_longest_milliseconds == 7
    durations.add(119 * SECOND_NS, 2 * MILLISECOND_NS)
    assert durations.message(121 * SECOND_NS).recent_longest_milliseconds == 2
    assert durations.message(400 * SECOND_NS).recent_longest_milliseconds == 0
    assert durations.message(400 * SECOND_NS).longest_milliseconds == 7
