"""What the VirtualRouters of a cluster mean for one node."""

from __future__ import annotations

import pytest

from support.cluster_views import DAY, NODE, PODS, router, routers
from vip_model.resources.gate import Gate
from vip_model.vocabulary import FailureAction
from vip_speaker.agent.desired import WantedGate
from vip_speaker.agent.kubernetes.routers import NODE_GATE, PLACE_GATE, ClusterState
from vip_speaker.messages import DesiredGate


@pytest.fixture
def state() -> ClusterState:
    """Node n1 with gates on pods and pages."""
    return ClusterState(NODE, frozenset({"pods", "httpGet"}))


def test_nothing_is_there(state: ClusterState) -> None:
    """An empty cluster is a valid one, with nothing to run and nothing to end."""
    desired = state.view(0).orders.desired

    assert (desired.routers, desired.retired, desired.revision) == ([], [], 0)


def test_a_candidate_runs_the_router(state: ClusterState) -> None:
    """The engine is told the router with this node's place, and never that this is all."""
    state.upsert(router("n2", "n1", revision=7))
    view = state.view(0)
    found = routers(view)["vip.shop.web"]

    assert (found.slot, found.priority, found.display_name) == (1, 251, "shop/web")
    assert view.orders.desired.complete is False
    assert view.orders.desired.revision == 7
    assert view.orders.desired.retired == []
    assert view.orders.display_names == {"vip.shop.web": "shop/web"}


def test_gates_are_wanted_where_their_owner_lives(state: ClusterState) -> None:
    """The agent runs each gate in the namespace of the VirtualIP, and the start gate besides."""
    state.upsert(router("n1", gates=[PODS]))
    wanted = state.view(0).orders.gates

    assert set(wanted) == {("vip.shop.web", "nginx"), ("vip.shop.web", NODE_GATE)}
    nginx = wanted[("vip.shop.web", "nginx")]
    assert (nginx.kind, nginx.namespace) == ("pods", "shop")
    assert wanted[("vip.shop.web", NODE_GATE)] == WantedGate(Gate(name=NODE_GATE), "node")


def test_carrier_is_the_engines_own_business(state: ClusterState) -> None:
    """A gate on an interface is the engine's to judge and no problem."""
    state.upsert(router("n1", gates=[{"name": "uplink", "interface": {"name": "eth1"}}]))
    view = state.view(0)

    assert [key for key in view.orders.gates if key[1] == "uplink"] == []
    assert view.problems == ()


def test_every_router_has_the_start_gate(state: ClusterState) -> None:
    """A router without gates of a user waits for the node too."""
    state.upsert(router("n1"))

    assert routers(state.view(0))["vip.shop.web"].gates == [DesiredGate(name=NODE_GATE)]


def test_the_start_gate_does_not_change_what_failing_costs(state: ClusterState) -> None:
    """The smallest `by` counts in the engine; the start gate takes that of the user's gates."""
    costly = {**PODS, "failurePolicy": {"by": 200}}
    state.upsert(router("n1", gates=[costly], healthBands=False))

    assert {gate.by for gate in routers(state.view(0))["vip.shop.web"].gates} == {200}


def test_a_retired_router_is_ended(state: ClusterState) -> None:
    """The mark is passed on, its gates end, and it is not among what is to run."""
    state.upsert(router("n1", gates=[PODS]))
    state.upsert(router("n1", gates=[PODS], retired=True, revision=2))
    view = state.view(0)

    assert view.orders.desired.retired == ["vip.shop.web"]
    assert view.orders.desired.routers == []
    assert view.orders.gates == {}
    assert view.orders.desired.revision == 2


def test_a_router_that_vanishes_ends_nothing(state: ClusterState) -> None:
    """A VirtualRouter deleted by hand is not mentioned, which makes the engine keep it."""
    state.upsert(router("n1", revision=9))
    state.delete(router("n1", revision=9))
    desired = state.view(0).orders.desired

    assert (desired.routers, desired.retired) == ([], [])
    assert desired.revision == 9


def test_the_revision_never_goes_back(state: ClusterState) -> None:
    """It is the highest of all that were seen, whoever is a candidate."""
    state.upsert(router("n2", name="other", revision=12))
    state.upsert(router("n1", revision=5))
    state.upsert(router("n2", name="other", revision=3))
    state.delete(router("n2", name="other"))

    assert state.view(0).orders.desired.revision == 12


def test_a_node_that_never_was_a_candidate_is_told_so(state: ClusterState) -> None:
    """An engine that runs a router from the days of an earlier agent must end it."""
    state.upsert(router("n2", "n3"))

    assert state.view(0).orders.desired.retired == ["vip.shop.web"]


def test_a_node_taken_off_the_list_leaves_in_an_orderly_way(state: ClusterState) -> None:
    """It is withdrawn first, so that it resigns and serves on until another does, then ended."""
    state.upsert(router("n1", "n2", gates=[PODS]))
    state.view(0)
    state.upsert(router("n2", "n3", gates=[PODS], revision=2))
    leaving = state.view(100)
    found = routers(leaving)["vip.shop.web"]

    assert found.gates[-1] == DesiredGate(name=PLACE_GATE, action=FailureAction.WITHDRAW)
    assert (found.slot, found.revision) == (0, 1)
    assert list(leaving.orders.gates) == [("vip.shop.web", PLACE_GATE)]
    assert leaving.orders.desired.retired == []
    assert leaving.due == 102  # an interval of 1 s, and another second

    over = state.view(102)
    assert over.orders.desired.retired == ["vip.shop.web"]
    assert (over.orders.desired.routers, over.orders.gates) == ([], {})
    assert over.due == 100 + DAY  # then it counts no longer as a former candidate


def test_leaving_is_bounded(state: ClusterState) -> None:
    """Whatever the interval, the node has left within 8.5 s."""
    slow = {"advertisementIntervalMilliseconds": 40_000}
    state.upsert(router("n1", "n2", timing=slow))
    state.upsert(router("n2", timing=slow))

    assert state.view(100).due == 108.5


def test_a_node_that_comes_back_while_leaving_stays(state: ClusterState) -> None:
    """A candidate again before it has left is a candidate, without the gate that leads it out."""
    state.upsert(router("n1", "n2"))
    state.upsert(router("n2"))
    state.view(0)
    state.upsert(router("n2", "n1"))
    view = state.view(1)

    assert [gate.name for gate in routers(view)["vip.shop.web"].gates] == [NODE_GATE]
    assert view.due is None


def test_retired_while_leaving(state: ClusterState) -> None:
    """The end of a router everywhere goes before the orderly way out of one node."""
    state.upsert(router("n1", "n2"))
    state.upsert(router("n2"))
    state.view(0)
    state.upsert(router("n2", retired=True))
    desired = state.view(0.1).orders.desired

    assert (desired.routers, desired.retired) == ([], ["vip.shop.web"])


def test_deleted_while_leaving(state: ClusterState) -> None:
    """The word was given: it is ended although its VirtualRouter is gone by then."""
    state.upsert(router("n1", "n2"))
    state.upsert(router("n2"))
    state.view(0)
    state.delete(router("n2"))

    assert list(routers(state.view(1))) == ["vip.shop.web"]
    assert state.view(3).orders.desired.retired == ["vip.shop.web"]


def test_an_end_is_told_until_the_engine_has_heard_it(state: ClusterState) -> None:
    """A retired router that is deleted while the engine is away is ended when it is back."""
    state.upsert(router("n1", retired=True))
    state.delete(router("n1"))
    assert state.view(0).orders.desired.retired == ["vip.shop.web"]

    state.engine_runs(frozenset({"vip.shop.web"}))
    assert state.view(0).orders.desired.retired == ["vip.shop.web"]

    state.engine_runs(frozenset())
    assert state.view(0).orders.desired.retired == []


def test_a_router_of_the_same_name_is_not_ended(state: ClusterState) -> None:
    """A VirtualIP that is deleted and created anew runs."""
    state.upsert(router("n1", retired=True))
    state.delete(router("n1"))
    state.upsert(router("n1", revision=8))
    desired = state.view(0).orders.desired

    assert [each.name for each in desired.routers] == ["vip.shop.web"]
    assert desired.retired == []
