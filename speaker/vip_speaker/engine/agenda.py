"""Which router is due next, without asking all of them at every turn of the loop."""

from __future__ import annotations

import heapq
import itertools

from vip_speaker.engine.router import Router


class Agenda:
    """A heap of deadlines; an entry that a later one has replaced is skipped when it comes up."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Router]] = []
        self._current: dict[Router, int] = {}
        self._order = itertools.count()

    def schedule(self, router: Router) -> None:
        """Take note of the router's deadline as it is now."""
        due_ns = router.deadline()
        if due_ns is None:
            self._current.pop(router, None)
        elif self._current.get(router) != due_ns:
            self._current[router] = due_ns
            heapq.heappush(self._heap, (due_ns, next(self._order), router))

    def forget(self, router: Router) -> None:
        """The router is no more."""
        self._current.pop(router, None)

    def next_ns(self) -> int | None:
        """Return the earliest deadline."""
        self._drop_replaced()
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: int) -> list[Router]:
        """Return every router that is due, each once; `schedule` them again afterwards."""
        due: list[Router] = []
        while (next_ns := self.next_ns()) is not None and next_ns <= now:
            router = heapq.heappop(self._heap)[2]
            del self._current[router]
            due.append(router)
        return due

    def _drop_replaced(self) -> None:
        while self._heap and self._current.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
