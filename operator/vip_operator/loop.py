"""The loop that does everything: snapshot, round, write; again whenever something has changed.

It is level-based: what happened does not matter, only what is. Whatever goes wrong ends a round,
never the loop, and the next round decides by what is there then.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from vip_common.log import Trouble
from vip_kube.backoff import Backoff
from vip_kube.errors import ApiError, UnreachableError
from vip_operator.core.changes import RouterChange, StatusChange
from vip_operator.core.known.round_inputs import Moment
from vip_operator.core.known.snapshot import Snapshot
from vip_operator.core.known.store import Store
from vip_operator.core.reconcile import Reconciler, Round
from vip_operator.pages.report import Tally
from vip_operator.writing.guard import Guard
from vip_operator.writing.write import Written

_QUIET_SECONDS = 0.005
_LONGEST_DEBOUNCE_SECONDS = 0.05
# What may wait waits so long, and longer where rounds are expensive: at most about a twentieth
# of the time goes into rounds that nothing but renewed Leases asked for.
_PATIENCE_SECONDS = 0.5
_PATIENCE_ROUNDS = 20
_LONGEST_PATIENCE_SECONDS = 5.0
_AFTER_REFUSAL_SECONDS = 1.0
_LONGEST_AFTER_REFUSAL_SECONDS = 30.0

_log = logging.getLogger("operator.loop")


class Writing(Protocol):
    """Who carries changes out."""

    async def write(
        self, router_changes: tuple[RouterChange, ...], status_changes: tuple[StatusChange, ...]
    ) -> Written:
        """Make the changes."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the loop works with.

    Attributes:
        store: what is known.
        reconciler: what follows from it.
        guard: what must not be done now.
        writer: who does it.
        epoch: of our term as leader; None while we are not.
        namespace: the operator's.
        relist: asked where a write shows that the store is wrong.
        backoff: after trouble with the API.
        error_backoff: after an error of our own.
        look_around: begins to follow what VirtualIPs ask for by now, and ends what they do not.
        speaker_trouble: why nodes have no speaker, as far as is known; empty where it is not.
    """

    store: Store
    reconciler: Reconciler
    guard: Guard
    writer: Writing
    epoch: Callable[[], int | None]
    namespace: str
    relist: Callable[[str], None]
    backoff: Backoff
    error_backoff: Backoff
    look_around: Callable[[], None] = lambda: None
    speaker_trouble: Callable[[], str] = lambda: ""


class Loop:
    """Runs until cancelled.

    Args:
        parts: what it works with; given before `run`.
    """

    def __init__(self) -> None:
        self.tally = Tally()
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._last_round_seconds = 0.0
        self._after_refusal_seconds = _AFTER_REFUSAL_SECONDS
        self._has_failed = False
        self._warnings: frozenset[str] = frozenset()
        self._trouble = Trouble(_log, "write to the API server")

    @property
    def trouble(self) -> str:
        """Why nothing can be written, for a person to read; empty while all is well."""
        return str(self._trouble)

    def changed(self, may_wait: bool = False) -> None:  # noqa: FBT001, FBT002  a callback
        """Look at everything again: at once, or soon where it may wait."""
        if may_wait:
            patience = max(_PATIENCE_SECONDS, _PATIENCE_ROUNDS * self._last_round_seconds)
            self._wake_within(min(patience, _LONGEST_PATIENCE_SECONDS))
        else:
            self._wake.set()

    async def run(self, parts: Parts) -> None:
        """Run rounds until cancelled."""
        while True:
            await self._wake.wait()
            await self._until_quiet()
            self._forget_due()
            try:
                await self._round(parts)
            except (ApiError, UnreachableError) as error:
                await self._after_trouble(parts, error)
            # An error of ours must not end the operator: the next event may not run into it.
            except Exception as error:  # noqa: BLE001
                await self._after_error(parts, error)

    async def _until_quiet(self) -> None:
        """Let changes that come together be one round."""
        latest = time.monotonic() + _LONGEST_DEBOUNCE_SECONDS
        while True:
            self._wake.clear()
            await asyncio.sleep(_QUIET_SECONDS)
            if not self._wake.is_set() or time.monotonic() >= latest:
                self._wake.clear()
                return

    def _wake_within(self, seconds: float) -> None:
        """Wake at that time, or earlier if somebody else asked for it."""
        loop = asyncio.get_running_loop()
        due = loop.time() + max(0.0, seconds)
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = loop.call_at(due, self._wake.set)

    def _forget_due(self) -> None:
        """A round that begins is what everybody so far has waited for."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _round(self, parts: Parts) -> None:
        """Decide and write, if we are the leader and know everything."""
        parts.look_around()
        epoch = parts.epoch()
        if epoch is None or parts.store.missing:
            return  # whoever changes that wakes the loop
        stored = parts.store.snapshot(parts.namespace)
        snapshot = replace(stored, speaker_trouble=parts.speaker_trouble())
        decided = self._decide(parts, snapshot, epoch)
        allowed = await parts.guard.allowed(decided.router_changes, decided.status_changes)
        if allowed.held:
            self._wake_within(_LONGEST_AFTER_REFUSAL_SECONDS)
        written = await parts.writer.write(allowed.router_changes, allowed.status_changes)
        if (allowed.router_changes or allowed.status_changes) and not written.stopped:
            self._trouble.ends()
            parts.backoff.reset()
        self._after_refusals(parts, written)

    def _decide(self, parts: Parts, snapshot: Snapshot, epoch: int) -> Round:
        began_ns = time.monotonic_ns()
        now = Moment(monotonic_ns=began_ns, utc=datetime.now(UTC))
        decided = parts.reconciler.round(snapshot, now, epoch)
        parts.error_backoff.reset()
        self._last_round_seconds = (time.monotonic_ns() - began_ns) / 1e9
        if decided.due_ns is not None:
            self._wake_within((decided.due_ns - time.monotonic_ns()) / 1e9)
        self._count(snapshot, decided)
        self._warn(parts.store.warnings + tuple(str(each) for each in decided.warnings))
        return decided

    def _count(self, snapshot: Snapshot, decided: Round) -> None:
        self.tally.rounds += 1
        self.tally.round_seconds += self._last_round_seconds
        self.tally.virtual_router_ids_used = decided.plan.virtual_router_ids_used
        self.tally.conditions = Counter(
            (condition.type, condition.status)
            for virtual_ip in snapshot.virtual_ips
            for condition in virtual_ip.status.conditions
        )
        if self._has_failed:
            self._has_failed = False
            _log.info("Planning works again")

    def _warn(self, warnings: tuple[str, ...]) -> None:
        """Log what was not said in the round before."""
        for warning in dict.fromkeys(warnings):
            if warning not in self._warnings:
                _log.warning("%s", warning)
        self._warnings = frozenset(warnings)

    def _after_refusals(self, parts: Parts, written: Written) -> None:
        """Look again soon where an object was not what it seemed, less often while it is not."""
        if not written.refused:
            self._after_refusal_seconds = _AFTER_REFUSAL_SECONDS
            return
        self.tally.conflicts += len(written.refused)
        self._wake_within(self._after_refusal_seconds)
        if self._after_refusal_seconds > _AFTER_REFUSAL_SECONDS:
            parts.relist("writes are refused again and again")
        self._after_refusal_seconds = min(
            2 * self._after_refusal_seconds, _LONGEST_AFTER_REFUSAL_SECONDS
        )

    async def _after_trouble(self, parts: Parts, error: ApiError | UnreachableError) -> None:
        self._trouble.begins(error)
        after = error.retry_after_seconds if isinstance(error, ApiError) else None
        await asyncio.sleep(parts.backoff.next_seconds(after))
        self._wake.set()

    async def _after_error(self, parts: Parts, error: Exception) -> None:
        """Tell an error of our own once with all there is to know, until it is over."""
        self.tally.errors += 1
        if not self._has_failed:
            self._has_failed = True
            _log.error("Planning failed, trying again: %s", error, exc_info=error)
        await asyncio.sleep(parts.error_backoff.next_seconds())
        self._wake.set()
