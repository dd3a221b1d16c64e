"""The candidates of a router as the status of its VirtualIPs shows them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vip_model.resources.speaker import AbnormalRouter, ActiveRouter, AddressConflict
from vip_model.resources.virtual_ip import CandidatesSummary, CandidateSummary
from vip_model.resources.virtual_router import Candidate, VirtualRouter
from vip_model.vocabulary import Reason, State
from vip_operator.core.holders.progress import Progress
from vip_operator.core.known.speaker_reports import Reports

MOST_SHOWN = 8
UNKNOWN = "Unknown"  # the state where nothing current is known


@dataclass(frozen=True, slots=True)
class Situation:
    """One candidate and how it is.

    Attributes:
        candidate: as planned.
        state: Active, Backup or Initialize as reported; Unknown where nothing current is known.
        reason: why, in a word.
        message: what is wrong, for people.
        effective_priority: its priority on the wire; 0 where it takes no part.
        fresh: its heartbeat is fresh.
        standby: it would take over at once.
        failing: its gates fail.
        stalled: it has not applied the newest revision for more than 30 s.
        conflicts: what it hears of other machines with the addresses, if its heartbeat is fresh.
        heard_by: candidates that hear it although its own heartbeat is not fresh.
    """

    candidate: Candidate
    state: str
    reason: str
    message: str
    effective_priority: int
    fresh: bool
    standby: bool
    failing: bool
    stalled: bool
    conflicts: tuple[AddressConflict, ...] = ()
    heard_by: tuple[str, ...] = ()

    @property
    def takes_no_part(self) -> bool:
        """It says so itself."""
        return self.fresh and self.state == State.INITIALIZE


def situations(
    router: VirtualRouter, reports: Reports, progress: Mapping[str, Progress]
) -> tuple[Situation, ...]:
    """Return how each candidate is, in order of the slots.

    Args:
        router: the router.
        reports: what speakers report.
        progress: of each candidate whose heartbeat is fresh.
    """
    said = reports.of(router.name)
    found = []
    for candidate in sorted(router.spec.candidates, key=lambda each: each.slot):
        node = candidate.node
        active, abnormal = said.active.get(node), said.abnormal.get(node)
        state, reason = _state(active, abnormal, progress.get(node))
        found.append(
            Situation(
                candidate=candidate,
                state=state,
                reason=reason,
                message=abnormal.message if abnormal is not None else "",
                effective_priority=_effective_priority(candidate, state, active or abnormal),
                fresh=node in progress,
                standby=active is None and abnormal is None and _would_serve(progress.get(node)),
                failing=_failing(active, abnormal),
                stalled=progress.get(node) is Progress.STALLED,
                conflicts=tuple(said.conflicts.get(node, ())) if node in progress else (),
                heard_by=_hearing(node, reports, progress),
            )
        )
    return tuple(found)


def _hearing(node: str, reports: Reports, progress: Mapping[str, Progress]) -> tuple[str, ...]:
    """Return the candidates that hear one whose heartbeat is not fresh."""
    hearing = reports.hearing.get(node) if node not in progress else None
    return tuple(sorted(hearing & progress.keys())) if hearing else ()


def _would_serve(progress: Progress | None) -> bool:
    return progress in (Progress.CURRENT, Progress.CATCHING_UP)


def _failing(active: ActiveRouter | None, abnormal: AbnormalRouter | None) -> bool:
    return any(each is not None and each.failing_gates for each in (active, abnormal))


def _state(
    active: ActiveRouter | None,
    abnormal: AbnormalRouter | None,
    progress: Progress | None,
) -> tuple[str, str]:
    if progress is None:
        return UNKNOWN, Reason.NO_HEARTBEAT
    if active is not None:
        return State.ACTIVE, active.reason
    if abnormal is not None:
        return abnormal.state, abnormal.reason
    if _would_serve(progress):
        return State.BACKUP, ""
    return UNKNOWN, Reason.NOT_APPLIED


def summary(found: tuple[Situation, ...]) -> CandidatesSummary:
    """Return what the status says of the candidates."""
    return CandidatesSummary(
        total=len(found),
        standby=sum(each.standby for each in found),
        failing=sum(each.failing for each in found),
        top=tuple(
            CandidateSummary(
                node=each.candidate.node,
                rank=rank,
                priority=each.candidate.priority,
                effective_priority=each.effective_priority,
                state=each.state,
                reason=each.reason,
                message=each.message,
            )
            for rank, each in enumerate(found[:MOST_SHOWN], start=1)
        ),
    )


def _effective_priority(
    candidate: Candidate, state: str, reported: ActiveRouter | AbnormalRouter | None
) -> int:
    """Return what its engine reports; a healthy Backup reports nothing, and has its base one."""
    if state == State.INITIALIZE:
        return 0
    return (
        reported.effective_priority
        if reported and reported.effective_priority
        else (candidate.priority)
    )
