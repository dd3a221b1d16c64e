"""From objects as the API server sends them to what the operator knows of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


class DecodeError(ValueError):
    """An object does not have the shape of its kind; the text is a whole sentence."""


def decode(kind: str, content: Content) -> Decoded | None:
    """Return what is known from an object; None where nothing depends on it.

    Args:
        kind: name of the kind, such as Pod; items of a list do not carry it themselves.
        content: the object.

    Raises:
        DecodeError: it cannot be read. A VirtualIP never raises it: users are told in its status.
    """
    try:
        return DECODERS[kind](content)
    except ConfigError as error:
        reasons = "; ".join(
            f"{each.field or 'the object'}: {each.message}" for each in error.problems
        )
        raise _unreadable(kind, content, reasons) from error
    except msgspec.ValidationError as error:
        raise _unreadable(kind, content, str(error)) from error


def _unreadable(kind: str, content: Content, reasons: str) -> DecodeError:
    return DecodeError(f"{label_of({**content, 'kind': kind})} cannot be read: {reasons}.")


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


DECODERS: Mapping[str, Callable[[Content], Decoded | None]] = {
    "VirtualIP": _virtual_ip,
    "VirtualIPPool": _pool,
    "VirtualRouter": _virtual_router,
    "Speaker": _speaker,
    "Node": read_node,
    "Service": read_service,
    "EndpointSlice": read_endpoint_slice,
    "Pod": read_pod,
    "Lease": read_lease,
}
