"""Packet stamps of a clock that can be set, as times of one that cannot."""

from __future__ import annotations

import time

from vip_speaker.linux.clock import (
    StampClock,
    arrival_ns,
    boottime_ns,
    realtime_offset_ns,
)

SECOND = 1_000_000_000
# CLOCK_REALTIME minus CLOCK_BOOTTIME in these tests.
OFFSET = 1_700_000_000 * SECOND


class Clock:
    """A CLOCK_BOOTTIME and an offset that the test moves."""

    def __init__(self) -> None:
        self.now_ns = 100 * SECOND
        self.offset_ns = OFFSET

    def stamps(self) -> StampClock:
        return StampClock(lambda: self.now_ns, lambda: self.offset_ns)


def test_offset_ties_the_two_clocks_together() -> None:
    """CLOCK_BOOTTIME plus the sampled offset is CLOCK_REALTIME, within a millisecond."""
    assert abs(boottime_ns() + realtime_offset_ns() - time.time_ns()) < 1_000_000


def test_a_steady_clock_gives_the_arrival() -> None:
    """With a clock that nobody sets, a packet that waited 2 s is 2 s old."""
    clock = Clock()
    stamps = clock.stamps()
    clock.now_ns += 5 * SECOND

    assert stamps.convert([103 * SECOND + OFFSET], emptied=True) == [103 * SECOND]


def test_a_packet_without_stamp_has_just_arrived() -> None:
    """A packet that the kernel did not stamp counts as arriving when it is read."""
    clock = Clock()
    stamps = clock.stamps()
    clock.now_ns += 5 * SECOND

    assert stamps.convert([None], emptied=True) == [105 * SECOND]


def test_a_clock_set_back_while_the_packet_waited() -> None:
    """A packet stamped before the clock was set back an hour keeps its true arrival."""
    clock = Clock()
    stamps = clock.stamps()
    clock.now_ns += 5 * SECOND
    clock.offset_ns -= 3600 * SECOND

    assert stamps.convert([103 * SECOND + OFFSET], emptied=True) == [103 * SECOND]


def test_a_clock_set_forward_while_the_packet_waited() -> None:
    """A packet stamped before the clock was set forward an hour keeps its true arrival."""
    clock = Clock()
    stamps = clock.stamps()
    clock.now_ns += 5 * SECOND
    clock.offset_ns += 3600 * SECOND

    assert stamps.convert([103 * SECOND + OFFSET], emptied=True) == [103 * SECOND]


def test_stamps_before_and_after_a_step_in_one_queue() -> None:
    """Of two packets around a step of the clock both keep their true arrival."""
    clock = Clock()
    stamps = clock.stamps()
    clock.now_ns += 5 * SECOND
    before = 102 * SECOND + OFFSET
    clock.offset_ns -= 3600 * SECOND
    after = 104 * SECOND + clock.offset_ns

    assert stamps.convert([before, after], emptied=True) == [102 * SECOND, 104 * SECOND]


def test_never_later_than_now() -> None:
    """A stamp from the future, whatever the reason, counts as now."""
    assert arrival_ns(12, [0], earliest_ns=5, latest_ns=9) == 9


def test_never_older_than_the_empty_queue() -> None:
    """A packet cannot have arrived before the moment at which its queue was seen empty."""
    clock = Clock()
    stamps = clock.stamps()
    clock.now_ns += 5 * SECOND
    assert stamps.convert([], emptied=True) == []
    clock.now_ns += 1 * SECOND

    assert stamps.convert([3 * SECOND + OFFSET], emptied=True) == [105 * SECOND]


def test_a_queue_that_was_not_emptied_keeps_its_bound() -> None:
    """Packets left in the queue may be as old as the last time it was seen empty."""
    clock = Clock()
    stamps = clock.stamps()
    clock.now_ns += 5 * SECOND
    stamps.convert([101 * SECOND + OFFSET], emptied=False)

    assert stamps.convert([102 * SECOND + OFFSET], emptied=True) == [102 * SECOND]


def test_of_two_possible_answers_the_later_one() -> None:
    """Where a step leaves two possible arrivals, the one that lets the peer live longer counts."""
    assert arrival_ns(10, [2, 4], earliest_ns=5, latest_ns=9) == 8
