"""From the outcomes of single probes to a verdict. Pure: time is an argument.

A verdict is Unknown until `successThreshold` passes or `failureThreshold` failures in a row
decide it; from then on it flips in the same way. One outcome of the other kind starts the count
anew, as for the probes of Kubernetes.
"""

from __future__ import annotations

from dataclasses import dataclass

from vip_model.vocabulary import GateState
from vip_speaker.messages import Verdict


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one probe found.

    Attributes:
        passed: the condition holds.
        reason: what was seen, for a person to read.
    """

    passed: bool
    reason: str


class Tally:
    """Counts outcomes in a row and holds the verdict that follows from them."""

    def __init__(self, success_threshold: int, failure_threshold: int) -> None:
        self._thresholds = {True: success_threshold, False: failure_threshold}
        self._verdict = Verdict(state=GateState.UNKNOWN, reason="no verdict yet")
        self._since_ns: int | None = None
        self._last: Outcome | None = None
        self._in_a_row = 0

    @property
    def verdict(self) -> Verdict:
        """The state and what was seen when it was last confirmed."""
        return self._verdict

    @property
    def since_ns(self) -> int | None:
        """When the state was decided, on the clock of `count`; None while it is Unknown."""
        return self._since_ns

    @property
    def last(self) -> Outcome | None:
        """The newest outcome, whether or not it changed anything."""
        return self._last

    @property
    def in_a_row(self) -> int:
        """How many of the newest outcomes agree with the last one."""
        return self._in_a_row

    def count(self, now_ns: int, outcome: Outcome) -> bool:
        """Count one outcome; return whether the verdict, its reason included, is another now."""
        same = self._last is not None and self._last.passed == outcome.passed
        self._in_a_row = self._in_a_row + 1 if same else 1
        self._last = outcome
        state = GateState.PASSING if outcome.passed else GateState.FAILING
        if state is not self._verdict.state:
            if self._in_a_row < self._thresholds[outcome.passed]:
                return False
            self._since_ns = now_ns
        before, self._verdict = self._verdict, Verdict(state=state, reason=outcome.reason)
        return self._verdict != before
