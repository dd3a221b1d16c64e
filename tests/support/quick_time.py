"""Time that runs ten times as fast while nothing happens, for asynchronous tests that merely wait.

`quick_time` is a fixture: `pytestmark = pytest.mark.usefixtures("quick_time")` in a file whose
tests wait for retries, limits and silences. Everything that is asked of the module `time` and of
the event loop runs by its clock. While the loop has work, that is the ordinary clock; while it
waits for its next timer and no socket has anything to say, the clock is put forward.

Not for tests with threads that work while the loop waits: to the loop that is idleness.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

# So long the kernel may take, on a busy machine, to hand over what was sent through loopback.
_PAUSE_SECONDS = 0.002
_SKIP_SECONDS = 0.018


class QuickTime:
    """The clock, and a selector that puts it forward instead of waiting.

    Args:
        selector: of the event loop.
    """

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._skipped_seconds = 0.0
        self._monotonic, self._monotonic_ns = time.monotonic, time.monotonic_ns

    def monotonic(self) -> float:
        """Do what time.monotonic does."""
        return self._monotonic() + self._skipped_seconds

    def monotonic_ns(self) -> int:
        """Do what time.monotonic_ns does."""
        return self._monotonic_ns() + int(self._skipped_seconds * 1e9)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Do what the selector does, but wait for a fraction of the time only."""
        if timeout is None or timeout <= _PAUSE_SECONDS:
            return self._selector.select(timeout)
        ready = self._selector.select(_PAUSE_SECONDS)
        if not ready:
            self._skipped_seconds += min(timeout - _PAUSE_SECONDS, _SKIP_SECONDS)
        return ready

    def __getattr__(self, name: str) -> Any:
        return getattr(self._selector, name)


@pytest.fixture
async def quick_time(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[QuickTime]:
    """Let time run quickly where this test waits."""
    loop: Any = asyncio.get_running_loop()
    selector = loop._selector
    quick = QuickTime(selector)
    loop._selector = quick
    monkeypatch.setattr(time, "monotonic", quick.monotonic)
    monkeypatch.setattr(time, "monotonic_ns", quick.monotonic_ns)
    yield quick
    loop._selector = selector
