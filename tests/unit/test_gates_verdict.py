"""Rise and fall: from the outcomes of single probes to a verdict."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vip_model.vocabulary import GateState
from vip_speaker.gates.verdict import Outcome, Tally

PASS = Outcome(passed=True, reason="HTTP 200")
FAIL = Outcome(passed=False, reason="HTTP 503")


def states(tally: Tally, outcomes: list[Outcome]) -> list[GateState]:
    """Return the state after each outcome."""
    seen = []
    for now, outcome in enumerate(outcomes):
        tally.count(now, outcome)
        seen.append(tally.verdict.state)
    return seen


def test_starts_unknown() -> None:
    """A gate that was never asked has no verdict."""
    tally = Tally(success_threshold=1, failure_threshold=2)

    assert tally.verdict.state is GateState.UNKNOWN
    assert tally.since_ns is None


def test_one_pass_decides_an_unknown_gate() -> None:
    """With a success threshold of 1 the first pass makes a gate Passing."""
    assert states(Tally(1, 3), [PASS]) == [GateState.PASSING]


def test_unknown_gate_fails_after_the_failure_threshold() -> None:
    """The first verdict too waits for as many failures as the threshold says."""
    unknown, failing = GateState.UNKNOWN, GateState.FAILING
    assert states(Tally(1, 3), [FAIL, FAIL, FAIL]) == [unknown, unknown, failing]


def test_falls_only_after_failures_in_a_row() -> None:
    """A pass in between starts the count of failures anew."""
    seen = states(Tally(1, 2), [PASS, FAIL, PASS, FAIL, FAIL])

    assert seen == [GateState.PASSING] * 4 + [GateState.FAILING]


def test_rises_only_after_successes_in_a_row() -> None:
    """A failure in between starts the count of passes anew."""
    seen = states(Tally(2, 1), [FAIL, PASS, FAIL, PASS, PASS])

    assert seen == [GateState.FAILING] * 4 + [GateState.PASSING]


def test_since_is_the_time_of_the_flip() -> None:
    """Confirming outcomes leave the time of the verdict as it was."""
    tally = Tally(1, 2)
    for now, outcome in ((10, PASS), (20, PASS), (30, FAIL), (40, FAIL), (50, FAIL)):
        tally.count(now, outcome)

    assert tally.since_ns == 40


def test_count_tells_whether_the_verdict_is_another() -> None:
    """A new reason under the same state is a change, a repeated one is none."""
    tally = Tally(1, 1)
    refused = Outcome(passed=False, reason="connection refused")

    changes = [tally.count(0, outcome) for outcome in (FAIL, FAIL, refused, refused, PASS)]

    assert changes == [True, False, True, False, True]
    assert tally.verdict.reason == "HTTP 200"


def test_pending_failures_do_not_touch_the_reason() -> None:
    """Until the threshold is reached the verdict says what it was decided by."""
    tally = Tally(1, 2)
    tally.count(0, PASS)

    assert tally.count(1, FAIL) is False
    assert tally.verdict.reason == "HTTP 200"
    assert tally.last == FAIL
    assert tally.in_a_row == 1


@given(
    outcomes=st.lists(st.booleans(), max_size=60),
    success=st.integers(1, 4),
    failure=st.integers(1, 4),
)
def test_agrees_with_the_definition(outcomes: list[bool], success: int, failure: int) -> None:
    """The state is that of the newest run of equal outcomes which reached its threshold."""
    tally = Tally(success, failure)
    for now, passed in enumerate(outcomes):
        tally.count(now, PASS if passed else FAIL)

    expected = GateState.UNKNOWN
    for end in range(1, len(outcomes) + 1):
        if outcomes[max(0, end - success) : end] == [True] * success:
            expected = GateState.PASSING
        if outcomes[max(0, end - failure) : end] == [False] * failure:
            expected = GateState.FAILING
    assert tally.verdict.state is expected
