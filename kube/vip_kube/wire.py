"""What the API server's bytes mean: objects, events of a watch, refusals. No I/O.

Of objects that are many, or large, or other people's, only what is needed is ever decoded: a
`Pick` is given the JSON of one object and returns a small value. The rest is skipped where it
stands, and is gone with the page of the list or the line of the watch that brought it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import msgspec

from vip_kube.errors import ApiError, UnreachableError
from vip_kube.kinds import Kind

T = TypeVar("T")
Object = dict[str, Any]
Pick = Callable[[msgspec.Raw], T | None]
"""Takes of an object's JSON what is needed; None: nobody asks for this object."""

_SHOWN_CHARACTERS = 200


class Identity(msgspec.Struct, frozen=True, rename="camel"):
    """Which object, and which version of it; what is not there is empty.

    Attributes:
        name: metadata.name.
        namespace: metadata.namespace.
        uid: metadata.uid.
        resource_version: metadata.resourceVersion.
    """

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""

    @property
    def number(self) -> int:
        """The resourceVersion as a number, to compare within a kind; 0 if it is none."""
        return number(self.resource_version)


@dataclass(frozen=True, slots=True)
class Item(Generic[T]):
    """One object of a list or an event.

    Attributes:
        identity: which one.
        value: what was picked of it; None: nobody asks for it.
    """

    identity: Identity
    value: T | None


class RawEvent(msgspec.Struct, frozen=True):
    """One line of a watch.

    Attributes:
        type: what happened; ERROR carries a Status instead of an object.
        object: to which object, as JSON.
    """

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]
    object: msgspec.Raw


class ListMetadata(msgspec.Struct, frozen=True, rename="camel"):
    """What a page of a list says of itself.

    Attributes:
        resource_version: the moment it shows.
        continue_token: asks for the next page; empty on the last one.
        remaining_item_count: how many objects the next pages hold; None: it does not say.
    """

    resource_version: str
    continue_token: str = msgspec.field(default="", name="continue")
    remaining_item_count: int | None = None


class RawList(msgspec.Struct, frozen=True):
    """A page of a list. Nothing is optional that would turn a stranger's answer into "no objects".

    Attributes:
        metadata: of the list.
        items: its objects as JSON; null for none.
    """

    metadata: ListMetadata
    items: list[msgspec.Raw] | None


class _Headed(msgspec.Struct, frozen=True):
    """What every object has."""

    metadata: Identity


class _Details(msgspec.Struct, frozen=True, rename="camel"):
    retry_after_seconds: float | None = None


class _Status(msgspec.Struct, frozen=True):
    """What the API server answers instead of an object."""

    code: int | None = None
    reason: str | None = None
    message: str | None = None
    details: _Details | None = None


_OBJECT = msgspec.json.Decoder(Object)
_LIST = msgspec.json.Decoder(RawList)
_EVENT = msgspec.json.Decoder(RawEvent)
_HEADED = msgspec.json.Decoder(_Headed)
_STATUS = msgspec.json.Decoder(_Status)


class LineSplitter:
    """Cuts a stream of bytes into lines of whatever length, in linear time."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []

    @property
    def rest(self) -> bytes:
        """What came after the last end of a line."""
        return b"".join(self._begun)

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that this chunk completes, without their ends, empty ones left out."""
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = b"".join((*self._begun, lines[0]))
            self._begun.clear()
        if rest:
            self._begun.append(rest)
        return [line for line in lines if line.strip()]


def whole(kind: Kind) -> Pick[Object]:
    """Return what picks all of an object but managedFields, which are large and never read."""

    def pick(raw: msgspec.Raw) -> Object:
        # Items of a list leave out what they are.
        content: Object = {"apiVersion": kind.api_version, "kind": kind.name}
        content |= _OBJECT.decode(raw)
        content["metadata"].pop("managedFields", None)
        return content

    return pick


def decode_object(body: bytes, asked: str) -> Object:
    """Return an object, without managedFields.

    Raises:
        UnreachableError: this is no JSON object: whoever answered is no API server.
    """
    try:
        content = _OBJECT.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreachableError(f"{asked}: the answer is not an object: {error}") from error
    metadata = content.get("metadata")
    if isinstance(metadata, dict):
        metadata.pop("managedFields", None)
    return content


def decode_list(body: bytes, asked: str) -> RawList:
    """Return a page of a list, its items still undecoded.

    Raises:
        UnreachableError: this is no list of the API.
    """
    try:
        return _LIST.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreachableError(f"{asked}: the answer is not a list: {error}") from error


def decode_event(line: bytes, asked: str) -> RawEvent:
    """Return what a line of a watch says, its object still undecoded.

    Raises:
        ApiError: it says that the watch cannot go on.
        UnreachableError: it says nothing that we understand.
    """
    try:
        event = _EVENT.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreachableError(f"{asked}: a line is not an event: {error}") from error
    if event.type == "ERROR":
        raise _refusal(bytes(event.object), status=0)
    return event


def identity_of(raw: msgspec.Raw, asked: str) -> Identity:
    """Return which object this is.

    Raises:
        UnreachableError: it is none.
    """
    try:
        return _HEADED.decode(raw).metadata
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreachableError(f"{asked}: an object has no metadata: {error}") from error


def number(resource_version: str) -> int:
    """Return a resourceVersion as a number, to compare within a kind; 0 for one that is none."""
    return int(resource_version) if resource_version.isdecimal() else 0


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
    """Return what an answer that is no success says, whether an API server wrote it or a proxy."""
    error = _refusal(body, status)
    if error.retry_after_seconds is None:
        error.retry_after_seconds = _seconds(headers.get("Retry-After", ""))
    return error


def _refusal(body: bytes, status: int) -> ApiError:
    """Return the error of a Status; a `status` of HTTP has precedence over the one inside."""
    try:
        said = _STATUS.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ApiError(status, "", _first_line(body))
    return ApiError(
        status or said.code or 500,
        said.reason or "",
        said.message or "the API server gave no reason",
        said.details.retry_after_seconds if said.details is not None else None,
    )


def _first_line(body: bytes) -> str:
    """Return what a person can read of a body that is not ours."""
    lines = body.decode(errors="replace").strip().splitlines()
    return lines[0][:_SHOWN_CHARACTERS] if lines else "an answer without a body"


def _seconds(header: str) -> float | None:
    """Return the value of a Retry-After header; a date, which no API server sends, is left out."""
    return float(header) if header.isascii() and header.isdigit() else None
