"""What is ready is handled in a limited time and in a fair order."""

from __future__ import annotations

import os
import selectors
from collections.abc import Iterator

import pytest

from vip_speaker.engine.events import Events

COUNT = 5
LATER_NS = 1 << 62


class Ready:
    """File descriptors that are always ready, and who of them was called."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.events = Events(self.selector)
        self.called: list[int] = []
        self.files = [os.eventfd(1, os.EFD_NONBLOCK) for _ in range(COUNT)]
        for fd in self.files:
            self.selector.register(fd, selectors.EVENT_READ, self._call(fd))

    def _call(self, fd: int) -> object:
        return lambda _mask: self.called.append(fd)

    def turn(self, until_ns: int) -> None:
        """Do as the loop does."""
        self.events.wait(0)
        self.events.handle(until_ns)


@pytest.fixture
def ready() -> Iterator[Ready]:
    """Five that are ready."""
    made = Ready()
    yield made
    for fd in made.files:
        os.close(fd)
    made.selector.close()


def test_all_of_them_where_there_is_time(ready: Ready) -> None:
    """Each is called once."""
    ready.turn(LATER_NS)
    assert sorted(ready.called) == sorted(ready.files)


def test_what_had_to_wait_comes_first(ready: Ready) -> None:
    """Without any time one is called a turn, and all of them before one is called again."""
    for _ in range(COUNT):
        ready.turn(0)
    assert sorted(ready.called) == sorted(ready.files)


def test_one_that_only_wakes_the_loop(ready: Ready) -> None:
    """It is no step: what is called is."""
    for fd in ready.files[1:]:
        ready.selector.modify(fd, selectors.EVENT_READ, None)
    ready.turn(0)
    assert ready.called == [ready.files[0]]
