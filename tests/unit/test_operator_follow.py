"""Followers and kopf, also after the API server was restored from a backup."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest

from support.fake_api import FakeApi, answer, serving
from vip_common.kinds import VIRTUAL_ROUTERS
from vip_kube.backoff import Backoff
from vip_kube.client import Client
from vip_operator.core.known.store import Store
from vip_operator.watching.feed import Feed
from vip_operator.watching.follow import Follower
from vip_operator.watching.kopf_thread import Hear, KopfThread
from vip_operator.watching.watch import SERVED, Watch


async def until(look: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(10):
        while not look():
            await asyncio.sleep(0.005)


class Followed:
    """Some followers of VirtualRouters, and the store they tell."""

    def __init__(self, client: Client) -> None:
        self.store = Store(["VirtualRouter"])
        self.woken = 0
        self.noticed: list[Follower] = []
        feed = Feed(self.store, self._changed)
        self.follower = Follower(client, feed, VIRTUAL_ROUTERS, went_back=self.noticed.append)

    def _changed(self, _may_wait: bool) -> None:
        self.woken += 1

    @property
    def count(self) -> int:
        """How many objects are known."""
        return self.store.count("VirtualRouter")


@contextlib.asynccontextmanager
async def followed(api: FakeApi) -> AsyncIterator[Followed]:
    """Follow for the body of the `async with`."""
    async with Client(api.access(), user_agent="vip-operator/1") as client:
        scene = Followed(client)
        task = asyncio.create_task(scene.follower.run())
        try:
            yield scene
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def test_a_follower_keeps_the_store_up_to_date() -> None:
    """What is there, what comes and what goes is in the store, complete after the first list."""
    async with serving(FakeApi()) as api:
        api.put("vip.a.a", spec={})
        async with followed(api) as it:
            assert it.store.missing == ("VirtualRouter",)
            await until(lambda: it.store.missing == ())
            assert it.count == 1
            api.put("vip.b.b", spec={})
            await until(lambda: it.count == 2)
            api.remove("vip.a.a")
            await until(lambda: it.count == 1)
            assert it.woken > 0
            assert it.noticed == []


async def test_a_follower_that_is_told_of_a_restore() -> None:
    """It takes the list for the truth, whatever was heard before, and tells nobody of it again."""
    async with serving(FakeApi()) as api, followed(api) as it:
        await until(lambda: it.store.missing == ())
        ahead = {"metadata": {"name": "vip.z.z", "uid": "z", "resourceVersion": "5000"}}
        it.store.upsert("VirtualRouter", ahead)
        it.follower.renew()
        assert it.store.missing == ("VirtualRouter",), "nothing is planned meanwhile"
        await until(lambda: it.count == 0)
        assert it.noticed == []


async def test_a_follower_that_notices_a_restore() -> None:
    """An API server that counts from an earlier version is believed, and others are told."""
    async with serving(FakeApi()) as api:
        for name in ("vip.a.a", "vip.b.b"):
            api.put(name, spec={})
        async with followed(api) as it:
            await until(lambda: it.count == 2 and api.count("watch") == 1)
            await api.disconnect()
            api.restore()
            api.put("vip.b.b", spec={})
            await until(lambda: it.noticed == [it.follower])
            assert it.count == 1
            api.put("vip.b.b", spec={"retired": True})
            await until(lambda: it.store.newest("VirtualRouter") == 52)


class Kopf:
    """A life of kopf that does nothing."""

    def __init__(self) -> None:
        self.is_ready = True
        self._over = asyncio.Event()
        self._error: BaseException | None = None

    async def ended(self) -> BaseException | None:
        """Wait for its end."""
        await self._over.wait()
        return self._error

    async def stop(self) -> None:
        """End it."""
        self.end(None)

    def end(self, error: BaseException | None) -> None:
        """Let it end by itself."""
        self._error = self._error or error
        self.is_ready = False
        self._over.set()


class Scene:
    """A watch, and the lives of kopf that it began."""

    def __init__(self, client: Client) -> None:
        self.lives: list[Kopf] = []
        self.relists: list[str] = []
        self.watch = Watch(
            client,
            cast("Callable[[Hear], KopfThread]", self._start),  # as much of it as a watch needs
            lambda *_event: None,
            self.relists.append,
            Backoff(random.Random(1), first_seconds=0.01, limit_seconds=0.02),
        )

    def _start(self, _hear: object) -> Kopf:
        self.lives.append(Kopf())
        return self.lives[-1]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """A watch at work before an API server that serves every kind."""
    async with (
        serving(FakeApi()) as api,
        Client(api.access(), user_agent="vip-operator/1") as client,
    ):
        api.always("get", answer({"resources": [{"name": kind.plural} for kind in SERVED]}))
        scene = Scene(client)
        task = asyncio.create_task(scene.watch.run())
        try:
            yield scene
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def test_kopf_is_started_anew_when_asked(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """After a renewal another life watches, everything is listed, and nothing is amiss."""
    await until(lambda: len(scene.lives) == 1)
    scene.watch.renew()
    await until(lambda: len(scene.lives) == 2)
    assert [each.is_ready for each in scene.lives] == [False, True]
    assert scene.relists == ["the watch begins"] * 2
    assert scene.watch.restarts == 1
    assert [each for each in caplog.records if each.name == "operator.watch"] == []


async def test_why_kopf_ended_is_logged(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """A kopf that ends by itself is started anew, with a line that says why."""
    await until(lambda: len(scene.lives) == 1)
    scene.lives[0].end(ValueError("a mistake"))
    await until(lambda: len(scene.lives) == 2)
    assert "The watch was interrupted and is being restarted: a mistake" in caplog.text
