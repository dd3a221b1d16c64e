"""A watch of the API client: lines, silence, errors, and what is asked for."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from support.fake_api import FakeApi, cut, hang, line, refuse, serving, status, stream
from support.fake_engine import until
from vip_common.kinds import VIRTUAL_ROUTERS
from vip_kube.client import Client, EventType, Selection, WatchEvent
from vip_kube.errors import ApiError, UnreachableError
from vip_kube.kinds import PODS
from vip_kube.wire import Identity, Item, LineSplitter, Object, whole

KIND = VIRTUAL_ROUTERS


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    """A server with nothing in it."""
    async with serving(FakeApi()) as api:
        yield api


@pytest.fixture
async def client(api: FakeApi) -> AsyncIterator[Client]:
    """A client of it that is not patient."""
    async with Client(api.access(), user_agent="vip-test/1", timeout_seconds=0.5) as client:
        yield client


async def watched(client: Client, silence_seconds: float = 5.0) -> list[WatchEvent[Object]]:
    """Return all events of a watch that the server ends."""
    events = client.watch(
        KIND, whole(KIND), resource_version="100", silence_seconds=silence_seconds
    )
    return [event async for event in events]


def spec_of(event: WatchEvent[Object]) -> Object:
    """Return the spec of an event's object."""
    assert event.item.value is not None
    spec: Object = event.item.value["spec"]
    return spec


async def test_events(api: FakeApi, client: Client) -> None:
    """Events come as they happen, bookmarks too, and without managedFields."""
    opened: list[bool] = []
    events = client.watch(
        KIND, whole(KIND), resource_version="100", on_open=lambda: opened.append(True)
    )
    async with contextlib.aclosing(events):
        api.put("a")
        assert (await anext(events)).type is EventType.ADDED
        assert opened == [True]
        api.put("a", spec={"x": 1})
        changed = await anext(events)
        assert (changed.type, spec_of(changed)) == (EventType.MODIFIED, {"x": 1})
        assert changed.item.value is not None
        assert "managedFields" not in changed.item.value["metadata"]
        api.bookmark()
        assert (await anext(events)).item == Item(Identity(resource_version="103"), None)
        api.remove("a")
        assert (await anext(events)).type is EventType.DELETED


async def test_asks(api: FakeApi, client: Client) -> None:
    """A watch asks for bookmarks, for its end, and only for what is selected."""
    api.once("watch", stream())
    selection = Selection("red", labels="app=web", fields="spec.nodeName=n1")
    events = client.watch(PODS, whole(PODS), selection, resource_version="7", timeout_seconds=11)
    assert [event async for event in events] == []
    assert api.asked[0].path == "/api/v1/namespaces/red/pods"
    assert api.asked[0].query == {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": "7",
        "timeoutSeconds": "11",
        "labelSelector": "app=web",
        "fieldSelector": "spec.nodeName=n1",
    }


async def test_lines_of_any_length(api: FakeApi, client: Client) -> None:
    """An object of a megabyte is one event, in whatever pieces its line comes."""
    large = line("ADDED", {"metadata": {"name": "large"}, "data": "x" * 1_000_000})
    both = large + b"\n" + line("BOOKMARK", {"metadata": {"resourceVersion": "5"}})
    pieces = [both[start : start + 70_001] for start in range(0, len(both), 70_001)]
    api.once("watch", stream(*pieces))
    first, second = await watched(client)
    assert len((first.item.value or {})["data"]) == 1_000_000
    assert second.type is EventType.BOOKMARK


async def test_splitter_at_every_border() -> None:
    """Wherever a stream is cut into pieces, the lines are the same."""
    text = b"one\n\ntwo\nthree"
    for first in range(len(text)):
        for second in range(first, len(text)):
            splitter = LineSplitter()
            pieces = (text[:first], text[first:second], text[second:])
            lines = [each for piece in pieces for each in splitter.feed(piece)]
            assert (lines, splitter.rest) == ([b"one", b"two"], b"three")


async def test_error_event(api: FakeApi, client: Client) -> None:
    """An ERROR event is raised with the status it carries."""
    api.once("watch", stream(line("ERROR", status(410, "Expired", "too old"))))
    with pytest.raises(ApiError) as caught:
        await watched(client)
    assert (caught.value.gone, caught.value.reason) == (True, "Expired")


async def test_refused(api: FakeApi, client: Client) -> None:
    """A watch that is not granted is a refusal like any other."""
    api.once("watch", refuse(403, "Forbidden"))
    with pytest.raises(ApiError, match="403 Forbidden: because"):
        await watched(client)


@pytest.mark.parametrize(
    "garbage",
    [
        b"<html>\n",
        b'{"type":"ADDED","object":{"meta',
        b'{"type":"ODD","object":{}}\n',
        b'{"type":"ADDED"}\n',
        b'{"type":"ADDED","object":{}}\n',
        b"\xff\xfe\n",
    ],
)
async def test_garbage(api: FakeApi, client: Client, garbage: bytes) -> None:
    """What is not an event ends the watch as a broken connection does."""
    api.once("watch", stream(garbage))
    with pytest.raises(UnreachableError, match="GET /apis/vip-operator"):
        await watched(client)


async def test_cut(api: FakeApi, client: Client) -> None:
    """A connection that is cut between two events is not taken for a regular end."""
    api.once("watch", stream(line("BOOKMARK", {"metadata": {}}), then=cut))
    with pytest.raises(UnreachableError):
        await watched(client)


async def test_silence(api: FakeApi, client: Client) -> None:
    """A watch on which nothing comes counts as lost after its time, a hang before it sooner."""
    api.once("watch", stream(line("BOOKMARK", {"metadata": {}}), then=hang))
    with pytest.raises(UnreachableError, match=r"\(watch\): no answer within 0\.7 s"):
        await watched(client, silence_seconds=0.7)
    api.once("watch", hang)
    with pytest.raises(UnreachableError, match=r"no answer within 0\.5 s"):
        await watched(client, silence_seconds=60)


async def test_abandoned(api: FakeApi, client: Client) -> None:
    """A watch that nobody reads any more is closed at the server too."""
    ended: list[bool] = []

    async def notice(request: web.Request) -> web.StreamResponse:
        try:
            return await hang(request)
        finally:
            ended.append(True)

    api.once("watch", stream(line("BOOKMARK", {"metadata": {}}), then=notice))
    events = client.watch(KIND, whole(KIND), resource_version="1")
    async with contextlib.aclosing(events):
        await anext(events)
    await until(lambda: ended == [True])


def test_line_is_json() -> None:
    """The fake server's lines are what the API server writes: one JSON object each."""
    assert json.loads(line("ADDED", {"a": "b\n"})) == {"type": "ADDED", "object": {"a": "b\n"}}
    assert line("ADDED", {"a": "b\n"}).count(b"\n") == 1


async def test_a_request_waits_for_no_watch(api: FakeApi) -> None:
    """However many watches are open, a renewal or a report goes out at once."""
    opened: list[int] = []
    patient = Client(api.access(), user_agent="vip-test/1", timeout_seconds=10)

    async def keep_open(number: int) -> None:
        events = patient.watch(
            KIND, whole(KIND), resource_version="100", on_open=lambda: opened.append(number)
        )
        async for _event in events:
            pass

    async with patient, asyncio.TaskGroup() as group:
        watches = [group.create_task(keep_open(number)) for number in range(120)]
        await until(lambda: len(opened) == 120, 10)
        assert (await patient.list(KIND)).items == ()
        for each in watches:
            each.cancel()
