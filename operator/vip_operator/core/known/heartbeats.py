"""Which speakers are alive, told from their Leases and our own monotonic clock only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vip_operator.core.known.round_inputs import SECOND_NS, STALE_AFTER_NS, Heartbeat
from vip_operator.core.known.snapshot import SpeakerLease

# Speakers renew their Leases every 10 s. One that took so long had trouble with the API server.
PAUSE_NS = 15 * SECOND_NS


@dataclass(frozen=True, slots=True)
class Silences:
    """Who is not heard, as far as it is not our hearing.

    Attributes:
        lost: for how long nodes have been silent, for more than 25 s, while others were heard;
            nodes that should have a Lease and have none included.
        heard: nodes whose Lease was seen to change, and not long ago.
    """

    lost: Mapping[str, int]
    heard: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Sight:
    """A Lease as it was seen last.

    Attributes:
        lease: the Lease.
        changed_ns: when it was last seen to change.
        resumed_ns: when it was first seen, or changed for the first time after the latest pause.
        is_heard: it was seen to change, and not merely there when we began.
    """

    lease: SpeakerLease
    changed_ns: int
    resumed_ns: int
    is_heard: bool = False


class Heartbeats:
    """Remembers when each speaker's Lease was last seen to change."""

    def __init__(self) -> None:
        self._sights: dict[str, _Sight] = {}
        self._missing: dict[str, int] = {}  # since when nodes have no Lease that should have one
        self._began = False
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
        before = self._sights
        self._sights = {lease.node: self._sight(lease, now_ns) for lease in leases}
        if any(each.changed_ns == now_ns for each in self._sights.values()):
            self._hear(now_ns)
        found = {node: self._heartbeat(sight, now_ns) for node, sight in self._sights.items()}
        ends = [each.changed_ns + STALE_AFTER_NS + 1 for each in found.values() if each.fresh]
        self._due_ns = min(ends, default=None)
        self._began = True
        gone = {node: each.changed_ns for node, each in before.items() if node not in found}
        self._missing = {
            node: since_ns
            for node, since_ns in {**gone, **self._missing}.items()
            if node not in found
        }
        return found

    def silences(self, expected: Iterable[str], now_ns: int) -> Silences:
        """Return who is not heard, as of the last call of `observe`.

        Args:
            expected: nodes that should have a Lease; what is known of others without one is
                forgotten.
            now_ns: now, monotonic.
        """
        self._missing = {
            node: self._missing.get(node, now_ns) for node in expected if node not in self._sights
        }
        changed_ns = {node: sight.changed_ns for node, sight in self._sights.items()}
        silent_ns = {
            node: self._silent_ns(each) for node, each in (changed_ns | self._missing).items()
        }
        return Silences(
            lost={node: each for node, each in silent_ns.items() if each > STALE_AFTER_NS},
            heard=frozenset(
                node
                for node, sight in self._sights.items()
                if sight.is_heard and now_ns - sight.changed_ns <= STALE_AFTER_NS
            ),
        )

    def _sight(self, lease: SpeakerLease, now_ns: int) -> _Sight:
        known = self._sights.get(lease.node)
        if known is None:
            return _Sight(lease, now_ns, now_ns, is_heard=self._began)
        if known.lease.resource_version == lease.resource_version:
            return known
        paused = now_ns - known.changed_ns > PAUSE_NS
        return _Sight(lease, now_ns, now_ns if paused else known.resumed_ns, is_heard=True)

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
            lost=self._silent_ns(sight.changed_ns) > STALE_AFTER_NS,
        )

    def _silent_ns(self, changed_ns: int) -> int:
        """Return for how long others were heard without it, so that it is not our hearing."""
        if self._heard_ns is None:
            return 0
        return self._heard_ns - max(changed_ns, self._heard_since_ns)
