"""A small client of the Kubernetes API: JSON objects in, JSON objects out."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Self

from vip_kube.access import Access
from vip_kube.errors import ApiError
from vip_kube.kinds import Kind
from vip_kube.transport import JSON, JSON_PATCH, MERGE_PATCH, Request, Transport
from vip_kube.wire import (
    Item,
    Object,
    Pick,
    RawList,
    T,
    decode_event,
    decode_list,
    decode_object,
    identity_of,
    whole,
)

# How long a watch is open: shorter than the five to ten minutes that the server would end it after.
WATCH_SECONDS = 290
PAGE_SIZE = 500
# A list whose pages expire while they are read is begun anew so often.
_LIST_ATTEMPTS = 3
# The name of no object.
_NOBODY = "metadata.name=-"

__all__ = [
    "EVERYTHING",
    "Client",
    "EventType",
    "Listing",
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
class Listing(Generic[T]):
    """What was picked of a complete list at one moment.

    Attributes:
        items: those that somebody asks for.
        resource_version: of the moment; a watch can begin there.
    """

    items: list[Item[T]]
    resource_version: str


@dataclass(frozen=True, slots=True)
class WatchEvent(Generic[T]):
    """One event of a watch; a bookmark has a resourceVersion and no value."""

    type: EventType
    item: Item[T]


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
        listing = await self.read(
            kind, whole(kind), selection, resource_version=resource_version, page_size=page_size
        )
        contents = tuple(item.value for item in listing.items if item.value is not None)
        return ObjectList(contents, listing.resource_version)

    async def read(
        self,
        kind: Kind,
        pick: Pick[T],
        selection: Selection = EVERYTHING,
        *,
        resource_version: str | None = None,
        page_size: int = PAGE_SIZE,
    ) -> Listing[T]:
        """Return what is picked of every object: a page is dropped before the next is read."""
        wanted = _parameters(selection) | {"limit": str(page_size)}
        first = {} if resource_version is None else {"resourceVersion": resource_version}
        path = kind.path(selection.namespace)
        for attempt in range(1, _LIST_ATTEMPTS + 1):
            items: list[Item[T]] = []
            token, version = "", ""
            try:
                while token or not version:
                    more = {"continue": token} if token else first
                    request = Request("GET", path, wanted | more)
                    page = await self._page(request)
                    items += _picked(page, pick, request.asked)
                    version = version or page.metadata.resource_version
                    token = page.metadata.continue_token
                    del page
                return Listing(items, version)
            except ApiError as error:
                # The pages so far are of a moment that the server has forgotten meanwhile. All
                # in one page would be a moment too, and more than fits into memory.
                if not (error.gone and token and attempt < _LIST_ATTEMPTS):
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def newest_version(self, kind: Kind, selection: Selection = EVERYTHING) -> str:
        """Return how far the API server has come, at the price of a list of at most one object.

        It is asked for what its cache holds, so it may have come further already.
        """
        # A limit is ignored where the cache answers: so a name is asked for, which nobody has.
        fields = selection.fields
        if "metadata.name=" not in fields:
            fields = ",".join(filter(None, (fields, _NOBODY)))
        parameters = _parameters(Selection(selection.namespace, selection.labels, fields))
        request = Request(
            "GET", kind.path(selection.namespace), parameters | {"resourceVersion": "0"}
        )
        return (await self._page(request)).metadata.resource_version

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
        pick: Pick[T],
        selection: Selection = EVERYTHING,
        *,
        resource_version: str,
        timeout_seconds: int = WATCH_SECONDS,
        silence_seconds: float = 70.0,
        on_open: Callable[[], None] | None = None,
    ) -> AsyncGenerator[WatchEvent[T], None]:
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
                kind_of_event = EventType(event.type)
                identity = identity_of(event.object, request.asked)
                bookmark = kind_of_event is EventType.BOOKMARK
                yield WatchEvent(
                    kind_of_event, Item(identity, None if bookmark else pick(event.object))
                )

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


def _picked(page: RawList, pick: Pick[T], asked: str) -> Iterator[Item[T]]:
    """Yield what somebody asks for."""
    for raw in page.items or ():
        item = Item(identity_of(raw, asked), pick(raw))
        if item.value is not None:
            yield item
