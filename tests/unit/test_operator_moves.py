"""An address moves from one election to another: step by step, and never to two at a time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.mortal_cluster import MortalCluster, cluster_of
from support.planned_cluster import declared
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.schema.limits import check_limits
from vip_model.vocabulary import Reason

ALONE, GROUP = "vip.shop.web", "group.shop.front"
WEB = "192.0.2.100"


def web(**spec: Any) -> VirtualIP:
    """Return the VirtualIP that moves."""
    return declared("web", addresses=[WEB], **spec)


def mail(**spec: Any) -> VirtualIP:
    """Return one that is in the group from the beginning."""
    return declared("mail", addresses=["192.0.2.101"], group="front", **spec)


def settled(*virtual_ips: VirtualIP, count: int = 3) -> MortalCluster:
    """Return a cluster in which these run."""
    cluster = cluster_of(count, virtual_ips=list(virtual_ips))
    cluster.pass_seconds(15)
    return cluster


def addresses_of(router: VirtualRouter) -> set[str]:
    """Return the addresses of an election."""
    return {one for each in router.spec.instances for one in each.addresses}


def reason(cluster: MortalCluster, name: str = "web") -> Reason:
    """Return what the plan says of a VirtualIP."""
    statuses = cluster.look().plan.statuses
    return next(each.reason for each in statuses if each.virtual_ip == f"shop/{name}")


def holders(cluster: MortalCluster, address: str = WEB) -> set[str]:
    """Return the elections that some engine runs with an address."""
    return {
        router
        for name in cluster.applied
        for router, addresses in cluster.runs(name).items()
        if address in addresses
    }


def seconds_without(cluster: MortalCluster, seconds: int, address: str = WEB) -> int:
    """Let time go by; return for how many seconds no engine had an election with an address."""
    found = 0
    for _each in range(seconds):
        cluster.pass_seconds(1)
        found += not holders(cluster, address)
    return found


MOVES = [
    pytest.param([web()], [web(group="front")], id="into-a-new-group"),
    pytest.param([web(), mail()], [web(group="front"), mail()], id="into-a-group-that-runs"),
    pytest.param([web(group="front"), mail()], [web(), mail()], id="out-of-a-group-that-goes-on"),
    pytest.param([web(group="front")], [web()], id="out-of-a-group-that-ends"),
    pytest.param([web(group="back")], [web(group="front"), mail()], id="with-somebody-new"),
    pytest.param(
        [web(vrrp={"virtualRouterID": 7})],
        [web(group="front", vrrp={"virtualRouterID": 7})],
        id="with-its-vrid",
    ),
]


@pytest.mark.parametrize(("before", "after"), MOVES)
def test_an_address_that_moves_is_away_for_a_moment_only(
    before: list[VirtualIP], after: list[VirtualIP]
) -> None:
    """The old election ends when the new one is known everywhere, and that one starts then."""
    cluster = settled(*before)
    assert len(holders(cluster)) == 1
    cluster.virtual_ips = after
    assert seconds_without(cluster, 20) <= 3
    assert reason(cluster) is Reason.ACCEPTED
    (name,) = holders(cluster)
    assert name == after[0].router_name
    assert set(cluster.routers) == {each.router_name for each in after}
    assert not any(each.spec.standby or each.spec.releasing for each in cluster.routers.values())


@pytest.mark.parametrize(("before", "after"), MOVES)
@pytest.mark.parametrize("dies_at", [-60, -1, 1, 2])
@pytest.mark.parametrize("restarts_at", [None, 1, 3, 36])
def test_a_dead_candidate_delays_a_move_and_does_not_stop_it(
    before: list[VirtualIP],
    after: list[VirtualIP],
    dies_at: int,
    restarts_at: int | None,
) -> None:
    """It comes through once the dead one has ended; an operator that restarts goes on with it."""
    cluster = settled(*before)
    away = 0
    for second in range(min(dies_at, 0), 120):
        if second == dies_at:
            cluster.die("n2")
        if second == 0:
            cluster.virtual_ips = after
        if second == restarts_at:
            cluster.restart()
        away += seconds_without(cluster, 1)
    assert reason(cluster) is Reason.ACCEPTED
    assert holders(cluster) == {after[0].router_name}
    assert set(cluster.routers) == {each.router_name for each in after}
    if dies_at < 0:  # it serves until the dead one has ended
        assert away <= 3


@pytest.mark.parametrize(("before", "after"), MOVES)
@pytest.mark.parametrize("cut_at", [-5, -1, 0, 1, 2, 3])
def test_a_move_that_began_waits_for_a_candidate_that_is_cut_off_then(
    before: list[VirtualIP], after: list[VirtualIP], cut_at: int
) -> None:
    """Its engine runs what it knows: `check` finds any second with two elections."""
    cluster = settled(*before)
    for second in range(min(cut_at, 0), 90):
        if second == cut_at:
            cluster.cut.add("n2")
        if second == 0:
            cluster.virtual_ips = after
        cluster.pass_seconds(1)
    cluster.revive("n2")
    cluster.pass_seconds(30)
    assert holders(cluster) == {after[0].router_name}


@pytest.mark.parametrize(("before", "after"), MOVES)
def test_the_old_election_serves_while_a_candidate_is_cut_off(
    before: list[VirtualIP], after: list[VirtualIP]
) -> None:
    """Nothing is let go of before every candidate is heard or has ended."""
    cluster = settled(*before)
    cluster.cut.add("n2")
    cluster.pass_seconds(60)
    cluster.virtual_ips = after
    assert seconds_without(cluster, 600) == 0
    (status,) = [s for s in cluster.look().plan.statuses if s.virtual_ip == "shop/web"]
    assert status.reason is Reason.MOVING
    assert "once n2, not heard now, is back" in status.problems[0].message
    assert holders(cluster) == {before[0].router_name}
    cluster.revive("n2")
    assert seconds_without(cluster, 30) <= 3
    assert holders(cluster) == {after[0].router_name}


def test_more_addresses_that_move_than_can_be_announced() -> None:
    """They go in turns; every VirtualRouter on the way is one that the API server takes."""

    def crowd(group: str) -> list[VirtualIP]:
        return [
            declared(
                f"m{each}",
                addresses=[f"192.0.2.{10 + 30 * each + n}" for n in range(30)]
                + [f"2001:db8::1:{each}{n}" for n in range(10)],
                group=group,
            )
            for each in range(8)
        ]

    cluster = settled(*crowd("front"))
    cluster.virtual_ips = crowd("back")
    for _each in range(40):
        cluster.pass_seconds(1)
        for router in cluster.routers.values():
            assert list(check_limits(router.spec, "spec")) == []
    assert set(cluster.routers) == {"group.shop.back"}
    assert not cluster.routers["group.shop.back"].spec.standby


def test_a_vrid_that_is_taken_along_with_another_address() -> None:
    """It moves as an address does: `check` finds any second with two elections of one VRID."""
    vrrp = {"virtualRouterID": 7}
    cluster = settled(web(vrrp=vrrp))
    cluster.cut.add("n2")
    cluster.pass_seconds(60)
    cluster.virtual_ips = [declared("web", addresses=["192.0.2.105"], group="front", vrrp=vrrp)]
    assert seconds_without(cluster, 60) == 0
    cluster.revive("n2")
    cluster.pass_seconds(20)
    assert holders(cluster, "192.0.2.105") == {GROUP}


def test_the_new_election_does_not_run_before_the_old_one_has_ended() -> None:
    """It is published as standby, all candidates confirm it, and the old one serves on."""
    cluster = settled(web())
    cluster.virtual_ips = [web(group="front")]
    cluster.cut.update(("n1", "n2", "n3"))
    cluster.round()
    assert cluster.routers[GROUP].spec.standby
    assert addresses_of(cluster.routers[GROUP]) == {WEB}
    cluster.pass_seconds(20)
    assert not cluster.routers[ALONE].spec.retired


@pytest.mark.parametrize("wrong", [{"addresses": [WEB, "127.0.0.1"]}, {"placement": {}}])
def test_a_move_that_fails_keeps_what_ran(wrong: dict[str, Any]) -> None:
    """An edit that the new election cannot take changes nothing."""
    cluster = settled(web(), mail(placement={"maxCandidates": 2}))
    spec = {"placement": {"maxCandidates": 2}, "group": "front", **wrong}
    cluster.virtual_ips[0] = declared("web", **{"addresses": [WEB], **spec})
    assert seconds_without(cluster, 60) == 0
    assert holders(cluster) == {ALONE}


def test_a_move_to_where_no_node_can_be_keeps_what_ran() -> None:
    """An election without candidates takes nothing over."""
    cluster = settled(web())
    cluster.virtual_ips = [web(group="front", placement={"nodeSelector": {"rack": "none"}})]
    assert seconds_without(cluster, 60) == 0
    assert holders(cluster) == {ALONE}


def test_an_edit_that_is_taken_back_on_the_way() -> None:
    """The standby goes, and what ran was never touched."""
    cluster = settled(web())
    cluster.cut.add("n2")
    cluster.pass_seconds(60)
    cluster.virtual_ips = [web(group="front")]
    cluster.pass_seconds(20)
    assert GROUP in cluster.routers
    cluster.virtual_ips = [web()]
    cluster.revive("n2")
    assert seconds_without(cluster, 30) == 0
    assert set(cluster.routers) == {ALONE}


def test_an_address_of_a_deleted_virtual_ip_is_free_when_its_election_has_ended() -> None:
    """Somebody else gets it when the dead candidate has ended, and waits for one that is cut."""
    cluster = settled(web())
    cluster.die("n2")
    cluster.cut.add("n3")
    cluster.pass_seconds(60)
    cluster.virtual_ips = [declared("other", addresses=[WEB])]
    cluster.pass_seconds(300)
    assert reason(cluster, "other") is Reason.ADDRESS_IN_USE
    cluster.revive("n3")
    cluster.pass_seconds(20)
    assert holders(cluster) == {"vip.shop.other"}


def test_an_address_taken_off_a_list_is_held_until_all_know() -> None:
    """What simply leaves an election is `releasing` until every candidate has applied that."""
    cluster = settled(declared("web", addresses=[WEB, "192.0.2.110"]))
    cluster.cut.add("n3")
    cluster.virtual_ips = [web(), declared("other", addresses=["192.0.2.110"])]
    cluster.pass_seconds(300)
    assert list(cluster.web.spec.releasing) == ["192.0.2.110"]
    assert reason(cluster, "other") is Reason.MOVING
    cluster.revive("n3")
    cluster.pass_seconds(5)
    assert not cluster.routers[ALONE].spec.releasing
    assert holders(cluster, "192.0.2.110") == {"vip.shop.other"}


# --- whatever happens ----------------------------------------------------------------------------

NODES = st.sampled_from(["n1", "n2", "n3"])
EDITS = st.builds(
    lambda name, last, group, virtual_router_id: declared(
        name,
        addresses=[f"192.0.2.{each}" for each in last],
        group=group,
        vrrp={"virtualRouterID": virtual_router_id} if virtual_router_id else {},
    ),
    st.sampled_from(["web", "mail"]),
    st.lists(st.integers(100, 101), min_size=1, max_size=2, unique=True),
    st.sampled_from(["", "front"]),
    st.sampled_from([None, None, 7]),
)
STEPS = st.lists(
    st.tuples(
        EDITS
        | st.tuples(st.sampled_from(["die", "cut", "return"]), NODES)
        | st.sampled_from(["restart", "outage", "web", "mail"]),
        st.sampled_from([0, 0, 1, 2, 5, 30, 45]),
    ),
    max_size=12,
)


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_no_address_has_two_elections_and_every_edit_comes_through(
    steps: list[tuple[VirtualIP | tuple[str, str] | str, int]],
) -> None:
    """Whatever dies, is cut off, returns, is edited or restarts, at every second."""
    cluster = settled(web(), mail())
    for what, seconds in steps:
        act(cluster, what)
        cluster.pass_seconds(seconds)
    cluster.api_away = False
    cluster.dead.discard("n1")
    cluster.revive(*cluster.cut)
    cluster.pass_seconds(200)
    plan = cluster.look().plan
    assert not any(each.reason is Reason.MOVING for each in plan.statuses)
    wanted = {each.router for each in plan.statuses if each.accepted}
    assert wanted <= set(cluster.routers)
    for router in cluster.routers.values():
        assert not router.spec.standby
        assert not router.spec.retired
        assert not router.spec.releasing


def act(cluster: MortalCluster, what: VirtualIP | tuple[str, str] | str) -> None:
    """Edit or delete a VirtualIP, or let something happen to a node, the operator or the API."""
    if isinstance(what, VirtualIP):
        others = [each for each in cluster.virtual_ips if each.key != what.key]
        cluster.virtual_ips = [*others, what]
        return
    match what:
        case ("die", node):
            cluster.die(node)
        case ("cut", node):
            cluster.cut.add(node)
        case ("return", node):
            cluster.revive(node)
        case "restart":
            cluster.restart()
        case "outage":
            cluster.api_away = not cluster.api_away
        case name:
            cluster.virtual_ips = [e for e in cluster.virtual_ips if e.metadata.name != name]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(NODES, st.booleans(), st.integers(1, 60)), max_size=8))
def test_nothing_moves_because_nodes_fall_silent(history: list[tuple[str, bool, int]]) -> None:
    """Slots and priorities of candidates that have not ended stay, whoever is heard or not."""
    cluster = settled(web(placement={"maxCandidates": 2}), count=4)
    before = {each.node: (each.slot, each.priority) for each in cluster.web.spec.candidates}
    for node, is_cut, seconds in history:
        (cluster.cut.add if is_cut else cluster.cut.discard)(node)
        cluster.pass_seconds(seconds)
        now = {each.node: (each.slot, each.priority) for each in cluster.web.spec.candidates}
        assert before.items() <= now.items()
