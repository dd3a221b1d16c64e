"""What the API told us so far, whatever the order in which we heard it. Pure.

An object is its uid. Of two versions the greater resourceVersion counts (they are compared as
numbers, within one kind); a uid that was deleted never comes back, and a complete list ends all
doubt about what came before it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard, TypeVar

from vip_model.planning.inputs import Pod
from vip_model.resources.node import Node
from vip_model.resources.pool import VirtualIPPool
from vip_model.resources.speaker import Speaker
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouter
from vip_operator.core.known.decode import Decoded, DecodeError, decode
from vip_operator.core.known.snapshot import (
    EndpointSliceObject,
    ServiceObject,
    Snapshot,
    SpeakerLease,
    UnreadableVirtualIP,
)

# More deletions than this are not in flight at a time; a list settles the rest.
DELETED_REMEMBERED = 10_000

Content = Mapping[str, Any]
_Place = tuple[str, str]  # namespace and name: one object at a time is there
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One version of one object.

    Attributes:
        place: where it is.
        version: its resourceVersion.
        value: what is known from it; None: nothing depends on it.
        trouble: why it cannot be read; empty where it can.
    """

    place: _Place
    version: int
    value: Decoded | None
    trouble: str = ""

    def says_the_same(self, other: _Entry | None) -> bool:
        """Return whether a snapshot looks the same with the other; None: with no entry at all."""
        if other is None:
            return self.value is None and not self.trouble
        return self.value == other.value and self.trouble == other.trouble


@dataclass(slots=True)
class _Shelf:
    """All objects of one kind.

    Attributes:
        kind: its name.
        entries: by uid.
        uids: uid of what is at each place.
        deleted: uids that are gone, the latest last.
        listed: resourceVersion of the latest complete list; None: there was none.
        newest: the greatest resourceVersion of a list or an event.
        shown: what the latest snapshot showed, by type.
        current: types of which nothing has changed since.
    """

    kind: str
    entries: dict[str, _Entry] = field(default_factory=dict)
    uids: dict[_Place, str] = field(default_factory=dict)
    deleted: OrderedDict[str, None] = field(default_factory=OrderedDict)
    listed: int | None = None
    newest: int = 0
    shown: dict[type, tuple[Any, ...]] = field(default_factory=dict)
    current: set[type] = field(default_factory=set)

    def put(self, uid: str, content: Content) -> bool:
        """Take a version of an object; return whether a snapshot looks different now."""
        place, version = _place(content), _version(content)
        self.newest = max(self.newest, version)
        known = self.entries.get(uid)
        if uid in self.deleted or (known is not None and version <= known.version):
            return False
        other = self.uids.get(place, uid)
        changed = False
        if other != uid:  # a name is used anew, and we have not heard yet that it was free
            if self.entries[other].version >= version:
                self.forget(uid)
                return False
            changed = self.forget(other)
        entry = self._read(content, place, version)
        self.entries[uid] = entry
        self.uids[place] = uid
        changed = changed or not entry.says_the_same(known)
        return self._note(changed=changed)

    def forget(self, uid: str) -> bool:
        """Note that an object is gone; return whether a snapshot looks different now."""
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

    def _in_order(self) -> list[_Entry]:
        return sorted(self.entries.values(), key=lambda entry: entry.place)

    def _read(self, content: Content, place: _Place, version: int) -> _Entry:
        try:
            return _Entry(place, version, decode(self.kind, content))
        except DecodeError as error:
            return _Entry(place, version, None, str(error))

    def _note(self, *, changed: bool) -> bool:
        if changed:
            self.current.clear()
        return changed


class Store:
    """Everything that is known; used from one thread only.

    Args:
        kinds: names of the kinds that are followed.
    """

    def __init__(self, kinds: Sequence[str]) -> None:
        self._shelves = {kind: _Shelf(kind) for kind in kinds}

    def upsert(self, kind: str, content: Content) -> bool:
        """Take an object as an event brought it; return whether a snapshot looks different now.

        Old news changes nothing: a version that is not newer than the known one, an object that
        is known to be deleted, one that the latest list would have shown if it were still there.
        """
        shelf = self._shelves[kind]
        uid = _uid(content)
        passed = shelf.listed is not None and _version(content) <= shelf.listed
        if passed and uid not in shelf.entries:
            return False
        return shelf.put(uid, content)

    def delete(self, kind: str, content: Content) -> bool:
        """Take a deletion as an event brought it; return whether a snapshot looks different now."""
        return self._shelves[kind].forget(_uid(content))

    def replace(
        self,
        kind: str,
        contents: Iterable[Content],
        resource_version: str,
        *,
        restored: bool = False,
    ) -> tuple[str, ...]:
        """Take a complete LIST of a kind.

        What is not in it is gone, unless a newer event brought it. A list that is older than the
        one before means that the API server's data was restored from a backup: then only the
        list counts.

        Args:
            kind: name of the kind.
            contents: all objects of it.
            resource_version: of the list. Lists must be given in the order they were asked for.
            restored: it is known already that versions began anew from an earlier one.

        Returns:
            NAMESPACE/NAME, or NAME, of what events had not told; nothing for the first list.
        """
        shelf = self._shelves[kind]
        version = _number(resource_version)
        before, shelf.listed = shelf.listed, version
        if restored or (before is not None and version < before):
            shelf.clear()
        shelf.newest = max(shelf.newest, version)
        listed: set[str] = set()
        missed: set[_Place] = set()
        for content in contents:
            listed.add(_uid(content))
            if shelf.put(_uid(content), content):
                missed.add(_place(content))
        for uid, entry in list(shelf.entries.items()):
            if uid not in listed and entry.version <= version and shelf.forget(uid):
                missed.add(entry.place)
        names = sorted("/".join(part for part in place if part) for place in missed)
        return () if before is None else tuple(names)

    def newest(self, kind: str) -> int:
        """Return the greatest resourceVersion that was heard of a kind, 0 before any."""
        return self._shelves[kind].newest

    def count(self, kind: str) -> int:
        """Return how many objects of a kind there are, those that cannot be read included."""
        return len(self._shelves[kind].entries)

    @property
    def missing(self) -> tuple[str, ...]:
        """The kinds of which there was no complete list yet."""
        return tuple(kind for kind, shelf in self._shelves.items() if shelf.listed is None)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why objects cannot be read and are left out of snapshots: a sentence for each."""
        return tuple(text for shelf in self._shelves.values() for text in shelf.troubles())

    def snapshot(self, namespace: str) -> Snapshot:
        """Return everything at this moment.

        A part of which nothing has changed is the same tuple as in the snapshot before, except
        for the Leases.

        Args:
            namespace: the operator's, where the Leases of speakers are.
        """
        assert not self.missing, f"not all of {', '.join(self.missing)} is known yet"
        leases = self._shelves["Lease"].in_namespace(namespace)
        return Snapshot(
            virtual_ips=self._shelves["VirtualIP"].show(VirtualIP),
            unreadable=self._shelves["VirtualIP"].show(UnreadableVirtualIP),
            pools=self._shelves["VirtualIPPool"].show(VirtualIPPool),
            virtual_routers=self._shelves["VirtualRouter"].show(VirtualRouter),
            speakers=self._shelves["Speaker"].show(Speaker),
            leases=tuple(each for each in leases if isinstance(each, SpeakerLease)),
            nodes=self._shelves["Node"].show(Node),
            services=self._shelves["Service"].show(ServiceObject),
            endpoint_slices=self._shelves["EndpointSlice"].show(EndpointSliceObject),
            pods=self._shelves["Pod"].show(Pod),
        )


def _is(value: object, type_: type[_Value]) -> TypeGuard[_Value]:
    return isinstance(value, type_)


def _uid(content: Content) -> str:
    uid: str = content["metadata"]["uid"]
    return uid


def _place(content: Content) -> _Place:
    metadata = content["metadata"]
    return (metadata.get("namespace", ""), metadata["name"])


def _version(content: Content) -> int:
    return _number(content["metadata"].get("resourceVersion", ""))


def _number(resource_version: str) -> int:
    """Return a resourceVersion as a number; one that is none counts as older than all others."""
    return int(resource_version) if resource_version.isdecimal() else 0
