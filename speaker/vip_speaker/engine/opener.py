"""Opening sockets where nobody waits for long.

Joining a multicast group waits for a kernel lock (RTNL) that others hold for up to half a second,
as when a network namespace is torn down. A thread opens; the loop gives it two milliseconds, which
is ten times what it takes otherwise, and asks again later.
"""

from __future__ import annotations

import errno
import queue
import threading
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

from vip_speaker.engine.aside import Closable, close_aside
from vip_speaker.engine.clock import boottime_ns
from vip_speaker.vrrp.timers import SECOND_NS

_WAIT_SECONDS = 0.002
_KEPT_NS = 30 * SECOND_NS

OpenedT = TypeVar("OpenedT", bound=Closable)


class StillOpeningError(OSError):
    """It is not open yet: ask again."""

    def __init__(self) -> None:
        super().__init__(errno.EINPROGRESS, "the kernel is busy, trying again")


class Opener:
    """The thread that opens. What was opened and is not asked for again is closed in time."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Hashable, Callable[[], Closable]] | None] = (
            queue.SimpleQueue()
        )
        self._changed = threading.Condition()
        self._pending: set[Hashable] = set()
        self._done: dict[Hashable, tuple[int, Closable | Exception]] = {}
        self._patient = False
        self._thread = threading.Thread(target=self._run, name="opening", daemon=True)
        self._thread.start()

    def wait_for_all(self, *, patient: bool) -> None:
        """Wait as long as it takes from now on: before anything is served, there is time."""
        self._patient = patient

    def open(self, key: Hashable, make: Callable[[], OpenedT]) -> OpenedT:
        """Return what `make` opens.

        Raises StillOpeningError if that takes long (ask again with the same key), and whatever
        `make` raises.
        """
        with self._changed:
            self._close_unwanted()
            is_free = not self._pending
            if key not in self._done and key not in self._pending:
                self._pending.add(key)
                self._jobs.put((key, make))
            if self._patient:
                self._changed.wait_for(lambda: key in self._done)
            elif is_free:
                self._changed.wait_for(lambda: key in self._done, _WAIT_SECONDS)
            found = self._done.pop(key, None)
        if found is None:
            raise StillOpeningError
        if isinstance(found[1], Exception):
            raise found[1]
        return cast("OpenedT", found[1])

    def close(self) -> None:
        """End the thread."""
        self._jobs.put(None)

    def _close_unwanted(self) -> None:
        now = boottime_ns()
        old = [key for key, (at, _) in self._done.items() if now - at > _KEPT_NS]
        unwanted = [self._done.pop(key)[1] for key in old]
        close_aside([one for one in unwanted if not isinstance(one, Exception)])

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            key, make = job
            opened: Closable | Exception
            try:
                opened = make()
            except Exception as error:  # noqa: BLE001  raised in the thread that asks
                opened = error
            with self._changed:
                self._pending.discard(key)
                self._done[key] = (boottime_ns(), opened)
                self._changed.notify_all()
