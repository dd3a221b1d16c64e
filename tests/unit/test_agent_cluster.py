"""What the VirtualRouters of a cluster mean for one node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vip_model.resources.gate import Gate
from vip_model.vocabulary import FailureAction
from vip_speaker.agent.desired import WantedGate
from vip_speaker.agent.kubernetes.routers import NODE_GATE, PLACE_GATE, ClusterState, View
from vip_speaker.engine import cache
from vip_speaker.messages import DesiredGate, DesiredRouter

NODE = "n1"
DAY = 24 * 3600.0
PODS = {"name": "nginx", "pods": {"selector": {"matchLabels": {"app": "nginx"}}}}


def candidates(*nodes: str) -> list[dict[str, Any]]:
    """Return candidates by slot, n1 at 192.0.2.1 and so on."""
    return [
        {
            "node": node,
            "slot": slot,
            "priority": 254 - 3 * slot,
            "sources": [{"family": "IPv4", "address": f"192.0.2.{node[1:]}"}],
        }
        for slot, node in enumerate(nodes)
    ]


def router(*nodes: str, name: str = "web", revision: int = 1, **spec: Any) -> dict[str, Any]:
    """Return a VirtualRouter as the API has it."""
    return {
        "apiVersion": "vip-operator.io/v1alpha1",
        "kind": "VirtualRouter",
        "metadata": {"name": f"vip.shop.{name}", "uid": f"uid-{name}"},
        "spec": {
            "owners": [{"namespace": "shop", "name": name}],
            "revision": revision,
            "instances": [
                {"family": "IPv4", "virtualRouterID": 51, "addresses": ["192.0.2.100"]},
            ],
            "candidates": candidates(*nodes),
            **spec,
        },
    }


@pytest.fixture
def state() -> ClusterState:
    """Node n1 with gates on pods and pages."""
    return ClusterState(NODE, frozenset({"pods", "httpGet"}))


def routers(view: View) -> dict[str, DesiredRouter]:
    """Return what the engine is to run, by name."""
    return {each.name: each for each in view.orders.desired.routers}


def sources(view: View) -> list[str] | None:
    """Return whom the one instance of the one router obeys."""
    ((one,),) = ([each.instances for each in view.orders.desired.routers],)
    return one[0].sources


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
