"""A handler of a reflector that keeps all it is told, and a reflector at work for a test."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Sequence

from vip_kube.backoff import Backoff
from vip_kube.client import EVERYTHING, Client, Selection
from vip_kube.kinds import Kind
from vip_kube.reflector import Reflector
from vip_kube.wire import Identity, Item, Object, Pick


def item(content: Object) -> Item[Object]:
    """Return a whole object as a list or an event brings it."""
    metadata = content["metadata"]
    fields = {"name": "name", "namespace": "namespace", "uid": "uid"}
    identity = {field: metadata.get(name, "") for field, name in fields.items()}
    version = metadata.get("resourceVersion", "")
    return Item(Identity(**identity, resource_version=version), content)


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

    def restored(self) -> None:
        """Note that versions began anew."""
        self.calls.append("restored")

    def synced(self) -> None:
        """Count the lists."""
        self.calls.append("synced")
        self.lists += 1


class NotedBackoff(Backoff):
    """A back-off that notes how long each wait is to be, in seconds."""

    def __init__(
        self, chance: random.Random, *, first_seconds: float, limit_seconds: float
    ) -> None:
        super().__init__(chance, first_seconds=first_seconds, limit_seconds=limit_seconds)
        self.waits_seconds: list[float] = []

    def next_seconds(self, retry_after_seconds: float | None = None) -> float:
        """Return how long to wait now."""
        self.waits_seconds.append(super().next_seconds(retry_after_seconds))
        return self.waits_seconds[-1]


class Following:
    """A reflector, what it told, and how long it had to wait after each trouble."""

    def __init__(
        self, reflector: Reflector[Object], told: Told, waits_seconds: Sequence[float]
    ) -> None:
        self.reflector = reflector
        self.told = told
        self.waits_seconds = waits_seconds

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
    pick: Pick[Object] | None = None,
    trouble_changed: Callable[[Reflector[Object]], None] = lambda _reflector: None,
) -> AsyncIterator[Following]:
    """Run a reflector for the body of the `async with`; it must still run at its end."""
    told = Told()
    chance = random.Random(4)
    backoff = NotedBackoff(chance, first_seconds=first_seconds, limit_seconds=limit_seconds)
    reflector = Reflector(
        client,
        kind,
        told,
        selection,
        pick=pick,
        restored=told.restored,
        trouble_changed=lambda: trouble_changed(reflector),
        backoff=backoff,
        settled_after_seconds=settled_after_seconds,
        silence_seconds=silence_seconds,
    )
    task = asyncio.create_task(reflector.run())
    try:
        yield Following(reflector, told, backoff.waits_seconds)
    finally:
        ended = task.done()
        task.cancel()
        await asyncio.wait({task})
        if ended:
            task.result()
    assert not ended, "the reflector ended by itself"
