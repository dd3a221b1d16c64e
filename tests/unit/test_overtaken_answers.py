"""An answer to a write that arrives after what the watch told of the object since.

The API server's answer and the events of a watch come on two connections, in any order.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, cast

import pytest
import yaml

from support.followed import item
from vip_kube.backoff import Backoff
from vip_kube.client import Client, EventType, Listing, Object, WatchEvent
from vip_kube.errors import ApiError
from vip_kube.kinds import CONFIG_MAPS, DAEMON_SETS, Kind
from vip_model.resources.speaker import SpeakerStatus
from vip_operator.speakers.daemonset import TEMPLATE_KEY
from vip_operator.speakers.daemonset_keeper import DaemonSetKeeper
from vip_speaker.agent.kubernetes.reporter import Reporter
from vip_speaker.agent.kubernetes.start_gate import NodeWatch

_TEMPLATE = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": {"name": "vip-speaker"},
    "spec": {"selector": {}},
}
_CONFIG_MAP = {
    "metadata": {"name": "speakers", "namespace": "vips", "uid": "uid-1"},
    "data": {TEMPLATE_KEY: yaml.safe_dump(_TEMPLATE)},
}


async def _until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not look():
            await asyncio.sleep(0.001)


# --- the operator's DaemonSet --------------------------------------------------------------------


class DeletingApi:
    """Tells of the first DaemonSet that it is gone again before it answers who made it."""

    def __init__(self) -> None:
        self.created: list[Object] = []
        self._events: dict[str, asyncio.Queue[WatchEvent[Object]]] = {}

    async def read(self, kind: Kind, *_: object) -> Listing[Object]:
        return Listing([item(_CONFIG_MAP)] if kind is CONFIG_MAPS else [], "1")

    async def watch(
        self, kind: Kind, *_: object, **__: object
    ) -> AsyncGenerator[WatchEvent[Object]]:
        queue = self._events.setdefault(kind.plural, asyncio.Queue())
        while True:
            yield await queue.get()
            queue.task_done()

    async def create(self, _kind: Kind, content: Mapping[str, Any], _namespace: str) -> Object:
        number = len(self.created) + 1
        metadata = {**content["metadata"], "uid": f"uid-{number}", "resourceVersion": f"{number}0"}
        stored = {**content, "metadata": metadata}
        self.created.append(stored)
        if number == 1:
            queue = self._events[DAEMON_SETS.plural]
            for kind in (EventType.ADDED, EventType.DELETED):
                queue.put_nowait(WatchEvent(kind, item(stored)))
            await queue.join()
            await asyncio.sleep(0.01)  # the last event is being told
        return stored


def test_a_daemon_set_that_was_deleted_at_once_is_made_again() -> None:
    """The answer to its creation does not bring a deleted DaemonSet back in the operator's mind."""

    async def scene() -> None:
        api = DeletingApi()
        keeper = DaemonSetKeeper(
            cast("Client", api),
            "vips",
            "speakers",
            lambda: True,
            changed=lambda: None,
            backoff=Backoff(random.Random(1)),
        )
        running = asyncio.ensure_future(keeper.run())
        await _until(lambda: len(api.created) == 2)
        running.cancel()

    asyncio.run(scene())


# --- the agent's Speaker -------------------------------------------------------------------------


class ForgettingApi:
    """Lets somebody delete or edit the Speaker before the agent has the answer to its report."""

    def __init__(self, *, deletes: bool) -> None:
        self.reporter: Reporter | None = None
        self.stored: Object | None = {"status": {}}
        self.merges = 0
        self._deletes = deletes

    async def merge(self, _kind: Kind, _name: str, patch: Object, **_: object) -> Object:
        if self.stored is None:
            raise ApiError(404, "NotFound", "there is no such Speaker")
        self.merges += 1
        self.stored = answer = {"status": patch["status"]}
        if self.merges == 1:
            assert self.reporter is not None
            self.reporter.upsert(answer)
            if self._deletes:
                self.stored = None
                self.reporter.delete(answer)
            else:
                self.stored = {"status": {"features": ["nobody", "wrote", "this"]}}
                self.reporter.upsert(self.stored)
        return answer

    async def create(self, _kind: Kind, content: Object, *_: object) -> Object:
        self.stored = content
        return content


@pytest.mark.parametrize("deletes", [True, False], ids=["deleted", "edited"])
def test_a_speaker_that_was_changed_at_once_is_reported_anew(deletes: bool) -> None:
    """The answer to a report does not hide what somebody did to the Speaker since."""

    async def scene() -> None:
        api = ForgettingApi(deletes=deletes)
        node = NodeWatch("n1", "a-boot")
        node.upsert({"metadata": {"name": "n1", "uid": "uid-n1"}})
        node.synced()
        reporter = api.reporter = Reporter(cast("Client", api), node)
        running = asyncio.ensure_future(reporter.run())
        status = SpeakerStatus()
        reporter.report(status)
        await _until(lambda: api.merges == 2 and api.stored is not None)
        assert await reporter.deliver(status, 5.0)
        assert api.stored is not None
        assert "nobody" not in api.stored["status"].get("features", ())
        running.cancel()

    asyncio.run(scene())
