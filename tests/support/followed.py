"""A handler of a reflector that keeps all it is told, and a reflector at work for a test."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

from vip_kube.backoff import Backoff
from vip_kube.client import EVERYTHING, Client, Selection
from vip_kube.kinds import Kind
from vip_kube.reflector import Reflector

Object = dict[str, Any]


class Told:
    """Keeps what a reflector tells, in order and as it adds up."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.objects: dict[str, Object] = {}
        self.lists = 0

    def upsert(self, content: Object) -> None:
        """Keep an object; one named "evil" breaks the handler."""
        name = content["metadata"]["name"]
        self.calls.append(f"upsert {name}")
        if name == "evil":
            raise ValueError("a handler's own mistake")
        self.objects[name] = content

    def delete(self, content: Object) -> None:
        """Drop an object."""
        name = content["metadata"]["name"]
        self.calls.append(f"delete {name}")
        del self.objects[name]

    def synced(self) -> None:
        """Count the lists."""
        self.calls.append("synced")
        self.lists += 1


class Following:
    """A reflector and what it told."""

    def __init__(self, reflector: Reflector, told: Told) -> None:
        self.reflector = reflector
        self.told = told

    @property
    def names(self) -> set[str]:
        """Return the names of the objects that are there, as told."""
        return set(self.told.objects)


@contextlib.asynccontextmanager
async def following(
    client: Client,
    kind: Kind,
    selection: Selection = EVERYTHING,
    *,
    first_seconds: float = 0.01,
    limit_seconds: float = 0.05,
    settled_after_seconds: float = 0.05,
    silence_seconds: float = 70.0,
) -> AsyncIterator[Following]:
    """Run a reflector for the body of the `async with`; it must still run at its end."""
    told = Told()
    backoff = Backoff(random.Random(4), first_seconds=first_seconds, limit_seconds=limit_seconds)
    reflector = Reflector(
        client,
        kind,
        told,
        selection,
        backoff=backoff,
        settled_after_seconds=settled_after_seconds,
        silence_seconds=silence_seconds,
    )
    task = asyncio.create_task(reflector.run())
    try:
        yield Following(reflector, told)
    finally:
        ended = task.done()
        task.cancel()
        await asyncio.wait({task})
        if ended:
            task.result()
    assert not ended, "the reflector ended by itself"
