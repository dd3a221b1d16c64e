"""Everything that is heard goes through here into the store, and wakes the loop if it matters."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from vip_kube.client import Object
from vip_kube.kinds import Kind
from vip_operator.core.known.store import Store

_log = logging.getLogger("operator.feed")


class Feed:
    """The store, with a word to the loop after each change of it.

    Args:
        store: of the operator's loop; all calls come from there.
        changed: called after a change; with True, it is one that may wait a little.
    """

    def __init__(self, store: Store, changed: Callable[[bool], None]) -> None:
        self._store = store
        self._changed = changed

    def hear(self, kind: Kind, kind_of_event: str | None, content: Object) -> None:
        """Take an event of kopf; its type is None for an object that was listed."""
        if kind_of_event == "DELETED":
            self.delete(kind.name, content)
        else:
            self.upsert(kind.name, content)

    def upsert(self, kind: str, content: Object) -> None:
        """Take an object as it is."""
        if self._store.upsert(kind, content):
            self._changed(_may_wait(kind))

    def delete(self, kind: str, content: Object) -> None:
        """Take the last version of an object that is gone."""
        if self._store.delete(kind, content):
            self._changed(_may_wait(kind))

    def replace(
        self,
        kind: str,
        contents: Sequence[Object],
        resource_version: str,
        *,
        restored: bool = False,
    ) -> tuple[str, ...]:
        """Take a complete list; return the names of what had been missed."""
        missed = self._store.replace(kind, contents, resource_version, restored=restored)
        self._changed(False)
        return missed

    def newest(self, kind: str) -> int:
        """Return the greatest resourceVersion that was heard of a kind."""
        return self._store.newest(kind)

    def count(self, kind: str) -> int:
        """Return how many objects of a kind are known."""
        return self._store.count(kind)


class ReflectorFeed:
    """Takes one kind from a reflector, whose first list is handed on as a whole.

    Args:
        feed: where to.
        kind: which kind.
    """

    def __init__(self, feed: Feed, kind: Kind) -> None:
        self._feed = feed
        self._kind = kind.name
        self._first: list[Object] | None = []

    def upsert(self, content: Object) -> None:
        """Take an object as it is."""
        if self._first is not None:
            self._first.append(content)
        else:
            self._feed.upsert(self._kind, content)

    def delete(self, content: Object) -> None:
        """Take the last version of an object that is gone."""
        self._feed.delete(self._kind, content)

    def synced(self) -> None:
        """Hand the first list on; later ones came object by object, compared already."""
        if self._first is None:
            return
        listed, self._first = self._first, None
        versions = (int(content["metadata"]["resourceVersion"]) for content in listed)
        self._feed.replace(self._kind, listed, str(max(versions, default=0)))


def _may_wait(kind: str) -> bool:
    """Leases are renewed all the time, and what depends on one is a matter of seconds."""
    return kind == "Lease"
