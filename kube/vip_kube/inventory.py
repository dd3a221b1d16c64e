"""What is known of a kind's objects, and what a list or an event changes about it. No I/O."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic

from vip_kube.client import EventType, WatchEvent
from vip_kube.wire import Identity, Item, T

_Key = tuple[str, str]


class ChangeType(enum.Enum):
    """What became of an object."""

    UPSERT = "upsert"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """One thing to tell.

    Attributes:
        type: what became of the object.
        identity: which object.
        value: what was picked of it; of a deleted one the last known.
    """

    type: ChangeType
    identity: Identity
    value: T

    @property
    def name(self) -> str:
        """How a person names the object: NAMESPACE/NAME, or NAME."""
        return "/".join(part for part in _key(self.identity) if part)


@dataclass(frozen=True, slots=True)
class _Known(Generic[T]):
    """An object as it was told last."""

    identity: Identity
    value: T


class Inventory(Generic[T]):
    """The objects told so far, by namespace and name: of each who it is and what was picked."""

    def __init__(self) -> None:
        self._known: dict[_Key, _Known[T]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def compare(self, items: Iterable[Item[T]], *, restored: bool = False) -> Iterator[Change[T]]:
        """Take over a complete list; yield the differences, what vanished first.

        Args:
            items: of the list.
            restored: versions began anew from an earlier one: everything is told again, and a
                version that looks older counts.
        """
        listed = {_key(item.identity): item for item in items if item.value is not None}
        for key in [key for key in self._known if key not in listed]:
            yield self._gone(key)
        for key, item in listed.items():
            yield from self._upsert(key, item, anew=restored)

    def add(self, items: Iterable[Item[T]]) -> Iterator[Change[T]]:
        """Take over a list of some objects, of a moment which the watch may not have reached."""
        for item in items:
            yield from self._upsert(_key(item.identity), item)

    def note(self, event: WatchEvent[T]) -> Iterator[Change[T]]:
        """Take over an event; yield what it changes: nothing where we knew."""
        if event.type is EventType.BOOKMARK:
            return
        key = _key(event.item.identity)
        if event.type is EventType.DELETED:
            yield from self._delete(key, event.item)
        else:
            yield from self._upsert(key, event.item)

    def drop(self, unwanted: Callable[[T], bool]) -> Iterator[Change[T]]:
        """Forget what nobody asks for any more, as if it were deleted."""
        for key in [key for key, known in self._known.items() if unwanted(known.value)]:
            yield self._gone(key)

    def _upsert(self, key: _Key, item: Item[T], *, anew: bool = False) -> Iterator[Change[T]]:
        old = self._known.get(key)
        if old is not None and not anew and _is_older(item.identity, old.identity):
            return
        if old is not None and old.identity.uid != item.identity.uid:
            yield self._gone(key)
            old = None
        if item.value is None:
            if old is not None:
                yield self._gone(key)
            return
        if old is not None and not anew and _is_same(item.identity, old.identity):
            return
        self._known[key] = _Known(item.identity, item.value)
        if old is None or anew or old.value != item.value:
            yield Change(ChangeType.UPSERT, item.identity, item.value)

    def _delete(self, key: _Key, item: Item[T]) -> Iterator[Change[T]]:
        old = self._known.get(key)
        # The name may belong to a successor already, which is not meant.
        if old is not None and old.identity.uid == item.identity.uid:
            del self._known[key]
            value = old.value if item.value is None else item.value
            yield Change(ChangeType.DELETE, item.identity, value)

    def _gone(self, key: _Key) -> Change[T]:
        known = self._known.pop(key)
        return Change(ChangeType.DELETE, known.identity, known.value)


def _is_older(new: Identity, old: Identity) -> bool:
    """Return whether this is old news, as where a watch goes on from before a list."""
    return 0 < new.number < old.number


def _is_same(new: Identity, old: Identity) -> bool:
    return new.resource_version == old.resource_version != ""


def _key(identity: Identity) -> _Key:
    return identity.namespace, identity.name
