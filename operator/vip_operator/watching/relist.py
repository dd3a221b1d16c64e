"""Our own LIST of what kopf watches, which can lose deletions and not tell.

After a watch could not go on, kopf lists anew and tells what is there, never what is gone. Kopf
does not say either when it has told everything. So everything is listed here before the first
plan, whenever kopf listed anew, after the API was away, and every five minutes; and between those
the number of our own objects is compared, which costs the API server next to nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from vip_common.log import Trouble
from vip_kube.backoff import Backoff
from vip_kube.client import Client, Object
from vip_kube.errors import ApiError, UnreachableError
from vip_kube.kinds import Kind

_LIST_EVERY_SECONDS = 300.0
_COUNT_EVERY_SECONDS = 15.0
# An object that was made a moment ago may be on its way through the watch still.
_RECOUNT_AFTER_SECONDS = 1.0
# Kopf tells one event for each object that it lists anew.
_DEBOUNCE_SECONDS = 0.3
_MOST_NAMES = 5

_log = logging.getLogger("operator.relist")


class Listed(Protocol):
    """What is known, to be compared with what is there."""

    def replace(
        self,
        kind: str,
        contents: Sequence[Object],
        resource_version: str,
        *,
        restored: bool = False,
    ) -> Sequence[str]:
        """Take a complete list; return the names of what had been missed."""

    def newest(self, kind: str) -> int:
        """Return the greatest resourceVersion that was heard of a kind, 0 before any."""

    def count(self, kind: str) -> int:
        """Return how many objects of a kind are known."""


class Relister:
    """Lists and compares until cancelled, whatever happens to the API.

    Args:
        client: open.
        listed: what is known.
        kinds: what is listed.
        changed: called after something had been missed.
        restored: called once it turned out that the API server was restored from a backup.
        backoff: after trouble.
    """

    def __init__(
        self,
        client: Client,
        listed: Listed,
        kinds: Sequence[Kind],
        *,
        changed: Callable[[], None],
        restored: Callable[[], None],
        backoff: Backoff,
    ) -> None:
        self._client = client
        self._listed = listed
        self._kinds = tuple(kinds)
        self._changed = changed
        self._restored = restored
        self._backoff = backoff
        self._asked = asyncio.Event()
        self._told_restored = False
        self._known: set[Kind] = set()
        self._trouble = Trouble(_log, "list what is there from the API server")

    @property
    def trouble(self) -> str:
        """Why nothing can be listed, for a person to read; empty while all is well."""
        return str(self._trouble)

    def ask(self, why: str) -> None:
        """List everything soon; asked many times in a moment, it is done once."""
        _log.debug("Asked to list everything: %s", why)
        self._asked.set()

    def renew(self) -> None:
        """List everything soon, and take it for the truth: it is known that versions went back."""
        self._told_restored = True
        self._asked.set()

    async def run(self) -> None:
        """Wait until asked for the first time, then list and compare until cancelled."""
        await self._asked.wait()
        while True:
            await asyncio.sleep(_DEBOUNCE_SECONDS)
            self._asked.clear()
            await self._list(self._kinds)
            await self._compare_until_due()

    async def _compare_until_due(self) -> None:
        """Compare numbers now and then; return once everything is to be listed."""
        loop = asyncio.get_running_loop()
        due = loop.time() + _LIST_EVERY_SECONDS
        while (left := due - loop.time()) > 0:
            if await self._is_asked_within(min(left, _COUNT_EVERY_SECONDS)):
                return
            try:
                differing = await self._differing(self._kinds)
                if differing and not await self._is_asked_within(_RECOUNT_AFTER_SECONDS):
                    differing = await self._differing(differing)
            except (ApiError, UnreachableError) as error:
                self._trouble.begins(error)
                return  # to the list, which is tried until the API is back
            if differing:
                _log.info("Listing %s: their number is not the one known", _plurals(differing))
                await self._list(differing)

    async def _is_asked_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        except TimeoutError:
            return False
        return True

    async def _differing(self, kinds: Iterable[Kind]) -> list[Kind]:
        """Return the kinds of which there are more or fewer than we know."""
        return [
            kind
            for kind in kinds
            if await self._client.count(kind) != self._listed.count(kind.name)
        ]

    async def _list(self, kinds: Iterable[Kind]) -> None:
        """List the kinds, each tried until it works."""
        told, self._told_restored = self._told_restored, False
        if await self._list_each(self._kinds if told else kinds, restored=told):
            # What was told while those lists were under way may have looked like old news.
            await self._list_each(self._kinds, restored=False)
        self._backoff.reset()
        self._trouble.ends()

    async def _list_each(self, kinds: Iterable[Kind], *, restored: bool) -> bool:
        """List the kinds, and all there are once versions went back; return whether they did."""
        left = list(kinds)
        while left:
            try:
                went_back = await self._list_one(left[0], restored=restored)
            except (ApiError, UnreachableError) as error:
                self._trouble.begins(error)
                after = error.retry_after_seconds if isinstance(error, ApiError) else None
                await asyncio.sleep(self._backoff.next_seconds(after))
                continue
            listed = left.pop(0)
            if went_back and not restored:
                _log.warning("The API server was restored from a backup: listing everything")
                restored = True
                self._restored()
                left = [kind for kind in self._kinds if kind != listed]
        return restored

    async def _list_one(self, kind: Kind, *, restored: bool) -> bool:
        """List a kind; return whether its versions are older than they were."""
        newest = self._listed.newest(kind.name)
        listed = await self._client.list(kind)
        if int(listed.resource_version) < newest and not restored:
            # A cache that lags behind catches up; what was restored from a backup does not.
            await asyncio.sleep(_RECOUNT_AFTER_SECONDS)
            listed = await self._client.list(kind)
        went_back = int(listed.resource_version) < newest
        missed = self._listed.replace(
            kind.name, listed.items, listed.resource_version, restored=restored or went_back
        )
        if missed:
            _log.info("The watch had missed changes of %s: %s", kind.plural, _shown(missed))
        if missed or kind not in self._known:
            self._changed()
        self._known.add(kind)
        return went_back


def _plurals(kinds: Iterable[Kind]) -> str:
    return ", ".join(kind.plural for kind in kinds)


def _shown(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    shown = ", ".join(names[:_MOST_NAMES])
    return f"{shown} and {more} more" if more > 0 else shown
