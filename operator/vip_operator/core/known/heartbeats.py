"""Which speakers are alive, told from their Leases and our own monotonic clock only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vip_operator.core.known.round_inputs import SECOND_NS, STALE_AFTER_NS, Heartbeat
from vip_operator.core.known.snapshot import SpeakerLease

# Speakers renew their Leases every 10 s. One that took so long had trouble with the API server.
PAUSE_NS = 15 * SECOND_NS


@dataclass(frozen=True, slots=True)
class _Sight:
    """A Lease as it was seen last.

    Attributes:
        lease: the Lease.
        changed_ns: when it was last seen to change.
        resumed_ns: when it was first seen, or changed for the first time after the latest pause.
    """

    lease: SpeakerLease
    changed_ns: int
    resumed_ns: int


class Heartbeats:
    """Remembers when each speaker's Lease was last seen to change."""

    def __init__(self) -> None:
        self._sights: dict[str, _Sight] = {}
        self._due_ns: int | None = None
        # When any Lease was last seen to change, and since when that went on without a pause.
        self._heard_ns: int | None = None
        self._heard_since_ns = 0

    @property
    def due_ns(self) -> int | None:
        """Monotonic time at which the next heartbeat goes stale unless its Lease changes.

        As of the last call of `observe`; None while there is no fresh heartbeat.
        """
        return self._due_ns

    def observe(self, leases: Iterable[SpeakerLease], now_ns: int) -> Mapping[str, Heartbeat]:
        """Return the heartbeat of every speaker that has a Lease, by node.

        Args:
            leases: all that there are; what is known of others is forgotten.
            now_ns: now, monotonic.
        """
        self._sights = {lease.node: self._sight(lease, now_ns) for lease in leases}
        if any(each.changed_ns == now_ns for each in self._sights.values()):
            self._hear(now_ns)
        found = {node: self._heartbeat(sight, now_ns) for node, sight in self._sights.items()}
        ends = [each.changed_ns + STALE_AFTER_NS + 1 for each in found.values() if each.fresh]
        self._due_ns = min(ends, default=None)
        return found

    def _sight(self, lease: SpeakerLease, now_ns: int) -> _Sight:
        known = self._sights.get(lease.node)
        if known is None:
            return _Sight(lease, now_ns, now_ns)
        if known.lease.resource_version == lease.resource_version:
            return _Sight(lease, known.changed_ns, known.resumed_ns)
        paused = now_ns - known.changed_ns > PAUSE_NS
        return _Sight(lease, now_ns, now_ns if paused else known.resumed_ns)

    def _hear(self, now_ns: int) -> None:
        """Note that we are not deaf."""
        if self._heard_ns is None or now_ns - self._heard_ns > PAUSE_NS:
            self._heard_since_ns = now_ns
        self._heard_ns = now_ns

    def _heartbeat(self, sight: _Sight, now_ns: int) -> Heartbeat:
        return Heartbeat(
            node=sight.lease.node,
            changed_ns=sight.changed_ns,
            fresh=now_ns - sight.changed_ns <= STALE_AFTER_NS,
            applied_revision=sight.lease.applied_revision,
            resumed_ns=sight.resumed_ns,
            lost=self._is_lost(sight),
        )

    def _is_lost(self, sight: _Sight) -> bool:
        """Return whether others were heard for so long without it that it is not our hearing."""
        if self._heard_ns is None:
            return False
        return self._heard_ns - max(sight.changed_ns, self._heard_since_ns) > STALE_AFTER_NS
