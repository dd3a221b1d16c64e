"""From objects as the API server sends them to what the operator knows of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from vip_model.planning import inputs
from vip_model.resources.base import API_VERSION
from vip_model.resources.metadata import DEFAULT_NAMESPACE
from vip_model.resources.node import Node
from vip_model.resources.pool import VirtualIPPool
from vip_model.resources.speaker import Speaker
from vip_model.resources.virtual_ip import VirtualIP, VirtualIPStatus
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.schema.errors import ConfigError
from vip_model.schema.parse import label_of, parse_document
from vip_operator.core.known.kubernetes_objects import (
    METADATA_FIELDS,
    Content,
    Source,
    head_of,
    metadata_of,
    present,
    read_endpoint_slice,
    read_lease,
    read_node,
    read_pod,
    read_service,
)
from vip_operator.core.known.snapshot import (
    EndpointSliceObject,
    ServiceObject,
    SpeakerLease,
    UnreadableVirtualIP,
)

Decoded = (
    VirtualIP
    | UnreadableVirtualIP
    | VirtualIPPool
    | VirtualRouter
    | Speaker
    | SpeakerLease
    | Node
    | ServiceObject
    | EndpointSliceObject
    | inputs.Pod
)


Place = tuple[str, str]  # namespace and name: one object at a time is there


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of one object.

    Attributes:
        uid: which object.
        place: where it is.
        version: its resourceVersion; versions of a kind compare as numbers.
        value: what is known from it; None: nothing depends on it.
        trouble: why it cannot be read; empty where it can.
    """

    uid: str
    place: Place
    version: int
    value: Decoded | None
    trouble: str = ""

    def says_the_same(self, other: Entry | None) -> bool:
        """Return whether a snapshot looks the same with the other; None: with no entry at all."""
        if other is None:
            return self.value is None and not self.trouble
        return self.value == other.value and self.trouble == other.trouble


class DecodeError(ValueError):
    """An object does not have the shape of its kind; the text is a whole sentence."""


def read(kind: str, source: Source) -> Entry:
    """Return what is known from an object, and what could not be read of it.

    Args:
        kind: name of the kind, such as Pod; items of a list do not carry it themselves.
        source: the object, as JSON or decoded.
    """
    head = head_of(source)
    place = (head.namespace or "", head.name)
    version = number(head.resource_version or "")
    try:
        return Entry(head.uid or "", place, version, decode(kind, source))
    except DecodeError as error:
        return Entry(head.uid or "", place, version, None, str(error))


def number(resource_version: str) -> int:
    """Return a resourceVersion as a number; one that is none counts as older than all others."""
    return int(resource_version) if resource_version.isdecimal() else 0


def decode(kind: str, source: Source) -> Decoded | None:
    """Return what is known from an object; None where nothing depends on it.

    Args:
        kind: name of the kind.
        source: the object.

    Raises:
        DecodeError: it cannot be read. A VirtualIP never raises it: users are told in its status.
    """
    try:
        if kind in KUBERNETES_READERS:
            return KUBERNETES_READERS[kind](source)
        return READERS[kind](_whole(source))
    except ConfigError as error:
        reasons = "; ".join(
            f"{each.field or 'the object'}: {each.message}" for each in error.problems
        )
        raise _unreadable(kind, source, reasons) from error
    except msgspec.ValidationError as error:
        raise _unreadable(kind, source, str(error)) from error


def _unreadable(kind: str, source: Source, reasons: str) -> DecodeError:
    label = label_of({**_whole(source), "kind": kind})
    return DecodeError(f"{label} cannot be read: {reasons}.")


def _whole(source: Source) -> Content:
    if isinstance(source, msgspec.Raw):
        found: Content = msgspec.json.decode(source)
        return found
    return source


def _document(content: Content, kind: str) -> dict[str, Any]:
    """Return an object as a user could have written it, for the parser."""
    metadata = present(content.get("metadata"), METADATA_FIELDS)
    return {"apiVersion": API_VERSION, **content, "kind": kind, "metadata": metadata}


def _virtual_ip(content: Content) -> VirtualIP | UnreadableVirtualIP | None:
    """Read what the user wrote strictly, and what we wrote as far as it can be."""
    document = _document(content, "VirtualIP")
    status = document.pop("status", None)
    try:
        found = parse_document(document)
    except ConfigError as error:
        return _unreadable_virtual_ip(content, status, error)
    assert isinstance(found, VirtualIP), "the kind decides the type"
    return msgspec.structs.replace(found, status=_status(status))


def _unreadable_virtual_ip(
    content: Content, status: object, error: ConfigError
) -> UnreadableVirtualIP | None:
    metadata = metadata_of(content)
    if metadata.deletion_timestamp:
        return None  # as good as gone
    conditions = status.get("conditions") if isinstance(status, Mapping) else None
    return UnreadableVirtualIP(
        namespace=metadata.namespace or DEFAULT_NAMESPACE,
        name=metadata.name,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        generation=metadata.generation,
        problems=error.problems,
        conditions=_objects(conditions),
    )


def _objects(content: object) -> tuple[dict[str, object], ...]:
    """Return the objects in what should be a list of them."""
    items = content if isinstance(content, (list, tuple)) else ()
    return tuple(dict(each) for each in items if isinstance(each, Mapping))


def _status(content: object) -> VirtualIPStatus:
    """Return a status; one that cannot be read counts as none and is written anew."""
    try:
        return msgspec.convert(content or {}, VirtualIPStatus)
    except msgspec.ValidationError:
        return VirtualIPStatus()


def _pool(content: Content) -> VirtualIPPool:
    found = parse_document(_document(content, "VirtualIPPool"))
    assert isinstance(found, VirtualIPPool), "the kind decides the type"
    return found


def _virtual_router(content: Content) -> VirtualRouter:
    found = parse_document(_document(content, "VirtualRouter"))
    assert isinstance(found, VirtualRouter), "the kind decides the type"
    return found


def _speaker(content: Content) -> Speaker:
    found = parse_document(_document(content, "Speaker"))
    assert isinstance(found, Speaker), "the kind decides the type"
    return found


# Our own kinds, which are checked field by field, and others, of which little is read.
READERS: Mapping[str, Callable[[Content], Decoded | None]] = {
    "VirtualIP": _virtual_ip,
    "VirtualIPPool": _pool,
    "VirtualRouter": _virtual_router,
    "Speaker": _speaker,
}
KUBERNETES_READERS: Mapping[str, Callable[[Source], Decoded | None]] = {
    "Node": read_node,
    "Service": read_service,
    "EndpointSlice": read_endpoint_slice,
    "Pod": read_pod,
    "Lease": read_lease,
}
