"""When an engine counts as hanging, and when it is the machine that stood still."""

from __future__ import annotations

import os

from vip_speaker.heartbeat import (
    BEAT_NS,
    HANG_SECONDS,
    LOOK_SECONDS,
    START_SECONDS,
    Pulse,
    Watch,
)


def _silence(watch: Watch, since: float, seconds: float) -> float | None:
    """Look at a silent engine for that long; return when it was found to hang."""
    looks = int(seconds / LOOK_SECONDS)
    for look in range(1, looks + 1):
        now = since + look * LOOK_SECONDS
        if watch.hangs(now):
            return now - since
    return None


def test_a_silent_engine_hangs() -> None:
    """After the documented time, and not before."""
    watch = Watch(100.0)
    watch.beat()
    found = _silence(watch, 100.0, 2 * HANG_SECONDS)
    assert found is not None
    assert HANG_SECONDS <= found <= HANG_SECONDS + 2 * LOOK_SECONDS


def test_a_beat_begins_anew() -> None:
    """One sign of life in time is enough."""
    watch = Watch(0.0)
    watch.beat()
    for second in range(100):
        assert _silence(watch, second * 4.0, 4.0) is None
        watch.beat()


def test_a_machine_that_stood_still_is_no_hang() -> None:
    """The supervisor looks late itself: silence before and during that does not count."""
    watch = Watch(0.0)
    watch.beat()
    assert _silence(watch, 0.0, 4.0) is None
    assert not watch.hangs(1000.0)
    assert _silence(watch, 1000.0, 4.0) is None


def test_a_machine_with_no_time_for_anybody_is_no_hang() -> None:
    """Where each look is late, nothing is known of the engine."""
    watch = Watch(0.0)
    watch.beat()
    assert not any(watch.hangs(1.5 * look) for look in range(1, 100))


def test_a_start_may_take_longer() -> None:
    """Until its first sign of life an engine opens sockets for all of its routers."""
    found = _silence(Watch(0.0), 0.0, 2 * START_SECONDS)
    assert found is not None
    assert found >= START_SECONDS


def test_an_engine_beats_no_more_often_than_it_must() -> None:
    """A thousand turns a second are two beats."""
    read, write = os.pipe()
    pulse = Pulse(write)
    for turn in range(2001):
        pulse.beat(turn * 1_000_000)
    assert len(os.read(read, 4096)) == 1 + 2_000_000_000 // BEAT_NS
    os.close(read)
    pulse.beat(10 * BEAT_NS)  # the supervisor is gone
    os.close(write)


def test_a_supervisor_that_does_not_read_holds_nobody_up() -> None:
    """A full pipe takes nothing more, and says nothing."""
    read, write = os.pipe()
    pulse = Pulse(write)
    for turn in range(70_000):
        pulse.beat(turn * BEAT_NS)
    os.close(read)
    os.close(write)


def test_without_a_supervisor_there_is_no_pulse() -> None:
    """And nothing that would wake the loop for it."""
    pulse = Pulse(None)
    pulse.beat(0)
    assert pulse.due_ns is None
