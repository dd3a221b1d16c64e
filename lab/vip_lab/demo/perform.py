"""Plays acts one after the other and judges each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from vip_kube.errors import ApiError, UnreachableError
from vip_lab.client import Probing
from vip_lab.demo.act import NOBODY, Act, Bound, Ends, Stage, StageT
from vip_lab.demo.tell import Row, Teller, show_table
from vip_lab.namespaces import LabError
from vip_lab.record import ProbeResult

PROBES_PER_SECOND = 200
TROUBLE = (AssertionError, LabError, OSError, ApiError, UnreachableError)

_QUIET_SECONDS = 0.5  # probes before and after each act, to see that all is well
_SECONDS_TO_END = 5.0


@dataclass(frozen=True)
class Seen:
    """What an act looked like from outside.

    Attributes:
        after: who holds the address at the end.
        told: what the act itself has to say, in sentences.
        problem: why it did not do what it should; empty if it did.
        results: ICMP and TCP; none if nobody probed.
    """

    after: str
    told: str
    problem: str
    results: tuple[ProbeResult, ...] = ()


def perform_all(
    stage: StageT, acts: Sequence[Act[StageT]], teller: Teller, first: int = 1
) -> list[Row]:
    """Play acts one after the other, counted from `first`, and return a line for each."""
    return [perform(stage, teller, number, act) for number, act in enumerate(acts, start=first)]


def conclude(rows: Sequence[Row], teller: Teller) -> bool:
    """Show the table and say how it went. Return whether each act did what it should."""
    show_table(rows, teller)
    good = all(row.verdict == "ok" for row in rows)
    done = "Every act did what it should" if good else "Not every act did what it should"
    teller.say(f"{done}. That took {teller.seconds():.0f} s.")
    return good


def perform(stage: StageT, teller: Teller, number: int, act: Act[StageT]) -> Row:
    """Tell what comes, play one act and judge it."""
    try:
        before = act.begin(stage)
        bound = None if act.bound is None else act.bound(stage, before)
    except TROUBLE as error:
        title = act.title.format("the holder")
        teller.say(f"{number}. {title} could not begin: {error}")
        return Row(title, "?", "?", "-", "-", "-", "-", "FAILED")
    title = act.title.format(before)
    teller.heading(f"{number}. {title[0].upper()}{title[1:]}")
    teller.say(act.story.format(before), indent="   ")
    if bound is not None:
        teller.say(f"May take {bound.ms:.0f} ms: {bound.made_of}.", indent="   ")
    seen = _play(stage, act, before) if bound is None else _watch(stage, act, before)
    problem = seen.problem or what_is_wrong(seen.results, bound)
    teller.say(f"{before} -> {seen.after}. {seen.told}", indent="   ")
    for kind, result in zip(("Echo requests", "TCP connects"), seen.results, strict=False):
        teller.say(f"{kind}: {result}.", indent="   ")
    problem = _repair(stage, act, before, teller) or problem
    verdict = "FAILED" if problem else "ok"
    teller.judge(verdict, problem)
    return row_of(title, before, seen, bound, verdict)


def row_of(title: str, before: str, seen: Seen, bound: Bound | None, verdict: str) -> Row:
    """Return the line of the table for an act."""
    if bound is None or not seen.results:
        return Row(title, before, seen.after, "-", "-", "-", "-", verdict)
    icmp, tcp = seen.results
    return Row(
        *(title, before, seen.after, str(icmp.lost), str(tcp.lost)),
        gap=f"{max(icmp.longest_gap_ms, tcp.longest_gap_ms):.0f}",
        bound=f"{bound.ms:.0f}",
        verdict=verdict,
    )


def what_is_wrong(results: Sequence[ProbeResult], bound: Bound | None) -> str:
    """Return in what the probes missed their bound; empty if in nothing."""
    if bound is None or not results:
        return ""
    limits = (bound.icmp_max, bound.lost_max)
    for kind, one, lost_max in zip(("ICMP", "TCP"), results, limits, strict=True):
        # A machine that keeps the prober from running keeps the hosts from running, too.
        if one.longest_gap_ms > bound.ms + one.late_ms_max:
            return f"{kind} was silent for {one.longest_gap_ms:.0f} ms, the bound is {bound.ms:.0f}"
        if lost_max is not None and one.lost > lost_max:
            return f"{one.lost} {kind} probes were lost, none should be"
    return ""


# -------------------------------------------------------------------------------------------------


def _watch(stage: StageT, act: Act[StageT], before: str) -> Seen:
    """Play the act while the client probes."""
    targets = [f"icmp:{stage.address}", f"tcp:{stage.address}:80"]
    with Probing(stage.client, targets, PROBES_PER_SECOND) as probing:
        time.sleep(_QUIET_SECONDS)
        seen = _play(stage, act, before)
        time.sleep(_QUIET_SECONDS)
    results = tuple(probing.results[target] for target in targets)
    return Seen(seen.after, seen.told, seen.problem, results)


def _play(stage: StageT, act: Act[StageT], before: str) -> Seen:
    try:
        told = act.play(stage, before)
        return Seen(_await_end(stage, act.ends, before), told, "")
    except TROUBLE as error:
        return Seen("+".join(stage.holders()) or NOBODY, "", str(error))


def _await_end(stage: Stage, ends: Ends, before: str) -> str:
    if ends is Ends.NOWHERE:
        holders = stage.holders()
        if holders:
            raise LabError(f"{stage.address} is still on {' and '.join(holders)}")
        return NOBODY
    wanted = stage.others(before) if ends is Ends.ELSEWHERE else [before]
    return stage.await_holder(wanted, _SECONDS_TO_END)


def _repair(stage: StageT, act: Act[StageT], before: str, teller: Teller) -> str:
    """Mend what the act broke; return what did not work, empty if it did."""
    if act.repair is None:
        return ""
    try:
        told = act.repair(stage, before)
    except TROUBLE as error:
        return f"what it broke could not be mended: {error}"
    if told:
        teller.say(told, indent="   ")
    return ""
