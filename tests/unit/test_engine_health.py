"""Verdicts become a level of health, and an unknown one is never taken for good news."""

from __future__ import annotations

import pytest

from vip_model.vocabulary import FailureAction, GateState
from vip_speaker.engine.health import GateBook, fold
from vip_speaker.messages import DesiredGate, GateStatus, Verdict
from vip_speaker.vrrp.config import Health

LOWER = DesiredGate(name="web")
WITHDRAW = DesiredGate(name="disk", action=FailureAction.WITHDRAW)
CARRIER = DesiredGate(name="uplink", interface="eth1")

PASSING = Verdict(state=GateState.PASSING, reason="HTTP 200")
FAILING = Verdict(state=GateState.FAILING, reason="HTTP 503")
NOT_APPLICABLE = Verdict(state=GateState.NOT_APPLICABLE)


def judge(book: GateBook, *gates: DesiredGate, **verdicts: Verdict) -> Health:
    """Judge with verdicts by gate name and eth1 up."""
    return book.judge(list(gates), verdicts, {"eth1": True}, stale=False)


def cold() -> GateBook:
    """Return the book of an engine that knows nothing of an earlier life."""
    return GateBook(None)


@pytest.mark.parametrize(
    ("failing", "expected"),
    [
        ([], Health.HEALTHY),
        (["web"], Health.FAILING),
        (["disk"], Health.WITHDRAWN),
        (["web", "disk"], Health(cost=100, withdrawn=True)),
    ],
)
def test_fold(failing: list[str], expected: Health) -> None:
    """Costs of failing gates add up, and one that withdraws the node does so beside them."""
    statuses = [GateStatus(name=name, state=GateState.FAILING) for name in failing]
    assert fold([LOWER, WITHDRAW], statuses) == expected


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        (DesiredGate(name="web", cost=100, partial_cost=50), Health(cost=50)),
        (DesiredGate(name="web", cost=30, partial_cost=15), Health(cost=15)),
        (DesiredGate(name="web", action=FailureAction.WITHDRAW, partial_cost=50), Health(cost=50)),
        (LOWER, Health.FAILING),
        (DesiredGate(name="web", action=FailureAction.WITHDRAW), Health.WITHDRAWN),
    ],
    ids=["default", "written", "withdraws", "cannot", "withdraws and cannot"],
)
def test_a_gate_that_fails_in_part(gate: DesiredGate, expected: Health) -> None:
    """It costs less than its whole, and withdraws nobody; a kind that cannot is not believed."""
    verdict = Verdict(state=GateState.FAILING, partial=True)
    book = cold()
    assert judge(book, gate, web=verdict) == expected
    assert judge(book, gate) == expected  # the agent went away


def test_a_verdict_that_cannot_be_given_says_why() -> None:
    """Unknown with a reason is as good as no verdict, and its words are shown."""
    forbidden = Verdict(state=GateState.UNKNOWN, reason="no right", cause="PodsForbidden")
    book = cold()
    assert judge(book, LOWER, web=forbidden) == Health.FAILING
    (status,) = book.statuses
    assert (status.state, status.reason) == (GateState.UNKNOWN, "no right")
    assert status.cause == "PodsForbidden"

    assert judge(book, LOWER, web=PASSING) == Health.HEALTHY
    assert judge(book, LOWER, web=forbidden) == Health.HEALTHY
    (status,) = book.statuses
    assert (status.state, status.stale, status.reason) == (GateState.PASSING, True, "no right")


def test_a_gate_that_fails_wholly_after_all() -> None:
    """From passing to failing in part to failing wholly, each its own level."""
    gate, book = DesiredGate(name="web", partial_cost=50), cold()
    partly = Verdict(state=GateState.FAILING, partial=True)
    verdicts = [PASSING, partly, FAILING, partly, PASSING]
    assert [judge(book, gate, web=each).cost for each in verdicts] == [0, 50, 100, 50, 0]


def test_no_gates_is_healthy() -> None:
    """A router without gates is healthy from the start."""
    assert judge(cold()) == Health.HEALTHY


def test_unknown_counts_as_failing_after_a_cold_start() -> None:
    """Until every gate has a verdict a node must not win an address into a black hole."""
    assert judge(cold(), LOWER, WITHDRAW, disk=PASSING) == Health.FAILING


def test_unknown_keeps_the_level_of_an_earlier_life() -> None:
    """An engine that resumes neither improves nor worsens before it knows better."""
    for health in (Health.HEALTHY, Health(cost=30), Health.WITHDRAWN):
        assert judge(GateBook(health), LOWER) == health


def test_a_lost_verdict_stands() -> None:
    """An agent that goes away takes no verdict with it; it is marked as stale."""
    book = cold()
    judge(book, LOWER, web=FAILING)
    assert judge(book, LOWER) == Health.FAILING
    assert [(one.reason, one.stale) for one in book.statuses] == [("HTTP 503", True)]


def test_a_gate_added_later_changes_nothing_until_it_has_a_verdict() -> None:
    """An edit of the gates must not move an address by itself."""
    book = cold()
    assert judge(book, LOWER, web=PASSING) == Health.HEALTHY
    assert judge(book, LOWER, WITHDRAW, web=PASSING) == Health.HEALTHY
    assert judge(book, LOWER, WITHDRAW, web=PASSING, disk=FAILING) == Health.WITHDRAWN


def test_not_applicable_does_not_count() -> None:
    """A gate that means nothing in this mode is neither unknown nor failing."""
    assert judge(cold(), LOWER, web=NOT_APPLICABLE) == Health.HEALTHY


@pytest.mark.parametrize(
    ("carriers", "expected", "reason"),
    [
        ({"eth1": True}, Health.HEALTHY, "eth1 has carrier"),
        ({"eth1": False}, Health.FAILING, "Interface eth1 has no carrier"),
        ({}, Health.FAILING, "Interface eth1 does not exist"),
    ],
)
def test_carrier_is_judged_here(carriers: dict[str, bool], expected: Health, reason: str) -> None:
    """An interface gate needs no agent."""
    book = cold()
    assert book.judge([CARRIER], {}, carriers, stale=True) == expected
    assert book.statuses[0].reason == reason
