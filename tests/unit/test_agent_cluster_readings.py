"""VirtualRouters for one node: former candidates, and versions that cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.cluster_views import DAY, NODE, PODS, candidates, router, routers
from vip_speaker.agent.kubernetes.routers import ClusterState, View
from vip_speaker.engine import cache


@pytest.fixture
def state() -> ClusterState:
    """Node n1 with gates on pods and pages."""
    return ClusterState(NODE, frozenset({"pods", "httpGet"}))


def sources(view: View) -> list[str] | None:
    """Return whom the one instance of the one router obeys."""
    ((one,),) = ([each.instances for each in view.orders.desired.routers],)
    return one[0].sources


def test_former_candidates_are_obeyed(state: ClusterState) -> None:
    """The resignation of a node that was taken off the list counts, whoever hears of it first."""
    state.upsert(router("n1", "n2"))
    assert sources(state.view(0)) == ["192.0.2.1", "192.0.2.2"]

    state.upsert(router("n1", "n3"))
    assert sources(state.view(0)) == ["192.0.2.1", "192.0.2.3", "192.0.2.2"]

    state.upsert(router("n1", "n2"))
    assert sources(state.view(0)) == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]


def test_former_candidates_are_obeyed_for_a_day(state: ClusterState) -> None:
    """By then each has heard of it, and its address may be another node's; the view says when."""
    state.upsert(router("n1", "n2"))
    state.upsert(router("n1", "n3"))
    assert sources(state.view(100)) == ["192.0.2.1", "192.0.2.3", "192.0.2.2"]
    due = state.view(100 + DAY - 1).due
    assert due == 100 + DAY
    assert sources(state.view(due - 1)) == ["192.0.2.1", "192.0.2.3", "192.0.2.2"]

    view = state.view(due)
    assert sources(view) == ["192.0.2.1", "192.0.2.3"]
    assert view.due is None


def test_a_candidate_that_comes_and_goes_is_former_from_the_last_time(state: ClusterState) -> None:
    """Its day begins anew whenever it is taken off the list."""
    state.upsert(router("n1", "n2"))
    state.upsert(router("n1"))
    assert state.view(0).due == DAY
    state.upsert(router("n1", "n2"))
    assert state.view(DAY / 2).due is None
    state.upsert(router("n1"))

    assert sources(state.view(DAY / 2)) == ["192.0.2.1", "192.0.2.2"]
    assert sources(state.view(DAY + 1)) == ["192.0.2.1", "192.0.2.2"]
    assert sources(state.view(DAY * 1.5)) == ["192.0.2.1"]


def test_nodes_that_come_and_go_for_ever_are_not_all_remembered(state: ClusterState) -> None:
    """What an agent remembers of them is what a day brought, however long it runs."""
    for number in range(2, 202):
        state.upsert(router("n1", f"n{number}"))
        found = sources(state.view(number * DAY / 4))
        assert found is not None
        assert len(found) <= 7


def test_anyone_is_obeyed_where_sources_are_unknown(state: ClusterState) -> None:
    """A candidate that has not reported yet makes no list of senders, former ones or not."""
    state.upsert(router("n1", "n2"))
    unknown = [*candidates("n1"), {"node": "n3", "slot": 1, "priority": 251}]
    state.upsert(router(candidates=unknown))

    assert sources(state.view(0)) is None


def test_an_unreadable_version_keeps_the_last_good_one(state: ClusterState) -> None:
    """What a newer operator writes and this agent cannot read changes nothing and is said."""
    state.upsert(router("n1", revision=3))
    state.upsert(router("n1", revision=4, timing={"step": "many"}))
    view = state.view(0)

    assert routers(view)["vip.shop.web"].revision == 3
    assert view.orders.desired.revision == 3
    assert "spec.timing.step" in view.unreadable["vip.shop.web"]
    (problem,) = view.problems
    assert "vip.shop.web cannot be read, the last version that could be read stays" in problem


def test_an_unreadable_first_version_ends_nothing(state: ClusterState) -> None:
    """An engine that runs the router from its cache goes on."""
    state.upsert(router("n1", timing={"step": "many"}))
    view = state.view(0)

    assert (view.orders.desired.routers, view.orders.desired.retired) == ([], [])
    assert "what the engine runs of it goes on" in view.problems[0]


def test_an_unreadable_retired_router_is_ended(state: ClusterState) -> None:
    """An end is an end, whatever else a newer operator has written."""
    state.upsert(router("n1"))
    state.upsert(router("n1", retired=True, timing={"step": "many"}))
    desired = state.view(0).orders.desired

    assert (desired.routers, desired.retired) == ([], ["vip.shop.web"])


def test_a_readable_version_ends_the_problem(state: ClusterState) -> None:
    """Once it can be read again it is in force and nothing is reported."""
    state.upsert(router("n1", timing={"step": "many"}))
    state.upsert(router("n1", revision=5))
    view = state.view(0)

    assert (view.problems, view.unreadable) == ((), {})
    assert routers(view)["vip.shop.web"].revision == 5


def test_unknown_fields_are_ignored(state: ClusterState) -> None:
    """A newer operator's additions do not keep an older agent from serving."""
    state.upsert(router("n1", quorum={"of": 3}))

    assert list(routers(state.view(0))) == ["vip.shop.web"]
    assert state.view(0).problems == ()


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ({"name": "moon", "moonPhase": {"full": True}}, "it is of a kind, which"),
        ({"name": "moon", "ping": {"host": "192.0.2.254"}}, "it is ping, which"),
    ],
    ids=["unknown to the model", "not built"],
)
def test_a_gate_of_an_unknown_kind_is_a_missing_feature(
    state: ClusterState, gate: dict[str, Any], words: str
) -> None:
    """It is wanted all the same, so that its verdict says that it does not count, and reported."""
    state.upsert(router("n1", gates=[gate]))
    view = state.view(0)

    assert ("vip.shop.web", "moon") in view.orders.gates
    (problem,) = view.problems
    assert words in problem
    assert "upgrade the speaker" in problem


def test_concern_is_about_this_nodes_routers(state: ClusterState) -> None:
    """The operator waits for an early word only about routers that this node runs or ran."""
    state.upsert(router("n2", name="other", revision=4))
    assert state.view(0).concern == 0

    state.upsert(router("n1", revision=5))
    assert state.view(0).concern == 5

    state.upsert(router("n2", revision=6))
    assert state.view(0).concern == 6

    state.upsert(router("n2", name="other", revision=7))
    assert state.view(0).concern == 6

    state.upsert(router("n2", retired=True, revision=8))
    assert state.view(0).concern == 8


def test_the_engine_keeps_what_it_was_told(state: ClusterState, tmp_path: Path) -> None:
    """Orders of a cluster, ends included, are what the next engine finds in its cache."""
    state.upsert(router("n1", "n2", gates=[PODS]))
    state.upsert(router("n2", name="other"))
    desired = state.view(0).orders.desired
    cache.store(tmp_path / "desired.json", desired)

    assert cache.load(tmp_path / "desired.json") == desired
