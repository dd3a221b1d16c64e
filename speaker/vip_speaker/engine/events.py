"""What the selector found, handled in a limited time and in a fair order."""

from __future__ import annotations

import selectors

from vip_speaker.engine.clock import boottime_ns

_Found = tuple[selectors.SelectorKey, int]


class Events:
    """Waits for file descriptors and calls what they were registered with.

    One that was registered with None only wakes the loop.

    Attributes:
        until_ns: until when the one that is called may go on, after its first step.
    """

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._found: list[_Found] = []
        # File descriptors in the order of their turns.
        self._postponed: dict[int, int] = {}
        self.until_ns = 0

    def wait(self, timeout_seconds: float | None) -> None:
        """Wait until something is ready; what had to wait comes first."""
        self._found = self._selector.select(timeout_seconds)
        if self._postponed:
            # It is as ready as before: the selector finds it again, in an order of its own.
            last = len(self._postponed)
            self._found.sort(key=lambda found: self._postponed.get(found[0].fd, last))

    def handle(self, until_ns: int) -> None:
        """Call one after the other until then, one at least; the rest waits for the next turn."""
        self.until_ns = until_ns
        waiting = iter(self._found)
        for key, mask in waiting:
            if key.data is not None:
                key.data(mask)
                if boottime_ns() >= until_ns:
                    break
        self._postponed = {key.fd: at for at, (key, _) in enumerate(waiting)}
        self._found = []
