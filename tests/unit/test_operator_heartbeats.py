"""Heartbeats of speakers: a Lease that changes is alive, by our clock alone."""

from __future__ import annotations

from vip_operator.core.facts import SECOND_NS, STALE_AFTER_NS
from vip_operator.core.heartbeats import Heartbeats
from vip_operator.core.snapshot import SpeakerLease


def lease(node: str, resource_version: str, applied_revision: int = 0) -> SpeakerLease:
    """Return the Lease of a node's speaker."""
    return SpeakerLease(node, resource_version, applied_revision)


def test_a_lease_that_was_there_counts_as_changed_when_we_began() -> None:
    """The first sight of a Lease is a fresh heartbeat, however old the Lease is."""
    found = Heartbeats().observe([lease("n1", "5", 7)], 100)["n1"]
    assert (found.changed_ns, found.fresh, found.applied_revision) == (100, True, 7)


def test_a_lease_that_stays_the_same_goes_stale_after_25_seconds() -> None:
    """A heartbeat is fresh for exactly 25 s after its Lease was last seen to change."""
    heartbeats = Heartbeats()
    heartbeats.observe([lease("n1", "5")], 0)
    assert heartbeats.observe([lease("n1", "5")], STALE_AFTER_NS)["n1"].fresh
    assert not heartbeats.observe([lease("n1", "5")], STALE_AFTER_NS + 1)["n1"].fresh


def test_a_renewed_lease_is_fresh_again() -> None:
    """Any change of the Lease starts the 25 s anew, also after it went stale."""
    heartbeats = Heartbeats()
    heartbeats.observe([lease("n1", "5")], 0)
    heartbeats.observe([lease("n1", "5")], 60 * SECOND_NS)
    found = heartbeats.observe([lease("n1", "6", 9)], 61 * SECOND_NS)["n1"]
    assert (found.changed_ns, found.fresh, found.applied_revision) == (61 * SECOND_NS, True, 9)


def test_it_is_due_when_the_next_one_goes_stale() -> None:
    """The due time is the first moment at which a fresh heartbeat is stale."""
    heartbeats = Heartbeats()
    heartbeats.observe([lease("n1", "1")], 0)
    both = [lease("n1", "1"), lease("n2", "2")]
    heartbeats.observe(both, SECOND_NS)
    assert heartbeats.due_ns == STALE_AFTER_NS + 1
    found = heartbeats.observe(both, STALE_AFTER_NS + 1)
    assert {node: each.fresh for node, each in found.items()} == {"n1": False, "n2": True}
    assert heartbeats.due_ns == SECOND_NS + STALE_AFTER_NS + 1


def test_without_a_fresh_heartbeat_nothing_is_due() -> None:
    """Before the first Lease, and when all are stale, there is no due time."""
    heartbeats = Heartbeats()
    dues = [heartbeats.due_ns]
    for now_ns in (0, STALE_AFTER_NS + 1):
        heartbeats.observe([lease("n1", "1")], now_ns)
        dues.append(heartbeats.due_ns)
    assert dues == [None, STALE_AFTER_NS + 1, None]


def test_a_lease_that_is_gone_is_forgotten() -> None:
    """A node without a Lease has no heartbeat; a Lease that comes back begins anew."""
    heartbeats = Heartbeats()
    heartbeats.observe([lease("n1", "5")], 0)
    assert heartbeats.observe([], SECOND_NS) == {}
    assert heartbeats.due_ns is None
    assert heartbeats.observe([lease("n1", "5")], 2 * SECOND_NS)["n1"].changed_ns == 2 * SECOND_NS
