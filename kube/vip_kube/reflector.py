"""A reflector: keeps somebody told of all objects of a kind, through whatever happens.

List, watch from there, and after a watch that cannot go on list again and compare: what vanished
meanwhile is told as deleted, which a watch alone would never say.

A watch that goes on from a version which an API server restored from a backup has not reached yet
brings nothing until it has, and nobody says so. So after trouble the server is asked how far it has
come before a watch goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import random
import time
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar, cast

import msgspec

from vip_kube.backoff import Backoff
from vip_kube.client import EVERYTHING, WATCH_SECONDS, Client, Listing, Selection, WatchEvent
from vip_kube.errors import ApiError, UnreachableError
from vip_kube.inventory import Change, ChangeType, Inventory
from vip_kube.kinds import Kind
from vip_kube.wire import Pick, T, number, whole

# A watch that has been open for so long is a good one, and none is opened sooner after another.
SETTLED_AFTER_SECONDS = 1.0
# More selections than this are read by one list of everything.
_MOST_SELECTIONS = 16

_log = logging.getLogger("kube")

T_contra = TypeVar("T_contra", contravariant=True)


class Handler(Protocol[T_contra]):
    """Who is told. All calls come from the reflector's task, in order, and must not block."""

    def upsert(self, content: T_contra, /) -> None:
        """An object is new or another than before."""

    def delete(self, content: T_contra, /) -> None:
        """An object is gone, or nobody asks for it any more; its last known content."""

    def synced(self) -> None:
        """A complete list has been told; called after each list, the first and every other."""


class Reflector(Generic[T]):
    """Follows one kind until cancelled.

    Trouble with the API ends nothing: it lists and watches again with a jittered back-off.
    Objects are told apart by uid, so that one deleted and created anew under the same name is
    told as deleted first. An object of which nothing has changed that is picked is not told again.

    Args:
        client: open for as long as this runs.
        kind: what is followed.
        handler: who is told.
        selection: which of them.
        pick: what is told and kept of each, and of which at all; None: the whole object.
        restored: called before what a list brings is told, where the list shows that the API
            server was restored from a backup: all of the list is told again, and its versions
            may be older than those told before.
        trouble_changed: called whenever trouble begins, changes or ends.
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
        handler: Handler[T],
        selection: Selection = EVERYTHING,
        *,
        pick: Pick[T] | None = None,
        restored: Callable[[], None] = lambda: None,
        trouble_changed: Callable[[], None] = lambda: None,
        backoff: Backoff | None = None,
        settled_after_seconds: float = SETTLED_AFTER_SECONDS,
        silence_seconds: float = 70.0,
    ) -> None:
        self._client = client
        self._kind = kind
        self._handler = handler
        self._selection = selection
        self._picker = pick if pick is not None else cast("Pick[T]", whole(kind))
        self._restored = restored
        self._trouble_changed = trouble_changed
        self._backoff = backoff or Backoff(random.Random())  # noqa: S311  no secret
        self._settled_after_seconds = settled_after_seconds
        self._silence_seconds = silence_seconds
        self._watch_seconds = WATCH_SECONDS if kind.bookmarks else int(0.85 * silence_seconds)
        self._inventory: Inventory[T] = Inventory()
        self._has_synced = False
        self._trouble = ""
        self._trouble_since = 0.0
        self._forbidden = False
        # Where a watch goes on, unless only a list can tell.
        self._version = ""
        self._must_list = True
        # The newest version that the API server has shown, and whether it is known to be lost.
        self._reached = 0
        self._was_restored = False
        # What is to be read beside the watch, and who is told then.
        self._more: list[tuple[Selection, Callable[[], None]]] = []
        # The watch at hand, which ends early where its time is cut.
        self._time: asyncio.Timeout | None = None
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

    @property
    def forbidden(self) -> bool:
        """The trouble is that we lack the right."""
        return self._forbidden

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            await asyncio.sleep(await self._follow())

    def relist(self, *, restored: bool = False) -> None:
        """List everything as soon as possible, and compare.

        Args:
            restored: it is known that versions began anew from an earlier one.
        """
        self._must_list = True
        self._was_restored = self._was_restored or restored
        self._interrupt()

    def read_also(self, selection: Selection, told: Callable[[], None] = lambda: None) -> None:
        """Read objects that were passed over so far, since from now on they are picked.

        Args:
            selection: which ones: part of what is followed.
            told: called once all of them have been told.
        """
        self._more.append((selection, told))
        self._interrupt()

    def drop(self, unwanted: Callable[[T], bool]) -> None:
        """Forget what nobody asks for any more, and tell it as deleted."""
        self._tell(self._inventory.drop(unwanted))

    def _interrupt(self) -> None:
        """End the watch at hand; the next one goes on where it was."""
        time_of_watch, self._time = self._time, None
        if time_of_watch is not None:
            time_of_watch.reschedule(asyncio.get_running_loop().time())

    async def _follow(self) -> float:
        """List if need be, watch until that ends; return the seconds to wait before the next."""
        self._opened_at, self._good = None, False
        try:
            await self._catch_up()
            interrupted = await self._watch()
        except ApiError as error:
            return self._after_refusal(error)
        except UnreachableError as error:
            return self._after_trouble(str(error))
        if self._good or interrupted:
            return self._until_next_watch()
        return self._after_trouble("the API server ended a watch as soon as it had begun")

    async def _catch_up(self) -> None:
        """Tell what only lists can tell."""
        if self._trouble and not self._must_list:
            self._must_list = await self._has_gone_back()
        while self._must_list or self._more:
            if self._must_list or len(self._more) > _MOST_SELECTIONS:
                await self._list()
            else:
                await self._read_more()

    async def _has_gone_back(self) -> bool:
        """Return whether the API server has not come yet to where the watch is."""
        newest = await self._client.newest_version(self._kind, self._selection)
        return 0 < number(newest) < self._reached

    async def _list(self) -> None:
        """Tell what a complete list changes."""
        self._relisted = True
        restored, self._was_restored, self._must_list = self._was_restored, False, False
        answered = len(self._more)
        try:
            listed = await self._client.read(self._kind, self._pick, self._selection)
        except (ApiError, UnreachableError):
            self._was_restored, self._must_list = self._was_restored or restored, True
            raise
        self._note_list(listed, restored=restored)
        self._call(f"list of {self._kind.plural}", self._handler.synced)
        told, self._more = self._more[:answered], self._more[answered:]
        for _selection, tell in told:
            self._call(f"list of some {self._kind.plural}", tell)

    def _note_list(self, listed: Listing[T], *, restored: bool) -> None:
        version = number(listed.resource_version)
        restored = restored or 0 < version < self._reached
        if restored:
            _log.warning("%s: the API server was restored from a backup.", self._kind.plural)
            self._call(f"restoration of {self._kind.plural}", self._restored)
        self._version, self._reached = listed.resource_version, version
        self._tell(self._inventory.compare(listed.items, restored=restored))
        self._has_synced = True

    async def _read_more(self) -> None:
        """Tell what was passed over before it was asked for."""
        selection, told = self._more[0]
        listed = await self._client.read(self._kind, self._pick, selection)
        self._more.pop(0)
        # The watch goes on from where it was: events from before this list are old news then.
        self._tell(self._inventory.add(listed.items))
        self._call(f"list of some {self._kind.plural}", told)

    async def _watch(self) -> bool:
        """Tell what events change until the watch ends; return whether we ended it ourselves."""
        timers: list[asyncio.TimerHandle] = []
        loop = asyncio.get_running_loop()

        def opened() -> None:
            self._opened_at = time.monotonic()
            timers.append(loop.call_later(self._settled_after_seconds, self._settle))

        events = self._client.watch(
            self._kind,
            self._pick,
            self._selection,
            resource_version=self._version,
            timeout_seconds=self._watch_seconds,
            silence_seconds=self._silence_seconds,
            on_open=opened,
        )
        until = asyncio.timeout(None)
        try:
            async with until, contextlib.aclosing(events):
                self._time = until
                async for event in events:
                    self._hear(event)
        except TimeoutError:
            pass
        finally:
            self._time = None
            for timer in timers:
                timer.cancel()
        return until.expired()

    def _hear(self, event: WatchEvent[T]) -> None:
        self._is_good()
        self._tell(self._inventory.note(event))
        self._version = event.item.identity.resource_version or self._version
        self._reached = max(self._reached, event.item.identity.number)

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
            _log.info("Follows %s again, after %.1f s without.", self._name, lasted)
            self._note_trouble("", forbidden=False)

    def _after_refusal(self, error: ApiError) -> float:
        """Decide what a refusal means for the next attempt; return the seconds until then."""
        # A list also after other refusals of the resumed watch: where a kind was away (404), the
        # versions may begin anew. Being unknown (401) or too many (429) says nothing of it.
        if 400 <= error.status < 500 and error.status not in {401, 429}:
            self._must_list = True
        if error.gone and self._good:
            return self._until_next_watch()
        if error.gone and not self._relisted:
            return 0.0
        return self._after_trouble(
            str(error), error.retry_after_seconds, forbidden=error.status == 403
        )

    def _after_trouble(
        self, reason: str, retry_after_seconds: float | None = None, *, forbidden: bool = False
    ) -> float:
        """Log trouble where it begins; return the seconds until the next attempt."""
        if not self._trouble:
            self._trouble_since = time.monotonic()
            _log.warning(
                "Cannot follow %s: %s. Trying until it works.",
                self._name,
                reason.rstrip("."),
            )
        self._note_trouble(reason, forbidden=forbidden)
        return max(self._backoff.next_seconds(retry_after_seconds), self._until_next_watch())

    def _note_trouble(self, trouble: str, *, forbidden: bool) -> None:
        changed = (trouble, forbidden) != (self._trouble, self._forbidden)
        self._trouble, self._forbidden = trouble, forbidden
        if changed:
            self._call(f"report about {self._name}", self._trouble_changed)

    @property
    def _name(self) -> str:
        """What is followed, for a person to read."""
        namespace = self._selection.namespace
        return f"{self._kind.plural} in {namespace}" if namespace else self._kind.plural

    def _until_next_watch(self) -> float:
        """Return how long another watch would come too soon after this one, in seconds."""
        if self._opened_at is None:
            return 0.0
        return max(0.0, self._opened_at + self._settled_after_seconds - time.monotonic())

    def _pick(self, raw: msgspec.Raw) -> T | None:
        """Pick; what cannot be read of one object must not hide all others."""
        try:
            return self._picker(raw)
        except Exception:  # noqa: BLE001  it is somebody else's code, and is logged whole
            _log.exception("One of the %s cannot be read and is left out.", self._kind.plural)
            return None

    def _tell(self, changes: Iterable[Change[T]]) -> None:
        for change in changes:
            upsert = change.type is ChangeType.UPSERT
            tell = self._handler.upsert if upsert else self._handler.delete
            what = f"{change.type.value} of {self._kind.plural} {change.name}"
            self._call(what, functools.partial(tell, change.value))

    def _call(self, what: str, tell: Callable[[], None]) -> None:
        """Call the handler; its mistake over one object must not hide all others from it."""
        try:
            tell()
        except Exception:  # noqa: BLE001  it is somebody else's code, and is logged whole
            _log.exception("The %s failed.", what)
