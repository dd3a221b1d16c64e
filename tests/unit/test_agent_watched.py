"""Which nodes an agent has its engine watch, and what it makes of routers on standby."""

from __future__ import annotations

from typing import Any

import pytest

from support.cluster_views import NODE, PODS, candidates, router, routers
from support.statuses import status
from vip_model.resources.speaker import WatchedNode as ReportedNode
from vip_model.vocabulary import Reason
from vip_speaker.agent.kubernetes.routers import ClusterState
from vip_speaker.agent.kubernetes.speaker_status import (
    to_document,
    with_engine,
    without_engine,
)
from vip_speaker.messages import HeardNode, WatchedNode, WatchedSource


@pytest.fixture
def state() -> ClusterState:
    """Node n1 with gates on pods."""
    return ClusterState(NODE, frozenset({"pods"}))


def silent(*unreachable: str, among: tuple[str, ...] = ("n1", "n2", "n3")) -> list[dict[str, Any]]:
    """Return candidates of which some are unreachable."""
    return [
        {**each, "unreachable": True} if each["node"] in unreachable else each
        for each in candidates(*among)
    ]


def watched(state: ClusterState) -> list[WatchedNode]:
    """Return whom the engine is to watch."""
    return state.view(0).orders.desired.watch


def of(number: int, interval: int = 1000) -> WatchedNode:
    """Return node n2 and so on, as the elections here know it."""
    source = WatchedSource(address=f"192.0.2.{number}", near="192.0.2.100")
    return WatchedNode(
        node=f"n{number}", sources=[source], advertisement_interval_milliseconds=interval
    )


def test_nobody_is_watched_who_is_heard_of(state: ClusterState) -> None:
    """Without the mark there is nothing to ask."""
    state.upsert(router("n1", "n2"))
    assert watched(state) == []


def test_an_unreachable_candidate_is_watched(state: ClusterState) -> None:
    """It stays a legitimate sender, and the engine is told where it would be heard."""
    state.upsert(router(candidates=silent("n3")))
    view = state.view(0)

    assert view.orders.desired.watch == [of(3)]
    assert routers(view)["vip.shop.web"].instances[0].sources == [
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.3",
    ]


def test_a_node_that_is_called_unreachable_goes_on(state: ClusterState) -> None:
    """Whoever reads that of itself is there, runs what it ran, and does not watch itself."""
    state.upsert(router(candidates=silent()))
    before = routers(state.view(0))
    state.upsert(router(candidates=silent("n1", "n3")))

    assert routers(state.view(0)) == before
    assert watched(state) == [of(3)]


def test_only_candidates_watch(state: ClusterState) -> None:
    """An election of other nodes is their business."""
    state.upsert(router(candidates=silent("n3", among=("n2", "n3"))))
    assert watched(state) == []


@pytest.mark.parametrize("mark", ["retired", "standby"])
def test_elections_that_nobody_runs_are_watched_for(state: ClusterState, mark: str) -> None:
    """Whether their candidates have ended is what others wait for."""
    fields: dict[str, Any] = {mark: True}
    state.upsert(router(candidates=silent("n3"), **fields))
    assert watched(state) == [of(3)]


def test_what_several_elections_say_of_a_node(state: ClusterState) -> None:
    """Each source once, and the longest of the intervals."""
    slow = {"advertisementIntervalMilliseconds": 4000}
    state.upsert(router(candidates=silent("n2", "n3")))
    state.upsert(router(name="db", candidates=silent("n3"), timing=slow))
    assert watched(state) == [of(2), of(3, interval=4000)]


def test_where_a_source_would_be_heard(state: ClusterState) -> None:
    """Each family with the patterns of its own instance, and an address that tells the link."""
    both = [
        {"family": "IPv4", "address": "192.0.2.3"},
        {"family": "IPv6", "address": "fe80::3"},
    ]
    instances = [
        {"family": "IPv4", "virtualRouterID": 51, "addresses": ["192.0.2.100"]},
        {
            "family": "IPv6",
            "virtualRouterID": 51,
            "interfaces": ["eth*"],
            "addresses": ["fe80::1", "2001:db8::100"],
        },
    ]
    listed = silent("n3")
    listed[2]["sources"] = both
    state.upsert(router(candidates=listed, instances=instances))
    [node] = watched(state)

    assert node.sources == [
        WatchedSource(address="192.0.2.3", near="192.0.2.100"),
        WatchedSource(address="fe80::3", interfaces=["eth*"], near="2001:db8::100"),
    ]


def test_unknown_sources_cannot_be_asked(state: ClusterState) -> None:
    """Of such a node nothing can be said."""
    listed = silent("n3")
    listed[2]["sources"] = []
    state.upsert(router(candidates=listed))
    assert watched(state) == []


def test_at_most_as_many_as_are_reported(state: ClusterState) -> None:
    """The rest is left out, the same ones each time."""
    names = [f"n{number}" for number in range(1, 41)]
    for part in range(8):
        listed = silent(*names[1:], among=tuple(names))
        for each in listed[1:]:
            each["node"] += f"-{part}"
        state.upsert(router(name=f"web{part}", candidates=listed))
    assert len(watched(state)) == 256


def test_what_is_heard_is_reported() -> None:
    """In the engine's words; an engine that is away hears nobody."""
    said = status(watched=[HeardNode(node="n2", heard=True), HeardNode(node="n3", heard=False)])
    found = with_engine(said, (), {})

    assert found.watched == (
        ReportedNode(node="n2", heard=True),
        ReportedNode(node="n3", heard=False),
    )
    assert to_document(found)["watched"] == [
        {"node": "n2", "heard": True},
        {"node": "n3", "heard": False},
    ]
    assert without_engine(said, [], (), Reason.ENGINE_AWAY).watched == ()


def test_standby_is_known_and_run_by_nobody(state: ClusterState) -> None:
    """It counts for the revision that is confirmed, and nothing of it is told but its adverts."""
    state.upsert(router("n1", "n2", revision=7, gates=[PODS], standby=True))
    view = state.view(0)
    desired = view.orders.desired

    assert (desired.revision, view.concern) == (7, 7)
    assert (desired.routers, desired.retired) == ([], [])
    assert view.orders.gates == {}
    assert desired.known is not None
    assert [each.sources for each in desired.known] == [["192.0.2.1", "192.0.2.2"]]


def test_standby_ends(state: ClusterState) -> None:
    """Then it is run like any other."""
    state.upsert(router("n1", "n2", standby=True))
    state.upsert(router("n1", "n2", revision=2))
    assert set(routers(state.view(0))) == {"vip.shop.web"}


def test_standby_is_retired(state: ClusterState) -> None:
    """An election that never began can be given up."""
    state.upsert(router("n1", "n2", standby=True))
    state.upsert(router("n1", "n2", revision=2, standby=True, retired=True))
    assert state.view(0).orders.desired.retired == ["vip.shop.web"]


def test_standby_ends_nothing_that_runs(state: ClusterState) -> None:
    """The operator does not do that; if it did, the engine would go on with what it has."""
    state.upsert(router("n1", "n2"))
    state.view(0)
    state.upsert(router("n1", "n2", revision=2, standby=True))
    desired = state.view(0).orders.desired
    assert (desired.routers, desired.retired) == ([], [])
