"""Our own LIST: it finds what a watch never told, and outlives an API server that is away."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable

import pytest

from support.fake_api import FakeApi, answer, refuse, serving
from vip_common.kinds import VIRTUAL_ROUTERS
from vip_kube.backoff import Backoff
from vip_kube.client import Client
from vip_operator.core.known.store import Store
from vip_operator.watching import relist
from vip_operator.watching.relist import Relister


class Scene:
    """A relister of VirtualRouters, a store, and an API server."""

    def __init__(self, api: FakeApi, client: Client) -> None:
        self.api = api
        self.store = Store(["VirtualRouter"])
        self.changes = 0
        self.restored = 0
        self.relister = Relister(
            client,
            self.store,
            [VIRTUAL_ROUTERS],
            changed=self._changed,
            restored=self._restored,
            backoff=Backoff(random.Random(1), first_seconds=0.02, limit_seconds=0.05),
        )

    def _changed(self) -> None:
        self.changes += 1

    def _restored(self) -> None:
        self.restored += 1

    @property
    def lists(self) -> int:
        """How many complete lists of VirtualRouters came."""
        return sum(
            each.what == "list" and each.query.get("limit") != "1" for each in self.api.asked
        )


async def until(look: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(10):
        while not look():
            await asyncio.sleep(0.005)


@pytest.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    """A relister at work that counts every 50 ms and lists all only when it has reason to."""
    monkeypatch.setattr(relist, "_COUNT_EVERY_SECONDS", 0.05)
    monkeypatch.setattr(relist, "_RECOUNT_AFTER_SECONDS", 0.02)
    monkeypatch.setattr(relist, "_DEBOUNCE_SECONDS", 0.02)
    async with (
        serving(FakeApi()) as api,
        Client(api.access(), user_agent="vip-operator/1") as client,
    ):
        scene = Scene(api, client)
        task = asyncio.create_task(scene.relister.run())
        try:
            yield scene
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def test_nothing_is_listed_before_it_is_asked_for(scene: Scene) -> None:
    """Until somebody asks, the API server hears nothing; then one list makes the kind known."""
    await asyncio.sleep(0)
    assert scene.api.asked == []
    for _time in range(100):
        scene.relister.ask("kopf listed virtualrouters")
    await until(lambda: "VirtualRouter" not in scene.store.missing)
    assert scene.lists == 1
    assert scene.changes == 1


async def test_a_deletion_that_no_watch_told(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """An object that vanished without an event is missed by number, listed, and named."""
    caplog.set_level("INFO")
    scene.api.put("vip.shop.web")
    scene.relister.ask("start")
    await until(lambda: scene.store.count("VirtualRouter") == 1)
    scene.api.remove("vip.shop.web")
    await until(lambda: scene.store.count("VirtualRouter") == 0)
    assert "The watch had missed changes of virtualrouters: vip.shop.web" in caplog.text


async def test_equal_numbers_are_left_alone(scene: Scene) -> None:
    """While the numbers agree only the cheap question is asked."""
    scene.api.put("vip.shop.web")
    scene.relister.ask("start")
    await until(lambda: scene.api.count("list") >= 6)
    assert scene.lists == 1


async def test_after_trouble_everything_is_listed(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """An API server that was away is asked for everything, and its absence is logged once."""
    caplog.set_level("INFO")
    scene.relister.ask("start")
    await until(lambda: scene.lists == 1)
    scene.api.always("list", refuse(503))
    await until(lambda: scene.relister.trouble)
    await until(lambda: scene.api.count("list") >= 10)
    scene.api.put("vip.shop.web")
    scene.api.always("list", None)
    await until(lambda: scene.store.count("VirtualRouter") == 1)
    await until(lambda: not scene.relister.trouble)
    warnings = [each for each in caplog.records if each.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "Could list what is there from the API server again" in caplog.text


async def test_versions_that_went_back(scene: Scene) -> None:
    """After a restore from a backup the list counts, and others are told of it."""
    scene.relister.ask("start")
    await until(lambda: scene.lists == 1)
    ahead = {"metadata": {"name": "vip.a.a", "uid": "u", "resourceVersion": "101"}}
    scene.store.upsert("VirtualRouter", ahead)
    scene.api._version = 50
    scene.relister.ask("the API was away")
    await until(lambda: scene.store.count("VirtualRouter") == 0)
    assert scene.restored == 1


async def test_a_restore_that_others_noticed(scene: Scene) -> None:
    """Told of it, it takes the list for the truth, whatever its version, and tells nobody."""
    scene.relister.ask("start")
    await until(lambda: scene.lists == 1)
    ahead = {"metadata": {"name": "vip.a.a", "uid": "u", "resourceVersion": "5000"}}
    scene.store.upsert("VirtualRouter", ahead)
    scene.api._version = 6000
    scene.relister.renew()
    await until(lambda: scene.store.count("VirtualRouter") == 0)
    assert scene.restored == 0


async def test_a_restore_of_a_moment_ago_is_seen(scene: Scene) -> None:
    """A list that is newer than the last one, but not than what was heard since, says it too."""
    scene.relister.ask("start")
    await until(lambda: scene.lists == 1)
    ahead = {"metadata": {"name": "vip.a.a", "uid": "u", "resourceVersion": "5000"}}
    scene.store.upsert("VirtualRouter", ahead)
    scene.api.put("vip.shop.web")
    scene.relister.ask("the API was away")
    await until(lambda: scene.restored == 1)
    await until(lambda: scene.store.count("VirtualRouter") == 1)


async def test_a_cache_that_lags_behind_is_no_restore(scene: Scene) -> None:
    """A list from before what was heard is asked for again, and then taken for what it is."""
    scene.api.put("vip.shop.web")
    scene.relister.ask("start")
    await until(lambda: scene.lists == 1)
    late = {"items": [], "metadata": {"resourceVersion": "1"}}
    asked = scene.lists
    scene.api.once("list", answer(late))
    scene.relister.ask("the API was away")
    await until(lambda: scene.lists >= asked + 2)
    await until(lambda: not scene.relister._asked.is_set())
    assert scene.restored == 0
    assert scene.store.count("VirtualRouter") == 1
