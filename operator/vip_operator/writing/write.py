"""Carries out what a round decided: every write fenced, and none after the Lease is lost."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from vip_common.kinds import VIRTUAL_IPS, VIRTUAL_ROUTERS
from vip_common.log import Trouble
from vip_kube.client import Client, Object
from vip_kube.errors import ApiError, UnreachableError
from vip_kube.kinds import EVENTS, SERVICES
from vip_operator.core.changes import (
    Change,
    CreateRouter,
    DeleteRouter,
    EmitEvent,
    RouterChange,
    SetIngress,
    SetStatus,
    StatusChange,
    UpdateRouter,
)
from vip_operator.writing import requests

# Statuses do not depend on each other, so some requests are on their way at a time.
_WRITERS = 8
# One refusal is a race, which the next round settles; this many in a row are worth a line.
_REFUSALS_WORTH_A_LINE = 3
# After this many the oldest events are given up.
_MOST_UNTOLD = 1000
_REFUSED = frozenset({404, 409, 422})
# What says nothing of the object itself: not known, too slow, too many.
_NOT_OF_THE_OBJECT = frozenset({401, 408, 429})
# How every authorizer of the API server words that somebody lacks a right.
_LACKS_THE_RIGHT = "cannot create resource"

_log = logging.getLogger("operator.write")


class Stored(Protocol):
    """Where the result of a write is known at once, before the watch brings it."""

    def upsert(self, kind: str, content: Object) -> object:
        """An object as the API server stored it."""

    def delete(self, kind: str, content: Object) -> object:
        """An object that is gone."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the changes of a round.

    Attributes:
        refused: names of the objects that are not what the round took them for.
        stopped: the Lease was lost on the way; the rest is left undone.
    """

    refused: tuple[str, ...] = ()
    stopped: bool = False


@dataclass(slots=True)
class _Progress:
    """What became of the changes so far."""

    refused: list[str] = field(default_factory=list)
    stopped: bool = False


class Writer:
    """Writes to the API server, and tells the store what came of it.

    Args:
        client: open.
        stored: is told each result.
        may_write: whether the Lease is ours at this moment; asked before every single write.
        identity: of this operator, for events.
    """

    def __init__(
        self, client: Client, stored: Stored, may_write: Callable[[], bool], identity: str
    ) -> None:
        self._client = client
        self._stored = stored
        self._may_write = may_write
        self._identity = identity
        self._refusals: Counter[str] = Counter()
        self._untold: deque[EmitEvent] = deque(maxlen=_MOST_UNTOLD)
        self._events_trouble = Trouble(_log, "tell users of anything by events")
        self.counts: Counter[tuple[str, str]] = Counter()
        """How many writes there were, by kind of object and outcome: done, refused, failed."""

    async def write(
        self, router_changes: Sequence[RouterChange], status_changes: Sequence[StatusChange]
    ) -> Written:
        """Make the changes, those of VirtualRouters strictly one after the other.

        Raises:
            ApiError: the API server does not let us write at the moment; what is left is undone.
            UnreachableError: no answer came; the last write may have been made or not.
        """
        progress = _Progress()
        # Nobody decides an event twice: what cannot be told now is told after the trouble.
        self._untold += [each for each in status_changes if isinstance(each, EmitEvent)]
        for change in router_changes:
            await self._attempt(change, progress)
        statuses = [each for each in status_changes if not isinstance(each, EmitEvent)]
        await self._write_together(iter(statuses), progress)
        await self._write_together(self._next_event(), progress)
        return Written(tuple(progress.refused), progress.stopped)

    def _next_event(self) -> Iterator[EmitEvent]:
        while self._untold and self._may_write():
            yield self._untold.popleft()

    async def _write_together(self, changes: Iterator[StatusChange], progress: _Progress) -> None:
        async def work() -> None:
            for change in changes:
                await self._attempt(change, progress)

        workers = [asyncio.ensure_future(work()) for _ in range(_WRITERS)]
        try:
            await asyncio.gather(*workers)
        finally:
            # After trouble the others must not go on; without it they are done already.
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _attempt(self, change: Change, progress: _Progress) -> None:
        """Make one change, if we still may."""
        if progress.stopped or not self._may_write():
            progress.stopped = True
            return
        kind = _kind(change)
        try:
            await self._make(change)
        except (ApiError, UnreachableError) as error:
            if isinstance(error, ApiError) and _is_refusal(change, error):
                self.counts[kind, "refused"] += 1
                self._note_refusal(change, error, progress)
                return
            self.counts[kind, "failed"] += 1
            if isinstance(change, EmitEvent):
                self._untold.appendleft(change)
            raise
        if isinstance(change, EmitEvent):
            self._events_trouble.ends()
        self.counts[kind, "done"] += 1
        self._refusals.pop(_name(change), None)

    async def _make(self, change: Change) -> None:
        match change:
            case CreateRouter(router):
                document = requests.document_of(router)
                self._tell("VirtualRouter", await self._client.create(VIRTUAL_ROUTERS, document))
            case UpdateRouter(before):
                patch = requests.update_router(change)
                stored = await self._client.patch(VIRTUAL_ROUTERS, before.name, patch)
                self._tell("VirtualRouter", stored)
            case DeleteRouter(router):
                await self._client.delete(
                    VIRTUAL_ROUTERS,
                    router.name,
                    uid=router.metadata.uid,
                    resource_version=router.metadata.resource_version,
                )
                self._stored.delete("VirtualRouter", requests.document_of(router))
            case SetStatus() | SetIngress():
                await self._set_status(change)
            case EmitEvent():
                content = requests.event(change, self._identity, datetime.now(UTC))
                await self._client.create(EVENTS, content, change.namespace)

    async def _set_status(self, change: SetStatus | SetIngress) -> None:
        if isinstance(change, SetStatus):
            kind, patch = VIRTUAL_IPS, requests.set_status(change)
        else:
            kind, patch = SERVICES, requests.set_ingress(change)
        self._tell(
            kind.name,
            await self._client.patch(
                kind, change.name, patch, change.namespace, subresource="status"
            ),
        )

    def _tell(self, kind: str, content: dict[str, Any]) -> None:
        self._stored.upsert(kind, content)

    def _note_refusal(self, change: Change, error: ApiError, progress: _Progress) -> None:
        name = _name(change)
        if isinstance(change, EmitEvent):
            # Its namespace is being deleted, for one; it is lost without harm.
            _log.debug("An event about %s is refused: %s", name, error)
            if error.status == 403 and _LACKS_THE_RIGHT in error.message:
                self._events_trouble.begins(error)
            return
        progress.refused.append(name)
        self._refusals[name] += 1
        again_and_again = self._refusals[name] == _REFUSALS_WORTH_A_LINE
        level = logging.WARNING if again_and_again else logging.DEBUG
        _log.log(level, "A write of %s is refused, deciding anew: %s", name, error)


def _is_refusal(change: Change, error: ApiError) -> bool:
    """Return whether the API server refuses just this write, so that the others can go on."""
    if isinstance(change, EmitEvent):
        # Nothing depends on an event: no namespace, quota or policy that refuses one is trouble.
        return 400 <= error.status < 500 and error.status not in _NOT_OF_THE_OBJECT
    return error.status in _REFUSED


def _kind(change: Change) -> str:
    """Return the kind of object that a change writes."""
    match change:
        case CreateRouter() | UpdateRouter() | DeleteRouter():
            return "VirtualRouter"
        case SetStatus():
            return "VirtualIP"
        case SetIngress():
            return "Service"
        case EmitEvent():
            return "Event"


def _name(change: Change) -> str:
    """Return the object that a change is about, for logs and to tell objects apart."""
    match change:
        case CreateRouter(router) | DeleteRouter(router) | UpdateRouter(_, router):
            return f"VirtualRouter {router.name}"
        case SetIngress():
            return f"Service {change.namespace}/{change.name}"
        case SetStatus() | EmitEvent():
            return f"VirtualIP {change.namespace}/{change.name}"
