"""Which speakers are alive, told from their Leases and our own monotonic clock only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from vip_operator.core.facts import STALE_AFTER_NS, Heartbeat
from vip_operator.core.snapshot import SpeakerLease


class Heartbeats:
    """Remembers when each speaker's Lease was last seen to change."""

    def __init__(self) -> None:
        self._leases: dict[str, SpeakerLease] = {}
        self._changed_ns: dict[str, int] = {}
        self._due_ns: int | None = None

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
        known, self._leases = self._leases, {lease.node: lease for lease in leases}
        changed_ns, self._changed_ns = self._changed_ns, {}
        for node, lease in self._leases.items():
            same = node in known and known[node].resource_version == lease.resource_version
            self._changed_ns[node] = changed_ns[node] if same else now_ns
        found = {node: self._heartbeat(lease, now_ns) for node, lease in self._leases.items()}
        ends = [each.changed_ns + STALE_AFTER_NS + 1 for each in found.values() if each.fresh]
        self._due_ns = min(ends, default=None)
        return found

    def _heartbeat(self, lease: SpeakerLease, now_ns: int) -> Heartbeat:
        changed_ns = self._changed_ns[lease.node]
        return Heartbeat(
            node=lease.node,
            changed_ns=changed_ns,
            fresh=now_ns - changed_ns <= STALE_AFTER_NS,
            applied_revision=lease.applied_revision,
        )
