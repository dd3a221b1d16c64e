"""Keeps an eye on the engine for those who report on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from vip_speaker.agent.source import AskEngine
from vip_speaker.messages import Status

# Not everything that the engine reports is announced by it, a gate that turned stale for one.
_POLL_SECONDS = 2.0
# Several transitions, such as those of a whole group, make one report.
_COALESCE_SECONDS = 0.003
# A killed engine is back at once and resumes: nothing has changed for anybody.
_AWAY_AFTER_SECONDS = 5.0


class EngineWatch:
    """Asks the engine whenever something may have changed.

    Args:
        ask: returns the engine's status, None if it does not answer.
        on_look: called after each look.
    """

    def __init__(self, ask: AskEngine, on_look: Callable[[], None]) -> None:
        self._ask = ask
        self._on_look = on_look
        self._news = asyncio.Event()
        self._last: Status | None = None
        self._silent_since: float | None = None

    @property
    def last(self) -> Status | None:
        """What it said last, None if it never did."""
        return self._last

    @property
    def away(self) -> bool:
        """It has not answered for 5 s."""
        if self._silent_since is None:
            return False
        return asyncio.get_running_loop().time() - self._silent_since > _AWAY_AFTER_SECONDS

    def nudge(self) -> None:
        """Look again as soon as may be."""
        self._news.set()

    async def run(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._news.clear()
            status = await self._ask()
            if status is not None:
                self._last, self._silent_since = status, None
            elif self._silent_since is None:
                self._silent_since = loop.time()
            self._on_look()
            await self._something_new()

    async def _something_new(self) -> None:
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await self._news.wait()
        except TimeoutError:
            return
        await asyncio.sleep(_COALESCE_SECONDS)
