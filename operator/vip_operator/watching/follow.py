"""Follows one kind by a reflector, which is begun anew where the API server began anew itself.

A watch that goes on from a version which an API server restored from a backup has not reached yet
brings nothing until it has, and nobody says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class Following(Protocol):
    """A reflector."""

    @property
    def trouble(self) -> str:
        """Why nothing is heard at the moment; empty while all is well."""

    async def run(self) -> None:
        """Follow until cancelled."""


class Follower:
    """Runs until cancelled.

    Args:
        begin: makes a reflector that knows nothing yet.
    """

    def __init__(self, begin: Callable[[], Following]) -> None:
        self._begin = begin
        self._reflector = begin()
        self._following: asyncio.Future[None] | None = None

    @property
    def trouble(self) -> str:
        """Why nothing is heard at the moment, for a person to read; empty while all is well."""
        return self._reflector.trouble

    def renew(self) -> None:
        """Forget where the watch is and begin with a list."""
        if self._following is not None:
            self._reflector = self._begin()
            self._following.cancel()

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            reflector = self._reflector
            self._following = asyncio.ensure_future(reflector.run())
            try:
                await asyncio.wait([self._following])
                if not self._following.cancelled():
                    self._following.result()
            finally:
                self._following.cancel()
