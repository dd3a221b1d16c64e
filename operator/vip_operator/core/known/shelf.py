"""All that is known of the objects of one kind. Pure."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, TypeGuard, TypeVar

from vip_operator.core.known.decode import Decoded, Entry, Place

# More deletions than this are not in flight at a time; a list settles the rest.
DELETED_REMEMBERED = 10_000

_Value = TypeVar("_Value")


@dataclass(slots=True)
class Shelf:
    """All objects of one kind.

    Attributes:
        kind: its name.
        partial: only those are kept that somebody asks for: one that goes may come back.
        entries: by uid.
        uids: uid of what is at each place.
        deleted: uids that are gone, the latest last.
        asked: which parts of the kind must be known; "" is the part that is always asked for.
        complete: which parts are.
        hidden: by part that cannot be had: why.
        listed: resourceVersion of the latest complete list; None: there was none.
        newest: the greatest resourceVersion of a list or an event.
        shown: what the latest snapshot showed, by type.
        current: types of which nothing has changed since.
    """

    kind: str
    partial: bool = False
    entries: dict[str, Entry] = field(default_factory=dict)
    uids: dict[Place, str] = field(default_factory=dict)
    deleted: OrderedDict[str, None] = field(default_factory=OrderedDict)
    asked: frozenset[str] = frozenset({""})
    complete: set[str] = field(default_factory=set)
    hidden: dict[str, str] = field(default_factory=dict)
    listed: int | None = None
    newest: int = 0
    shown: dict[type, tuple[Any, ...]] = field(default_factory=dict)
    current: set[type] = field(default_factory=set)

    @property
    def missing(self) -> list[str]:
        """What is not known yet, though it is asked for and can be had."""
        parts = sorted(self.asked - self.complete - self.hidden.keys())
        return [f"{self.kind} {part}".rstrip() for part in parts]

    def put(self, entry: Entry) -> bool:
        """Take a version of an object; return whether a snapshot looks different now."""
        uid = entry.uid
        self.newest = max(self.newest, entry.version)
        known = self.entries.get(uid)
        if uid in self.deleted or (known is not None and entry.version <= known.version):
            return False
        other = self.uids.get(entry.place, uid)
        changed = False
        if other != uid:  # a name is used anew, and we have not heard yet that it was free
            if self.entries[other].version >= entry.version:
                self.forget(uid)
                return False
            changed = self.forget(other)
        self.entries[uid] = entry
        self.uids[entry.place] = uid
        changed = changed or not entry.says_the_same(known)
        return self._note(changed=changed)

    def forget(self, uid: str) -> bool:
        """Note that an object is gone; return whether a snapshot looks different now."""
        if not self.partial:
            self.deleted[uid] = None
            if len(self.deleted) > DELETED_REMEMBERED:
                self.deleted.popitem(last=False)
        entry = self.entries.pop(uid, None)
        if entry is None:
            return False
        if self.uids.get(entry.place) == uid:
            del self.uids[entry.place]
        return self._note(changed=not entry.says_the_same(None))

    def clear(self) -> None:
        """Forget everything but what was shown."""
        self.entries.clear()
        self.uids.clear()
        self.deleted.clear()
        self.newest = 0
        self._note(changed=True)

    def forget_part(self, part: str) -> bool:
        """Forget the objects of one namespace; return whether a snapshot looks different now."""
        gone = [uid for uid, entry in self.entries.items() if entry.place[0] == part]
        changed = [self.forget(uid) for uid in gone]
        return any(changed)

    def show(self, type_: type[_Value]) -> tuple[_Value, ...]:
        """Return all values of a type by place: the same tuple as long as they are the same."""
        if type_ not in self.current:
            found = tuple(entry.value for entry in self._in_order() if _is(entry.value, type_))
            if found != self.shown.get(type_):
                self.shown[type_] = found
            self.current.add(type_)
        return self.shown[type_]

    def troubles(self) -> list[str]:
        """Return why objects cannot be read."""
        return [entry.trouble for entry in self._in_order() if entry.trouble]

    def in_namespace(self, namespace: str) -> list[Decoded]:
        """Return the values of one namespace by name."""
        return [
            entry.value
            for entry in self._in_order()
            if entry.place[0] == namespace and entry.value is not None
        ]

    def _in_order(self) -> list[Entry]:
        return sorted(self.entries.values(), key=lambda entry: entry.place)

    def _note(self, *, changed: bool) -> bool:
        if changed:
            self.current.clear()
        return changed


def _is(value: object, type_: type[_Value]) -> TypeGuard[_Value]:
    return isinstance(value, type_)
