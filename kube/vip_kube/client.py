"""A small client of the Kubernetes API: JSON objects in, JSON objects out."""

from __future__ import annotations

import enum
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from vip_kube.access import Access
from vip_kube.kinds import Kind

Object = dict[str, Any]

PAGE_SIZE = 500


class EventType(enum.StrEnum):
    """What a watch says of an object."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a kind.

    Attributes:
        namespace: only of this one; None: of all.
        labels: label selector in the API's spelling; empty: all.
        fields: field selector, likewise.
    """

    namespace: str | None = None
    labels: str = ""
    fields: str = ""


EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class ObjectList:
    """A complete list at one moment.

    Attributes:
        items: every object, with apiVersion and kind, without metadata.managedFields.
        resource_version: of the moment; a watch can begin there.
    """

    items: tuple[Object, ...]
    resource_version: str


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One event of a watch; a bookmark's object has a resourceVersion and nothing else of use."""

    type: EventType
    object: Object


class Client:
    """One aiohttp session to one API server; an asynchronous context manager.

    Every method raises `UnreachableError` where no answer came within the timeout and `ApiError`
    where the answer is not a success. Nothing is tried again here: that is the caller's policy.

    Args:
        access: where, and as whom.
        user_agent: who we are in the API server's audit log: vip-operator/0.1.0.
        timeout_seconds: for a whole request that is not a watch.
    """

    def __init__(self, access: Access, *, user_agent: str, timeout_seconds: float = 10.0) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        raise NotImplementedError

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        raise NotImplementedError

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object:
        """Return one object."""
        raise NotImplementedError

    async def list(
        self,
        kind: Kind,
        selection: Selection = EVERYTHING,
        *,
        resource_version: str | None = None,
        page_size: int = PAGE_SIZE,
    ) -> ObjectList:
        """Return every object, read in pages. resource_version "0" allows the server's cache."""
        raise NotImplementedError

    async def count(self, kind: Kind) -> int:
        """Return how many objects there are; asks for one of them only."""
        raise NotImplementedError

    async def create(
        self, kind: Kind, content: Mapping[str, Any], namespace: str | None = None
    ) -> Object:
        """Create an object and return it as it was stored."""
        raise NotImplementedError

    async def replace(
        self,
        kind: Kind,
        name: str,
        content: Mapping[str, Any],
        namespace: str | None = None,
        *,
        subresource: str | None = None,
    ) -> Object:
        """Replace an object; refused as a conflict where its resourceVersion is another."""
        raise NotImplementedError

    async def merge(
        self,
        kind: Kind,
        name: str,
        patch: Mapping[str, Any],
        namespace: str | None = None,
        *,
        subresource: str | None = None,
    ) -> Object:
        """Apply a JSON merge patch (RFC 7386)."""
        raise NotImplementedError

    async def patch(
        self,
        kind: Kind,
        name: str,
        operations: Sequence[Mapping[str, Any]],
        namespace: str | None = None,
        *,
        subresource: str | None = None,
    ) -> Object:
        """Apply a JSON patch (RFC 6902); a `test` that does not hold is `ApiError.test_failed`."""
        raise NotImplementedError

    async def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> None:
        """Delete an object, only if uid and resourceVersion are these where they are given."""
        raise NotImplementedError

    def watch(
        self,
        kind: Kind,
        selection: Selection = EVERYTHING,
        *,
        resource_version: str,
        timeout_seconds: int = 290,
        silence_seconds: float = 70.0,
    ) -> AsyncGenerator[WatchEvent, None]:
        """Yield events from a resourceVersion on, bookmarks included, until the server ends it.

        An ERROR event is raised as `ApiError`. The server is asked to end the watch after
        `timeout_seconds`; a connection on which nothing comes for `silence_seconds`, not even a
        bookmark (one comes about every minute), counts as unreachable.
        """
        raise NotImplementedError

    async def unserved(self, kinds: Iterable[Kind]) -> tuple[Kind, ...]:
        """Return those of the kinds that discovery does not serve (yet)."""
        raise NotImplementedError
