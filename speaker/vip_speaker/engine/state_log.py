"""Prints what `vip-speaker status` shows to the log, where no advert waits for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Thread

from vip_speaker.linux.priority import prefer_helper
from vip_speaker.messages import Status

_log = logging.getLogger("engine")


class StateLog:
    """Prints the state each time it is asked to, once at a time.

    Args:
        ask: has the state made, and handed to what it is called with.
    """

    def __init__(self, ask: Callable[[Callable[[Status], None]], None]) -> None:
        self._ask = ask
        self._is_busy = False

    def request(self) -> None:
        """Print the state soon, in a thread of its own."""
        if not self._is_busy:
            self._is_busy = True
            self._ask(self._print_aside)

    def _print_aside(self, status: Status) -> None:
        Thread(target=self._print, args=(status,), name="printing", daemon=True).start()

    def _print(self, status: Status) -> None:
        from vip_speaker.status_command import table  # noqa: PLC0415  costs the start of an engine

        prefer_helper()
        try:
            for line in table(status, datetime.now(UTC)).splitlines():
                if line:
                    _log.info("%s", line)
        finally:
            self._is_busy = False
