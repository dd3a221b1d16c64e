"""The conditions of a VirtualIP: every status and reason, and when their times change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from support.operator_facts import START, WEB, Cluster, clock, statuses, unreadable
from support.resources import lan
from vip_model.resources.metadata import Condition
from vip_model.resources.speaker import WatchedNode
from vip_model.vocabulary import Reason, State
from vip_operator.core.reporting.conditions import TYPES, merged
from vip_operator.core.reporting.virtual_ip_status import StatusKeeper


def judged(prepare: Callable[[Cluster], object] = lambda _cluster: None, **spec: Any) -> Cluster:
    """Return a cluster with one VirtualIP after a round, prepared before it."""
    cluster = Cluster()
    cluster.declare(**spec)
    cluster.write_routers()
    prepare(cluster)
    cluster.round(StatusKeeper())
    return cluster


# --- Bound ---------------------------------------------------------------------------------------


def silence_all(cluster: Cluster) -> None:
    """Let no speaker be heard any more."""
    cluster.silent |= set(cluster.speakers)
    cluster.wait(30)


def withdraw_all(cluster: Cluster) -> None:
    """Let every candidate report that it takes no part."""
    for node in cluster.speakers:
        cluster.abnormal(
            node, Reason.WITHDRAWN, withdrawn=True, message="Gate nginx fails: HTTP 503"
        )


def withdraw_all_but_a_dead_one(cluster: Cluster) -> None:
    """Let two report that they take no part, and the third be silent."""
    withdraw_all(cluster)
    cluster.silent.add("n3")
    cluster.wait(30)


def lower_all(cluster: Cluster) -> None:
    """Let gates fail everywhere, with candidates that take part all the same."""
    for node in cluster.speakers:
        cluster.abnormal(node, Reason.GATE_FAILED, State.BACKUP, failing_gates=("nginx",))


def leave_the_subnet(cluster: Cluster) -> None:
    """Let nobody report an interface, nor a router be there."""
    cluster.speakers.clear()
    cluster.routers = ()


def kill_the_holder(cluster: Cluster) -> None:
    """Let the only claim be that of a silent node."""
    cluster.claim("n2")
    cluster.silent.add("n2")
    cluster.wait(30)


def cut_the_holder_off(cluster: Cluster) -> None:
    """Let the only claim be that of a node that others hear."""
    kill_the_holder(cluster)
    hear(cluster, "n3", "n2")


def hear(cluster: Cluster, hearer: str, node: str) -> None:
    """Let a node report that it hears another one."""
    before = cluster.speakers[hearer]
    watched = (WatchedNode(node=node, heard=True),)
    status = msgspec.structs.replace(before.status, watched=watched)
    cluster.speakers[hearer] = msgspec.structs.replace(before, status=status)


def lose_the_report_of_the_holder(cluster: Cluster) -> None:
    """Let nobody claim it, since the Speaker went with the Node object, and others hear it."""
    cluster.silent.add("n2")
    cluster.wait(30)
    hear(cluster, "n1", "n2")


def claim_twice(cluster: Cluster) -> None:
    """Let two claim for a moment."""
    cluster.claim("n1", since=10)
    cluster.claim("n2", since=20)


@pytest.mark.parametrize(
    ("prepare", "status", "reason", "holder", "words"),
    [
        (
            lambda cluster: cluster.claim("n2", since=20),
            "True",
            Reason.HELD,
            "n2",
            f"n2 holds it since {clock(20)} (ActiveDown)",
        ),
        (claim_twice, "Unknown", Reason.SETTLING, "n2", "n1 held it before"),
        (kill_the_holder, "Unknown", Reason.HOLDER_SILENT, "n2", "not heard any more"),
        (cut_the_holder_off, "Unknown", Reason.HOLDER_UNREACHABLE, "n2", "and n3 hears it"),
        (lose_the_report_of_the_holder, "Unknown", Reason.HOLDER_UNREACHABLE, "", "n2 may hold it"),
        (leave_the_subnet, "False", Reason.NO_CANDIDATES, "", "in the subnet of 192.0.2.100"),
        (silence_all, "False", Reason.NO_SPEAKERS, "", "n1, n2 and n3"),
        (withdraw_all, "False", Reason.ALL_WITHDRAWN, "", "n1 (Gate nginx fails: HTTP 503)"),
        (withdraw_all_but_a_dead_one, "False", Reason.ELECTING, "", ""),
        (lower_all, "False", Reason.ELECTING, "", ""),
        (lambda _cluster: None, "False", Reason.ELECTING, "", ""),
    ],
)
def test_bound(
    prepare: Callable[[Cluster], object], status: str, reason: Reason, holder: str, words: str
) -> None:
    """Bound says whether exactly one node that is heard holds the addresses, and if not, why."""
    cluster = judged(prepare)
    condition = cluster.condition("Bound")
    assert (condition.status, condition.reason) == (status, reason)
    assert words in condition.message
    assert cluster.status().active_node == holder
    expected = "True" if status == "True" else "False"
    assert cluster.condition("Ready").status == expected


@pytest.mark.parametrize("prepare", [leave_the_subnet, silence_all])
def test_without_speakers_the_reason_is_told(prepare: Callable[[Cluster], object]) -> None:
    """Where nodes have no speaker, Bound and Ready say why their pods are refused."""
    cluster = Cluster(speaker_trouble="the speakers' pods are refused: no quota")
    cluster.declare()
    cluster.write_routers()
    prepare(cluster)
    cluster.round(StatusKeeper())
    for type_ in ("Bound", "Ready"):
        assert cluster.condition(type_).message.endswith(
            "; the speakers' pods are refused: no quota"
        )


@pytest.mark.parametrize("prepare", [withdraw_all, lower_all, kill_the_holder, claim_twice])
def test_with_speakers_the_reason_is_not_told(prepare: Callable[[Cluster], object]) -> None:
    """What hinders some speakers is nothing to a VirtualIP that has others."""
    cluster = Cluster(speaker_trouble="the speakers' pods are refused: no quota")
    cluster.declare()
    cluster.write_routers()
    prepare(cluster)
    cluster.round(StatusKeeper())
    assert "refused" not in cluster.condition("Bound").message


def test_long_lists_are_cut() -> None:
    """Of many nodes a message names eight and counts the others."""
    cluster = Cluster(speakers={each.node: each for each in lan(10)})
    cluster.declare(placement={"maxCandidates": 10})
    cluster.write_routers()
    silence_all(cluster)
    cluster.round(StatusKeeper())
    assert "n7 and 2 more are not heard" in cluster.condition("Bound").message


def test_bound_while_contested() -> None:
    """With two holders Bound is False, Contested is True, and both are named."""
    cluster = Cluster()
    cluster.declare()
    keeper = StatusKeeper()
    cluster.claim("n3", since=10)
    cluster.claim("n1", since=20)
    cluster.round(keeper)
    cluster.wait(10)
    cluster.round(keeper)
    assert cluster.told("Bound") == ("False", Reason.CONTESTED)
    assert cluster.told("Contested") == ("True", Reason.CONTESTED)
    assert cluster.condition("Contested").message == "n1 and n3 both hold it"
    assert cluster.status().active_node == "n1"


def test_not_accepted_and_nothing_runs() -> None:
    """A VirtualIP that was refused from the beginning is not bound because of that."""
    cluster = judged(addresses=["192.0.2.300"])
    assert cluster.told("Accepted") == ("False", Reason.INVALID)
    assert cluster.told("Bound") == ("False", Reason.NOT_ACCEPTED)
    assert cluster.told("Ready") == ("False", Reason.NOT_ACCEPTED)
    assert cluster.status().routers == ()


def test_refused_and_still_running() -> None:
    """After a refused edit Bound and Ready go on saying what runs."""
    cluster = judged(lambda cluster: cluster.claim("n1"))
    cluster.declare(addresses=["192.0.2.300"])
    cluster.round(StatusKeeper())
    assert cluster.told("Accepted") == ("False", Reason.INVALID)
    assert "192.0.2.300" in cluster.condition("Accepted").message
    assert cluster.told("Bound") == ("True", Reason.HELD)
    assert cluster.told("Ready") == ("True", Reason.GATES_PASSING)
    assert cluster.status().active_node == "n1"
    assert {each.observed_generation for each in cluster.status().conditions} == {2}


# --- Ready ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failing", "status", "reason", "message"),
    [
        ([], "True", Reason.GATES_PASSING, "the gates pass on n2"),
        (["nginx"], "False", Reason.GATES_FAILING, "gate nginx failing on n2"),
        (["a", "b", "c"], "False", Reason.GATES_FAILING, "gates a, b and c failing on n2"),
    ],
)
def test_ready(failing: list[str], status: str, reason: Reason, message: str) -> None:
    """Ready says whether the gates pass at the holder, and names those that do not."""
    cluster = judged(lambda cluster: cluster.claim("n2", failing=failing))
    condition = cluster.condition("Ready")
    assert (condition.status, condition.reason, condition.message) == (status, reason, message)


def test_gates_that_fail_elsewhere_do_not_matter() -> None:
    """A Backup whose gates fail leaves Ready alone."""

    def prepare(cluster: Cluster) -> None:
        cluster.claim("n1")
        cluster.abnormal("n2", Reason.GATE_FAILED, State.BACKUP, failing_gates=("nginx",))

    assert judged(prepare).told("Ready") == ("True", Reason.GATES_PASSING)


def test_not_ready_says_why_it_is_not_bound() -> None:
    """Ready has the reason of Bound where that is not True, as listings show only Ready's."""
    cluster = judged(silence_all)
    bound, ready = cluster.condition("Bound"), cluster.condition("Ready")
    assert (ready.reason, ready.message) == (Reason.NO_SPEAKERS, bound.message)


# --- AddressConflict -----------------------------------------------------------------------------

OTHER = "192.0.2.100 is also used by 02:00:00:00:00:99"
DIFFERS = "192.0.2.77 announces 192.0.2.5 with VRID 51"


def test_another_machine_uses_the_address() -> None:
    """The condition has a reason, the node that hears it, and each sentence once."""

    def prepare(cluster: Cluster) -> None:
        cluster.claim("n2")
        for node in ("n1", "n3"):
            cluster.conflict(node, Reason.ADDRESSES_DIFFER, DIFFERS)
        cluster.conflict("n2", Reason.ADDRESS_CONFLICT, OTHER)

    cluster = judged(prepare)
    assert cluster.told("AddressConflict") == ("True", Reason.ADDRESS_CONFLICT)
    assert cluster.condition("AddressConflict").message == f"n2: {OTHER}; n1: {DIFFERS}"


def test_a_silent_node_knows_of_no_conflict() -> None:
    """What it heard before it fell silent may be over."""

    def prepare(cluster: Cluster) -> None:
        cluster.conflict("n2", Reason.ADDRESSES_DIFFER, DIFFERS)
        kill_the_holder(cluster)

    assert judged(prepare).told("AddressConflict") == ("False", Reason.NO_CONFLICT)


# --- conventions ---------------------------------------------------------------------------------


def test_order_and_generation() -> None:
    """All six conditions are always there, in one order, with the generation they judge."""
    for prepare in (lambda _cluster: None, kill_the_holder, withdraw_all):
        found = judged(prepare).status().conditions
        assert [each.type for each in found] == list(TYPES)
        assert [each.type for each in found] == [
            "Accepted",
            "Bound",
            "Ready",
            "Contested",
            "Stalled",
            "AddressConflict",
        ]
        assert {each.observed_generation for each in found} == {1}


def condition(status: str, time: str = "", message: str = "") -> Condition:
    """Return a condition."""
    return Condition(
        type="Bound", status=status, reason="Any", message=message, last_transition_time=time
    )


@pytest.mark.parametrize(
    ("before", "now", "time"),
    [
        ([], condition("True"), "2026-01-01T00:00:00Z"),
        ([condition("True", "before")], condition("True", message="new"), "before"),
        ([condition("True", "before")], condition("False"), "2026-01-01T00:00:00Z"),
        ([condition("True")], condition("True"), "2026-01-01T00:00:00Z"),
    ],
)
def test_the_time_changes_with_the_status(
    before: list[Condition], now: Condition, time: str
) -> None:
    """The time of a condition is kept while its status is, whatever its message says."""
    (found,) = merged(before, [now], START)
    assert found == msgspec.structs.replace(now, last_transition_time=time)


# --- VirtualIPs that cannot be read --------------------------------------------------------------


def test_unreadable_keeps_what_runs() -> None:
    """A VirtualIP that cannot be parsed is Invalid, and is still shown with its holder."""
    cluster = judged(lambda cluster: cluster.claim("n2"))
    before = cluster.status()
    cluster.virtual_ips.clear()
    cluster.unreadable.append(unreadable("web", *before.conditions))
    cluster.wait(5)
    (change,) = statuses(cluster.round(StatusKeeper()))
    assert (change.uid, change.resource_version) == ("uid-web", "3")
    status = change.status
    assert (status.active_node, status.address_summary) == ("n2", "192.0.2.100")
    assert status.routers == before.routers
    assert status.observed_generation == 2
    accepted, *others = status.conditions
    assert (accepted.status, accepted.reason) == ("False", Reason.INVALID)
    assert accepted.message == "spec.addresses: it must be a list"
    assert accepted.last_transition_time == "2026-01-01T00:01:45Z"
    assert [(each.status, each.last_transition_time) for each in others] == [
        (each.status, each.last_transition_time) for each in before.conditions[1:]
    ]
    cluster.unreadable = [unreadable("web", *status.conditions)]
    assert statuses(cluster.round(StatusKeeper())) == []


def test_unreadable_without_anything_running() -> None:
    """One that was never read has no holder and says why."""
    cluster = Cluster(unreadable=[unreadable()])
    (change,) = statuses(cluster.round(StatusKeeper()))
    found = {each.type: (each.status, each.reason) for each in change.status.conditions}
    assert found["Accepted"] == ("False", Reason.INVALID)
    assert found["Bound"] == ("False", Reason.NOT_ACCEPTED)


def test_conditions_that_cannot_be_read_are_made_anew() -> None:
    """Nonsense in status.conditions does no harm."""
    cluster = Cluster()
    cluster.unreadable.append(unreadable(conditions=({"type": 1}, {"no": "type"})))
    (change,) = statuses(cluster.round(StatusKeeper()))
    assert len(change.status.conditions) == len(TYPES)


def test_a_group_has_one_holder() -> None:
    """VirtualIPs of a group show the holder of the election that they share."""
    cluster = Cluster()
    for name, address in (("a", "192.0.2.101"), ("b", "192.0.2.102")):
        cluster.declare(name, addresses=[address], group="front")
    cluster.claim("n3", "group.shop.front")
    cluster.round(StatusKeeper())
    assert {cluster.status(name).active_node for name in ("a", "b")} == {"n3"}
    assert WEB not in {each.name for each in cluster.routers}


def test_whose_gate_fails_in_a_group() -> None:
    """A member of a group is told whose gate keeps it from being Ready, if it is not its own."""
    cluster = Cluster()
    for name, address in (("a", "192.0.2.101"), ("b", "192.0.2.102")):
        gate = {"name": f"gate-{name}", "tcpSocket": {"port": 80}}
        cluster.declare(name, addresses=[address], group="front", gates=[gate])
    cluster.claim("n3", "group.shop.front", failing=["gate-a", "node/ready"])
    cluster.round(StatusKeeper())
    assert {name: cluster.condition("Ready", name).message for name in ("a", "b")} == {
        "a": "gates gate-a and node/ready failing on n3",
        "b": "gates gate-a of shop/a and node/ready failing on n3",
    }
