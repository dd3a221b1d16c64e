"""A reflector keeps somebody told, whatever the API server does."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator

import msgspec
import pytest
from aiohttp import web

from support.fake_api import FakeApi, Step, answer, cut, hang, line, refuse, serving, status, stream
from support.fake_engine import until
from support.followed import following
from vip_common.kinds import VIRTUAL_ROUTERS
from vip_kube.client import Client, Selection
from vip_kube.wire import Object

pytestmark = pytest.mark.usefixtures("quick_time")

KIND = VIRTUAL_ROUTERS
BOOKMARK = line("BOOKMARK", {"metadata": {}})
EXPIRED = stream(line("ERROR", status(410, "Expired", "too old")))
# Where a server hangs, its client's timeout is what the test waits for.
IMPATIENT_SECONDS = 0.3


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    """A server with nothing in it."""
    async with serving(FakeApi()) as api:
        yield api


@pytest.fixture
async def client(api: FakeApi) -> AsyncIterator[Client]:
    """A client of it, with more patience than any test needs."""
    async with client_of(api) as client:
        yield client


def client_of(api: FakeApi, timeout_seconds: float = 60.0) -> Client:
    """Return a client of a server."""
    return Client(api.access(), user_agent="vip-test/1", timeout_seconds=timeout_seconds)


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the reflector logged so far."""
    return [record.getMessage() for record in caplog.records if record.name == "kube"]


async def test_follows(api: FakeApi, client: Client) -> None:
    """First everything there is, then `synced`, then each change as it happens."""
    api.put("a")
    api.put("b")
    async with following(client, KIND) as it:
        await until(lambda: it.told.lists == 1)
        assert it.reflector.has_synced
        api.put("c")
        api.put("a", spec={"x": 1})
        api.remove("b")
        await until(lambda: it.names == {"a", "c"})
        assert it.told.calls == [
            *("upsert a", "upsert b", "synced"),
            *("upsert c", "upsert a", "delete b"),
        ]
        assert it.told.objects["a"]["spec"] == {"x": 1}
    assert "resourceVersion" not in api.asked[0].query, "the first list is the newest there is"


async def test_resumes_without_list(api: FakeApi, client: Client) -> None:
    """A watch that ends in order goes on where the last event or bookmark was, without a list."""
    api.once("watch", stream(line("BOOKMARK", {"metadata": {"resourceVersion": "140"}})))
    async with following(client, KIND):
        await until(lambda: api.count("watch") == 2)
        assert api.asked[-1].query["resourceVersion"] == "140"
        assert api.count("list") == 1


async def test_deletion_while_deaf(api: FakeApi, client: Client) -> None:
    """What was deleted while the watch was away and the history forgotten is told as deleted."""
    for name in ("a", "b", "c"):
        api.put(name)
    async with following(client, KIND) as it:
        await until(lambda: it.told.lists == 1 and api.count("watch") == 1)
        api.always("watch", cut)
        api.always("list", refuse(503))
        await api.disconnect()
        api.remove("b")
        api.put("c", uid="another")
        api.put("d")
        api.compact()
        it.told.calls.clear()
        api.always("list", None)
        api.always("watch", None)
        await until(lambda: it.told.lists == 2)
        assert it.told.calls == ["delete b", "delete c", "upsert c", "upsert d", "synced"]


async def test_expired_lists_at_once(api: FakeApi, client: Client) -> None:
    """A 410 is followed by a list and a watch without any wait, and is no trouble."""
    let_go = asyncio.Event()

    async def until_let_go(request: web.Request) -> web.StreamResponse:
        await let_go.wait()
        return web.Response()

    api.once("watch", stream(BOOKMARK, then=until_let_go))
    api.put("a")
    async with following(client, KIND, first_seconds=60, limit_seconds=60) as it:
        await until(lambda: it.names == {"a"} and api.count("watch") == 1)
        api.remove("a")
        api.compact()
        let_go.set()
        await until(lambda: it.names == set() and api.count("watch") == 3)
        assert it.reflector.trouble == ""
        assert [asked.what for asked in api.asked] == ["list", "watch", "watch", "list", "watch"]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(refuse(503, "ServiceUnavailable"), id="503"),
        pytest.param(refuse(429, "TooManyRequests"), id="429"),
        pytest.param(refuse(403, "Forbidden"), id="403"),
        pytest.param(refuse(404, "NotFound"), id="404"),
        pytest.param(refuse(401, "Unauthorized"), id="401"),
        pytest.param(refuse(500), id="500"),
        pytest.param(answer("<html>login</html>"), id="stranger"),
        pytest.param(answer({"status": "ok"}), id="another-api"),
        pytest.param(cut, id="reset"),
        pytest.param(EXPIRED, id="expired-again-and-again"),
        pytest.param(stream(), id="ends-at-once"),
        pytest.param(stream(b"\xff\n"), id="garbage"),
    ],
)
async def test_survives(
    api: FakeApi, client: Client, fault: Step, caplog: pytest.LogCaptureFixture
) -> None:
    """Each fault is outlived: told once when it begins and once when it ends, nothing is missed."""
    await survives(api, client, fault, caplog)


async def test_survives_a_server_that_hangs(api: FakeApi, caplog: pytest.LogCaptureFixture) -> None:
    """Requests that nobody answers are given up, tried again, and told of once as well."""
    async with client_of(api, IMPATIENT_SECONDS) as client:
        await survives(api, client, hang, caplog)


async def survives(
    api: FakeApi, client: Client, fault: Step, caplog: pytest.LogCaptureFixture
) -> None:
    """Follow through a fault, and check what is told meanwhile and afterwards."""
    caplog.set_level(logging.INFO, "kube")
    api.put("a")
    api.put("b")
    async with following(client, KIND) as it:
        await until(lambda: it.told.lists == 1 and api.count("watch") >= 1)
        # A client without patience may have had its first trouble by now.
        await until(lambda: it.reflector.trouble == "")
        caplog.clear()
        api.always("list", fault)
        api.always("watch", fault)
        await api.disconnect()
        await until(lambda: api.count("list") + api.count("watch") >= 6)
        assert it.reflector.trouble
        assert it.names == {"a", "b"}, "trouble deletes nothing"
        assert len(messages(caplog)) == 1
        assert messages(caplog)[0].startswith("Cannot follow virtualrouters: ")
        api.remove("a")
        api.put("c")
        api.always("list", None)
        api.always("watch", None)
        await until(lambda: it.names == {"b", "c"})
        await until(lambda: it.reflector.trouble == "")
        assert len(messages(caplog)) == 2
        assert messages(caplog)[1].startswith("Follows virtualrouters again, after ")


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(stream(), id="ends-at-once"),
        pytest.param(stream(BOOKMARK), id="an-event-then-ends"),
        pytest.param(stream(BOOKMARK, then=cut), id="an-event-then-cut"),
        pytest.param(EXPIRED, id="expired"),
        pytest.param(stream(BOOKMARK, line("ERROR", status(410))), id="an-event-then-expired"),
        pytest.param(refuse(410, "Expired"), id="410"),
    ],
)
async def test_does_not_spin(api: FakeApi, client: Client, fault: Step) -> None:
    """Watches that are granted and end at once are opened no more often than once per period."""
    api.always("watch", fault)
    period, duration = 0.2, 1.2
    async with following(
        client, KIND, first_seconds=period, limit_seconds=period, settled_after_seconds=period
    ):
        await until(lambda: api.count("watch") > 0)
        await asyncio.sleep(duration)
    # The back-off's jitter halves its step at most; and one 410 is answered at once.
    assert api.count("watch") <= 2 * duration / period + 2
    assert api.count("list") <= api.count("watch") + 1


async def test_lists_that_expire(api: FakeApi, client: Client) -> None:
    """A server that answers lists with 410 is asked again with a back-off, not at once."""
    api.always("list", refuse(410, "Expired"))
    async with following(client, KIND, first_seconds=0.2, limit_seconds=0.2) as it:
        await until(lambda: api.count("list") > 0)
        await asyncio.sleep(0.6)
        assert api.count("list") <= 8
        assert "410 Expired" in it.reflector.trouble
        assert not it.reflector.has_synced


async def test_retry_after(api: FakeApi, client: Client) -> None:
    """A server that wants to be left alone for a second is."""
    api.once("list", refuse(429, "TooManyRequests", details={"retryAfterSeconds": 1}))
    began = time.monotonic()
    async with following(client, KIND) as it:
        await until(lambda: it.told.lists == 1)
    assert time.monotonic() - began >= 1


async def test_patience_is_forgotten(api: FakeApi, client: Client) -> None:
    """After a long trouble is over, the next one is again met with a short wait first."""
    api.once("list", *[refuse(503)] * 7)
    async with following(client, KIND, first_seconds=0.01, limit_seconds=60) as it:
        await until(lambda: it.told.lists == 1)
        await until(lambda: it.reflector.trouble == "")
        assert len(it.waits_seconds) == 7
        await api.disconnect()
        await until(lambda: api.count("watch") >= 2)
        # Not forgotten, it would be 0.64 s at least.
        assert it.waits_seconds[7] <= 0.01


async def test_lists_after_refused_watch(api: FakeApi, client: Client) -> None:
    """A watch that is refused for what it asks is followed by a list; one cut off is resumed."""
    async with following(client, KIND) as it:
        await until(lambda: it.told.lists == 1 and api.count("watch") == 1)
        api.once("watch", refuse(503), cut, cut, refuse(400, "BadRequest"))
        await api.disconnect()
        await until(lambda: it.told.lists == 2)
        seen = [asked.what for asked in api.asked]
        # A reset may make aiohttp send a request that changes nothing once more.
        assert [what for what in seen if what != "reach"][:4] == ["list", *["watch"] * 3]
        assert seen.index("list", 1) > 4


async def test_restored_from_a_backup(api: FakeApi, client: Client) -> None:
    """A server that counts from an earlier version is listed, and all of it is told again."""
    for name in ("a", "b"):
        api.put(name)
    async with following(client, KIND) as it:
        await until(lambda: it.told.lists == 1 and api.count("watch") == 1)
        it.told.calls.clear()
        api.always("reach", refuse(503))
        await api.disconnect()
        await until(lambda: api.count("reach") > 0)
        api.restore()
        api.put("b", spec={"x": "of the backup"})
        api.always("reach", None)
        await until(lambda: it.told.lists == 2)
        assert it.told.calls == ["restored", "delete a", "upsert b", "synced"]
        api.put("c")
        await until(lambda: it.names == {"b", "c"})


async def test_read_also(api: FakeApi, client: Client) -> None:
    """What was passed over is read once it is asked for; the watch goes on where it was."""
    asked_for = {"a"}
    names = msgspec.json.decode

    def pick(raw: msgspec.Raw) -> Object | None:
        content: Object = names(raw)
        return content if content["metadata"]["name"] in asked_for else None

    for name in ("a", "b", "c"):
        api.put(name)
    told: list[str] = []
    async with following(client, KIND, pick=pick) as it:
        it.reflector.read_also(Selection(), lambda: told.append("a"))
        await until(lambda: it.told.lists == 1 and api.count("watch") == 1)
        assert it.told.calls == ["upsert a", "synced"]
        assert told == ["a"]
        asked_for.add("b")
        it.reflector.read_also(Selection(fields="metadata.name=b"), lambda: told.append("b"))
        await until(lambda: it.names == {"a", "b"} and api.count("watch") == 2)
        assert told == ["a", "b"]
        assert it.told.lists == 1
        assert it.reflector.trouble == ""
        seen = [asked.query.get("fieldSelector", "") for asked in api.asked if asked.what == "list"]
        assert seen == ["", "metadata.name=b"]
        api.put("c")
        api.remove("b")
        await until(lambda: it.names == {"a"})
        asked_for.clear()
        it.reflector.drop(lambda content: True)
        assert it.names == set()


async def test_relist(api: FakeApi, client: Client) -> None:
    """Asked to, a reflector lists at once and compares; so it does while it lists already."""
    api.put("a")
    async with following(client, KIND) as it:
        await until(lambda: it.told.lists == 1 and api.count("watch") == 1)
        it.reflector.relist()
        await until(lambda: it.told.lists == 2 and api.count("watch") == 2)
        assert it.reflector.trouble == ""
        it.reflector.relist(restored=True)
        await until(lambda: it.told.lists == 3)
        assert it.told.calls[-3:] == ["restored", "upsert a", "synced"]


async def test_a_missing_right(api: FakeApi, client: Client) -> None:
    """It is told apart from other trouble, when it begins and when it is over."""
    api.always("list", refuse(403, "Forbidden"))
    seen: list[bool] = []
    async with following(client, KIND, trouble_changed=lambda it: seen.append(it.forbidden)) as it:
        await until(lambda: seen == [True])
        api.always("list", refuse(503))
        await until(lambda: seen == [True, False])
        assert it.reflector.trouble
        api.always("list", None)
        await until(lambda: seen == [True, False, False])
        assert it.reflector.trouble == ""


async def test_silence(api: FakeApi, client: Client) -> None:
    """A watch on which not even a bookmark comes is given up and resumed."""
    api.once("watch", stream(BOOKMARK, then=hang))
    async with following(client, KIND, silence_seconds=0.3) as it:
        await until(lambda: "no answer within 0.3 s" in it.reflector.trouble)
        await until(lambda: it.reflector.trouble == "")
        assert api.count("watch") >= 2
        assert api.count("list") == 1


async def test_handler_breaks(
    api: FakeApi, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """A handler that fails over one object is told all others, and the log names the object."""
    for name in ("a", "evil", "z"):
        api.put(name)
    async with following(client, KIND) as it:
        await until(lambda: it.told.lists == 1)
        api.put("evil", spec={})
        api.put("b")
        await until(lambda: it.names == {"a", "b", "z"})
    assert messages(caplog) == 2 * ["The upsert of virtualrouters evil failed."]


async def test_cancelled(api: FakeApi, client: Client) -> None:
    """Cancelling ends a reflector at once, whatever it waits for: that would be a minute."""
    for fault in (hang, refuse(503), None):
        api.always("list", fault)
        before = len(api.asked)
        async with (
            asyncio.timeout(30),
            following(client, KIND, first_seconds=120, limit_seconds=120),
        ):
            await until(lambda before=before: len(api.asked) > before)  # type: ignore[misc]
