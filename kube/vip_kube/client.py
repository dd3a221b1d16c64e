"""A small client of the Kubernetes API: JSON objects in, JSON objects out."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from vip_kube.access import Access
from vip_kube.errors import ApiError
from vip_kube.kinds import Kind
from vip_kube.transport import JSON, JSON_PATCH, MERGE_PATCH, Request, Transport
from vip_kube.wire import Object, RawList, decode_event, decode_list, decode_object

# How long a watch is open: shorter than the five to ten minutes that the server would end it after.
WATCH_SECONDS = 290
PAGE_SIZE = 500

__all__ = [
    "EVERYTHING",
    "Client",
    "EventType",
    "Object",
    "ObjectList",
    "Selection",
    "WatchEvent",
]


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
        self._manager = user_agent.partition("/")[0]
        self._transport = Transport(access, user_agent, timeout_seconds)

    async def __aenter__(self) -> Self:
        """Raises AccessError where the files that TLS needs cannot be used."""
        await self._transport.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._transport.close()

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object:
        """Return one object."""
        return await self._object(Request("GET", kind.path(namespace, name), {}))

    async def list(
        self,
        kind: Kind,
        selection: Selection = EVERYTHING,
        *,
        resource_version: str | None = None,
        page_size: int = PAGE_SIZE,
    ) -> ObjectList:
        """Return every object, read in pages. resource_version "0" allows the server's cache."""
        wanted = _parameters(selection)
        first = {} if resource_version is None else {"resourceVersion": resource_version}
        items: list[Object] = []
        token, version, limit = "", "", page_size
        while True:
            more = {"continue": token} if token else first
            page = wanted | more | ({"limit": str(limit)} if limit else {})
            try:
                answer = await self._page(Request("GET", kind.path(selection.namespace), page))
            except ApiError as error:
                if not (error.gone and token and limit):
                    raise
                # The pages read so far are of a moment that the server has forgotten meanwhile.
                items, token, version, limit = [], "", "", 0
                continue
            items += (_named(kind, item) for item in answer.items or ())
            version = version or answer.metadata.resource_version
            token = answer.metadata.continue_token
            if not token:
                return ObjectList(tuple(items), version)

    async def count(self, kind: Kind) -> int:
        """Return how many objects there are; asks for one of them only."""
        answer = await self._page(Request("GET", kind.path(), {"limit": "1"}))
        seen = len(answer.items or ())
        if not answer.metadata.continue_token:
            return seen
        remaining = answer.metadata.remaining_item_count
        # The API promises the number only where it is cheap to tell.
        return seen + remaining if remaining is not None else len((await self.list(kind)).items)

    async def create(
        self, kind: Kind, content: Mapping[str, Any], namespace: str | None = None
    ) -> Object:
        """Create an object and return it as it was stored."""
        return await self._write("POST", kind.path(namespace), content)

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
        return await self._write("PUT", kind.path(namespace, name, subresource), content)

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
        path = kind.path(namespace, name, subresource)
        return await self._write("PATCH", path, patch, MERGE_PATCH)

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
        path = kind.path(namespace, name, subresource)
        return await self._write("PATCH", path, operations, JSON_PATCH)

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
        given = {"uid": uid, "resourceVersion": resource_version}
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {field: value for field, value in given.items() if value is not None},
        }
        await self._transport.ask(Request("DELETE", kind.path(namespace, name), {}, options))

    async def watch(
        self,
        kind: Kind,
        selection: Selection = EVERYTHING,
        *,
        resource_version: str,
        timeout_seconds: int = WATCH_SECONDS,
        silence_seconds: float = 70.0,
        on_open: Callable[[], None] | None = None,
    ) -> AsyncGenerator[WatchEvent, None]:
        """Yield events from a resourceVersion on, bookmarks included, until the server ends it.

        An ERROR event is raised as `ApiError`. The server is asked to end the watch after
        `timeout_seconds`; a connection on which nothing comes for `silence_seconds`, not even a
        bookmark (one comes about every minute), counts as unreachable. `on_open` is called once
        the server has agreed to the watch, which for a quiet kind is long before any event.
        """
        parameters = _parameters(selection) | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(timeout_seconds),
        }
        request = Request("GET", kind.path(selection.namespace), parameters)
        async with contextlib.aclosing(
            self._transport.lines(request, silence_seconds, on_open)
        ) as lines:
            async for line in lines:
                event = decode_event(line, request.asked)
                yield WatchEvent(EventType(event.type), event.object)

    async def unserved(self, kinds: Iterable[Kind]) -> tuple[Kind, ...]:
        """Return those of the kinds that discovery does not serve (yet)."""
        wanted = tuple(kinds)
        served = {path: await self._resources(path) for path in {kind.base_path for kind in wanted}}
        return tuple(kind for kind in wanted if kind.plural not in served[kind.base_path])

    async def _resources(self, path: str) -> frozenset[str]:
        """Return the plurals that a version of a group serves."""
        try:
            answer = await self._object(Request("GET", path, {}))
        except ApiError as error:
            if error.not_found:
                return frozenset()
            raise
        return frozenset(resource["name"] for resource in answer.get("resources") or ())

    async def _object(self, request: Request) -> Object:
        return decode_object(await self._transport.ask(request), request.asked)

    async def _page(self, request: Request) -> RawList:
        return decode_list(await self._transport.ask(request), request.asked)

    async def _write(
        self, method: str, path: str, content: Any, content_type: str = JSON
    ) -> Object:
        manager = {"fieldManager": self._manager}
        return await self._object(Request(method, path, manager, content, content_type))


def _parameters(selection: Selection) -> dict[str, str]:
    given = {"labelSelector": selection.labels, "fieldSelector": selection.fields}
    return {name: value for name, value in given.items() if value}


def _named(kind: Kind, item: Object) -> Object:
    """Return an item of a list with what the API leaves out of it."""
    return {"apiVersion": kind.api_version, "kind": kind.name} | item
