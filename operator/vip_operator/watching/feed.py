"""Everything that is heard goes through here into the store, and wakes the loop if it matters."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from vip_kube.client import Object
from vip_kube.kinds import Kind
from vip_operator.core.known.decode import Entry
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

    def wake(self) -> None:
        """Have everything looked at again."""
        self._changed(False)

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

    def take(self, kind: str, entry: Entry) -> None:
        """Take what a reflector has read of an object."""
        if self._store.take(kind, entry):
            self._changed(_may_wait(kind))

    def drop(self, kind: str, entry: Entry) -> None:
        """Take that an object is gone, as a reflector tells it."""
        if self._store.drop(kind, entry):
            self._changed(_may_wait(kind))

    def complete(self, kind: str, part: str = "") -> None:
        """Note that all that was asked of a kind, or of a part of it, has been told."""
        self._store.complete(kind, part)
        self._changed(False)

    def doubt(self, kind: str, part: str = "") -> None:
        """Plan nothing before all of this has been told anew."""
        self._store.doubt(kind, part)

    def clear(self, kind: str, part: str = "") -> None:
        """Forget what is about to be told anew."""
        self._store.clear(kind, part)

    def hide(self, kind: str, part: str, why: str) -> None:
        """Note why a part of a kind cannot be had; empty: it can."""
        if self._store.hide(kind, part, why):
            self._changed(False)

    def newest(self, kind: str) -> int:
        """Return the greatest resourceVersion that was heard of a kind."""
        return self._store.newest(kind)

    def count(self, kind: str) -> int:
        """Return how many objects of a kind are known."""
        return self._store.count(kind)


def _may_wait(kind: str) -> bool:
    """Leases are renewed all the time, and what depends on one is a matter of seconds."""
    return kind == "Lease"
