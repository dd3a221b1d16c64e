"""What the API server's bytes mean: objects, events of a watch, refusals. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from vip_kube.errors import ApiError, UnreachableError

Object = dict[str, Any]

_SHOWN_CHARACTERS = 200


class RawEvent(msgspec.Struct, frozen=True):
    """One line of a watch.

    Attributes:
        type: what happened; ERROR carries a Status instead of an object.
        object: to which object.
    """

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]
    object: Object


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
        items: its objects; null for none.
    """

    metadata: ListMetadata
    items: list[Object] | None


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
    """Return a page of a list, its objects without managedFields.

    Raises:
        UnreachableError: this is no list of the API.
    """
    try:
        page = _LIST.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreachableError(f"{asked}: the answer is not a list: {error}") from error
    for item in page.items or ():
        _tidy(item, asked)
    return page


def decode_event(line: bytes, asked: str) -> RawEvent:
    """Return what a line of a watch says, the object without managedFields.

    Raises:
        ApiError: it says that the watch cannot go on.
        UnreachableError: it says nothing that we understand.
    """
    try:
        event = _EVENT.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreachableError(f"{asked}: a line is not an event: {error}") from error
    if event.type == "ERROR":
        raise _refusal(msgspec.json.encode(event.object), status=0)
    _tidy(event.object, asked)
    return event


def _tidy(content: Object, asked: str) -> None:
    """Take away what is large and never read. Whoever keeps objects relies on their metadata."""
    metadata = content.get("metadata")
    if not isinstance(metadata, dict):
        raise UnreachableError(f"{asked}: an object has no metadata")
    metadata.pop("managedFields", None)


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
