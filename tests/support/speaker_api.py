"""The API as an agent sees it, without a server: what there is, and what is written of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Self

import msgspec

from vip_kube.client import Listing, Selection
from vip_kube.kinds import NODES, Kind
from vip_kube.wire import Item, Object, Pick, T, identity_of

NODE = "n1"


def node() -> Object:
    """Return a Node that is Ready."""
    return {
        "metadata": {"name": NODE, "uid": "uid-n1", "resourceVersion": "1"},
        "status": {"conditions": [{"type": "Ready", "status": "True"}], "addresses": []},
    }


class SpeakerApi:
    """Stands in for `vip_kube.client.Client`; watches tell nothing.

    Args:
        lists: what there is of each kind besides the Node.

    Attributes:
        written: the status of the Speaker, as often as it was written.
        answers_in_seconds: how long a write takes.
    """

    def __init__(self, lists: Mapping[Kind, tuple[Object, ...]] | None = None) -> None:
        self.written: list[dict[str, Any]] = []
        self.answers_in_seconds = 0.002
        self._lists = {NODES: (node(),), **(lists or {})}

    def __call__(self, *_access: Any, **_options: Any) -> SpeakerApi:
        """Return this, as a client that was just made."""
        return self

    async def __aenter__(self) -> Self:
        """Open it."""
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Close it."""

    async def read(self, kind: Kind, pick: Pick[T], *_selection: Selection) -> Listing[T]:
        """Return what is picked of what there is."""
        contents = self._lists.get(kind, ())
        written = [msgspec.Raw(msgspec.json.encode(content)) for content in contents]
        return Listing([Item(identity_of(raw, "list"), pick(raw)) for raw in written], "1")

    async def watch(
        self, *_what: Any, on_open: Callable[[], None], **_options: Any
    ) -> AsyncIterator[Any]:
        """Tell nothing, for ever."""
        on_open()
        await asyncio.Event().wait()
        yield

    async def get(self, *_what: Any) -> Object:
        """Return a Lease."""
        return {"metadata": {"name": "lease"}}

    async def create(self, _kind: Kind, content: Object, *_where: Any) -> Object:
        """Take what is given."""
        return dict(content)

    async def replace(self, _kind: Kind, _name: str, content: Object, *_where: Any) -> Object:
        """Take what is given."""
        return dict(content)

    async def merge(self, _kind: Kind, name: str, patch: Object, **_options: Any) -> Object:
        """Write the status of the Speaker."""
        await asyncio.sleep(self.answers_in_seconds)
        self.written.append(patch["status"])
        return {"metadata": {"name": name}, "status": patch["status"]}
