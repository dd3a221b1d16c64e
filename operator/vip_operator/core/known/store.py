"""What the API told us so far, whatever the order in which we heard it. Pure.

An object is its uid. Of two versions the greater resourceVersion counts (they are compared as
numbers, within one kind); a uid that was deleted never comes back, and a complete list ends all
doubt about what came before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vip_model.planning.inputs import Pod
from vip_model.resources.node import Node
from vip_model.resources.pool import VirtualIPPool
from vip_model.resources.speaker import Speaker
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouter
from vip_operator.core.known.decode import Entry, Place, number, read
from vip_operator.core.known.kubernetes_objects import Content
from vip_operator.core.known.shelf import Shelf
from vip_operator.core.known.snapshot import (
    EndpointSliceObject,
    ServiceObject,
    Snapshot,
    SpeakerLease,
    UnreadableVirtualIP,
)

# All that a snapshot shows.
KINDS = (
    *("VirtualIP", "VirtualIPPool", "VirtualRouter", "Speaker"),
    *("Node", "Lease", "Service", "EndpointSlice", "Pod"),
)
# Of these only what somebody asks for is kept. No Pods are asked for until a gate does.
PARTIAL = frozenset({"Service", "EndpointSlice", "Pod"})


class Store:
    """Everything that is known; used from one thread only.

    Args:
        kinds: names of the kinds that are followed.
    """

    def __init__(self, kinds: Sequence[str] = KINDS) -> None:
        self._shelves = {kind: Shelf(kind, kind in PARTIAL) for kind in kinds}
        if "Pod" in self._shelves:
            self._shelves["Pod"].asked = frozenset()

    # --- objects one by one, as somebody heard of them in any order ------------------------------

    def upsert(self, kind: str, content: Content) -> bool:
        """Take an object as an event or a write brought it; return whether a snapshot differs.

        Old news changes nothing: a version that is not newer than the known one, an object that
        is known to be deleted, one that the latest list would have shown if it were still there,
        one of a kind of which only some are kept and that is not among them.
        """
        shelf, entry = self._shelves[kind], read(kind, content)
        passed = shelf.listed is not None and entry.version <= shelf.listed
        if (passed or shelf.partial) and entry.uid not in shelf.entries:
            return False
        return shelf.put(entry)

    def delete(self, kind: str, content: Content) -> bool:
        """Take a deletion as an event brought it; return whether a snapshot looks different now."""
        return self._shelves[kind].forget(content["metadata"]["uid"])

    # --- what a reflector tells, in the order in which it is true --------------------------------

    def take(self, kind: str, entry: Entry) -> bool:
        """Take an object; return whether a snapshot looks different now."""
        return self._shelves[kind].put(entry)

    def drop(self, kind: str, entry: Entry) -> bool:
        """Take that an object is gone or not asked for; return whether a snapshot differs."""
        return self._shelves[kind].forget(entry.uid)

    def complete(self, kind: str, part: str = "") -> None:
        """Note that all that was asked of a kind, or of a part of it, has been told."""
        self._shelves[kind].complete.add(part)

    def doubt(self, kind: str, part: str = "") -> None:
        """Note that a part is about to be told anew: what is known of it may be of another past."""
        self._shelves[kind].complete.discard(part)

    def clear(self, kind: str, part: str = "") -> None:
        """Forget a kind, or a part of it, of which all is about to be told anew.

        Versions may begin anew from an earlier one then.
        """
        shelf = self._shelves[kind]
        if part:
            shelf.forget_part(part)
        else:
            shelf.clear()

    def ask(self, kind: str, parts: frozenset[str]) -> None:
        """Say which parts of a kind must be known: what is not asked for any more is forgotten.

        The parts of Pods are namespaces, those of Services and EndpointSlices NAMESPACE/NAME of
        Services.
        """
        shelf = self._shelves[kind]
        for part in shelf.asked - parts:
            shelf.complete.discard(part)
            shelf.hidden.pop(part, None)
        shelf.asked = parts

    def hide(self, kind: str, part: str, why: str) -> bool:
        """Note why a part cannot be had, a clause; empty: it can. Return whether that is new."""
        shelf = self._shelves[kind]
        if why == shelf.hidden.get(part, ""):
            return False
        shelf.hidden.pop(part, None)
        if why:
            shelf.hidden[part] = why
        return True

    # --- complete lists, beside a watch that may have missed something ---------------------------

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
        version = number(resource_version)
        before, shelf.listed = shelf.listed, version
        shelf.complete.add("")
        if restored or (before is not None and version < before):
            shelf.clear()
        shelf.newest = max(shelf.newest, version)
        listed: set[str] = set()
        missed: set[Place] = set()
        for entry in (read(kind, content) for content in contents):
            listed.add(entry.uid)
            if shelf.put(entry):
                missed.add(entry.place)
        for uid, entry in list(shelf.entries.items()):
            if uid not in listed and entry.version <= version and shelf.forget(uid):
                missed.add(entry.place)
        names = sorted("/".join(part for part in place if part) for place in missed)
        return () if before is None else tuple(names)

    # --- what is known ---------------------------------------------------------------------------

    def newest(self, kind: str) -> int:
        """Return the greatest resourceVersion that was heard of a kind, 0 before any."""
        return self._shelves[kind].newest

    def count(self, kind: str) -> int:
        """Return how many objects of a kind there are, those that cannot be read included."""
        return len(self._shelves[kind].entries)

    @property
    def missing(self) -> tuple[str, ...]:
        """What must be known before anything is planned, and is not yet."""
        return tuple(each for shelf in self._shelves.values() for each in shelf.missing)

    def knows(self, kind: str) -> bool:
        """Return whether all that is asked of a kind is known."""
        return not self._shelves[kind].missing

    @property
    def virtual_ips(self) -> tuple[VirtualIP, ...]:
        """Those that can be read: the same tuple as long as they are the same."""
        return self._shelves["VirtualIP"].show(VirtualIP)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why objects are left out of snapshots: a sentence for each."""
        shelves = self._shelves.values()
        hidden = (why[:1].upper() + why[1:] for each in shelves for why in each.hidden.values())
        return (*(text for shelf in shelves for text in shelf.troubles()), *hidden)

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
            hidden_pods=dict(self._shelves["Pod"].hidden),
        )
