"""What is known of a kind's objects, and what a list or an event changes about it. No I/O."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vip_kube.client import EventType, WatchEvent
from vip_kube.wire import Object

_Key = tuple[str, str]


class ChangeType(enum.Enum):
    """What became of an object."""

    UPSERT = "upsert"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to tell.

    Attributes:
        type: what became of the object.
        content: the object; of a deleted one the last known content.
    """

    type: ChangeType
    content: Object

    @property
    def name(self) -> str:
        """How a person names the object: NAMESPACE/NAME, or NAME."""
        return "/".join(part for part in _key(self.content) if part)


@dataclass(frozen=True, slots=True)
class _Known:
    """An object as it was told last."""

    uid: str
    resource_version: str
    content: Object


class Inventory:
    """The objects told so far, by namespace and name."""

    def __init__(self) -> None:
        self._known: dict[_Key, _Known] = {}

    def __len__(self) -> int:
        return len(self._known)

    def compare(self, items: Iterable[Object]) -> Iterator[Change]:
        """Take over a complete list; yield the differences, what vanished first."""
        listed = {_key(item): item for item in items}
        for key in [key for key in self._known if key not in listed]:
            yield Change(ChangeType.DELETE, self._known.pop(key).content)
        for key, item in listed.items():
            yield from self._upsert(key, item)

    def note(self, event: WatchEvent) -> Iterator[Change]:
        """Take over an event; yield what it changes: nothing where we knew."""
        if event.type is EventType.BOOKMARK:
            return
        key = _key(event.object)
        if event.type is EventType.DELETED:
            yield from self._delete(key, event.object)
        else:
            yield from self._upsert(key, event.object)

    def _upsert(self, key: _Key, content: Object) -> Iterator[Change]:
        new = _Known(_uid(content), version_of(content), content)
        old = self._known.get(key)
        if old is not None and old.uid != new.uid:
            del self._known[key]
            yield Change(ChangeType.DELETE, old.content)
        elif old is not None and old.resource_version == new.resource_version != "":
            return
        self._known[key] = new
        yield Change(ChangeType.UPSERT, content)

    def _delete(self, key: _Key, content: Object) -> Iterator[Change]:
        old = self._known.get(key)
        # The name may belong to a successor already, which is not meant.
        if old is not None and old.uid == _uid(content):
            del self._known[key]
            yield Change(ChangeType.DELETE, content)


def version_of(content: Object) -> str:
    """Return the resourceVersion; empty if there is none."""
    return str(content["metadata"].get("resourceVersion", ""))


def _uid(content: Object) -> str:
    return str(content["metadata"].get("uid", ""))


def _key(content: Object) -> _Key:
    metadata = content["metadata"]
    return str(metadata.get("namespace", "")), str(metadata.get("name", ""))
