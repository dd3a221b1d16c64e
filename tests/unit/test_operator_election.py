"""Leader election: rules one by one, and contenders with delays and pauses in virtual time."""

from __future__ import annotations

import pytest

from vip_operator.core.known.round_inputs import SECOND_NS
from vip_operator.core.leader_election import (
    LEASE_SECONDS,
    RENEW_DEADLINE_NS,
    RETRY_NS,
    Decision,
    Election,
    LeaseView,
    Lost,
    Wait,
    Write,
)

LEASE_NS = LEASE_SECONDS * SECOND_NS


def after(step: Decision, resource_version: str) -> LeaseView:
    """Return the Lease as a write leaves it."""
    assert isinstance(step, Write)
    return LeaseView(step.holder, step.transitions, resource_version)


def take(election: Election, step: Decision, resource_version: str) -> LeaseView:
    """Let a write succeed."""
    assert isinstance(step, Write)
    lease = after(step, resource_version)
    election.written(step, lease)
    return lease


def leader(now_ns: int = 0) -> tuple[Election, LeaseView]:
    """Return a contender that has just created the Lease, and the Lease."""
    election = Election("me")
    return election, take(election, election.decide(None, now_ns), "1")


# --- rules ---------------------------------------------------------------------------------------


def test_the_first_ever_creates_the_lease_with_epoch_1() -> None:
    """Without a Lease and without anything that was ever led it is created at once."""
    election = Election("me")
    assert election.epoch is None
    step = election.decide(None, 7)
    assert step == Write("me", 0, "", acquires=True, begun_ns=7)
    assert not election.leads(7)
    take(election, step, "1")
    assert election.leads(7)
    assert election.epoch == 1


def test_a_lease_that_was_deleted_is_waited_for() -> None:
    """Where something was led before, a missing Lease is created after its whole duration only.

    The epoch is greater than every one that was used.
    """
    election = Election("me")
    now_ns = 0
    while isinstance(step := election.decide(None, now_ns, least_epoch=8), Wait):
        now_ns = step.until_ns
    assert now_ns == LEASE_NS
    take(election, step, "1")
    assert election.epoch == 8


def test_an_unchanged_lease_is_taken_after_its_duration() -> None:
    """A Lease that did not change for 15 s of our clock is taken, and the epoch grows by one."""
    election = Election("me")
    lease = LeaseView("other", 4, "10")
    assert election.decide(lease, 0) == Wait(RETRY_NS)
    assert election.decide(lease, LEASE_NS - 1) == Wait(LEASE_NS)
    step = election.decide(lease, LEASE_NS)
    assert step == Write("me", 5, "10", acquires=True, begun_ns=LEASE_NS)
    take(election, step, "11")
    assert election.epoch == 6


def test_every_change_of_the_lease_starts_the_wait_anew() -> None:
    """A renewal by its holder is seen from the resourceVersion alone."""
    election = Election("me")
    election.decide(LeaseView("other", 4, "10"), 0)
    assert isinstance(election.decide(LeaseView("other", 4, "11"), LEASE_NS), Wait)
    assert isinstance(election.decide(LeaseView("other", 4, "11"), 2 * LEASE_NS - 1), Wait)
    assert isinstance(election.decide(LeaseView("other", 4, "11"), 2 * LEASE_NS), Write)


def test_a_longer_duration_in_the_lease_is_respected() -> None:
    """What the holder counts on is waited for; less than our own duration never is."""
    for seconds, wait_ns in ((60, 60 * SECOND_NS), (1, LEASE_NS)):
        election = Election("me")
        lease = LeaseView("other", 4, "10", duration_seconds=seconds)
        election.decide(lease, 0)
        assert isinstance(election.decide(lease, wait_ns - 1), Wait)
        assert isinstance(election.decide(lease, wait_ns), Write)


def test_a_released_lease_is_taken_at_once() -> None:
    """An empty holder means that nobody has to be waited for."""
    step = Election("me").decide(LeaseView("", 4, "10"), 0)
    assert step == Write("me", 5, "10", acquires=True, begun_ns=0)


def test_a_new_leader_exceeds_every_epoch_that_was_used() -> None:
    """Where the Lease knows of fewer leaders than the VirtualRouters, the latter count."""
    election = Election("me")
    take(election, election.decide(LeaseView("", 1, "10"), 0, least_epoch=9), "11")
    assert election.epoch == 9


def test_a_leader_renews_every_two_seconds() -> None:
    """After a renewal began the next one is due 2 s later, with the same epoch."""
    election, lease = leader()
    assert election.decide(lease, 1) == Wait(RETRY_NS)
    step = election.decide(lease, RETRY_NS)
    assert step == Write("me", 0, "1", acquires=False, begun_ns=RETRY_NS)
    take(election, step, "2")
    assert election.epoch == 1


def test_a_leader_leads_for_ten_seconds_after_a_renewal_began() -> None:
    """The time at which a renewal was decided counts, not the time at which it was answered."""
    election, lease = leader()
    step = election.decide(lease, RETRY_NS)
    assert election.leads(RENEW_DEADLINE_NS - 1)
    assert not election.leads(RENEW_DEADLINE_NS)
    take(election, step, "2")  # the answer came late
    assert election.leads(RETRY_NS + RENEW_DEADLINE_NS - 1)
    assert not election.leads(RETRY_NS + RENEW_DEADLINE_NS)


def test_leadership_goes_on_after_an_outage() -> None:
    """A leader that could not renew for long goes on with its epoch if the Lease is still its."""
    election, lease = leader()
    late_ns = 3600 * SECOND_NS
    assert not election.leads(late_ns)
    take(election, election.decide(lease, late_ns), "2")
    assert election.leads(late_ns)
    assert election.epoch == 1


def test_a_lease_that_somebody_else_took_is_lost_for_good() -> None:
    """Another holder in the Lease ends the leadership, and the reason names it."""
    election, _lease = leader()
    decision = election.decide(LeaseView("other", 1, "5"), LEASE_NS)
    assert isinstance(decision, Lost)
    assert "other leads now" in decision.why


@pytest.mark.parametrize(
    ("lease", "word"), [(None, "deleted"), (LeaseView("", 0, "5"), "taken from us")]
)
def test_a_lease_that_is_not_ours_any_more_is_lost(lease: LeaseView | None, word: str) -> None:
    """A Lease that was deleted or emptied under a leader ends its leadership."""
    election, _lease = leader()
    decision = election.decide(lease, SECOND_NS)
    assert isinstance(decision, Lost)
    assert word in decision.why


def test_a_write_whose_answer_was_lost_is_found_in_the_lease() -> None:
    """Whoever finds itself as the holder renews, and leads only when that succeeded."""
    election = Election("me")
    unanswered = after(election.decide(None, 0), "1")
    step = election.decide(unanswered, 5)
    assert step == Write("me", 0, "1", acquires=False, begun_ns=5)
    assert not election.leads(5)
    take(election, step, "2")
    assert election.leads(5)
    assert election.epoch == 1


def test_an_edited_count_of_transitions_is_put_right() -> None:
    """A leader keeps its epoch whatever somebody wrote into the Lease meanwhile."""
    election, _lease = leader()
    step = election.decide(LeaseView("me", 44, "9"), RETRY_NS)
    assert step == Write("me", 0, "9", acquires=False, begun_ns=RETRY_NS)
    take(election, step, "10")
    assert election.epoch == 1


def test_a_leader_that_stops_gives_the_lease_up() -> None:
    """A release empties the holder, keeps the count, and ends the leadership at once."""
    election, lease = leader()
    step = election.release(SECOND_NS)
    assert step == Write("", 0, lease.resource_version, acquires=False, begun_ns=SECOND_NS)
    assert not election.leads(SECOND_NS)
    take(election, step, "2")
    assert not election.leads(SECOND_NS)


def test_a_contender_that_stops_has_nothing_to_give_up() -> None:
    """Who does not hold the Lease writes nothing when it stops."""
    election = Election("me")
    election.decide(LeaseView("other", 4, "10"), 0)
    assert election.release(1) is None
