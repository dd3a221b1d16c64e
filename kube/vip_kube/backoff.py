"""How long to wait before something that failed is tried again."""

from __future__ import annotations

import random

FIRST_SECONDS = 0.5
LIMIT_SECONDS = 10.0
# A server may ask for patience; a mistaken proxy must not make us deaf for a day.
RETRY_AFTER_LIMIT_SECONDS = 60.0


class Backoff:
    """Exponential, with jitter, so that a hundred nodes do not come back in the same moment.

    Args:
        chance: where the jitter comes from.
        first_seconds: longest first wait; each later one is up to twice the one before.
        limit_seconds: no wait of our own is longer.
    """

    def __init__(
        self,
        chance: random.Random,
        *,
        first_seconds: float = FIRST_SECONDS,
        limit_seconds: float = LIMIT_SECONDS,
    ) -> None:
        self._chance = chance
        self._first_seconds = first_seconds
        self._limit_seconds = limit_seconds
        self._next_seconds = first_seconds

    def next_seconds(self, retry_after_seconds: float | None = None) -> float:
        """Return how long to wait now, never less than the server wants (up to a minute)."""
        own = self._next_seconds * self._chance.uniform(0.5, 1.0)
        self._next_seconds = min(2 * self._next_seconds, self._limit_seconds)
        wanted = min(retry_after_seconds or 0.0, RETRY_AFTER_LIMIT_SECONDS)
        return max(own, wanted)

    def reset(self) -> None:
        """Begin with short waits again: it worked."""
        self._next_seconds = self._first_seconds
