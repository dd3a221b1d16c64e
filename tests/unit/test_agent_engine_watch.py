"""When the engine is asked for what is reported of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from support.fake_engine import until
from support.statuses import status
from vip_speaker.agent.kubernetes import engine_watch
from vip_speaker.agent.kubernetes.engine_watch import EngineWatch
from vip_speaker.messages import Status


class Scene:
    """A watch over an engine whose answers the test decides."""

    def __init__(self) -> None:
        self.answer: Status | None = status(revision=1)
        self.asked = 0
        self.looks = 0
        self.watch = EngineWatch(self._ask, self._looked)

    async def _ask(self) -> Status | None:
        self.asked += 1
        return self.answer

    def _looked(self) -> None:
        self.looks += 1


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """A watch at work that has looked once."""
    scene = Scene()
    task = asyncio.create_task(scene.watch.run())
    await until(lambda: scene.looks == 1)
    yield scene
    task.cancel()
    await asyncio.wait({task})


async def test_many_nudges_are_one_look(scene: Scene) -> None:
    """The transitions of a whole group make one report, and it comes within milliseconds."""
    scene.answer = status(revision=2)
    for _ in range(50):
        scene.watch.nudge()
    async with asyncio.timeout(1):
        await until(lambda: scene.looks == 2)
    assert scene.watch.last == scene.answer
    await asyncio.sleep(0.05)
    assert scene.asked == 2


async def test_it_looks_unasked(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes that the engine does not announce are found all the same."""
    monkeypatch.setattr(engine_watch, "_POLL_SECONDS", 0.01)
    scene.watch.nudge()
    await until(lambda: scene.looks > 4)


async def test_a_short_silence_is_none(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that is restarted is not away; one that stays silent is, until it answers."""
    monkeypatch.setattr(engine_watch, "_AWAY_AFTER_SECONDS", 60.0)
    monkeypatch.setattr(engine_watch, "_POLL_SECONDS", 0.01)
    before, scene.answer = scene.answer, None
    scene.watch.nudge()
    await until(lambda: scene.looks >= 3)
    assert not scene.watch.away
    assert scene.watch.last == before

    monkeypatch.setattr(engine_watch, "_AWAY_AFTER_SECONDS", 0.0)
    await until(lambda: scene.watch.away)
    scene.answer = before
    await until(lambda: not scene.watch.away)
