"""Work that is done a little in each turn."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from vip_speaker.engine.chores import Chores, run_to_end
from vip_speaker.engine.clock import boottime_ns

LATER_NS = 60 * 1_000_000_000


def counting(steps: int, done: list[str], name: str) -> Generator[None, None, int]:
    """Return a chore of so many steps that writes its name at the end."""
    for _ in range(steps):
        yield
    done.append(name)
    return steps


def test_one_step_at_least_and_no_more_than_there_is_time_for() -> None:
    """Without any time it goes on nevertheless, one step a turn."""
    chores, done = Chores(), list[str]()
    chores.add(counting(3, done, "first"))
    turns = 0
    while chores:
        chores.proceed(0)
        turns += 1
    assert done == ["first"]
    assert turns == 4


def test_in_the_order_of_their_coming() -> None:
    """An answer tells what was asked for before it."""
    chores, done = Chores(), list[str]()
    for name, steps in (("first", 5), ("second", 0), ("third", 2)):
        chores.add(counting(steps, done, name))
    chores.proceed(boottime_ns() + LATER_NS)
    assert done == ["first", "second", "third"]
    assert not chores


def test_a_client_that_asks_faster_than_it_is_answered() -> None:
    """What waits has a bound."""
    chores = Chores()
    for _ in range(256):
        chores.add(counting(0, [], ""))
    with pytest.raises(ValueError, match="wait already"):
        chores.add(counting(0, [], ""))


def test_all_steps_at_once() -> None:
    """The result is that of the last one."""
    assert run_to_end(counting(4, [], "")) == 4
