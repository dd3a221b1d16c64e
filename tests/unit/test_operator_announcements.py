"""Events: who is told what, once, and what a new operator does not tell again."""

from __future__ import annotations

from typing import Any

import pytest

from support.operator_facts import events, unreadable
from support.told_events import Crier, held_by_n1
from vip_model.vocabulary import Reason, State
from vip_operator.core.changes import EventType
from vip_operator.core.reporting.events import MOST_CHARACTERS

# --- the holder ----------------------------------------------------------------------------------


def test_the_first_holder() -> None:
    """The first holder is told as Bound, once."""
    crier = Crier(addresses=["192.0.2.100", "2001:db8::100"])
    assert crier.hear() == []
    crier.cluster.claim("n1", reason="ActiveDown")
    (event,) = events(crier.cluster.round(crier.keeper))
    assert (event.namespace, event.name, event.uid) == ("shop", "web", "uid-web")
    assert (event.type, event.reason, event.node) == (EventType.NORMAL, "Bound", "n1")
    assert event.message == "n1 holds 192.0.2.100 (+1) (ActiveDown)"
    assert crier.hear() == []


def test_a_move() -> None:
    """Another holder is told as Moved, with the reason of the new one."""
    crier = held_by_n1()
    crier.cluster.release("n1")
    crier.cluster.claim("n2", reason="ActiveResigned")
    (event,) = events(crier.cluster.round(crier.keeper))
    assert (event.type, event.reason, event.node) == (EventType.NORMAL, "Moved", "n2")
    assert event.message == "192.0.2.100 moved from n1 to n2 (ActiveResigned)"
    assert crier.hear() == []


def test_a_move_because_of_gates_that_failed_on_the_holder() -> None:
    """Gates that the old holder reported as failing are named as the cause."""
    crier = held_by_n1()
    crier.cluster.claim("n1", since=100, failing=["nginx"])
    assert crier.hear() == []
    crier.cluster.release("n1")
    crier.cluster.claim("n2", reason="LowerPriorityPreempted")
    assert crier.hear() == [
        (
            "Moved",
            "192.0.2.100 moved from n1 to n2 (LowerPriorityPreempted): gate nginx failing on n1",
        )
    ]


@pytest.mark.parametrize(
    ("report", "cause"),
    [
        (
            {
                "reason": Reason.GATE_FAILED,
                "yielding": True,
                "failing_gates": ("nginx",),
                "message": "Gate nginx fails: HTTP 500",
            },
            "gate nginx failing on n1",
        ),
        (
            {"reason": Reason.GATE_FAILING, "failing_gates": ("disk", "service/web")},
            "gates disk and service/web failing on n1",
        ),
        (
            {"reason": Reason.GATE_UNKNOWN, "message": "Gate failover is unknown: it fails"},
            "Gate failover is unknown: it fails on n1",
        ),
        ({"reason": Reason.WITHDRAWN, "withdrawn": True}, "Withdrawn on n1"),
        ({"reason": Reason.STOPPED, "yielding": True}, "Stopped on n1"),
        (
            {"reason": Reason.NOT_PLACEABLE, "message": "Interface eth0 has no carrier"},
            "Interface eth0 has no carrier on n1",
        ),
    ],
)
def test_a_move_because_of_what_the_old_holder_reports_now(
    report: dict[str, Any], cause: str
) -> None:
    """What is wrong with the old holder is named, gates by their names."""
    crier = held_by_n1()
    crier.cluster.abnormal("n1", state=State.BACKUP, **report)
    crier.cluster.claim("n2", reason="ActiveResigned")
    moved = f"192.0.2.100 moved from n1 to n2 (ActiveResigned): {cause}"
    assert crier.hear() == [("Moved", moved)]


def test_a_move_after_a_crash() -> None:
    """The move is told with the new claim; the silence of the old holder is a cause if known."""
    crier = held_by_n1()
    crier.cluster.silent.add("n1")
    crier.cluster.wait(3)
    crier.cluster.claim("n2")
    assert crier.hear() == [("Moved", "192.0.2.100 moved from n1 to n2 (ActiveDown)")]
    crier.cluster.silent.add("n2")
    crier.cluster.wait(30)
    assert crier.hear() == []
    crier.cluster.claim("n3")
    assert crier.hear() == [
        (
            "Moved",
            "192.0.2.100 moved from n2 to n3 (ActiveDown): the speaker of n2 is not heard any more",
        )
    ]


def test_the_same_holder_again() -> None:
    """A holder that resumes, or comes back because nobody took over, is no news."""
    crier = held_by_n1()
    crier.cluster.wait(1)
    crier.cluster.claim("n1", reason="Resumed")
    assert crier.hear() == []


def test_the_gap_of_a_planned_move_is_not_told() -> None:
    """An old holder that reports before the new one makes a move, not an end and a beginning."""
    crier = held_by_n1()
    crier.cluster.release("n1")
    assert crier.hear() == []
    crier.cluster.wait(3.9)
    assert crier.hear() == []
    crier.cluster.claim("n2", reason="ActiveResigned")
    assert crier.hear() == [("Moved", "192.0.2.100 moved from n1 to n2 (ActiveResigned)")]


def test_nobody_holds_it_any_more() -> None:
    """After 3 intervals + 1 s without a holder the user is warned, once, with the reason."""
    crier = held_by_n1()
    for node in crier.cluster.speakers:
        crier.cluster.abnormal(node, "Withdrawn")
    found = crier.cluster.round(crier.keeper)
    assert found.due_ns == crier.cluster.now_ns + 4_000_000_000
    crier.cluster.wait(4)
    (event,) = events(crier.cluster.round(crier.keeper))
    assert (event.type, event.reason) == (EventType.WARNING, "Unbound")
    assert event.message.startswith(
        "nobody holds 192.0.2.100 any more, n1 was the last: AllWithdrawn, "
    )
    crier.cluster.wait(10)
    assert crier.hear() == []
    crier.cluster.claim("n1", reason="Restored")
    assert crier.hear() == [("Bound", "n1 holds 192.0.2.100 (Restored)")]


def test_nobody_is_told_only_after_every_candidate_has_renewed_its_lease() -> None:
    """However long a vacancy lasts, a candidate that has said nothing since may hold it."""
    crier = held_by_n1()
    crier.cluster.silent.add("n2")
    crier.cluster.release("n1")
    for _ in range(5):
        assert crier.hear() == []
        crier.cluster.wait(5)
    crier.cluster.silent.clear()
    crier.cluster.wait(0)
    assert [reason for reason, _ in crier.hear()] == ["Unbound"]


def test_nobody_is_told_at_the_latest_when_the_lease_of_who_says_nothing_is_stale() -> None:
    """A candidate that died at the same time is waited for no longer than a Lease counts."""
    crier = held_by_n1()
    crier.cluster.silent.add("n2")
    crier.cluster.release("n1")
    crier.hear()
    crier.cluster.wait(10)
    due_ns = crier.cluster.round(crier.keeper).due_ns
    assert due_ns is not None
    assert due_ns <= int(125 * 1e9) + 1
    crier.cluster.wait(15)
    assert crier.hear() == []
    crier.cluster.wait(0.001)
    assert [reason for reason, _ in crier.hear()] == ["Unbound"]


def test_a_silent_holder_is_not_unbound() -> None:
    """A holder that is not heard may well hold it: nothing is told."""
    crier = held_by_n1()
    crier.cluster.silent.add("n1")
    crier.cluster.wait(60)
    assert crier.hear() == []


def test_every_owner_is_told() -> None:
    """A move of a group is told to each VirtualIP in it."""
    crier = Crier(addresses=["192.0.2.100"], group="front")
    crier.cluster.declare("db", addresses=["192.0.2.101"], group="front")
    crier.cluster.claim("n1", "group.shop.front")
    assert crier.hear() == [
        ("Bound", "n1 holds 192.0.2.100 (ActiveDown)"),
        ("Bound", "n1 holds 192.0.2.101 (ActiveDown)"),
    ]


# --- contests ------------------------------------------------------------------------------------


def test_two_holders() -> None:
    """A contest is a warning that names both, once, and again when there is another one."""
    crier = held_by_n1()
    crier.cluster.wait(1)
    crier.cluster.claim("n3")
    assert [reason for reason, _ in crier.hear()] == ["Moved"]
    crier.cluster.wait(10)
    assert crier.hear() == [("Contested", "n1 and n3 both hold 192.0.2.100")]
    crier.cluster.wait(10)
    assert crier.hear() == []
    crier.restart()
    assert crier.hear() == []
    crier.cluster.release("n1")
    assert crier.hear() == []
    crier.cluster.claim("n1", since=crier.cluster.seconds + 1)
    assert [reason for reason, _ in crier.hear()] == ["Moved"]
    crier.cluster.wait(10)
    assert [reason for reason, _ in crier.hear()] == ["Contested"]


# --- address conflicts ---------------------------------------------------------------------------


def test_another_machine_with_the_address() -> None:
    """It is a warning, once, also over a restart, and again when it comes back."""
    crier = held_by_n1()
    crier.cluster.conflict("n1", Reason.ADDRESS_CONFLICT, "192.0.2.100 is also used")
    assert crier.hear() == [
        ("AddressConflict", "AddressConflict: n1: 192.0.2.100 is also used"),
    ]
    crier.restart()
    assert crier.hear() == []
    crier.cluster.end_conflicts("n1")
    assert crier.hear() == []
    crier.cluster.conflict("n1", Reason.OTHER_VERSION, "192.0.2.9 announces it in VRRPv2")
    assert [reason for reason, _ in crier.hear()] == ["AddressConflict"]


# --- judgements ----------------------------------------------------------------------------------


def test_a_refusal_and_its_end() -> None:
    """A refusal is a warning with field and message, once; its end is told too."""
    crier = Crier(addresses=["192.0.2.300"])
    ((reason, message),) = crier.hear()
    assert reason == "Refused"
    assert message.startswith("Invalid: spec.addresses[0]: '192.0.2.300' is not an")
    crier.cluster.declare(addresses=["192.0.2.301"])
    assert crier.hear() == []
    crier.restart()
    assert crier.hear() == []
    crier.cluster.declare(addresses=["192.0.2.100"])
    assert crier.hear() == [("Accepted", "192.0.2.100 is accepted")]
    assert crier.hear() == []


def test_accepted_from_the_beginning_is_no_news() -> None:
    """A VirtualIP that was never refused is accepted without a word."""
    assert Crier().hear() == []


def test_long_messages_are_cut() -> None:
    """An event is never longer than what the API server takes."""
    crier = Crier(addresses=[f"192.0.2.{number}" for number in range(300, 400)])
    ((_, message),) = crier.hear()
    assert len(message) == MOST_CHARACTERS
    assert message.endswith("…")


def test_one_that_cannot_be_read() -> None:
    """A VirtualIP that cannot be parsed is refused, once; its holder is no news, a move is."""
    crier = held_by_n1()
    before = crier.cluster.status().conditions
    crier.cluster.virtual_ips.clear()
    crier.cluster.unreadable = [unreadable("web", *before)]
    assert crier.hear() == [("Refused", "Invalid: spec.addresses: it must be a list")]
    assert crier.hear() == []
    crier.restart()
    assert crier.hear() == []
    crier.cluster.release("n1")
    crier.cluster.claim("n2")
    assert crier.hear() == [("Moved", "192.0.2.100 moved from n1 to n2 (ActiveDown)")]
