"""Heartbeats of speakers: a Lease that changes is alive, by our clock alone."""

from __future__ import annotations

from vip_operator.core.known.heartbeats import PAUSE_NS, Heartbeats
from vip_operator.core.known.round_inputs import SECOND_NS, STALE_AFTER_NS
from vip_operator.core.known.snapshot import SpeakerLease


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


# --- pauses --------------------------------------------------------------------------------------


def test_a_lease_renewed_in_time_goes_on() -> None:
    """Renewals at most 15 s apart are one run, which began when the Lease was first seen."""
    heartbeats = Heartbeats()
    heartbeats.observe([lease("n1", "1")], 100)
    found = heartbeats.observe([lease("n1", "2")], 100 + PAUSE_NS)["n1"]
    assert (found.changed_ns, found.resumed_ns) == (100 + PAUSE_NS, 100)


def test_a_lease_renewed_after_a_pause_begins_anew() -> None:
    """A renewal that took longer begins a new run, and silence alone does not."""
    heartbeats = Heartbeats()
    heartbeats.observe([lease("n1", "1")], 100)
    late_ns = 100 + PAUSE_NS + 1
    assert heartbeats.observe([lease("n1", "1")], late_ns)["n1"].resumed_ns == 100
    assert heartbeats.observe([lease("n1", "2")], late_ns)["n1"].resumed_ns == late_ns
    found = heartbeats.observe([lease("n1", "3")], late_ns + SECOND_NS)["n1"]
    assert found.resumed_ns == late_ns


def renewals(heartbeats: Heartbeats, first: int, last: int) -> bool:
    """Let n2 renew every 10 s from one second to another; return whether n1, silent, is lost."""
    lost = False
    for second in range(first, last + 1, 10):
        leases = [lease("n1", "1"), lease("n2", str(second))]
        lost = heartbeats.observe(leases, second * SECOND_NS)["n1"].lost
    return lost


def test_who_is_silent_beside_others_is_lost() -> None:
    """A speaker is lost when others were heard for more than 25 s without it, until it is back."""
    heartbeats = Heartbeats()
    assert not renewals(heartbeats, 0, 20)
    assert renewals(heartbeats, 30, 30)
    both = [lease("n1", "2"), lease("n2", "30")]
    assert not heartbeats.observe(both, 31 * SECOND_NS)["n1"].lost


def test_nobody_is_lost_while_nobody_is_heard() -> None:
    """An outage of the API server makes nobody lost, nor does the first who is heard after it."""
    heartbeats = Heartbeats()
    renewals(heartbeats, 0, 0)
    both = [lease("n1", "1"), lease("n2", "0")]
    assert not heartbeats.observe(both, 90 * SECOND_NS)["n1"].lost
    assert not renewals(heartbeats, 91, 111)
    assert renewals(heartbeats, 121, 121)


def test_a_node_that_should_have_a_lease_and_has_none_is_lost() -> None:
    """It is silent from when its Lease was last seen to change, or from when it was expected."""
    heartbeats = Heartbeats()
    renewals(heartbeats, 0, 0)
    for second in range(10, 51, 10):
        now_ns = second * SECOND_NS
        heartbeats.observe([lease("n2", str(second))], now_ns)
        expected = ["n1", "n2", "n3"] if second >= 20 else ["n1", "n2"]
        found = heartbeats.silences(expected, now_ns)
        lost_at = {30: {"n1"}, 40: {"n1"}, 50: {"n1", "n3"}}
        assert found.lost.keys() == lost_at.get(second, set())
        assert found.heard == {"n2"}
    assert found.lost == {"n1": 50 * SECOND_NS, "n3": 30 * SECOND_NS}


def test_who_was_merely_there_when_we_began_was_not_heard() -> None:
    """Only a Lease that is seen to change or to come says that its speaker is there."""
    heartbeats = Heartbeats()
    heartbeats.observe([lease("n1", "1")], 0)
    assert heartbeats.silences((), 0).heard == frozenset()
    heartbeats.observe([lease("n1", "1"), lease("n2", "1")], SECOND_NS)
    assert heartbeats.silences((), SECOND_NS).heard == {"n2"}
    heartbeats.observe([lease("n1", "2"), lease("n2", "1")], 20 * SECOND_NS)
    assert heartbeats.silences((), 20 * SECOND_NS).heard == {"n1", "n2"}
    assert heartbeats.silences((), 27 * SECOND_NS).heard == {"n1"}
