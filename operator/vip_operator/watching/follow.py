"""Follows one kind, or a part of it, by a reflector on the operator's behalf."""

from __future__ import annotations

import functools
from collections.abc import Callable

import msgspec

from vip_kube.client import EVERYTHING, Client, Selection
from vip_kube.kinds import Kind
from vip_kube.reflector import Reflector
from vip_operator.core.known.decode import Entry, read
from vip_operator.watching.feed import Feed


class Follower:
    """A reflector, and the feed that it tells of what was read of each object.

    Args:
        client: open.
        feed: where to.
        kind: which kind.
        selection: which of its objects.
        part: name of the part of the kind that this is, as the store knows it; empty: all of it.
        wanted: which objects are kept, by what was read of them.
        went_back: called once it turned out, here first, that the API server was restored from a
            backup: all others are to be told.
        trouble_changed: called whenever trouble begins, changes or ends.
    """

    def __init__(
        self,
        client: Client,
        feed: Feed,
        kind: Kind,
        selection: Selection = EVERYTHING,
        *,
        part: str = "",
        wanted: Callable[[Entry], bool] = lambda _entry: True,
        went_back: Callable[[Follower], None] = lambda _follower: None,
        trouble_changed: Callable[[Follower], None] = lambda _follower: None,
    ) -> None:
        self._feed = feed
        self._kind = kind.name
        self._part = part
        self._wanted = wanted
        self._went_back = went_back
        self._renewing = False
        self._reflector = Reflector(
            client,
            kind,
            self,
            selection,
            pick=self._pick,
            restored=self._restored,
            trouble_changed=functools.partial(trouble_changed, self),
        )

    @property
    def part(self) -> str:
        """Which part of the kind this is."""
        return self._part

    @property
    def trouble(self) -> str:
        """Why nothing is heard at the moment, for a person to read; empty while all is well."""
        return self._reflector.trouble

    @property
    def forbidden(self) -> bool:
        """The trouble is that we lack the right."""
        return self._reflector.forbidden

    async def run(self) -> None:
        """Follow until cancelled."""
        await self._reflector.run()

    def relist(self) -> None:
        """List and compare as soon as possible."""
        self._reflector.relist()

    def renew(self) -> None:
        """List, and take what is there for the truth: the API server was restored from a backup."""
        self._renewing = True
        self._feed.doubt(self._kind, self._part)
        self._reflector.relist(restored=True)

    def read_also(self, selection: Selection, told: Callable[[], None]) -> None:
        """Read objects that are wanted from now on; call once all of them have been told."""
        self._reflector.read_also(selection, told)

    def drop_unwanted(self) -> None:
        """Forget what is not wanted any more."""
        self._reflector.drop(lambda entry: not self._wanted(entry))

    def _pick(self, raw: msgspec.Raw) -> Entry | None:
        entry = read(self._kind, raw)
        # What cannot be read is kept: it is told of.
        if entry.trouble:
            return entry
        return entry if entry.value is not None and self._wanted(entry) else None

    # --- what the reflector tells ----------------------------------------------------------------

    def upsert(self, entry: Entry) -> None:
        """Take an object as it is."""
        self._feed.take(self._kind, entry)

    def delete(self, entry: Entry) -> None:
        """Take that an object is gone."""
        self._feed.drop(self._kind, entry)

    def synced(self) -> None:
        """Note that all there is has been told."""
        self._feed.complete(self._kind, self._part)

    def _restored(self) -> None:
        self._feed.clear(self._kind, self._part)
        told, self._renewing = self._renewing, False
        if not told:
            self._went_back(self)
