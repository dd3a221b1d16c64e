"""A reflector: keeps somebody told of all objects of a kind, through whatever happens.

List, watch from there, and after a watch that cannot go on list again and compare: what vanished
meanwhile is told as deleted, which a watch alone would never say.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import random
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from vip_kube.backoff import Backoff
from vip_kube.client import EVERYTHING, WATCH_SECONDS, Client, Object, Selection, WatchEvent
from vip_kube.errors import ApiError, UnreachableError
from vip_kube.inventory import Change, ChangeType, Inventory, version_of
from vip_kube.kinds import Kind

# A watch that has been open for so long is a good one, and none is opened sooner after another.
SETTLED_AFTER_SECONDS = 1.0

_log = logging.getLogger("kube")


class Handler(Protocol):
    """Who is told. All calls come from the reflector's task, in order, and must not block."""

    def upsert(self, content: Object) -> None:
        """An object is new or another than before."""

    def delete(self, content: Object) -> None:
        """An object is gone; its last known content."""

    def synced(self) -> None:
        """A complete list has been told; called after each list, the first and every other."""


class Reflector:
    """Follows one kind until cancelled.

    Trouble with the API ends nothing: it lists and watches again with a jittered back-off.
    Objects are told apart by uid, so that one deleted and created anew under the same name is
    told as deleted first. An object that a relist brings unchanged is not told again.

    Args:
        client: open for as long as this runs.
        kind: what is followed.
        handler: who is told.
        selection: which of them.
        backoff: how long to wait after trouble.
        settled_after_seconds: a watch open for so long means that trouble is over; watches that
            end sooner are not opened more often than this.
        silence_seconds: how long a watch may bring nothing, not even a bookmark. Of a kind
            without bookmarks the server is asked to end it before that.
    """

    def __init__(
        self,
        client: Client,
        kind: Kind,
        handler: Handler,
        selection: Selection = EVERYTHING,
        *,
        backoff: Backoff | None = None,
        settled_after_seconds: float = SETTLED_AFTER_SECONDS,
        silence_seconds: float = 70.0,
    ) -> None:
        self._client = client
        self._kind = kind
        self._handler = handler
        self._selection = selection
        self._backoff = backoff or Backoff(random.Random())  # noqa: S311  no secret
        self._settled_after_seconds = settled_after_seconds
        self._silence_seconds = silence_seconds
        self._watch_seconds = WATCH_SECONDS if kind.bookmarks else int(0.85 * silence_seconds)
        self._inventory = Inventory()
        self._has_synced = False
        self._trouble = ""
        self._trouble_since = 0.0
        # Where a watch goes on; None: only a list can tell.
        self._version: str | None = None
        # A list was tried, and no watch has been a good one since.
        self._relisted = False
        # Of the watch at hand: since when it is open, and whether it was a good one.
        self._opened_at: float | None = None
        self._good = False

    @property
    def has_synced(self) -> bool:
        """A complete list has been told once."""
        return self._has_synced

    @property
    def trouble(self) -> str:
        """Why nothing is heard at the moment, for a person to read; empty while all is well."""
        return self._trouble

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            await asyncio.sleep(await self._follow())

    async def _follow(self) -> float:
        """List if need be, watch until that ends; return the seconds to wait before the next."""
        self._opened_at, self._good = None, False
        try:
            version = self._version
            if version is None:
                version = await self._list()
            await self._watch(version)
        except ApiError as error:
            return self._after_refusal(error)
        except UnreachableError as error:
            return self._after_trouble(str(error))
        if self._good:
            return self._until_next_watch()
        return self._after_trouble("the API server ended a watch as soon as it had begun")

    async def _list(self) -> str:
        """Tell what a complete list changes; return where a watch goes on."""
        self._relisted = True
        listed = await self._client.list(self._kind, self._selection)
        self._tell(self._inventory.compare(listed.items))
        self._version = listed.resource_version
        self._has_synced = True
        self._call("synced", "the list", self._handler.synced)
        return listed.resource_version

    async def _watch(self, version: str) -> None:
        """Tell what events change until the server ends the watch."""
        timers: list[asyncio.TimerHandle] = []

        def opened() -> None:
            self._opened_at = time.monotonic()
            loop = asyncio.get_running_loop()
            timers.append(loop.call_later(self._settled_after_seconds, self._settle))

        events = self._client.watch(
            self._kind,
            self._selection,
            resource_version=version,
            timeout_seconds=self._watch_seconds,
            silence_seconds=self._silence_seconds,
            on_open=opened,
        )
        try:
            async with contextlib.aclosing(events):
                async for event in events:
                    self._hear(event)
        finally:
            for timer in timers:
                timer.cancel()

    def _hear(self, event: WatchEvent) -> None:
        self._is_good()
        self._tell(self._inventory.note(event))
        self._version = version_of(event.object) or self._version

    def _is_good(self) -> None:
        """Note that the watch at hand was worth opening."""
        self._good = True
        self._relisted = False
        self._backoff.reset()

    def _settle(self) -> None:
        """Note that the watch at hand stays open: trouble is over."""
        self._is_good()
        if self._trouble:
            lasted = time.monotonic() - self._trouble_since
            _log.info("Follows %s again, after %.1f s without.", self._kind.plural, lasted)
            self._trouble = ""

    def _after_refusal(self, error: ApiError) -> float:
        """Decide what a refusal means for the next attempt; return the seconds until then."""
        # A list also after other refusals of the resumed watch: where a kind was away (404), the
        # versions may begin anew. Being unknown (401) or too many (429) says nothing of it.
        if 400 <= error.status < 500 and error.status not in {401, 429}:
            self._version = None
        if error.gone and self._good:
            return self._until_next_watch()
        if error.gone and not self._relisted:
            return 0.0
        return self._after_trouble(str(error), error.retry_after_seconds)

    def _after_trouble(self, reason: str, retry_after_seconds: float | None = None) -> float:
        """Log trouble where it begins; return the seconds until the next attempt."""
        if not self._trouble:
            self._trouble_since = time.monotonic()
            _log.warning(
                "Cannot follow %s: %s. Trying until it works.",
                self._kind.plural,
                reason.rstrip("."),
            )
        self._trouble = reason
        return max(self._backoff.next_seconds(retry_after_seconds), self._until_next_watch())

    def _until_next_watch(self) -> float:
        """Return how long another watch would come too soon after this one, in seconds."""
        if self._opened_at is None:
            return 0.0
        return max(0.0, self._opened_at + self._settled_after_seconds - time.monotonic())

    def _tell(self, changes: Iterable[Change]) -> None:
        for change in changes:
            upsert = change.type is ChangeType.UPSERT
            tell = self._handler.upsert if upsert else self._handler.delete
            self._call(change.type.value, change.name, functools.partial(tell, change.content))

    def _call(self, what: str, name: str, tell: Callable[[], None]) -> None:
        """Call the handler; its mistake over one object must not hide all others from it."""
        try:
            tell()
        except Exception:  # noqa: BLE001  it is somebody else's code, and is logged whole
            _log.exception("The %s of %s %s failed.", what, self._kind.plural, name)
