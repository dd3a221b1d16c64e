"""The Lease by which the operator knows that this speaker lives, and what its engine runs."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from vip_common.timestamps import rfc3339
from vip_kube.client import Client, Object
from vip_kube.errors import ApiError
from vip_kube.kinds import LEASES
from vip_speaker.agent.kubernetes.attempts import Attempts
from vip_speaker.agent.kubernetes.reporter import owner_reference
from vip_speaker.agent.kubernetes.start_gate import NodeWatch

APPLIED_REVISION = "vip-operator.io/applied-revision"
RENEW_EVERY_SECONDS = 10.0
DURATION_SECONDS = 25

_EARLY_GAP_SECONDS = 1.0
_FIRST_WORD_SECONDS = 3.0


def lease_name(node: str) -> str:
    """Return the name of a node's Lease."""
    return f"vip-speaker-{node}"


class Heartbeat:
    """Creates and renews the Lease.

    Args:
        client: open for as long as this runs.
        namespace: where the Lease lives.
        node: the node.
        applied: returns the revision that the engine has applied, None if that is unknown.
        concern: returns the highest revision of a router that is this node's business.
    """

    def __init__(
        self,
        client: Client,
        namespace: str,
        node: NodeWatch,
        applied: Callable[[], int | None],
        concern: Callable[[], int],
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._node = node
        self._applied = applied
        self._concern = concern
        self._name = lease_name(node.name)
        self._attempts = Attempts(f"renew the Lease {namespace}/{self._name}")
        self._lease: Object | None = None
        self._told = 0
        self._news = asyncio.Event()

    @property
    def trouble(self) -> str:
        """Why it cannot be renewed, one sentence; empty while it can."""
        return self._attempts.trouble

    def look(self) -> None:
        """The engine may have applied more."""
        if self._applied() is not None:
            self._news.set()

    async def run(self) -> None:
        """Renew until cancelled."""
        await self._first_word()
        # Many speakers that start together must not renew together for ever.
        pause_seconds = RENEW_EVERY_SECONDS * random.uniform(0.5, 1.0)  # noqa: S311  no secret
        while True:
            wait_seconds = await self._attempts.make(self._renew)
            if wait_seconds:
                await asyncio.sleep(wait_seconds)
                continue
            await self._pause(pause_seconds)
            pause_seconds = RENEW_EVERY_SECONDS

    async def _first_word(self) -> None:
        """Wait for the engine a little: an agent that was restarted must not seem behind."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_WORD_SECONDS):
                await self._news.wait()

    async def _pause(self, seconds: float) -> None:
        """Wait for the next time, or less where the operator waits for a word of ours."""
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        await asyncio.sleep(min(seconds, _EARLY_GAP_SECONDS))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(due):
                while not self._is_awaited():
                    self._news.clear()
                    await self._news.wait()

    def _is_awaited(self) -> bool:
        return self._told < self._concern() <= (self._applied() or 0)

    async def _renew(self) -> None:
        if self._lease is None:
            self._lease = await self._find()
        applied = self._applied()
        lease = self._renewed(self._lease, applied)
        try:
            if self._lease is None:
                self._lease = await self._client.create(LEASES, lease, self._namespace)
            else:
                self._lease = await self._client.replace(LEASES, self._name, lease, self._namespace)
        except ApiError:
            self._lease = None  # somebody deleted or wrote it: look again
            raise
        self._told = applied or 0

    async def _find(self) -> Object | None:
        try:
            return await self._client.get(LEASES, self._name, self._namespace)
        except ApiError as error:
            if error.not_found:
                return None
            raise

    def _renewed(self, lease: Object | None, applied: int | None) -> dict[str, Any]:
        now = rfc3339(datetime.now(UTC), "microseconds")
        metadata: dict[str, Any] = dict(lease["metadata"]) if lease else {"name": self._name}
        annotations = dict(metadata.get("annotations") or {})
        # What an earlier agent said stands until the engine says something.
        said = annotations.get(APPLIED_REVISION, "0")
        annotations[APPLIED_REVISION] = said if applied is None else str(applied)
        metadata["annotations"] = annotations
        if self._node.uid:
            metadata["ownerReferences"] = [owner_reference(self._node)]
        before = (lease.get("spec") or {}) if lease else {}
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.name,
            "metadata": metadata,
            "spec": {
                "acquireTime": now,
                **before,
                "holderIdentity": self._node.name,
                "leaseDurationSeconds": DURATION_SECONDS,
                "renewTime": now,
            },
        }
