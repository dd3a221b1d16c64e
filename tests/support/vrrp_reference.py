"""What an advert does, written a second time: from the table, not from the machine.

Times are fractions of seconds, and actions are words. Where the table has a column `here`, the
line says so. Only single adverts are covered; sequences are the business of other tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Router:
    """The router that hears the advert."""

    state: str
    own: int  # effective priority
    healthy: bool
    bands: bool
    preempts: bool  # Preempt_Mode is True, for Delayed: the delay is over
    runs_out: Fraction | None  # seconds until its timer fires
    interval: Fraction  # own Advertisement_Interval, equal to Active_Adver_Interval


@dataclass(frozen=True)
class Advert:
    """The advert that it hears, on the first instance."""

    priority: int
    address_order: int  # of the sender's address to our own: -1, 0 or 1
    interval: Fraction
    from_current_active: bool


Outcome = tuple[str, list[str], Fraction | None]  # next state, words, seconds until the timer


def skew(own: int, interval: Fraction) -> Fraction:
    """Return Skew_Time."""
    return Fraction(256 - own, 256) * interval


def hear(router: Router, advert: Advert) -> Outcome:
    """Return what comes of the advert."""
    if router.state == "Initialize":
        return "Initialize", [], None
    down = 3 * advert.interval + skew(router.own, advert.interval)
    if router.state == "Active":
        return hear_in_active(router, advert, down)
    assert router.runs_out is not None
    soon = min(router.runs_out, skew(router.own, router.interval))
    if advert.priority == 0:  # row 5; here: only from the current Active
        return "Backup", [], soon if advert.from_current_active else router.runs_out
    # Row 7 here: the sender is failing, and more so than this router, which is the only candidate.
    if router.bands and advert.priority < 145 and (router.healthy or advert.priority < router.own):
        return "Backup", [], soon if advert.from_current_active else router.runs_out
    preempts = router.preempts or router.own == 255
    own = router.own
    if router.bands and router.healthy and own < 255 and 144 < advert.priority < 155:
        own = 154  # here: a provisional priority is that of a slot; this router has slot 0
    if preempts and advert.priority < own:  # row 7
        return "Backup", [], router.runs_out
    return "Backup", [], down  # row 6


def hear_in_active(router: Router, advert: Advert, down: Fraction) -> Outcome:
    """Return what comes of the advert in Active; here: all rows say a little more."""
    if advert.priority == 0:  # row 10; here: its clients are told too
        return "Active", ["send", "announce"], router.interval
    wins_tie = advert.priority == router.own and advert.address_order > 0
    if advert.priority > router.own or wins_tie:  # row 11
        return "Backup", ["send", "changed", "stop-announcing", "release"], down
    return "Active", ["send", "announce"], router.runs_out  # row 12
