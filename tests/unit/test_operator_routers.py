"""Writes of VirtualRouters: revisions, epochs, retirement, and what vanished comes back."""

from __future__ import annotations

import msgspec
import pytest

from support.planned_cluster import (
    BEGIN_MILLISECONDS,
    WEB,
    PlannedCluster,
    declared,
    shows,
)
from support.resources import node, slots_of, speaker
from vip_model.planning.claims import by_name
from vip_model.resources.virtual_router import VirtualRouter
from vip_operator.core.changes import CreateRouter, DeleteRouter, UpdateRouter

TWO = ("aaa", "web")


def settled(*names: str) -> PlannedCluster:
    """Return a cluster in which elections of these names run on all nodes."""
    addresses = {name: f"192.0.2.{100 + place}" for place, name in enumerate(names or ("web",))}
    cluster = PlannedCluster([declared(name, addresses=[one]) for name, one in addresses.items()])
    cluster.settle()
    return cluster


def virtual_router_id(router: VirtualRouter) -> int:
    """Return the VRID of an election."""
    return router.spec.instances[0].virtual_router_id


def changed(cluster: PlannedCluster, **spec: object) -> None:
    """Replace fields of the stored spec of shop/web, as if an earlier operator had written them."""
    before = cluster.web
    spec_after = msgspec.structs.replace(before.spec, **spec)
    cluster.routers[WEB] = msgspec.structs.replace(before, spec=spec_after)


def report_active(cluster: PlannedCluster, name: str, *routers: str) -> None:
    """Let a node report that it is Active for routers."""
    number = int(name.removeprefix("n"))
    report = speaker(name, {"eth0": [f"192.0.2.{number}/24"]}, active=routers)
    cluster.speakers = [report if each.node == name else each for each in cluster.speakers]


# --- revisions -----------------------------------------------------------------------------------


def test_a_new_election_is_created_with_epoch_and_revision() -> None:
    """The first write carries our epoch and a revision that is not below the Unix time in ms."""
    cluster = PlannedCluster(epoch=7)
    (change,) = cluster.round()
    assert isinstance(change, CreateRouter)
    assert change.router.spec.epoch == 7
    assert change.router.spec.revision > BEGIN_MILLISECONDS


def test_what_is_as_planned_is_not_written_again() -> None:
    """Once the plan is what is stored, nothing is written, whatever time does."""
    cluster = settled()
    cluster.pass_time(100)
    assert cluster.round() == ()


def test_every_new_content_gets_a_revision_of_its_own_in_the_order_of_writing() -> None:
    """Retirements come first, then updates, creates and deletes; revisions grow in that order."""
    cluster = settled("ended", "gone", "kept")
    cluster.virtual_ips = [each for each in cluster.virtual_ips if each.metadata.name != "ended"]
    cluster.round()
    cluster.apply()  # "ended" is acknowledged: it is to be deleted in the next round
    cluster.virtual_ips = [
        declared("fresh", addresses=["192.0.2.110"]),
        declared("kept", addresses=["192.0.2.102", "192.0.2.111"]),
    ]
    before = max(each.spec.revision for each in cluster.routers.values())
    changes = cluster.round()
    assert [(type(each), each.router.name) for each in changes] == [
        (UpdateRouter, "vip.shop.gone"),
        (UpdateRouter, "vip.shop.kept"),
        (CreateRouter, "vip.shop.fresh"),
        (DeleteRouter, "vip.shop.ended"),
    ]
    assert changes[0].router.spec.retired
    revisions = [each.router.spec.revision for each in changes[:3]]
    assert before < revisions[0] < revisions[1] < revisions[2]


def test_revisions_exceed_what_is_stored_and_what_speakers_applied() -> None:
    """A clock that is far behind makes no revision that was in use before."""
    far = BEGIN_MILLISECONDS + 10**12
    stored = settled()
    changed(stored, revision=far)
    stored.virtual_ips = [declared(addresses=["192.0.2.101"])]
    assert stored.round()[0].router.spec.revision > far
    applied = PlannedCluster()
    applied.applied["n2"] = far
    assert applied.round()[0].router.spec.revision > far


def test_revisions_that_were_refused_are_not_given_again() -> None:
    """Two rounds before anything is written give different revisions."""
    cluster = PlannedCluster()
    first, second = (cluster.look().router_changes[0].router.spec.revision for _each in range(2))
    assert second > first


# --- epochs --------------------------------------------------------------------------------------


def test_a_new_leader_writes_its_epoch_once_and_keeps_revisions() -> None:
    """After a change of leader each VirtualRouter gets the new epoch and stays as it is."""
    cluster = settled(*TWO)
    before = dict(cluster.routers)
    cluster.restart()
    changes = cluster.round()
    assert all(isinstance(each, UpdateRouter) for each in changes)
    assert [each.router.name for each in changes] == sorted(before)
    for name, router in cluster.routers.items():
        assert router.spec == msgspec.structs.replace(before[name].spec, epoch=2)
    assert cluster.round() == ()


def test_a_new_leader_that_also_changes_something_gives_a_new_revision() -> None:
    """A write with new content and a new epoch has a new revision."""
    cluster = settled()
    revision = cluster.web.spec.revision
    cluster.restart()
    cluster.virtual_ips = [declared(addresses=["192.0.2.101"])]
    (change,) = cluster.round()
    assert change.router.spec.epoch == 2
    assert change.router.spec.revision > revision


@pytest.mark.parametrize("what", ["as planned", "edited", "deleted", "vanished"])
def test_a_later_leader_is_left_alone(what: str) -> None:
    """Nothing is written to a VirtualRouter of a greater epoch, and the warning says why."""
    cluster = settled(*TWO)
    changed(cluster, epoch=5)
    cluster.look()
    if what == "edited":
        cluster.virtual_ips = [cluster.virtual_ips[0], declared(addresses=["192.0.2.109"])]
    elif what == "deleted":
        del cluster.virtual_ips[1]
    elif what == "vanished":
        del cluster.routers[WEB]
    found = cluster.look()
    assert found.router_changes == ()
    (warning,) = found.warnings
    assert warning.startswith(f"VirtualRouter {WEB} was written by a later leader (epoch 5")


# --- retirement ----------------------------------------------------------------------------------


def test_a_virtual_router_is_retired_first_and_deleted_when_all_candidates_know() -> None:
    """The mark has a new revision; the last candidate that applies it sets the deletion off."""
    cluster = settled()
    before = cluster.web
    cluster.virtual_ips = []
    (change,) = cluster.round()
    assert isinstance(change, UpdateRouter)
    retired = cluster.web.spec
    assert retired == msgspec.structs.replace(before.spec, retired=True, revision=retired.revision)
    assert retired.revision > before.spec.revision
    for name in ("n1", "n2"):
        cluster.apply([name])
        assert cluster.round() == ()
    cluster.apply(["n3"])
    stored = cluster.web
    assert cluster.round() == (DeleteRouter(stored),)
    assert cluster.routers == {}
    assert cluster.round() == ()


def test_a_candidate_whose_node_object_is_gone_is_waited_for() -> None:
    """A Node that was deleted says nothing of the engine: it may hold the address still."""
    cluster = settled()
    cluster.virtual_ips = []
    cluster.round()
    cluster.apply(["n1", "n2"])
    cluster.nodes = [each for each in cluster.nodes if each.name != "n3"]
    assert cluster.round() == ()
    cluster.apply(["n3"])
    assert [type(each) for each in cluster.round()] == [DeleteRouter]


def test_a_candidate_without_a_lease_is_waited_for() -> None:
    """A node that exists and has no heartbeat may still run the election."""
    cluster = settled()
    del cluster.applied["n3"]
    cluster.virtual_ips = []
    cluster.round()
    cluster.apply()
    assert cluster.round() == ()


def test_a_node_that_reports_the_router_is_waited_for() -> None:
    """A node that is no candidate and says that it is Active has to apply the retirement too."""
    cluster = settled()
    changed(cluster, candidates=cluster.web.spec.candidates[:2])
    cluster.restart()
    missing = ({"n1", "n2", "n3"} - slots_of(cluster.web).keys()).pop()
    report_active(cluster, missing, WEB)
    cluster.virtual_ips = []
    cluster.round()
    cluster.apply(slots_of(cluster.web))
    assert cluster.round() == ()
    cluster.apply()
    assert [type(each) for each in cluster.round()] == [DeleteRouter]


def test_a_former_candidate_that_never_heard_of_it_is_waited_for() -> None:
    """A node that was cut off when it ceased to be a candidate still runs the election."""
    cluster = settled()
    cluster.nodes[2] = node("n3", {"zone": "b"})
    cluster.nodes[:2] = [node("n1", {"zone": "a"}), node("n2", {"zone": "a"})]
    cluster.virtual_ips = [declared(placement={"nodeSelector": {"zone": "a"}})]
    cluster.round()
    assert slots_of(cluster.web).keys() == {"n1", "n2"}
    cluster.apply(["n1", "n2"])
    cluster.virtual_ips = []
    cluster.round()
    cluster.apply(["n1", "n2"])
    assert cluster.round() == ()
    cluster.apply(["n3"])
    assert [type(each) for each in cluster.round()] == [DeleteRouter]


def test_a_former_candidate_that_knows_is_not_waited_for() -> None:
    """A node that has applied its removal from the candidates does not hinder the deletion."""
    cluster = settled()
    cluster.nodes = [node(f"n{each}", {"zone": "ab"[each // 3]}) for each in (1, 2, 3)]
    cluster.virtual_ips = [declared(placement={"nodeSelector": {"zone": "a"}})]
    cluster.settle()
    cluster.virtual_ips = []
    cluster.round()
    cluster.apply(["n1", "n2"])
    assert [type(each) for each in cluster.round()] == [DeleteRouter]


def test_an_election_without_candidates_ends_at_once() -> None:
    """Where no node can run it, nobody has to acknowledge its end."""
    cluster = PlannedCluster(speakers=[])
    cluster.pass_time(10)
    cluster.settle()
    cluster.virtual_ips = []
    cluster.round()
    assert [type(each) for each in cluster.round()] == [DeleteRouter]


def test_a_deletion_that_was_asked_for_is_not_asked_for_again() -> None:
    """A retired VirtualRouter that only a finalizer keeps is left alone."""
    cluster = settled()
    cluster.virtual_ips = []
    cluster.round()
    cluster.apply()
    router = cluster.web
    metadata = msgspec.structs.replace(router.metadata, deletion_timestamp="2026-11-03T10:00:00Z")
    cluster.routers[WEB] = msgspec.structs.replace(router, metadata=metadata)
    assert cluster.round() == ()


@pytest.mark.parametrize("acknowledged", [False, True])
def test_a_virtual_ip_that_comes_back_before_the_deletion(acknowledged: bool) -> None:
    """The retired election runs again, with its VRID, a new revision and all candidates."""
    cluster = settled()
    before = cluster.web
    cluster.virtual_ips = []
    cluster.round()
    retired = cluster.web.spec.revision
    if acknowledged:
        cluster.apply()
        cluster.look()  # the deletion is wanted, and refused for whatever reason
    cluster.virtual_ips = [declared()]
    (change,) = cluster.round()
    assert isinstance(change, UpdateRouter)
    assert not cluster.web.spec.retired
    assert cluster.web.spec.revision > retired
    assert virtual_router_id(cluster.web) == virtual_router_id(before)
    assert slots_of(cluster.web) == slots_of(before)
    cluster.apply()
    assert cluster.round() == ()


# --- what vanished -------------------------------------------------------------------------------


def odd_cluster() -> PlannedCluster:
    """Return a cluster whose election has a VRID and slots that a new one would not have."""
    cluster = settled()
    report_active(cluster, "n2", WEB)
    cluster.settle()
    spec = cluster.web.spec
    candidates = [
        msgspec.structs.replace(each, node=other.node, sources=other.sources)
        for each, other in zip(spec.candidates, reversed(spec.candidates), strict=True)
    ]
    instances = [msgspec.structs.replace(each, virtual_router_id=199) for each in spec.instances]
    assert by_name(WEB) != 199
    changed(cluster, candidates=tuple(candidates), instances=tuple(instances))
    assert cluster.round() == ()
    return cluster


def test_a_virtual_router_deleted_by_hand_comes_back_as_it_was() -> None:
    """VRID, slots, addresses and the mark that it ran are kept; uid and revision are new."""
    cluster = odd_cluster()
    before = cluster.web
    del cluster.routers[WEB]
    (change,) = cluster.round()
    assert isinstance(change, CreateRouter)
    assert change.router.metadata.resource_version == ""
    assert not before.spec.bootstrap
    assert cluster.web.spec == msgspec.structs.replace(
        before.spec, revision=cluster.web.spec.revision
    )
    assert cluster.web.spec.revision > before.spec.revision
    assert cluster.round() == ()


def test_all_virtual_routers_deleted_at_once() -> None:
    """A CRD that was deleted and restored: every election comes back with its VRID."""
    cluster = settled(*TWO)
    before = {name: virtual_router_id(router) for name, router in cluster.routers.items()}
    cluster.routers = {}
    cluster.look()  # refused, since the CRD is not back yet
    cluster.round()
    assert {name: virtual_router_id(each) for name, each in cluster.routers.items()} == before


def test_a_virtual_ip_that_goes_while_its_router_is_missing() -> None:
    """Speakers still run it, so it comes back as retired and is deleted when they know."""
    cluster = settled()
    cluster.routers = {}
    cluster.virtual_ips = []
    (change,) = cluster.round()
    assert isinstance(change, CreateRouter)
    assert change.router.spec.retired
    assert cluster.round() == ()
    cluster.apply()
    assert [type(each) for each in cluster.round()] == [DeleteRouter]
    assert cluster.round() == ()


def test_a_retired_router_deleted_by_hand_too_early_comes_back_retired() -> None:
    """Deleting it does not tell a node that was cut off; its address stays taken until then."""
    cluster = settled()
    cluster.virtual_ips = []
    cluster.round()
    cluster.apply(["n1"])
    cluster.look()
    cluster.routers = {}
    cluster.virtual_ips = [declared("other")]  # the same address
    found = cluster.look()
    (change,) = found.router_changes
    assert change.router.name == WEB
    assert change.router.spec.retired
    assert found.plan.statuses[0].reason == "AddressInUse"


def test_a_retired_router_deleted_by_hand_after_all_knew_stays_away() -> None:
    """What was acknowledged by all is over, whoever deletes it."""
    cluster = settled()
    cluster.virtual_ips = []
    cluster.round()
    cluster.look()  # it sees the mark
    cluster.apply()
    cluster.routers = {}
    assert cluster.round() == ()


def test_after_a_restart_the_status_tells_the_virtual_router_id() -> None:
    """An operator that never saw the VirtualRouter takes the VRID from the status."""
    cluster = odd_cluster()
    cluster.virtual_ips = [shows(declared(), cluster.web)]
    cluster.routers = {}
    cluster.restart()
    cluster.round()
    assert virtual_router_id(cluster.web) == 199
    assert not cluster.web.spec.bootstrap
