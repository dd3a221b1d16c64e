"""An API server of one kind on loopback that does as it is told: refuses, hangs, cuts, forgets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from vip_common.kinds import VIRTUAL_ROUTERS
from vip_kube.access import Access
from vip_kube.kinds import Kind
from vip_kube.wire import Object

Step = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    what: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


def status(code: int, reason: str = "", message: str = "", **more: Any) -> Object:
    """Return a Status, as the API server refuses with it."""
    content = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return content | {"metadata": {}} | more


def answer(content: Any, code: int = 200, headers: Mapping[str, str] | None = None) -> Step:
    """Return a step that answers with JSON, or with text as it is."""
    text = content if isinstance(content, str) else json.dumps(content)

    async def step(request: web.Request) -> web.StreamResponse:
        return web.Response(text=text, status=code, headers=headers)

    return step


def refuse(code: int, reason: str = "Nope", **more: Any) -> Step:
    """Return a step that refuses with a Status."""
    return answer(status(code, reason, "because", **more), code)


async def hang(request: web.Request) -> web.StreamResponse:
    """Accept, and never answer."""
    await asyncio.Event().wait()
    raise AssertionError


async def cut(request: web.Request) -> web.StreamResponse:
    """Reset the connection instead of answering."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def stream(*pieces: bytes, then: Step | None = None) -> Step:
    """Return a step that begins to answer with these bytes, and ends or does `then`."""

    async def step(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        if then is not None:
            with contextlib.suppress(ConnectionError):
                await then(request)
        return response

    return step


def line(event: str, content: Object) -> bytes:
    """Return a line of a watch."""
    return json.dumps({"type": event, "object": content}).encode() + b"\n"


class FakeApi:
    """Serves one kind from memory, with resourceVersions, pages, watches and their history.

    Args:
        kind: cluster-scoped, to keep paths simple.
    """

    def __init__(self, kind: Kind = VIRTUAL_ROUTERS) -> None:
        self.kind = kind
        self.asked: list[Asked] = []
        self.objects: dict[str, Object] = {}
        self.url = ""
        self._version = 100
        self._compacted = 0
        self._history: list[tuple[int, bytes]] = []
        self._changed = asyncio.Event()
        self._next: dict[str, deque[Step]] = defaultdict(deque)
        self._always: dict[str, Step] = {}
        self._open: list[web.Request] = []

    def put(self, name: str, uid: str | None = None, **content: Any) -> Object:
        """Create an object, or change it; another uid is another object."""
        known = name in self.objects
        self._version += 1
        metadata = {
            "name": name,
            "uid": uid or f"uid-{name}",
            "resourceVersion": str(self._version),
            "managedFields": [{"manager": "somebody"}],
        }
        self.objects[name] = {"metadata": metadata} | content
        self._record("MODIFIED" if known else "ADDED", self.objects[name])
        return self.objects[name]

    def remove(self, name: str) -> None:
        """Delete an object."""
        self._version += 1
        gone = self.objects.pop(name)
        metadata = gone["metadata"] | {"resourceVersion": str(self._version)}
        self._record("DELETED", gone | {"metadata": metadata})

    def bookmark(self) -> None:
        """Tell those who watch how far they are."""
        self._version += 1
        self._record("BOOKMARK", {"metadata": {"resourceVersion": str(self._version)}})

    def restore(self) -> None:
        """Become what a backup from before everything holds; the objects of now are put anew."""
        self.objects.clear()
        self._history.clear()
        self._version, self._compacted = 50, 0

    def compact(self) -> None:
        """Forget the history: older resourceVersions are gone."""
        self._compacted = self._version
        self._history.clear()

    def once(self, what: str, *steps: Step) -> None:
        """Do these, one by one, on the next requests of a sort: get, list, reach, watch, post."""
        self._next[what].extend(steps)

    def always(self, what: str, step: Step | None) -> None:
        """Do this on all further requests of the sort; None: behave again."""
        self._always.pop(what, None)
        if step is not None:
            self._always[what] = step

    def count(self, what: str) -> int:
        """Return how many requests of a sort came."""
        return sum(asked.what == what for asked in self.asked)

    async def disconnect(self) -> None:
        """Cut every connection."""
        for request in list(self._open):
            await cut(request)

    def access(self, **more: Any) -> Access:
        """Return how to reach this server."""
        return Access(server=self.url, **more)

    def _record(self, event: str, content: Object) -> None:
        self._history.append((self._version, line(event, content)))
        self._changed.set()
        self._changed = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request by script or by memory."""
        what = self._what(request)
        body = await request.text()
        self.asked.append(
            Asked(
                what,
                request.path,
                dict(request.query),
                dict(request.headers),
                json.loads(body) if body else None,
            )
        )
        self._open.append(request)
        try:
            return await self._step(what)(request)
        finally:
            self._open.remove(request)

    def _step(self, what: str) -> Step:
        if self._next[what]:
            return self._next[what].popleft()
        if what in self._always:
            return self._always[what]
        default: dict[str, Step] = {"list": self._list, "watch": self._watch, "reach": self._reach}
        return default.get(what, refuse(404, "NotFound"))

    def _what(self, request: web.Request) -> str:
        if request.method != "GET":
            return request.method.lower()
        if request.query.get("watch") == "true":
            return "watch"
        if request.path != self.kind.path():
            return "get"
        return "reach" if "metadata.name=-" in request.query.get("fieldSelector", "") else "list"

    async def _list(self, request: web.Request) -> web.StreamResponse:
        start = int(request.query.get("continue", "0"))
        limit = int(request.query.get("limit", "0")) or len(self.objects)
        items = list(self.objects.values())
        metadata: Object = {"resourceVersion": str(self._version)}
        if start + limit < len(items):
            rest = len(items) - start - limit
            metadata |= {"continue": str(start + limit), "remainingItemCount": rest}
        return web.json_response({"metadata": metadata, "items": items[start : start + limit]})

    async def _reach(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(
            {"metadata": {"resourceVersion": str(self._version)}, "items": None}
        )

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        seen = int(request.query["resourceVersion"])
        if seen < self._compacted:
            return await stream(line("ERROR", status(410, "Expired", "too old")))(request)
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            changed = self._changed
            for version, written in list(self._history):
                if version > seen:
                    await response.write(written)
                    seen = version
            await changed.wait()


@contextlib.asynccontextmanager
async def serving(
    api: FakeApi, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[FakeApi]:
    """Run the server for the body of the `async with`; open connections are cut at its end."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.05)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True, ssl_context=tls)
        await site.start()
        address = runner.addresses[0]
        api.url = f"{'https' if tls else 'http'}://127.0.0.1:{address[1]}"
        yield api
    finally:
        await runner.cleanup()
