"""Closing sockets where nobody waits: the kernel takes 10 to 30 ms for each packet socket."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from threading import Thread
from typing import Protocol

from vip_speaker.linux.priority import prefer_helper


class Closable(Protocol):
    """Anything that is closed once."""

    def close(self) -> None:
        """Close it. Raises OSError if it has lost what it was open on."""


def close_aside(sockets: Sequence[Closable]) -> None:
    """Close these in a thread of their own."""
    if sockets:
        Thread(target=_close, args=(sockets,), name="closing", daemon=True).start()


def _close(sockets: Sequence[Closable]) -> None:
    prefer_helper()
    close_all(sockets)


def close_all(sockets: Sequence[Closable]) -> None:
    """Close each of these, even if closing another fails."""
    for each in sockets:
        # An interface that is gone has taken its part.
        with contextlib.suppress(OSError):
            each.close()
