"""Keeps the Speaker of this node: there, owned by its Node, and with the newest report."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

from vip_common.kinds import SPEAKERS
from vip_kube.client import Client, Object
from vip_kube.errors import ApiError
from vip_model.resources.speaker import SpeakerStatus
from vip_speaker.agent.kubernetes.attempts import Attempts, NotYetError
from vip_speaker.agent.kubernetes.speaker_status import to_document
from vip_speaker.agent.kubernetes.start_gate import NodeWatch

# What a gate sees may be other words at each of its probes, on every node and without end.
PROSE_EVERY_SECONDS = 10.0

_NODE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Sent:
    """A report that was written.

    Attributes:
        document: as it was written.
        essence: what it said, without prose.
        at: when (seconds of the loop's clock).
    """

    document: dict[str, Any]
    essence: SpeakerStatus | None
    at: float

    def patience_seconds(self, essence: SpeakerStatus | None, now: float) -> float:
        """Return how long the next report can wait: one that only says it in other words."""
        if essence != self.essence:
            return 0.0
        return max(0.0, self.at + PROSE_EVERY_SECONDS - now)


class Reporter:
    """Writes the report when it differs from what the API has; handler of a reflector.

    A change of state is written at once, other words for the same state every 10 s at most.

    Args:
        client: open for as long as this runs.
        node: the node, whose name the Speaker has.
    """

    def __init__(self, client: Client, node: NodeWatch) -> None:
        self._client = client
        self._node = node
        self._attempts = Attempts(f"report to the Speaker {node.name}")
        self._wanted: dict[str, Any] | None = None
        self._essence: SpeakerStatus | None = None
        self._sent: _Sent | None = None
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

    def report(self, status: SpeakerStatus, essence: SpeakerStatus | None = None) -> None:
        """Replace the report.

        Args:
            status: the report.
            essence: the same without prose; None: there is none in it.
        """
        document = to_document(status)
        if document != self._wanted:
            self._wanted, self._essence = document, essence or status
            self._look()

    async def deliver(self, status: SpeakerStatus, timeout_seconds: float) -> bool:
        """Replace the report and wait until the API has it; return whether that came about."""
        self.report(status)
        self._hurry.set()
        await _wait(self._idle, timeout_seconds)
        return self._idle.is_set()

    async def run(self) -> None:
        """Write until cancelled."""
        await self._await_node()
        while True:
            await self._wake.wait()
            await self._await_turn()
            self._wake.clear()
            self._hurry.clear()
            wait_seconds = await self._attempts.make(self._write_if_news)
            if wait_seconds:
                await _wait(self._hurry, wait_seconds)  # not while there is reason to hope
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
        wanted, essence = self._wanted, self._essence
        if wanted is not None and not self._is_there(wanted):
            times_told = self._times_told
            answer = (await self._write(wanted)).get("status")
            self._sent = _Sent(wanted, essence, asyncio.get_running_loop().time())
            # What the watch tells meanwhile may be older than the answer or newer, a deletion
            # even: then it alone counts, and at worst the same is written once more.
            if times_told == self._times_told:
                self._stored = answer
                self._written = (wanted, answer)
        if not self._wake.is_set():
            self._idle.set()

    def _is_there(self, document: dict[str, Any]) -> bool:
        """Return whether the API has it.

        It may store it in other words, which must not be written again and again.
        """
        return (document, self._stored) == self._written or document == self._stored

    async def _await_turn(self) -> None:
        """Wait for as long as what is to be written has time."""
        while (seconds := self._patience_seconds()) > 0:
            self._wake.clear()
            await _wait(self._wake, seconds)

    def _patience_seconds(self) -> float:
        sent, wanted = self._sent, self._wanted
        if sent is None or wanted is None:
            return 0.0
        if self._is_there(wanted) or not self._is_there(sent.document):
            return 0.0  # there is nothing to write, or somebody wrote over it
        return sent.patience_seconds(self._essence, asyncio.get_running_loop().time())

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
        await _wait(self._node.listed, _NODE_SECONDS)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but no longer than that."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def owner_reference(node: NodeWatch) -> dict[str, str]:
    """Return what makes the garbage collector delete an object with the Node."""
    return {"apiVersion": "v1", "kind": "Node", "name": node.name, "uid": node.uid}
