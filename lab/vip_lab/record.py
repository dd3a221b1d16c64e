"""What became of the probes of one kind, and how it is shown. Pure."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

SECOND_NS = 1_000_000_000
MILLISECOND_NS = 1_000_000
LOST_AFTER_NS = SECOND_NS

_WORTH_TELLING_MS = 10


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One kind of probe, in figures.

    Attributes:
        sent: probes sent.
        lost: probes without an answer within a second; a refused connection is no answer.
        refused: how many of the lost were refused.
        longest_gap_ms: longest time from a probe that got no answer, or got it late, to the next
            answer of any probe. Time in which the prober itself was late counts for nothing.
        longest_gap_at_seconds: when that began, in seconds after the first probe.
        late_ms_max: by how much the prober was behind its own pace at worst.
        skipped: probes that it left out because it was more than a period behind.
    """

    sent: int
    lost: int
    refused: int
    longest_gap_ms: float
    longest_gap_at_seconds: float
    late_ms_max: float
    skipped: int

    def __str__(self) -> str:
        text = (
            f"{self.lost} of {self.sent} probes lost, longest gap {self.longest_gap_ms:.1f} ms "
            f"at {self.longest_gap_at_seconds:.2f} s"
        )
        if self.refused:
            text += f", {self.refused} refused"
        if self.late_ms_max > _WORTH_TELLING_MS:
            text += f" (prober late by up to {self.late_ms_max:.0f} ms, {self.skipped} left out)"
        return text


class Record:
    """Matches answers to probes. Times are integer nanoseconds of one clock."""

    def __init__(self) -> None:
        self._sent_ns = array("q")
        self._answered = bytearray()
        self._newest_answered = -1
        self._longest_gap_ns = 0
        self._longest_gap_at_ns = 0
        self.refused = 0

    def probe_sent(self, now_ns: int) -> int:
        """Note a probe that goes out now and return its number."""
        self._sent_ns.append(now_ns)
        self._answered.append(0)
        return len(self._sent_ns) - 1

    def answered(self, number: int, now_ns: int) -> None:
        """Note an answer; one that comes too late, twice, or to no probe of ours is none."""
        if not 0 <= number < len(self._sent_ns) or self._answered[number]:
            return
        if now_ns - self._sent_ns[number] > LOST_AFTER_NS:
            return
        self._answered[number] = 1
        if number > self._newest_answered:
            self._note_gap(now_ns)
            self._newest_answered = number

    def outstanding(self, now_ns: int) -> bool:
        """Return whether a probe may yet be answered."""
        count = len(self._sent_ns)
        return any(
            not self._answered[number]
            for number in range(count - 1, -1, -1)
            if now_ns - self._sent_ns[number] <= LOST_AFTER_NS
        )

    def result(self, now_ns: int, *, late_ns_max: int, skipped: int) -> ProbeResult:
        """Return the figures, once nothing is outstanding any more."""
        sent = len(self._sent_ns)
        if self._newest_answered + 1 < sent:
            self._note_gap(now_ns)
        first_ns = self._sent_ns[0] if sent else 0
        return ProbeResult(
            sent=sent,
            lost=sent - sum(self._answered),
            refused=self.refused,
            longest_gap_ms=self._longest_gap_ns / MILLISECOND_NS,
            longest_gap_at_seconds=max(0, self._longest_gap_at_ns - first_ns) / SECOND_NS,
            late_ms_max=late_ns_max / MILLISECOND_NS,
            skipped=skipped,
        )

    def _note_gap(self, now_ns: int) -> None:
        began_ns = self._sent_ns[self._newest_answered + 1]
        if now_ns - began_ns > self._longest_gap_ns:
            self._longest_gap_ns = now_ns - began_ns
            self._longest_gap_at_ns = began_ns


class Pace:
    """When the next probe is due, and how far behind the prober has fallen."""

    def __init__(self, rate: int, now_ns: int) -> None:
        self._period_ns = SECOND_NS // rate
        self._due_ns = now_ns
        self.late_ns_max = 0
        self.skipped = 0

    def due(self, now_ns: int) -> bool:
        """Return whether a probe is to be sent now, and count on the next one if so."""
        late_ns = now_ns - self._due_ns
        if late_ns < 0:
            return False
        self.late_ns_max = max(self.late_ns_max, late_ns)
        behind = late_ns // self._period_ns
        self.skipped += behind
        self._due_ns += (1 + behind) * self._period_ns
        return True

    def seconds_left(self, now_ns: int) -> float:
        """Return the time until the next probe is due, in seconds."""
        return max(0, self._due_ns - now_ns) / SECOND_NS
