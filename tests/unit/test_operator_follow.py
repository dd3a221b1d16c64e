"""A reflector and a kopf that are begun anew after the API server was restored from a backup."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest

from support.fake_api import FakeApi, answer, serving
from vip_kube.backoff import Backoff
from vip_kube.client import Client
from vip_operator.watching.follow import Follower
from vip_operator.watching.kopf_thread import Hear, KopfThread
from vip_operator.watching.watch import KINDS, Watch


async def until(look: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(10):
        while not look():
            await asyncio.sleep(0.005)


class Reflectors:
    """Makes reflectors that only say how they are."""

    def __init__(self) -> None:
        self.made: list[Reflecting] = []

    def begin(self) -> Reflecting:
        """Make one."""
        self.made.append(Reflecting(f"trouble of number {len(self.made)}"))
        return self.made[-1]


class Reflecting:
    """A reflector that does nothing."""

    def __init__(self, trouble: str) -> None:
        self.trouble = trouble
        self.state = "made"
        self.error: Exception | None = None
        self.fails = asyncio.Event()

    async def run(self) -> None:
        """Run until cancelled, or until it fails."""
        self.state = "runs"
        try:
            await self.fails.wait()
        finally:
            self.state = "ended"
        raise ValueError("a mistake")


async def test_a_reflector_is_begun_anew() -> None:
    """After a renewal one that knows nothing runs instead, and its trouble is what is told."""
    reflectors = Reflectors()
    follower = Follower(reflectors.begin)
    follower.renew()
    assert len(reflectors.made) == 1
    task = asyncio.create_task(follower.run())
    await until(lambda: reflectors.made[0].state == "runs")
    assert follower.trouble == "trouble of number 0"
    follower.renew()
    await until(lambda: reflectors.made[-1].state == "runs")
    assert [each.state for each in reflectors.made] == ["ended", "runs"]
    assert follower.trouble == "trouble of number 1"
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await until(lambda: reflectors.made[-1].state == "ended")


async def test_an_error_of_a_reflector_is_not_hidden() -> None:
    """What a reflector dies of ends the follower, too."""
    reflectors = Reflectors()
    task = asyncio.create_task(Follower(reflectors.begin).run())
    reflectors.made[0].fails.set()
    with pytest.raises(ValueError, match="a mistake"):
        await asyncio.wait_for(task, 10)


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
        api.always("get", answer({"resources": [{"name": kind.plural} for kind in KINDS]}))
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
