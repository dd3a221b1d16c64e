"""Rounds of the operator: what goes into the plan, when it is looked at again, what comes out."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from support.planned_cluster import WEB, PlannedCluster, declared
from support.resources import lan, node, slots_of
from vip_model.planning.inputs import AddressPolicy, Pod
from vip_model.schema.errors import Problem
from vip_operator.core.changes import CreateRouter, SetStatus, UpdateRouter
from vip_operator.core.known.round_inputs import SECOND_NS, STALE_AFTER_NS
from vip_operator.core.known.snapshot import EndpointSliceObject, ServiceObject, UnreadableVirtualIP
from vip_operator.core.reconcile import Reconciler
from vip_operator.core.settings import OperatorSettings


def service(name: str = "nginx", local: bool = True) -> ServiceObject:
    """Return a Service."""
    return ServiceObject(
        namespace="shop", name=name, uid="s", resource_version="1", type="ClusterIP", local=local
    )


# --- into the plan -------------------------------------------------------------------------------


def test_a_round_writes_routers_and_statuses() -> None:
    """A new VirtualIP gets its election and is told that it is accepted."""
    found = PlannedCluster().look()
    assert [type(each) for each in found.router_changes] == [CreateRouter]
    (status,) = (each for each in found.status_changes if isinstance(each, SetStatus))
    assert (status.namespace, status.name, status.uid) == ("shop", "web", "uid-web")
    assert found.plan.statuses[0].accepted
    assert found.heartbeats.keys() == {"n1", "n2", "n3"}
    assert found.warnings == ()


def test_the_settings_reach_the_plan() -> None:
    """Address policy and reserved VRIDs are judged as they were set."""
    cluster = PlannedCluster()
    cluster.reconciler = Reconciler(OperatorSettings(address_policy=AddressPolicy.POOLS_ONLY))
    assert cluster.look().plan.statuses[0].reason == "NotInPool"
    cluster = PlannedCluster([declared(vrrp={"virtualRouterID": 9})])
    reserved = OperatorSettings(reserved_virtual_router_ids=frozenset({9}))
    cluster.reconciler = Reconciler(reserved)
    assert cluster.look().plan.statuses[0].reason == "VirtualRouterIDInUse"


def test_a_gate_that_is_not_built_is_refused() -> None:
    """A kind of gate that no speaker has is refused by name instead of failing on the nodes."""
    gates = [{"name": "gw", "ping": {"host": "192.0.2.254"}}]
    cluster = PlannedCluster([declared(gates=gates)])
    assert cluster.look().plan.statuses[0].reason == "NotSupported"


def test_nodes_with_ready_endpoints_come_first() -> None:
    """The slices of a Service are taken together, and its nodes get the first slots."""
    cluster = PlannedCluster([declared(serviceRef={"name": "nginx"})])
    cluster.parts = {
        "services": (service(),),
        "endpoint_slices": tuple(
            EndpointSliceObject("shop", "nginx", frozenset({name})) for name in ("n1", "n3")
        ),
    }
    cluster.round()
    assert slots_of(cluster.web)["n2"] == 2
    cluster = PlannedCluster([declared(serviceRef={"name": "missing"})])
    assert "no Service missing" in cluster.look().plan.warnings[0].message


def test_nodes_with_ready_pods_come_first() -> None:
    """Pods that a gate selects decide about the slots, those that are not ready do not."""
    gates = [{"name": "app", "pods": {"selector": {"matchLabels": {"app": "web"}}}}]
    for ready_on in ("n1", "n2", "n3"):
        cluster = PlannedCluster([declared(gates=gates)])
        cluster.parts = {
            "pods": tuple(
                Pod("shop", name, {"app": "web"}, ready=name == ready_on)
                for name in ("n1", "n2", "n3")
            )
        }
        cluster.round()
        assert slots_of(cluster.web)[ready_on] == 0


def test_a_virtual_ip_that_is_being_deleted_counts_as_gone() -> None:
    """Somebody's finalizer on a VirtualIP does not keep its election, and it is told nothing."""
    cluster = PlannedCluster()
    cluster.settle()
    cluster.virtual_ips = [declared(deleting=True)]
    found = cluster.look()
    (change,) = found.router_changes
    assert isinstance(change, UpdateRouter)
    assert change.router.spec.retired
    assert found.plan.statuses == ()
    assert not any(isinstance(each, SetStatus) for each in found.status_changes)


def test_what_was_allocated_for_an_unreadable_virtual_ip_stays() -> None:
    """A VirtualIP that was broken by an edit keeps its election, and is told what is wrong."""
    cluster = PlannedCluster()
    cluster.settle()
    cluster.virtual_ips = []
    problem = Problem("VirtualIP shop/web", "spec.adresses", "there is no such field")
    broken = UnreadableVirtualIP("shop", "web", "uid-web", "8", 2, (problem,))
    cluster.parts = {"unreadable": (broken,)}
    found = cluster.look()
    assert found.router_changes == ()
    (status,) = (each for each in found.status_changes if isinstance(each, SetStatus))
    assert "there is no such field" in status.status.conditions[0].message


# --- waiting for reports -------------------------------------------------------------------------


def test_nodes_that_were_just_seen_are_waited_for() -> None:
    """Until every node reports, or for 5 s, other than preferred nodes get no slot."""
    cluster = PlannedCluster(speakers=lan(2))
    found = cluster.look()
    assert found.plan.virtual_routers[0].spec.candidates == ()
    assert found.due_ns == 5 * SECOND_NS
    cluster.pass_time(4.9)
    assert cluster.look().plan.virtual_routers[0].spec.candidates == ()
    cluster.pass_time(0.1)
    found = cluster.look()
    assert slots_of(found.plan.virtual_routers[0]).keys() == {"n1", "n2"}
    assert found.due_ns == STALE_AFTER_NS + 1


def test_once_every_node_reports_nothing_is_waited_for() -> None:
    """The last report ends the wait."""
    cluster = PlannedCluster(speakers=lan(2))
    cluster.look()
    cluster.pass_time(1)
    cluster.speakers = lan(3)
    assert slots_of(cluster.look().plan.virtual_routers[0]).keys() == {"n1", "n2", "n3"}


def test_each_node_has_its_own_five_seconds() -> None:
    """A node that joins later is waited for from then on."""
    cluster = PlannedCluster()
    cluster.look()
    cluster.pass_time(60)
    cluster.nodes.append(node("n4"))
    found = cluster.look()
    assert found.due_ns == 65 * SECOND_NS
    cluster.pass_time(5)
    due_ns = cluster.look().due_ns
    assert due_ns is None or due_ns > cluster.now_ns


# --- time and repetition -------------------------------------------------------------------------


def test_a_round_is_due_when_a_heartbeat_goes_stale() -> None:
    """Without any event the next look is at the moment at which a speaker counts as silent."""
    cluster = PlannedCluster()
    cluster.settle()
    cluster.pass_time(2)
    cluster.apply()
    due_ns = cluster.look().due_ns
    assert due_ns is not None
    assert cluster.now_ns < due_ns <= cluster.now_ns + STALE_AFTER_NS + 1


def test_a_plan_is_not_made_again_for_leases() -> None:
    """A renewed Lease changes heartbeats, and the plan is the one that was made before."""
    cluster = PlannedCluster()
    cluster.settle()
    before = cluster.look()
    cluster.applied["n1"] += 1
    after = cluster.look()
    assert after.plan is before.plan
    assert after.heartbeats["n1"].applied_revision == before.heartbeats["n1"].applied_revision + 1


def test_a_plan_is_made_again_for_everything_else() -> None:
    """A change of any other part, and the end of the wait for reports, brings a new plan."""
    cluster = PlannedCluster(speakers=lan(2))
    cluster.settle()
    plans = [cluster.look().plan]
    changes: list[dict[str, Any]] = [
        {"services": (service(),)},
        {"endpoint_slices": (EndpointSliceObject("shop", "nginx", frozenset({"n1"})),)},
        {"pods": (Pod("shop", "n1", {}),)},
        {"speakers": lan(1)},
        {"nodes": (node("n1"),)},
        {"virtual_ips": (declared(), declared("other", addresses=["192.0.2.101"]))},
    ]
    for change in changes:
        cluster.parts |= change
        plans.append(cluster.look().plan)
    assert all(one is not two for one, two in itertools.pairwise(plans))
    waiting = PlannedCluster(speakers=lan(2))
    first = waiting.look().plan
    waiting.pass_time(5)
    assert waiting.look().plan is not first


@pytest.mark.parametrize("count", [1, 5])
def test_rounds_come_to_rest(count: int) -> None:
    """However many VirtualIPs there are, one round creates all, and the next writes nothing."""
    virtual_ips = [
        declared(f"web{number}", addresses=[f"192.0.2.{100 + number}"]) for number in range(count)
    ]
    cluster = PlannedCluster(virtual_ips)
    assert len(cluster.round()) == count
    assert cluster.round() == ()


def test_the_order_of_events_does_not_matter_for_the_result() -> None:
    """An operator that was restarted after every round ends with the same elections."""
    steady, restarted = PlannedCluster(), PlannedCluster()
    edits = (
        [declared(), declared("two", addresses=["192.0.2.101"])],
        [declared("two", addresses=["192.0.2.101", "192.0.2.100"])],
        [declared(addresses=["192.0.2.102"]), declared("two", addresses=["192.0.2.101"])],
    )
    for virtual_ips in edits:
        steady.virtual_ips = restarted.virtual_ips = virtual_ips
        steady.settle()
        for _each in range(8):
            restarted.restart()
            restarted.round()
            restarted.apply()
    specs = [
        {
            name: msgspec.structs.replace(router.spec, revision=0, epoch=0)
            for name, router in cluster.routers.items()
        }
        for cluster in (steady, restarted)
    ]
    assert specs[0] == specs[1]
    assert specs[0].keys() == {WEB, "vip.shop.two"}
