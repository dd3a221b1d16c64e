"""Who holds a router: claims, fresh and stale, one and several, before and after a restart."""

from __future__ import annotations

from typing import Any

import pytest

from support.operator_facts import WEB, Cluster
from vip_operator.core.holders.holder import (
    Claim,
    ClaimKeeper,
    Holding,
    Standing,
    ToldHolder,
    settling_ns,
)
from vip_operator.core.known.round_inputs import SECOND_NS
from vip_operator.core.known.speaker_reports import gather


class Court:
    """A cluster with one VirtualIP, and the keeper that judges its claims."""

    def __init__(self, **spec: Any) -> None:
        self.cluster = Cluster()
        self.cluster.declare(**spec)
        self.cluster.write_routers()
        self.keeper = ClaimKeeper()

    def judge(self) -> Holding:
        """Return who holds the router now."""
        reports = gather(tuple(self.cluster.speakers.values()))
        routers = self.cluster.routers
        heartbeats = self.cluster.heartbeats()
        return self.keeper.judge(routers, reports, heartbeats, self.cluster.now_ns)[WEB]


def nodes(holding: Holding) -> list[str]:
    """Return the nodes of the claims, the holder first."""
    return [claim.node for claim in holding.claims]


def test_nobody_claims() -> None:
    """Without a claim nobody holds the router."""
    holding = Court().judge()
    assert (holding.standing, holding.node, holding.holder) == (Standing.NOBODY, "", None)


def test_one_fresh_claim_holds() -> None:
    """The one node that claims and is alive holds the router, as it reports it."""
    court = Court()
    court.cluster.claim("n2", reason="ActiveDown", failing=["nginx"])
    holding = court.judge()
    assert holding.standing is Standing.HELD
    assert holding.holder == Claim(
        "n2", "2026-01-01T00:01:40Z", "ActiveDown", ("nginx",), fresh=True
    )


def test_a_claim_without_a_heartbeat_does_not_count() -> None:
    """A node that has no Lease, or whose Lease is stale, is shown and does not count."""
    court = Court()
    court.cluster.claim("n2")
    del court.cluster.changed["n2"]
    assert (court.judge().standing, court.judge().node) == (Standing.SILENT, "n2")
    court.cluster.changed["n2"] = court.cluster.seconds
    assert court.judge().standing is Standing.HELD


def test_heartbeats_go_stale_after_25_seconds() -> None:
    """A claim counts up to 25 s after the last heartbeat and not longer."""
    court = Court()
    court.cluster.claim("n2")
    court.cluster.silent.add("n2")
    court.cluster.wait(25)
    assert court.judge().standing is Standing.HELD
    court.cluster.wait(0.001)
    assert court.judge().standing is Standing.SILENT


def test_a_stale_claim_beside_a_fresh_one_is_ignored() -> None:
    """Whoever is alive and claims holds it alone, even if the stale claim is the later one."""
    court = Court()
    court.cluster.claim("n2", since=200)
    court.cluster.silent.add("n2")
    court.cluster.wait(30)
    court.cluster.claim("n1", since=110)
    holding = court.judge()
    assert (holding.standing, nodes(holding)) == (Standing.HELD, ["n1"])


def test_several_stale_claims_show_the_latest() -> None:
    """Where no claim counts, the latest is shown."""
    court = Court()
    court.cluster.claim("n1", since=50)
    court.cluster.claim("n3", since=60)
    court.cluster.silent |= {"n1", "n3"}
    court.cluster.wait(30)
    assert nodes(court.judge()) == ["n3", "n1"]


@pytest.mark.parametrize(
    ("n1_since", "n2_since", "holder"),
    [(50, 60, "n2"), (60, 50, "n1"), (50.25, 50.5, "n2"), (50, 50.000001, "n2")],
)
def test_the_later_of_two_holds(n1_since: float, n2_since: float, holder: str) -> None:
    """Of two claims that count the later one is the holder, to the microsecond."""
    court = Court()
    court.cluster.claim("n1", since=n1_since)
    court.cluster.claim("n2", since=n2_since)
    holding = court.judge()
    assert (holding.standing, holding.node) == (Standing.SETTLING, holder)


def test_ties_go_to_the_claim_seen_later() -> None:
    """Claims of the same time are ordered by when they were first seen."""
    court = Court()
    court.cluster.claim("n2", since=50)
    court.judge()
    court.cluster.wait(1)
    court.cluster.claim("n1", since=50)
    assert court.judge().node == "n1"


@pytest.mark.parametrize("since", ["", "yesterday", "2026-01-01T00:00:00"])
def test_times_that_cannot_be_read_are_old(since: str) -> None:
    """A claim whose time is missing, nonsense or without a zone is judged all the same."""
    court = Court()
    court.cluster.claim("n1", since=60)
    court.cluster.claim("n2", since=50)
    active = court.cluster.speakers["n2"].status.active[0]
    changed = type(active)(router=active.router, since=since)
    court.cluster._report("n2", active=(changed,))
    assert court.judge().node == "n1"


def test_the_time_to_settle_is_three_intervals_and_a_second() -> None:
    """A move may take three advertisement intervals plus 1 s to be reported by both."""
    slow = Court(vrrp={"advertisementIntervalMilliseconds": 2000})
    assert settling_ns(slow.cluster.routers[0]) == 7 * SECOND_NS


def test_two_settle_when_the_earlier_one_takes_its_claim_back() -> None:
    """A move whose halves are reported one after the other never counts as a contest."""
    court = Court()
    court.cluster.claim("n1")
    court.judge()
    court.cluster.wait(5)
    court.cluster.claim("n2")
    assert court.judge().standing is Standing.SETTLING
    court.cluster.wait(3.9)
    assert court.judge().standing is Standing.SETTLING
    court.cluster.release("n1")
    assert (court.judge().standing, court.judge().node) == (Standing.HELD, "n2")


def test_two_settle_when_the_earlier_one_falls_silent() -> None:
    """A holder that died keeps its claim until its heartbeat is stale; then the other holds."""
    court = Court()
    court.cluster.claim("n1")
    court.judge()
    court.cluster.silent.add("n1")
    court.cluster.wait(3)
    court.cluster.claim("n2")
    standings = []
    for _ in range(4):
        standings.append(court.judge().standing)
        court.cluster.wait(10)
    assert standings == [Standing.SETTLING] * 3 + [Standing.HELD]


@pytest.mark.parametrize(
    ("renewed_after", "standing"), [(4.0, Standing.SETTLING), (4.001, Standing.CONTESTED)]
)
def test_an_earlier_claimant_that_lives_on_contests(
    renewed_after: float, standing: Standing
) -> None:
    """A Lease renewed more than 3 intervals + 1 s after the later claim makes it a contest."""
    court = Court()
    court.cluster.claim("n1")
    court.judge()
    court.cluster.wait(1)
    court.cluster.claim("n3")
    court.judge()
    court.cluster.wait(renewed_after)
    holding = court.judge()
    assert (holding.standing, nodes(holding)) == (standing, ["n3", "n1"])


def test_the_overlap_is_counted_from_when_we_saw_the_later_claim() -> None:
    """What a node's own clock says of the time of its claim does not shorten the overlap."""
    court = Court()
    court.cluster.claim("n1", since=10)
    court.judge()
    court.cluster.wait(60)
    court.cluster.claim("n3", since=20)
    court.cluster.wait(0.1)
    assert court.judge().standing is Standing.SETTLING


def ahead() -> Court:
    """Return a court before which n1, whose clock is ten minutes ahead, has held for a minute."""
    court = Court()
    court.judge()
    court.cluster.claim("n1", since=court.cluster.seconds + 600)
    for _ in range(6):
        court.judge()
        court.cluster.wait(10)
    return court


def test_a_move_from_a_node_whose_clock_is_ahead_is_no_contest() -> None:
    """The claim that we saw later holds, whatever the nodes' clocks say, and nothing is amiss."""
    court = ahead()
    court.cluster.claim("n2")
    holding = court.judge()
    assert (holding.standing, nodes(holding)) == (Standing.SETTLING, ["n2", "n1"])
    court.cluster.release("n1")
    assert (court.judge().standing, court.judge().node) == (Standing.HELD, "n2")


def test_the_end_of_a_node_whose_clock_is_ahead_is_no_contest() -> None:
    """The claim of a dead holder never makes a contest, however late it says that it is."""
    court = ahead()
    court.cluster.silent.add("n1")
    court.cluster.wait(3)
    court.cluster.claim("n2")
    seen = []
    for _ in range(4):
        holding = court.judge()
        seen.append((holding.standing, holding.node))
        court.cluster.wait(10)
    assert seen == [(Standing.SETTLING, "n2")] * 3 + [(Standing.HELD, "n2")]


def test_claims_seen_at_once_go_by_their_own_times() -> None:
    """Of claims of which we hear in the same round the one that says it is later holds."""
    court = Court()
    court.judge()
    court.cluster.wait(1)
    court.cluster.claim("n1", since=60)
    court.cluster.claim("n2", since=50)
    assert court.judge().node == "n1"


def contested() -> Court:
    """Return a court before which n1 and n3 both hold."""
    court = Court()
    court.cluster.claim("n1")
    court.judge()
    court.cluster.wait(1)
    court.cluster.claim("n3")
    court.judge()
    court.cluster.wait(10)
    assert court.judge().standing is Standing.CONTESTED
    return court


def test_a_claim_made_anew_does_not_end_a_contest() -> None:
    """While two claim, a restart of one of them is not news."""
    court = contested()
    court.cluster.claim("n3")
    assert court.judge().standing is Standing.CONTESTED


@pytest.mark.parametrize("loser", ["n1", "n3"])
def test_a_contest_ends_with_the_second_claim(loser: str) -> None:
    """Whoever is left alone holds it; a claim after that is a move again, not a contest."""
    court = contested()
    court.cluster.release(loser)
    assert court.judge().standing is Standing.HELD
    court.cluster.claim(loser)
    assert court.judge().standing is Standing.SETTLING


def test_three_can_claim() -> None:
    """Of three claims the latest is the holder, and any earlier one can make it a contest."""
    court = contested()
    court.cluster.claim("n2")
    holding = court.judge()
    assert (holding.standing, nodes(holding)) == (Standing.CONTESTED, ["n2", "n3", "n1"])


# --- after a restart of the operator ----------------------------------------------------------


def test_a_contest_survives_a_restart() -> None:
    """What users were told is contested stays so while two claims are there."""
    court = contested()
    court.keeper = ClaimKeeper()
    court.keeper.begin({}, frozenset({WEB}))
    assert court.judge().standing is Standing.CONTESTED


def dead_holder() -> Court:
    """Return a court that begins anew: n1 died with its claim long ago, and n2 holds."""
    court = Court()
    court.cluster.claim("n1", since=50)
    court.cluster.claim("n2", since=60, reason="ActiveDown")
    court.keeper.begin({WEB: ToldHolder("2026-01-01T00:01:00Z")}, frozenset())
    court.cluster.silent.add("n1")
    return court


def test_a_claim_that_did_not_count_does_not_count_after_a_restart() -> None:
    """The claim of a dead node does not unsettle what users were told."""
    court = dead_holder()
    for _ in range(4):
        assert (court.judge().standing, court.judge().node) == (Standing.HELD, "n2")
        court.cluster.wait(10)


def test_a_dismissed_claim_counts_again_with_its_next_heartbeat() -> None:
    """If the node of such a claim lives, it counts as soon as that shows."""
    court = dead_holder()
    court.judge()
    court.cluster.silent.clear()
    court.cluster.wait(1)
    assert court.judge().standing is Standing.SETTLING


def test_a_later_claim_counts_after_a_restart() -> None:
    """A move while no operator ran is seen at once."""
    court = dead_holder()
    court.cluster.claim("n3", since=90)
    holding = court.judge()
    assert (holding.standing, nodes(holding)) == (Standing.SETTLING, ["n3", "n2"])


def test_a_silent_holder_stays_silent_after_a_restart() -> None:
    """A holder whose silence was known before does not hold again because of a restart."""
    court = Court()
    court.cluster.claim("n1", since=50)
    court.keeper.begin({WEB: ToldHolder("2026-01-01T00:00:50Z", silent=True)}, frozenset())
    assert (court.judge().standing, court.judge().node) == (Standing.SILENT, "n1")
    court.cluster.wait(10)
    assert court.judge().standing is Standing.HELD


def test_only_the_first_word_of_what_was_told_counts() -> None:
    """Later rounds go by what this operator has seen itself."""
    court = dead_holder()
    court.judge()
    court.keeper.begin({}, frozenset({WEB}))
    assert court.judge().standing is Standing.HELD
