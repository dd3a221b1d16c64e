"""Drives the election over the Lease: reads and writes it, and says whether we lead."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from vip_common.log import Trouble
from vip_common.timestamps import rfc3339
from vip_kube.client import Client, Object
from vip_kube.errors import ApiError, UnreachableError
from vip_kube.kinds import LEASES
from vip_operator.core.leader_election import (
    LEASE_SECONDS,
    RETRY_NS,
    Election,
    LeaseView,
    Lost,
    Wait,
    Write,
)

LEASE_NAME = "vip-operator"

_REQUEST_SECONDS = 3.0
_WARM_UP_SECONDS = 0.05
_TROUBLE = (ApiError, UnreachableError, TimeoutError)

_log = logging.getLogger("operator.leader")


class LeadershipLostError(Exception):
    """Another operator leads, or may lead: this process must not go on."""


class Leader:
    """Takes part in the election until cancelled.

    Args:
        client: open.
        namespace: of the Lease.
        identity: of this process and of no other, ever.
        least_epoch: one more than the highest epoch in use; None: not everything is known yet,
            and we take no part.
        changed: called when we begin to lead, or may write again.
    """

    def __init__(
        self,
        client: Client,
        namespace: str,
        identity: str,
        least_epoch: Callable[[], int | None],
        changed: Callable[[], None],
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._least_epoch = least_epoch
        self._changed = changed
        self._election = Election(identity)
        self._content: Object = {}
        self._has_led = False
        self._trouble = Trouble(_log, f"read or write the Lease {namespace}/{LEASE_NAME}")

    @property
    def epoch(self) -> int | None:
        """The epoch in which we may write at this very moment; None: we may not."""
        return self._election.epoch if self._election.leads(time.monotonic_ns()) else None

    @property
    def trouble(self) -> str:
        """What hinders us, for a person to read; empty while all is well."""
        return str(self._trouble)

    async def run(self) -> None:
        """Take part once everything is known; raise LeadershipLostError if it was ours and is not.

        A leader that cannot renew in time is suspended: it leads again if it still can.
        """
        while self._least_epoch() is None:
            await asyncio.sleep(_WARM_UP_SECONDS)
        lease: LeaseView | None = None
        is_known = False
        while True:
            try:
                if not is_known:
                    lease = await self._read()
                lease, is_known = await self._step(lease)
                self._trouble.ends()
            except _TROUBLE as error:
                self._trouble.begins(error)
                is_known = False
                await asyncio.sleep(RETRY_NS / 1e9)

    async def release(self) -> None:
        """Give the Lease away if it is ours; what comes of it does not matter."""
        step = self._election.release(time.monotonic_ns())
        if step is None:
            return
        try:
            await self._write(step)
        except _TROUBLE as error:
            _log.debug("The Lease could not be released: %s", error)
        else:
            _log.info("Released the Lease")

    async def _step(self, lease: LeaseView | None) -> tuple[LeaseView | None, bool]:
        """Do what is next; return the Lease, and whether that is how it is as far as we know."""
        match self._election.decide(lease, time.monotonic_ns(), self._least_epoch() or 1):
            case Wait(until_ns):
                await asyncio.sleep(max(0.0, (until_ns - time.monotonic_ns()) / 1e9))
                return lease, self.epoch is not None
            case Write() as step:
                return await self._take(step)
            case Lost(why):
                raise LeadershipLostError(why.rstrip("."))

    async def _take(self, step: Write) -> tuple[LeaseView | None, bool]:
        led = self.epoch is not None
        try:
            lease = await self._write(step)
        except ApiError as error:
            if not _is_overtaken(step, error):
                raise
            return None, False
        self._election.written(step, lease)
        if not led:
            self._note_leading(lease)
        return lease, True

    def _note_leading(self, lease: LeaseView) -> None:
        again = " again" if self._has_led else ""
        _log.info("Leading%s as %s, epoch %s", again, lease.holder, self._election.epoch)
        self._has_led = True
        self._changed()

    async def _read(self) -> LeaseView | None:
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                self._content = await self._client.get(LEASES, LEASE_NAME, self._namespace)
        except ApiError as error:
            if not error.not_found:
                raise
            self._content = {}
            return None
        return _view(self._content)

    async def _write(self, step: Write) -> LeaseView:
        content = _document(step, self._content, self._namespace)
        async with asyncio.timeout(_REQUEST_SECONDS):
            if step.resource_version:
                self._content = await self._client.replace(
                    LEASES, LEASE_NAME, content, self._namespace
                )
            else:
                self._content = await self._client.create(LEASES, content, self._namespace)
        return _view(self._content)


def _is_overtaken(step: Write, error: ApiError) -> bool:
    """Return whether the Lease is not what we took it for, so that reading it anew helps."""
    # A Lease that cannot be created for want of its namespace is no news to act upon at once.
    return error.status == 409 or (error.not_found and bool(step.resource_version))


def _view(content: Object) -> LeaseView:
    spec: dict[str, Any] = content.get("spec") or {}
    return LeaseView(
        holder=spec.get("holderIdentity") or "",
        transitions=spec.get("leaseTransitions") or 0,
        resource_version=content["metadata"]["resourceVersion"],
        duration_seconds=spec.get("leaseDurationSeconds") or LEASE_SECONDS,
    )


def _document(step: Write, current: Object, namespace: str) -> Object:
    """Return the Lease as it shall be: what others wrote into it, such as labels, stays."""
    now = rfc3339(datetime.now(UTC), "microseconds")
    metadata = dict(current.get("metadata") or {"name": LEASE_NAME, "namespace": namespace})
    if step.resource_version:
        metadata["resourceVersion"] = step.resource_version
    spec = {
        **(current.get("spec") or {}),
        "holderIdentity": step.holder,
        "leaseTransitions": step.transitions,
        "leaseDurationSeconds": LEASE_SECONDS,
        "renewTime": now,
    }
    if step.acquires:
        spec["acquireTime"] = now
    return {
        "apiVersion": LEASES.api_version,
        "kind": LEASES.name,
        "metadata": metadata,
        "spec": spec,
    }
