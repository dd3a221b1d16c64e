"""The condition Stalled: a candidate has not applied an edit for 30 seconds."""

from __future__ import annotations

from support.operator_facts import Cluster, events
from vip_model.vocabulary import Reason
from vip_operator.core.reporting.virtual_ip_status import StatusKeeper


def stalled_after(cluster: Cluster, keeper: StatusKeeper, seconds: float) -> bool:
    """Let time pass and return whether users are told that it stalls."""
    cluster.wait(seconds)
    cluster.round(keeper)
    return cluster.condition("Stalled").status == "True"


def test_stalled_after_30_seconds() -> None:
    """A holder that is alive and has lagged behind for more than 30 s is named."""
    cluster = Cluster()
    cluster.declare()
    cluster.claim("n2")
    cluster.applied["n2"] = 0
    keeper = StatusKeeper()
    assert not stalled_after(cluster, keeper, 0)
    assert cluster.told("Stalled") == ("False", Reason.PROGRESSING)
    assert not stalled_after(cluster, keeper, 30)
    assert stalled_after(cluster, keeper, 0.001)
    condition = cluster.condition("Stalled")
    assert condition.reason == Reason.SPEAKERS_BEHIND
    assert condition.message.startswith("n2 did not apply the newest revision")
    cluster.applied["n2"] = 1
    assert not stalled_after(cluster, keeper, 1)


def test_a_dead_candidate_stalls_nothing() -> None:
    """Who is not heard is not waited for."""
    cluster = Cluster()
    cluster.declare()
    cluster.applied["n2"] = 0
    cluster.silent.add("n2")
    keeper = StatusKeeper()
    stalled_after(cluster, keeper, 0)
    assert not stalled_after(cluster, keeper, 40)


def test_who_keeps_up_with_many_edits_does_not_stall() -> None:
    """A candidate that is always one revision behind, and always gets on, is not stalled."""
    cluster = Cluster()
    cluster.declare()
    keeper = StatusKeeper()
    cluster.round(keeper)
    for edit in range(8):
        newest = cluster.routers[0].spec.revision
        cluster.applied["n1"] = newest
        cluster.declare(vrrp={"advertisementIntervalMilliseconds": 1000 + 10 * (edit + 1)})
        assert not stalled_after(cluster, keeper, 20)
        assert cluster.routers[0].spec.revision == newest + 1


def test_stalled_survives_a_restart() -> None:
    """A new operator does not take back for 30 s that speakers are behind."""
    cluster = Cluster()
    cluster.declare()
    cluster.claim("n2")
    cluster.applied["n2"] = 0
    keeper = StatusKeeper()
    stalled_after(cluster, keeper, 0)
    assert stalled_after(cluster, keeper, 31)
    assert stalled_after(cluster, StatusKeeper(), 1)


def test_a_standby_that_lags_stalls_nothing() -> None:
    """The address is held as it should be: an event and `candidates.standby` tell of the node."""
    cluster, keeper = Cluster(), StatusKeeper()
    cluster.declare("a", addresses=["192.0.2.101"], group="front")
    cluster.declare("b", addresses=["192.0.2.102"], group="front")
    cluster.claim("n1", "group.shop.front")
    cluster.applied["n2"] = 0
    told = []
    for _each in range(4):
        told += [each for each in events(cluster.round(keeper)) if each.reason == "SpeakersBehind"]
        assert cluster.told("Stalled", "a") == ("False", Reason.PROGRESSING)
        cluster.wait(16)
    assert cluster.status("a").candidates.standby == 1
    assert [each.name for each in told] == ["a"]
    assert told[0].message.startswith("n2 did not apply the newest revision")


def test_it_stalls_where_nobody_follows() -> None:
    """With no holder, and no candidate that runs the newest revision, nobody can take it."""
    cluster, keeper = Cluster(), StatusKeeper()
    cluster.declare()
    cluster.applied = dict.fromkeys(cluster.applied, 0)
    assert not stalled_after(cluster, keeper, 0)
    assert stalled_after(cluster, keeper, 31)
