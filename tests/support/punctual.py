"""Whether this machine lets anybody be on time: a thread that does nothing but wake up."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

_EVERY_SECONDS = 0.005


class Control:
    """Wakes up every 5 ms while the block runs, and notes how late it was at worst."""

    def __init__(self) -> None:
        self.latest_milliseconds = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            began = time.monotonic()
            if self._ended.wait(_EVERY_SECONDS):
                return
            late = 1000 * (time.monotonic() - began - _EVERY_SECONDS)
            self.latest_milliseconds = max(self.latest_milliseconds, late)
