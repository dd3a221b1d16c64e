"""The last word of an agent that is stopped with its engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.cluster_agent import PlayedEngine
from support.fake_engine import until
from support.speaker_api import NODE, SpeakerApi
from vip_common.kinds import VIRTUAL_ROUTERS
from vip_kube.access import Access
from vip_speaker.agent.kubernetes import source
from vip_speaker.agent.kubernetes.source import KubernetesSource
from vip_speaker.agent.main import Agent
from vip_speaker.messages import Farewell
from vip_speaker.settings import Settings

ROUTER = "vip.shop.web"
VIRTUAL_ROUTER = {
    "apiVersion": "vip-operator.io/v1alpha1",
    "kind": "VirtualRouter",
    "metadata": {"name": ROUTER, "uid": "uid-web", "resourceVersion": "1"},
    "spec": {
        "owners": [{"namespace": "shop", "name": "web"}],
        "revision": 1,
        "instances": [{"family": "IPv4", "virtualRouterID": 51, "addresses": ["192.0.2.100"]}],
        "candidates": [{"node": NODE, "slot": 0, "priority": 254, "sources": []}],
    },
}


STOPPED = [{"router": ROUTER, "state": "Initialize", "reason": "Stopped"}]


class Scene:
    """An agent of a fake cluster beside a played engine.

    Args:
        api: what stands in for the API.
        path: of the engine's socket.
    """

    def __init__(self, api: SpeakerApi, path: Path) -> None:
        self.api = api
        self.engine = PlayedEngine()
        self._path = path
        settings = Settings(node=NODE, cluster=True, socket=str(path), http=None)
        self._agent = Agent(
            settings,
            lambda apply, ask: KubernetesSource(
                Access(server="http://192.0.2.1"), "ns", NODE, apply, ask
            ),
        )
        self._running: asyncio.Task[None] | None = None
        self._listening: asyncio.Server | None = None

    @property
    def last(self) -> dict[str, Any]:
        """What was written last."""
        return self.api.written[-1] if self.api.written else {}

    async def start(self) -> None:
        """Begin; return when the engine runs the router."""
        self._listening = await asyncio.start_unix_server(self.engine.handle, self._path)
        self._running = asyncio.create_task(self._agent.run())
        await until(lambda: self.engine.runs(ROUTER) and bool(self.last))

    async def stop(self, *last_words: Farewell) -> None:
        """Stop the engine, which tells its last transition and is gone for good, and the agent."""
        assert self._listening is not None
        assert self._running is not None
        self._listening.close()
        self._path.unlink()
        self._agent.stop()
        self.engine.become(ROUTER, "Initialize", "Stopped")
        for message in last_words:
            self.engine.send(message)
        self.engine.hang_up()
        async with asyncio.timeout(10):
            await self._running

    async def end(self) -> None:
        """Leave nothing behind, whatever happened."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})
        if self._listening is not None:
            self._listening.close()
        self.engine.hang_up()


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    """The engine runs the router as Backup, and writing takes time in which others could write."""
    api = SpeakerApi({VIRTUAL_ROUTERS: (VIRTUAL_ROUTER,)})
    api.answers_in_seconds = 0.1
    monkeypatch.setattr(source, "Client", api)
    scene = Scene(api, tmp_path / "engine.sock")
    try:
        await scene.start()
        yield scene
    finally:
        await scene.end()


async def test_of_a_backup(scene: Scene) -> None:
    """It says Stopped of the router, and nothing older is written over it."""
    await scene.stop()

    assert scene.last["abnormal"] == STOPPED


async def test_of_an_active_that_yields(scene: Scene) -> None:
    """It ends neither with a claim nor with the state that it left through."""
    scene.engine.become(ROUTER, "Active", "ActiveDown")
    await until(lambda: bool(scene.last["active"]))
    scene.engine.become(ROUTER, "Backup", "Stopped")
    await until(lambda: scene.last["active"] == [])
    await scene.stop()

    assert (scene.last["active"], scene.last["abnormal"]) == ([], STOPPED)


async def test_of_an_active_whose_yielding_nobody_saw(scene: Scene) -> None:
    """A claim that was the last thing reported does not come back."""
    scene.engine.become(ROUTER, "Active", "ActiveDown")
    await until(lambda: bool(scene.last["active"]))
    await scene.stop()

    assert (scene.last["active"], scene.last["abnormal"]) == ([], STOPPED)


@pytest.mark.parametrize(
    ("last_words", "stopped"),
    [([Farewell(released=True)], True), ([Farewell(released=False)], False), ([], False)],
    ids=["released", "not released", "killed"],
)
async def test_what_it_says_of_its_addresses(
    scene: Scene, last_words: list[Farewell], stopped: bool
) -> None:
    """That nothing is left here is said only if the engine said so, and of no living one."""
    assert scene.last["stopped"] is False
    await scene.stop(*last_words)

    assert scene.last["stopped"] is stopped


async def test_an_engine_that_came_back(scene: Scene) -> None:
    """What the one before it said on leaving does not count for the next."""
    scene.engine.send(Farewell(released=True))
    scene.engine.hang_up()
    await until(lambda: scene.engine.connections == 2)
    await scene.stop()

    assert scene.last["stopped"] is False
