"""Writing to the API, and what to do when it does not work."""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable

from vip_common.log import Trouble
from vip_kube.backoff import Backoff
from vip_kube.errors import ApiError, UnreachableError

_LIMIT_SECONDS = 5.0

_log = logging.getLogger("agent")


class NotYetError(Exception):
    """Something that is needed for it is not there; the text says what."""


class Attempts:
    """Counts, waits and tells: once when trouble begins and once when it ends.

    Args:
        what: completes "Could not …".
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._backoff = Backoff(random.Random(), limit_seconds=_LIMIT_SECONDS)  # noqa: S311  no secret
        self._standing = Trouble(_log, what)
        self._newest = ""

    @property
    def trouble(self) -> str:
        """Why it does not work at the moment, one sentence; empty while it does."""
        return self._newest

    async def make(self, write: Callable[[], Awaitable[None]]) -> float:
        """Write; return 0 if it worked, else the seconds to wait before the next attempt."""
        try:
            await write()
        except (ApiError, UnreachableError, NotYetError) as error:
            self._standing.begins(error)
            self._newest = f"Could not {self._what}: {error}"
            wanted = error.retry_after_seconds if isinstance(error, ApiError) else None
            return self._backoff.next_seconds(wanted)
        self._standing.ends()
        self._newest = ""
        self._backoff.reset()
        return 0.0
