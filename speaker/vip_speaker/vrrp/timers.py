"""The protocol's times, in integer nanoseconds, divided by 256 last (RFC 9568 §6.1)."""

from __future__ import annotations

from dataclasses import dataclass

MILLISECOND_NS = 1_000_000
CENTISECOND_NS = 10 * MILLISECOND_NS
SECOND_NS = 1000 * MILLISECOND_NS

_LIFETIME_SECONDS_MIN = 3


def skew_time_ns(priority: int, active_adver_interval_ns: int) -> int:
    """Return Skew_Time: ((256 - Priority) * Active_Adver_Interval) / 256 (RFC 9568 §6.1)."""
    return (256 - priority) * active_adver_interval_ns // 256


def active_down_interval_ns(priority: int, active_adver_interval_ns: int) -> int:
    """Return Active_Down_Interval: 3 * Active_Adver_Interval + Skew_Time (RFC 9568 §6.1)."""
    return 3 * active_adver_interval_ns + skew_time_ns(priority, active_adver_interval_ns)


@dataclass(slots=True)
class ElectionTimers:
    """Every timer of one election; a timer that is None is not armed.

    Active_Down_Timer is kept as a start and a number of whole intervals, since Skew_Time follows
    the priority, which may change while the timer runs.

    Attributes:
        active_adver_interval_ns: Active_Adver_Interval, learned from accepted adverts.
        tie_delay_ns: added to Skew_Time where two nodes may have the same priority.
        adver_ns: Adver_Timer, only in Active.
        bind_ns: when waiting for the addresses to be bound ends.
        leave_ns: when one that leaves for good stops waiting for a successor.
        retry_ns: when one that could not bind tries again.
        provisional_ns: when an Active has been up for long enough.
        claim_ns: when a successor that has bound may say so.
        resignations_ns: when the resignation is to be repeated.
        rearmed_late: Active_Down_Timer was found long overdue and given one more interval.
    """

    active_adver_interval_ns: int
    tie_delay_ns: int = 0
    adver_ns: int | None = None
    bind_ns: int | None = None
    leave_ns: int | None = None
    retry_ns: int | None = None
    provisional_ns: int | None = None
    claim_ns: int | None = None
    resignations_ns: tuple[int, ...] = ()
    rearmed_late: bool = False
    _down_start_ns: int | None = None
    _down_intervals: int = 0

    def arm_down(self, now: int, *, intervals: int) -> None:
        """Set Active_Down_Timer to so many intervals and Skew_Time from now."""
        self._down_start_ns = now
        self._down_intervals = intervals
        self.rearmed_late = False

    def hasten_down(self, now: int, priority: int) -> None:
        """Set Active_Down_Timer to Skew_Time from now, unless it is due sooner."""
        due_ns = self.down_ns(priority)
        skew_ns = skew_time_ns(priority, self.active_adver_interval_ns) + self.tie_delay_ns
        if due_ns is None or now + skew_ns < due_ns:
            self.arm_down(now, intervals=0)

    def disarm_down(self) -> None:
        """Cancel Active_Down_Timer."""
        self._down_start_ns = None

    def down_ns(self, priority: int) -> int | None:
        """Return when Active_Down_Timer fires at that priority."""
        if self._down_start_ns is None:
            return None
        interval = self.active_adver_interval_ns
        skew = skew_time_ns(priority, interval) + self.tie_delay_ns
        return self._down_start_ns + self._down_intervals * interval + skew

    def take_resignations(self, now: int) -> int:
        """Return how many repeats of the resignation are due, and forget them."""
        due = sum(1 for at in self.resignations_ns if at <= now)
        self.resignations_ns = self.resignations_ns[due:]
        return due

    def disarm(self) -> None:
        """Cancel everything a state owns; repeats of a resignation outlive the state."""
        self.adver_ns = self.bind_ns = self.leave_ns = self.retry_ns = None
        self.provisional_ns = self.claim_ns = None
        self.disarm_down()

    def next_deadline(self, priority: int) -> int | None:
        """Return the earliest armed timer."""
        return _earliest(self.next_certain_ns(), self.next_claim_ns(priority))

    def next_certain_ns(self) -> int | None:
        """Return the earliest armed timer that fires whatever adverts are unread."""
        return _earliest(
            self.adver_ns,
            self.bind_ns,
            self.leave_ns,
            self.retry_ns,
            self.provisional_ns,
            *self.resignations_ns[:1],
        )

    def next_claim_ns(self, priority: int) -> int | None:
        """Return the earliest armed timer that waits until everything was heard."""
        return _earliest(self.claim_ns, self.down_ns(priority))


def address_lifetime_seconds(interval_ns: int) -> int:
    """Return how long the kernel keeps an address that nobody renews, in whole seconds.

    Three intervals, rounded up, since the others take over then, and at least 3 s: the kernel
    removes an address up to 1.3 s late, and a shorter life would need renewals all the time.
    """
    return max(_LIFETIME_SECONDS_MIN, -(-3 * interval_ns // SECOND_NS))


def _earliest(*armed: int | None) -> int | None:
    return min((at for at in armed if at is not None), default=None)
