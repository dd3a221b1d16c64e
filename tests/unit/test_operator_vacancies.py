"""When the end of the last claim means that nobody holds a router, and when it is only doubted."""

from __future__ import annotations

import pytest

from support.operator_facts import WEB, Cluster
from vip_operator.core.holders.holder import ClaimKeeper, Standing
from vip_operator.core.holders.vacancies import REPORT_LAG_NS, VacancyKeeper
from vip_operator.core.known.round_inputs import SECOND_NS, STALE_AFTER_NS, Heartbeat
from vip_operator.core.known.speaker_reports import gather

AT_NS = 200 * SECOND_NS


class Watch:
    """A cluster with one VirtualIP, and the keepers that judge who holds it."""

    def __init__(self) -> None:
        self.cluster = Cluster()
        self.cluster.declare()
        self.cluster.write_routers()
        self.claims = ClaimKeeper()
        self.vacancies = VacancyKeeper()
        self.heartbeats: dict[str, Heartbeat] = {}
        for node in self.cluster.speakers:
            self.renewed(node, 0)

    def renewed(
        self, node: str, at_ns: int, *, resumed_ns: int = -REPORT_LAG_NS, lost: bool = False
    ) -> None:
        """Let a Lease be renewed for the last time at that moment."""
        self.heartbeats[node] = Heartbeat(
            node, at_ns, fresh=True, applied_revision=1, resumed_ns=resumed_ns, lost=lost
        )

    def standing(self, now_ns: int) -> Standing:
        """Return how sure it is at that moment who holds the router."""
        cluster = self.cluster
        reports = gather(tuple(cluster.speakers.values()))
        claimed = self.claims.judge(cluster.routers, reports, self.heartbeats, now_ns)
        reporting = reports.interfaces.keys()
        return self.vacancies.judge(cluster.routers, claimed, reporting, self.heartbeats, now_ns)[
            WEB
        ].standing


def vacated() -> Watch:
    """Return a watch before which n1 has just taken back the only claim."""
    watch = Watch()
    watch.cluster.claim("n1")
    assert watch.standing(0) is Standing.HELD
    watch.cluster.release("n1")
    assert watch.standing(AT_NS) is Standing.UNREPORTED
    return watch


def test_what_was_never_claimed_is_not_doubted() -> None:
    """Nobody holds a router that is new, whatever the Leases say."""
    watch = Watch()
    assert watch.standing(AT_NS) is Standing.NOBODY
    assert watch.vacancies.due_ns is None


def test_every_other_candidate_must_speak() -> None:
    """It is certain with the last renewal, without one of the node that took its claim back."""
    watch = vacated()
    watch.renewed("n2", AT_NS + 1)
    assert watch.standing(AT_NS + 1) is Standing.UNREPORTED
    watch.renewed("n3", AT_NS + 2)
    assert watch.standing(AT_NS + 2) is Standing.NOBODY
    assert watch.standing(AT_NS + 3) is Standing.NOBODY
    assert watch.vacancies.due_ns is None


def test_a_renewal_seen_with_the_end_does_not_count() -> None:
    """A renewal that came in the same round may be older than the end of the claim."""
    watch = vacated()
    watch.renewed("n2", AT_NS)
    watch.renewed("n3", AT_NS + 1)
    assert watch.standing(AT_NS + 1) is Standing.UNREPORTED


def test_a_renewal_too_soon_after_a_pause_does_not_count() -> None:
    """A node whose Lease has just come back may not have got its report through."""
    watch = vacated()
    watch.renewed("n2", AT_NS + 1)
    resumed_ns = AT_NS + SECOND_NS
    watch.renewed("n3", resumed_ns + REPORT_LAG_NS, resumed_ns=resumed_ns)
    assert watch.standing(resumed_ns + REPORT_LAG_NS) is Standing.UNREPORTED
    watch.renewed("n3", resumed_ns + REPORT_LAG_NS + 1, resumed_ns=resumed_ns)
    assert watch.standing(resumed_ns + REPORT_LAG_NS + 1) is Standing.NOBODY


def test_a_claim_ends_the_doubt() -> None:
    """Who claims it holds it at once; the next vacancy is doubted from its own beginning."""
    watch = vacated()
    watch.cluster.claim("n2")
    assert watch.standing(AT_NS + 1) is Standing.HELD
    for node in watch.heartbeats:
        watch.renewed(node, AT_NS + 2)
    watch.cluster.release("n2")
    assert watch.standing(AT_NS + 3) is Standing.UNREPORTED


def test_nobody_is_waited_for_longer_than_a_lease_counts() -> None:
    """After 25 s it is certain, and a round is due at that time."""
    watch = vacated()
    assert watch.vacancies.due_ns == AT_NS + STALE_AFTER_NS + 1
    assert watch.standing(AT_NS + STALE_AFTER_NS) is Standing.UNREPORTED
    assert watch.standing(AT_NS + STALE_AFTER_NS + 1) is Standing.NOBODY


def test_who_has_no_lease_is_not_waited_for() -> None:
    """A candidate without a speaker cannot say anything."""
    watch = vacated()
    del watch.heartbeats["n2"], watch.heartbeats["n3"]
    assert watch.standing(AT_NS + 1) is Standing.NOBODY


def test_who_was_lost_before_is_not_waited_for_until_it_is_back() -> None:
    """A node that had been silent beside others counts only once its Lease is renewed again."""
    watch = Watch()
    watch.cluster.claim("n1")
    watch.renewed("n2", 0, lost=True)
    watch.standing(0)
    watch.cluster.release("n1")
    assert watch.standing(AT_NS) is Standing.UNREPORTED
    watch.renewed("n2", AT_NS + 1, resumed_ns=AT_NS + 1)
    watch.renewed("n3", AT_NS + 1)
    assert watch.standing(AT_NS + 1) is Standing.UNREPORTED
    watch.renewed("n2", 0, lost=True)
    assert watch.standing(AT_NS + 2) is Standing.NOBODY


def test_who_is_lost_since_is_waited_for() -> None:
    """A node that is not heard any more may be in trouble with the API server, and holds it."""
    watch = vacated()
    watch.renewed("n2", 0, lost=True)
    watch.renewed("n3", AT_NS + 1)
    assert watch.standing(AT_NS + 1) is Standing.UNREPORTED
    assert watch.standing(AT_NS + STALE_AFTER_NS + 1) is Standing.NOBODY


def test_a_speaker_that_was_deleted_took_nothing_back() -> None:
    """A claim that went with its Speaker says nothing of the node, which may well hold it."""
    watch = Watch()
    watch.cluster.claim("n1")
    watch.standing(0)
    kept = watch.cluster.speakers.pop("n1")
    watch.renewed("n2", AT_NS + 1)
    watch.renewed("n3", AT_NS + 1)
    assert watch.standing(AT_NS) is Standing.UNREPORTED
    watch.cluster.speakers["n1"] = kept
    assert watch.standing(AT_NS + 2) is Standing.HELD


def test_several_that_end_together_have_all_spoken() -> None:
    """Claims that are taken back in one round are words of all who made them."""
    watch = Watch()
    for node in ("n1", "n2", "n3"):
        watch.cluster.claim(node)
    watch.standing(0)
    for node in ("n1", "n2", "n3"):
        watch.cluster.release(node)
    assert watch.standing(AT_NS) is Standing.NOBODY


def test_a_new_operator_waits_for_all() -> None:
    """Where users were told of a claim that is gone, every candidate must speak."""
    watch = Watch()
    watch.vacancies.begin({WEB})
    watch.vacancies.begin(())
    assert watch.standing(AT_NS) is Standing.UNREPORTED
    for node in ("n2", "n3"):
        watch.renewed(node, AT_NS + 1)
    assert watch.standing(AT_NS + 1) is Standing.UNREPORTED
    watch.renewed("n1", AT_NS + 2)
    assert watch.standing(AT_NS + 2) is Standing.NOBODY


@pytest.mark.parametrize("claimed", [True, False])
def test_memory_does_not_grow(claimed: bool) -> None:
    """A router that is gone is forgotten, with its claim or its vacancy."""
    watch = vacated()
    if claimed:
        watch.cluster.claim("n1")
        watch.standing(AT_NS + 1)
    assert watch.vacancies.judge([], {}, [], {}, AT_NS + 2) == {}
    assert (watch.vacancies._claimants, watch.vacancies._vacancies) == ({}, {})
