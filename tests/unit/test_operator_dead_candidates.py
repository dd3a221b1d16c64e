"""Silence alone ends no candidate: whom elections keep, replace, wait for and let go."""

from __future__ import annotations

import msgspec
import pytest

from support.mortal_cluster import MortalCluster, cluster_of
from support.planned_cluster import declared
from support.resources import node, priorities_of, slots_of
from vip_model.resources.node import OUT_OF_SERVICE, NodeCondition, NodeSpec, Taint
from vip_model.resources.virtual_router import VirtualRouter


def settled(count: int = 5, most: int = 3) -> MortalCluster:
    """Return a cluster in which shop/web runs on some of its nodes."""
    cluster = cluster_of(count, virtual_ips=[declared(placement={"maxCandidates": most})])
    cluster.pass_seconds(15)
    return cluster


def nodes_of(router: VirtualRouter) -> set[str]:
    """Return the candidates."""
    return {each.node for each in router.spec.candidates}


def marked(router: VirtualRouter) -> set[str]:
    """Return the candidates that are marked as unreachable."""
    return {each.node for each in router.spec.candidates if each.unreachable}


def first_of(router: VirtualRouter) -> str:
    """Return the candidate in the first slot."""
    return router.spec.candidates[0].node


def seconds_until_gone(cluster: MortalCluster, name: str, most: int) -> int:
    """Return after how many seconds a node is no candidate any more; so many are waited for."""
    for passed in range(most):
        if name not in nodes_of(cluster.web):
            return passed
        cluster.pass_seconds(1)
    raise AssertionError(f"{name} is a candidate still: {cluster.web.spec.candidates}")


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("phase", range(0, 10, 3))
def test_a_node_without_power_is_replaced_within_40_seconds(count: int, phase: int) -> None:
    """Neighbours that do not hear it end it, however its Lease was renewed before."""
    cluster = settled(count, most=max(1, count - 2))
    cluster.pass_seconds(phase)
    victim = first_of(cluster.web)
    cluster.die(victim)
    assert seconds_until_gone(cluster, victim, 60) <= 40
    assert len(nodes_of(cluster.web)) == max(1, count - 2)


def test_a_node_that_only_the_api_server_lost_stays() -> None:
    """Agent and API cut with the engine alive: it keeps slot and priority, for good."""
    cluster = settled()
    victim = first_of(cluster.web)
    before = priorities_of(cluster.web)
    cluster.cut.add(victim)
    cluster.pass_seconds(3600)
    assert marked(cluster.web) == {victim}
    after = priorities_of(cluster.web)
    assert {name: after[name] for name in before} == before
    assert len(nodes_of(cluster.web)) == 4  # one more in its place


def test_a_node_that_comes_back_is_what_it_was() -> None:
    """Its slot was kept, and the node that stood in for it goes."""
    cluster = settled()
    before = slots_of(cluster.web)
    victim = first_of(cluster.web)
    cluster.cut.add(victim)
    cluster.pass_seconds(60)
    cluster.revive(victim)
    cluster.pass_seconds(15)
    assert slots_of(cluster.web) == before
    assert marked(cluster.web) == set()


def test_a_reboot_in_a_cluster_without_spare_nodes_writes_nothing() -> None:
    """Where nobody wants its place nothing is marked and nothing written."""
    cluster = settled(3)
    before = cluster.web
    cluster.die(first_of(before))
    assert cluster.pass_seconds(300) == 0
    cluster.revive(first_of(before))
    assert cluster.pass_seconds(60) == 0
    assert cluster.web == before


def test_a_holder_that_is_cut_off_is_watched() -> None:
    """Users are told whether it is there, also where nobody wants its place."""
    cluster = settled(3)
    victim = first_of(cluster.web)
    cluster.claim(victim)
    cluster.pass_seconds(15)
    cluster.cut.add(victim)
    cluster.pass_seconds(60)
    assert marked(cluster.web) == {victim}
    other = min(nodes_of(cluster.web) - {victim})
    cluster.revive(victim)
    cluster.pass_seconds(15)
    cluster.claim(victim)
    cluster.claim(other)
    cluster.die(victim)
    cluster.pass_seconds(60)
    assert marked(cluster.web) == set()


def test_an_outage_for_all_marks_nobody() -> None:
    """While nobody is heard, no node is missing."""
    cluster = settled()
    cluster.api_away = True
    cluster.pass_seconds(600)
    cluster.api_away = False
    assert cluster.pass_seconds(60) == 0


def test_a_dead_node_ends_after_an_outage_for_all_no_sooner() -> None:
    """Silence counts only while others are heard."""
    cluster = settled()
    victim = first_of(cluster.web)
    cluster.api_away = True
    cluster.die(victim)
    cluster.pass_seconds(600)
    cluster.api_away = False
    cluster.pass_seconds(20)
    assert marked(cluster.web) == set()
    assert seconds_until_gone(cluster, victim, 60) <= 40


def test_the_many_dead_of_a_large_cluster_are_replaced() -> None:
    """Eight dead of 30 leave no election without as many living candidates as it may have."""
    names = [f"vip{number}" for number in range(40)]
    cluster = cluster_of(
        30,
        virtual_ips=[
            declared(name, addresses=[f"192.0.2.{100 + each}"]) for each, name in enumerate(names)
        ],
    )
    cluster.pass_seconds(15)
    dead = {f"n{number}" for number in range(3, 11)}
    cluster.die(*dead)
    cluster.pass_seconds(90)
    for router in cluster.routers.values():
        assert nodes_of(router).isdisjoint(dead)
        assert len(nodes_of(router)) == 8


def test_new_elections_have_living_candidates_only() -> None:
    """A newcomer must be heard, also where the placement names it."""
    cluster = settled(6)
    cluster.die("n1", "n2", "n3")
    cluster.pass_seconds(60)
    placement = {"maxCandidates": 2, "preferredNodes": ["n1", "n2"]}
    cluster.virtual_ips.append(declared("new", addresses=["192.0.2.110"], placement=placement))
    cluster.pass_seconds(2)
    assert len(nodes_of(cluster.routers["vip.shop.new"])) == 2
    assert nodes_of(cluster.routers["vip.shop.new"]) <= {"n4", "n5", "n6"}


def test_a_node_that_placement_leaves_out_stays_until_it_has_ended() -> None:
    """An edit of placement does not reach a node that is cut off: its adverts count on."""
    cluster = settled(3)
    victim = first_of(cluster.web)
    others = sorted(nodes_of(cluster.web) - {victim})
    cluster.cut.add(victim)
    cluster.pass_seconds(60)
    cluster.nodes = [node(name, {"zone": "a"}) for name in others] + [node(victim)]
    cluster.virtual_ips = [declared(placement={"nodeSelector": {"zone": "a"}})]
    cluster.pass_seconds(600)
    assert marked(cluster.web) == {victim}
    assert nodes_of(cluster.web) == {victim, *others}
    cluster.die(victim)
    cluster.pass_seconds(10)
    assert nodes_of(cluster.web) == set(others)


def test_a_node_taken_off_the_list_that_dies_before_it_knows() -> None:
    """It may run the election still: it is put back on the list, marked, until it has ended."""
    cluster = settled(3)
    victim = first_of(cluster.web)
    others = sorted(nodes_of(cluster.web) - {victim})
    cluster.nodes = [node(name, {"zone": "a"}) for name in others] + [node(victim)]
    cluster.virtual_ips = [declared(placement={"nodeSelector": {"zone": "a"}})]
    cluster.cut.add(victim)
    cluster.round()
    assert nodes_of(cluster.web) == set(others)
    cluster.pass_seconds(60)
    assert marked(cluster.web) == {victim}
    cluster.virtual_ips = []
    cluster.pass_seconds(600)
    assert cluster.web.spec.retired
    cluster.die(victim)
    cluster.pass_seconds(15)
    assert cluster.routers == {}


def test_a_node_that_runs_what_it_is_not_listed_in_and_dies() -> None:
    """An operator that began later knows of it by its report: others are asked for it, too."""
    cluster = settled(3)
    victim = first_of(cluster.web)
    spec = cluster.web.spec
    others = tuple(each for each in spec.candidates if each.node != victim)
    cluster.nodes = [node(each.node, {"zone": "a"}) for each in others] + [node(victim)]
    cluster.virtual_ips = [declared(placement={"nodeSelector": {"zone": "a"}})]
    cluster.cut.add(victim)
    cluster.round()
    cluster.claim(victim)
    cluster.restart()
    cluster.pass_seconds(60)
    assert marked(cluster.web) == {victim}
    assert all(each.sources for each in cluster.web.spec.candidates)
    cluster.die(victim)
    cluster.pass_seconds(10)
    assert victim not in nodes_of(cluster.web)


@pytest.mark.parametrize("restart_at", [None, 5, 30, 34])
def test_a_deleted_virtual_ip_waits_for_the_end_of_a_dead_candidate(
    restart_at: int | None,
) -> None:
    """It is deleted when neighbours say so, whatever the operator remembers of it."""
    cluster = settled(3)
    cluster.die("n2")
    cluster.virtual_ips = []
    for second in range(100):
        if second == restart_at:
            cluster.restart()
        cluster.pass_seconds(1)
        if not cluster.routers:
            break
    assert second <= 42 + (restart_at or 0)


def test_a_retired_election_without_living_candidates_finds_neighbours() -> None:
    """Others on the link are asked whether its candidates are there."""
    cluster = settled(5, most=2)
    victims = nodes_of(cluster.web)
    cluster.die(*victims)
    cluster.virtual_ips = []
    cluster.pass_seconds(60)
    assert cluster.routers == {}


def test_a_deleted_virtual_ip_waits_for_a_candidate_that_is_cut_off() -> None:
    """Its engine may hold the address: the record stays, whatever became of the Node object."""
    cluster = settled(3)
    cluster.cut.add("n2")
    cluster.nodes = [each for each in cluster.nodes if each.name != "n2"]
    cluster.virtual_ips = []
    cluster.pass_seconds(3600)
    assert cluster.web.spec.retired
    cluster.revive("n2")
    cluster.pass_seconds(2)
    assert cluster.routers == {}


def test_one_neighbour_of_two_that_hears_nothing_is_not_enough() -> None:
    """Two living neighbours must agree, and one that hears it outvotes all."""
    cluster = settled(3)
    cluster.die("n2")
    cluster.virtual_ips = []
    cluster.pass_seconds(20)
    cluster.reports["n1"] = True
    cluster.pass_seconds(600)
    assert "n2" in marked(cluster.web)
    cluster.reports["n1"] = None
    cluster.pass_seconds(600)
    assert "n2" in marked(cluster.web)
    del cluster.reports["n1"]
    cluster.pass_seconds(2)
    assert cluster.routers == {}


def test_a_node_that_is_out_of_service_has_ended() -> None:
    """NotReady and the taint are an administrator's word that it is shut down."""
    cluster = settled(3)
    cluster.die("n2")
    cluster.virtual_ips = []
    cluster.reports = dict.fromkeys(("n1", "n3"))
    cluster.pass_seconds(60)
    assert cluster.web.spec.retired
    cluster.nodes[1] = msgspec.structs.replace(
        node("n2"),
        spec=NodeSpec(taints=(Taint(key=OUT_OF_SERVICE),)),
        status=msgspec.structs.replace(
            node("n2").status, conditions=(NodeCondition(type="Ready", status="Unknown"),)
        ),
    )
    cluster.pass_seconds(2)
    assert cluster.routers == {}


def test_a_speaker_without_a_lease_is_no_newcomer() -> None:
    """What is left of a node that was removed takes no slot."""
    cluster = settled(4, most=2)
    gone = sorted({"n1", "n2", "n3", "n4"} - nodes_of(cluster.web))
    for name in gone:
        del cluster.applied[name]
    cluster.pass_seconds(60)
    cluster.virtual_ips.append(
        declared("new", addresses=["192.0.2.110"], placement={"maxCandidates": 4})
    )
    cluster.pass_seconds(2)
    assert nodes_of(cluster.routers["vip.shop.new"]).isdisjoint(gone)
