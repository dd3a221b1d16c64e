"""What the keeper of the speakers' DaemonSet does while the API server forbids its writes."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, cast

import pytest
import yaml

from support.followed import item
from vip_kube.backoff import Backoff
from vip_kube.client import Client, Listing, Object, WatchEvent
from vip_kube.errors import ApiError
from vip_kube.kinds import CONFIG_MAPS, Kind
from vip_operator.speakers.daemonset import PATIENCE_NS, TEMPLATE_KEY, Patience
from vip_operator.speakers.daemonset_keeper import DaemonSetKeeper

_TEMPLATE = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": {"name": "vip-speaker"},
    "spec": {"selector": {}},
}
_CONFIG_MAP = {
    "metadata": {"name": "vip-speaker", "namespace": "vips", "uid": "uid-1"},
    "data": {TEMPLATE_KEY: yaml.safe_dump(_TEMPLATE)},
}
_WHY = "ValidatingAdmissionPolicy 'vip-operator' denied request"


class ForbiddingApi:
    """Has a template and no DaemonSet, and forbids every write until it is told otherwise."""

    def __init__(self) -> None:
        self.forbids = True
        self.attempts = 0
        self.created: list[Object] = []

    async def read(self, kind: Kind, *_: object) -> Listing[Object]:
        return Listing([item(_CONFIG_MAP)] if kind is CONFIG_MAPS else [], "1")

    async def watch(self, *_: object, **__: object) -> AsyncGenerator[WatchEvent[Object]]:
        await asyncio.Event().wait()
        yield cast("WatchEvent[Object]", None)

    async def create(self, _kind: Kind, content: Mapping[str, Any], _namespace: str) -> Object:
        self.attempts += 1
        if self.forbids:
            raise ApiError(403, "Forbidden", _WHY)
        stored = {**content, "metadata": {**content["metadata"], "resourceVersion": "2"}}
        self.created.append(stored)
        return stored


class Scene:
    """A keeper in front of such an API server, and a clock that a test moves."""

    def __init__(self) -> None:
        self.api = ForbiddingApi()
        self.now_ns = 0
        self.changes = 0
        self.keeper = DaemonSetKeeper(
            cast("Client", self.api),
            "vips",
            "vip-speaker",
            lambda: True,
            changed=self._count,
            backoff=Backoff(random.Random(1), first_seconds=0.001, limit_seconds=0.002),
            clock=lambda: self.now_ns,
        )

    def _count(self) -> None:
        self.changes += 1

    async def attempts(self, more: int = 3) -> None:
        """Wait for some more attempts."""
        wanted = self.api.attempts + more
        await _until(lambda: self.api.attempts >= wanted)

    def run(self, act: Callable[[], Awaitable[None]]) -> None:
        """Act while the keeper runs."""

        async def scene() -> None:
            running = asyncio.ensure_future(self.keeper.run())
            try:
                await act()
            finally:
                running.cancel()

        asyncio.run(scene())


async def _until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not look():
            await asyncio.sleep(0.001)


def test_a_policy_that_arrives_late_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """Writes that are forbidden for some seconds are tried again, and nobody is alarmed."""
    caplog.set_level(logging.INFO)
    scene = Scene()

    async def act() -> None:
        await scene.attempts()
        scene.now_ns = PATIENCE_NS - 1
        await scene.attempts()
        assert (scene.keeper.trouble, scene.keeper.api_troubles) == ("", ())
        scene.api.forbids = False
        await _until(lambda: bool(scene.api.created))
        await asyncio.sleep(0)
        assert (scene.keeper.trouble, scene.changes) == ("", 0)

    scene.run(act)
    assert not [each for each in caplog.records if each.levelno > logging.INFO]
    (told,) = [each for each in caplog.messages if "may not be written yet" in each]
    assert told.endswith(_WHY)


def test_what_stays_forbidden_is_told() -> None:
    """A write that is forbidden for longer is told with the reason, until it is done."""
    scene = Scene()

    async def act() -> None:
        await scene.attempts()
        scene.now_ns = PATIENCE_NS
        await _until(lambda: bool(scene.keeper.trouble))
        assert "cannot be kept: 403 Forbidden: ValidatingAdmissionPolicy" in scene.keeper.trouble
        assert scene.keeper.api_troubles
        assert scene.changes == 1
        scene.api.forbids = False
        await _until(lambda: not scene.keeper.trouble)
        assert not scene.keeper.api_troubles

    scene.run(act)


def test_patience_begins_anew() -> None:
    """What was forbidden long ago and then done says nothing of the next time."""
    patience = Patience()
    assert not patience.is_over(0)
    assert patience.begins(0)
    assert not patience.begins(1)
    assert not patience.is_over(PATIENCE_NS - 1)
    assert patience.is_over(PATIENCE_NS)
    patience.renew()
    assert patience.begins(PATIENCE_NS)
    assert not patience.is_over(2 * PATIENCE_NS - 1)
