"""The status of a VirtualIP: routers, candidates, and what is written when."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from support.operator_facts import WEB, Cluster, clock, service, statuses, unreadable
from support.resources import lan, speaker
from support.status_scene import web
from vip_model.planning.planned_status import PlannedStatus
from vip_model.resources.speaker import ReportedInterface, SpeakerStatus
from vip_model.resources.virtual_ip import CandidateSummary, RouterSummary
from vip_model.vocabulary import Family, Reason, State
from vip_operator.core.reporting.virtual_ip_status import StatusKeeper


def shown(cluster: Cluster, node: str) -> CandidateSummary:
    """Return what the status shows of a candidate after a round of a new operator."""
    cluster.round(StatusKeeper())
    return next(each for each in cluster.status().candidates.top if each.node == node)


# --- what is written -----------------------------------------------------------------------------


def test_the_write_is_fenced() -> None:
    """A status is written for the very object that was judged."""
    cluster = web()
    (change,) = statuses(cluster.round(StatusKeeper()))
    assert (change.namespace, change.name) == ("shop", "web")
    assert (change.uid, change.resource_version) == ("uid-web", "1")
    assert change.status.observed_generation == 1
    assert change.status.address_summary == "192.0.2.100"


def test_what_is_there_is_not_written_again() -> None:
    """A second round, and a new operator, write nothing, however late it is."""
    cluster = web()
    cluster.claim("n1")
    keeper = StatusKeeper()
    cluster.round(keeper)
    for other in (keeper, StatusKeeper()):
        cluster.wait(20)
        assert cluster.round(other).changes == ()


def test_a_new_generation_is_written() -> None:
    """An edit that changes nothing else is acknowledged in observedGeneration."""
    cluster = web()
    keeper = StatusKeeper()
    cluster.round(keeper)
    cluster.declare()
    (change,) = statuses(cluster.round(keeper))
    assert change.status.observed_generation == 2


def test_only_who_changed_is_written() -> None:
    """A move writes the status of the VirtualIP that moved and of no other."""
    cluster = web()
    cluster.declare("db", addresses=["192.0.2.101"])
    keeper = StatusKeeper()
    cluster.round(keeper)
    cluster.claim("n1", "vip.shop.db")
    assert [each.name for each in statuses(cluster.round(keeper))] == ["db"]


def test_statuses_come_before_services_and_events() -> None:
    """Whoever reads an event finds the status written."""
    cluster = Cluster(services=[service()])
    cluster.declare(serviceRef={"name": "nginx"})
    cluster.claim("n1")
    kinds = [type(each).__name__ for each in cluster.round(StatusKeeper()).changes]
    assert kinds == ["SetStatus", "SetIngress", "EmitEvent"]


def test_a_virtual_ip_that_is_not_planned_yet_waits() -> None:
    """What the plan says nothing of gets no status."""
    cluster = web()
    facts = cluster.facts()
    empty = type(facts.plan)((), (), (), frozenset(), {})
    changed = type(facts)(facts.snapshot, empty, facts.heartbeats, facts.now)
    assert StatusKeeper().round(changed).changes == ()


# --- routers -------------------------------------------------------------------------------------


def test_one_entry_per_instance() -> None:
    """A VirtualIP of two families has two routers with one holder and its interface."""
    cluster = web(addresses=["192.0.2.100", "2001:db8::100"])
    cluster.claim("n2", since=50)
    cluster.round(StatusKeeper())
    common = {"name": WEB, "interface": "eth0", "active_node": "n2", "active_since": clock(50)}
    vrid = cluster.routers[0].spec.instances[0].virtual_router_id
    assert msgspec.to_builtins(cluster.status().routers) == msgspec.to_builtins(
        tuple(RouterSummary(family=family, virtual_router_id=vrid, **common) for family in Family)
    )
    assert cluster.status().address_summary == "192.0.2.100 (+1)"


def test_a_member_of_a_group_shows_its_own_virtual_routers() -> None:
    """Those that carry none of its addresses are not its own; all share the holder."""
    cluster = Cluster()
    cluster.declare("a", addresses=["192.0.2.101"], group="front")
    cluster.declare("b", addresses=["192.0.2.102", "2001:db8::102"], group="front")
    cluster.claim("n2", "group.shop.front")
    cluster.round(StatusKeeper())
    found = {name: cluster.status(name).routers for name in ("a", "b")}
    assert [each.family for each in found["a"]] == [Family.IPV4]
    assert [each.family for each in found["b"]] == [Family.IPV4, Family.IPV6]
    assert {each.active_node for routers in found.values() for each in routers} == {"n2"}


def test_an_unreadable_member_of_a_group_shows_its_own_addresses() -> None:
    """What runs for a VirtualIP that cannot be parsed is known from the VirtualRouter."""
    cluster = Cluster()
    cluster.declare("a", addresses=["192.0.2.101"], group="front")
    cluster.declare("b", addresses=["192.0.2.102", "192.0.2.103"], group="front")
    cluster.write_routers()
    del cluster.virtual_ips["shop/b"]
    cluster.unreadable.append(unreadable("b"))
    found = statuses(cluster.round(StatusKeeper()))
    assert {each.name: each.status.address_summary for each in found}["b"] == "192.0.2.102 (+1)"


def test_nobody_holds_it() -> None:
    """Without a holder routers have VRIDs and neither node nor interface."""
    cluster = web()
    cluster.round(StatusKeeper())
    (router,) = cluster.status().routers
    assert (router.active_node, router.active_since, router.interface) == ("", "", "")
    assert router.virtual_router_id > 0


def test_a_router_that_is_not_written_yet_is_shown() -> None:
    """The VRID is shown with the first status; nobody stands by before the router is written."""
    cluster = Cluster()
    cluster.declare()
    cluster.round(StatusKeeper(), written=False)
    assert cluster.status().routers[0].virtual_router_id > 0
    assert (cluster.status().candidates.total, cluster.status().candidates.standby) == (3, 0)


@pytest.mark.parametrize(
    ("interfaces", "expected"),
    [
        ({"eth0": ["192.0.2.1/24"]}, "eth0"),
        ({"br0": ["198.51.100.1/24"], "eth1": ["192.0.2.1/24"]}, "eth1"),
        ({"eth0": ["fe80::1/64"], "eth1": ["192.0.2.1/24", "fe80::2/64"]}, "eth1"),
    ],
)
def test_the_interface_is_the_one_in_the_subnet(
    interfaces: dict[str, list[str]], expected: str
) -> None:
    """The interface shown is the holder's in the subnet of the address."""
    cluster = Cluster(speakers={"n1": speaker("n1", interfaces)})
    cluster.declare()
    cluster.claim("n1")
    cluster.round(StatusKeeper())
    assert cluster.status().routers[0].interface == expected


def test_a_holder_that_is_no_candidate_has_an_interface_too() -> None:
    """Where the plan names no interface of the holder, its report does; nonsense does no harm."""
    cluster = web(placement={"preferredNodes": ["n1"], "maxCandidates": 1})
    cluster.claim("n3")
    status = cluster.speakers["n3"].status
    odd = ReportedInterface(name="odd0", subnets=("no subnet",))
    changed = SpeakerStatus(interfaces=(odd, *status.interfaces), active=status.active)
    cluster.speakers["n3"] = msgspec.structs.replace(cluster.speakers["n3"], status=changed)
    cluster.round(StatusKeeper())
    assert cluster.status().active_node == "n3"
    assert cluster.status().routers[0].interface == "eth0"


# --- candidates ----------------------------------------------------------------------------------


def test_a_healthy_cluster() -> None:
    """One holds it, the others stand by, and all are listed by slot."""
    cluster = web(placement={"preferredNodes": ["n3", "n1", "n2"]})
    cluster.claim("n3", reason="ActiveDown")
    cluster.round(StatusKeeper())
    found = cluster.status().candidates
    assert (found.total, found.standby, found.failing) == (3, 2, 0)
    lines = [
        (e.node, e.rank, e.priority, e.effective_priority, e.state, e.reason) for e in found.top
    ]
    assert lines == [
        ("n3", 1, 254, 254, "Active", "ActiveDown"),
        ("n1", 2, 251, 251, "Backup", ""),
        ("n2", 3, 248, 248, "Backup", ""),
    ]


def test_at_most_eight_are_shown() -> None:
    """Of many candidates the first eight are listed, and all are counted."""
    cluster = Cluster(speakers={each.node: each for each in lan(12)})
    cluster.declare(placement={"maxCandidates": 12})
    cluster.round(StatusKeeper())
    found = cluster.status().candidates
    assert (found.total, found.standby) == (12, 12)
    assert [each.rank for each in found.top] == list(range(1, 9))


@pytest.mark.parametrize(
    ("report", "failing", "effective"),
    [
        (
            {"reason": "GateFailed", "yielding": True, "failing_gates": ("nginx",)},
            1,
            144,
        ),
        ({"reason": "GateFailing", "failing_gates": ("nginx", "web")}, 1, 141),
        ({"reason": "GateUnknown", "message": "Gate failover is unknown: it fails"}, 0, 254),
        ({"reason": "GateStale", "message": "Gate nginx is stale, it was Passing"}, 0, 254),
        (
            {
                "state": State.INITIALIZE,
                "reason": "VersionUnreadable",
                "withdrawn": True,
                "failing_gates": ("nginx",),
            },
            1,
            0,
        ),
        (
            {"state": State.INITIALIZE, "reason": "NotPlaceable", "message": "no gates fail here"},
            0,
            0,
        ),
        ({"reason": "Overslept"}, 0, 254),
    ],
)
def test_abnormal_candidates(report: dict[str, Any], failing: int, effective: int) -> None:
    """Who reports something wrong does not stand by; it is failing if it names failing gates."""
    cluster = web(placement={"preferredNodes": ["n1", "n2", "n3"]})
    state = report.get("state", State.BACKUP)
    cluster.abnormal("n1", **{"state": state, "effective_priority": effective, **report})
    line = shown(cluster, "n1")
    assert (line.state, line.reason, line.effective_priority) == (
        state,
        report["reason"],
        effective,
    )
    assert line.message == report.get("message", "")
    found = cluster.status().candidates
    assert (found.standby, found.failing) == (2, failing)


def test_a_report_without_a_priority() -> None:
    """An agent of an earlier version reports no priority: the base one is shown."""
    cluster = web(placement={"preferredNodes": ["n1", "n2", "n3"]})
    cluster.abnormal("n1", "Overslept", State.BACKUP)
    assert shown(cluster, "n1").effective_priority == 254


def test_a_failing_holder() -> None:
    """A holder whose gates fail is failing, with the priority that its engine reports."""
    cluster = web(placement={"preferredNodes": ["n1", "n2", "n3"]})
    cluster.claim("n2", failing=["nginx"], effective_priority=143)
    line = shown(cluster, "n2")
    assert (line.state, line.effective_priority) == (State.ACTIVE, 143)
    assert cluster.status().candidates.failing == 1


def test_a_holder_with_a_stale_gate() -> None:
    """A holder that is also listed as abnormal is Active, and not failing for that."""
    cluster = web(placement={"preferredNodes": ["n1", "n2", "n3"]})
    message = "Gate nginx is stale, it was Passing: HTTP 200"
    cluster.abnormal("n1", Reason.GATE_STALE, State.ACTIVE, message=message)
    abnormal = cluster.speakers["n1"].status.abnormal
    cluster.claim("n1")
    cluster._report("n1", abnormal=abnormal)
    line = shown(cluster, "n1")
    assert (line.state, line.reason, line.message) == (State.ACTIVE, "ActiveDown", message)
    assert line.effective_priority == 254
    assert cluster.status().candidates.failing == 0


def test_silent_candidates() -> None:
    """A node whose heartbeat is stale, or that has none, is Unknown and does not stand by."""
    cluster = web()
    cluster.silent.add("n1")
    cluster.wait(30)
    del cluster.changed["n2"]
    line = shown(cluster, "n1")
    assert (line.state, line.reason) == ("Unknown", Reason.NO_HEARTBEAT)
    assert shown(cluster, "n2").reason == Reason.NO_HEARTBEAT
    assert cluster.status().candidates.standby == 1


def test_a_candidate_that_never_applied_it() -> None:
    """A speaker that does not run the router yet does not stand by."""
    cluster = web()
    cluster.applied["n2"] = 0
    line = shown(cluster, "n2")
    assert (line.state, line.reason) == ("Unknown", Reason.NOT_APPLIED)
    assert cluster.status().candidates.standby == 2


def test_an_edit_does_not_take_the_standby_away() -> None:
    """Who ran the revision before stands by for 5 s more while it takes the new one."""
    cluster = web()
    keeper = StatusKeeper()
    cluster.applied = dict.fromkeys(cluster.speakers, 1)
    cluster.round(keeper)
    cluster.declare(vrrp={"advertisementIntervalMilliseconds": 500})
    cluster.write_routers()
    assert cluster.routers[0].spec.revision == 2
    cluster.round(keeper)
    assert cluster.status().candidates.standby == 3
    cluster.wait(5)
    cluster.applied["n1"] = 2
    cluster.round(keeper)
    assert cluster.status().candidates.standby == 3
    cluster.wait(0.001)
    cluster.round(keeper)
    assert cluster.status().candidates.standby == 1


def test_times_are_utc_in_whole_seconds() -> None:
    """Times are written as the API server writes its own."""
    cluster = web()
    cluster.round(StatusKeeper())
    assert cluster.condition("Bound").last_transition_time == "2026-01-01T00:01:40Z"


def test_the_planned_status_is_what_accepted_says() -> None:
    """Accepted is the plan's own condition."""
    cluster = web()
    planned: PlannedStatus = cluster.facts().plan.statuses[0]
    cluster.round(StatusKeeper())
    timeless = msgspec.structs.replace(cluster.condition("Accepted"), last_transition_time="")
    assert timeless == planned.condition()
