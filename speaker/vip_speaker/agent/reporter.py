"""Keeps the Speaker of this node: there, owned by its Node, and with the newest report."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from vip_kube.client import Client, Object
from vip_kube.errors import ApiError
from vip_kube.kinds import SPEAKERS
from vip_model.resources.speaker import SpeakerStatus
from vip_speaker.agent.attempts import Attempts, NotYetError
from vip_speaker.agent.speaker_status import to_document
from vip_speaker.agent.start_gate import NodeWatch

_NODE_SECONDS = 2.0


class Reporter:
    """Writes the report whenever it differs from what the API has; handler of a reflector.

    Args:
        client: open for as long as this runs.
        node: the node, whose name the Speaker has.
    """

    def __init__(self, client: Client, node: NodeWatch) -> None:
        self._client = client
        self._node = node
        self._attempts = Attempts(f"report to the Speaker {node.name}")
        self._wanted: dict[str, Any] | None = None
        # The status that the API has, and what was written when it was that; None: unknown.
        self._stored: object = None
        self._written: tuple[object, object] | None = None
        self._times_told = 0
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._idle = asyncio.Event()
        node.listen(self._hurry.set)

    @property
    def trouble(self) -> str:
        """Why reports do not arrive, one sentence; empty while they do."""
        return self._attempts.trouble

    def report(self, status: SpeakerStatus) -> None:
        """Replace the report."""
        document = to_document(status)
        if document != self._wanted:
            self._wanted = document
            self._look()

    async def deliver(self, status: SpeakerStatus, timeout_seconds: float) -> bool:
        """Replace the report and wait until the API has it; return whether that came about."""
        self.report(status)
        self._hurry.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._idle.wait()
        return self._idle.is_set()

    async def run(self) -> None:
        """Write until cancelled."""
        await self._await_node()
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._hurry.clear()
            wait_seconds = await self._attempts.make(self._write_if_news)
            if wait_seconds:
                await self._pause(wait_seconds)
                self._wake.set()

    def upsert(self, content: Object) -> None:
        """Note what the API has; somebody else may have written it."""
        self._stored = content.get("status")
        self._is_told()

    def delete(self, content: Object) -> None:  # noqa: ARG002  there is but one
        """Somebody deleted it: create it anew."""
        self._stored = self._written = None
        self._is_told()

    def synced(self) -> None:
        """A list says no more than its objects."""

    def _is_told(self) -> None:
        self._times_told += 1
        self._look()

    def _look(self) -> None:
        self._idle.clear()
        self._wake.set()

    async def _write_if_news(self) -> None:
        wanted = self._wanted
        # The API may store it in other words, which must not be written again and again.
        is_there = (wanted, self._stored) == self._written or wanted == self._stored
        if wanted is not None and not is_there:
            times_told = self._times_told
            answer = (await self._write(wanted)).get("status")
            # What the watch tells meanwhile may be older than the answer or newer, a deletion
            # even: then it alone counts, and at worst the same is written once more.
            if times_told == self._times_told:
                self._stored = answer
                self._written = (wanted, answer)
        if not self._wake.is_set():
            self._idle.set()

    async def _write(self, status: dict[str, Any]) -> Object:
        try:
            return await self._merge(status)
        except ApiError as error:
            if not error.not_found:
                raise
        await self._create()
        return await self._merge(status)

    async def _merge(self, status: dict[str, Any]) -> Object:
        patch = {"status": status}
        return await self._client.merge(SPEAKERS, self._node.name, patch, subresource="status")

    async def _create(self) -> None:
        if not self._node.uid:
            raise NotYetError(f"there is no Node {self._node.name} (is --node its name?)")
        speaker = {
            "apiVersion": SPEAKERS.api_version,
            "kind": SPEAKERS.name,
            "metadata": {"name": self._node.name, "ownerReferences": [owner_reference(self._node)]},
        }
        await self._client.create(SPEAKERS, speaker)

    async def _await_node(self) -> None:
        """Wait a little for the Node, which a new Speaker needs."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_NODE_SECONDS):
                await self._node.listed.wait()

    async def _pause(self, seconds: float) -> None:
        """Wait, but not while there is reason to hope."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()


def owner_reference(node: NodeWatch) -> dict[str, str]:
    """Return what makes the garbage collector delete an object with the Node."""
    return {"apiVersion": "v1", "kind": "Node", "name": node.name, "uid": node.uid}
