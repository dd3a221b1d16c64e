"""The candidates of a router as the status of its VirtualIPs shows them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vip_model.resources.speaker import AbnormalRouter, ActiveRouter
from vip_model.resources.virtual_ip import CandidatesSummary, CandidateSummary
from vip_model.resources.virtual_router import Candidate, VirtualRouter
from vip_model.vocabulary import Reason
from vip_operator.core.lags import Progress
from vip_operator.core.reports import Reports, has_failing_gates

MOST_SHOWN = 8
ACTIVE, BACKUP, INITIALIZE, UNKNOWN = "Active", "Backup", "Initialize", "Unknown"

# As engines count (docs/protocol.md, "Health").
_FAILING_SUBTRAHEND = 100
_HIGHEST_FAILING_PRIORITY = 154


@dataclass(frozen=True, slots=True)
class Situation:
    """One candidate and how it is.

    Attributes:
        candidate: as planned.
        state: Active, Backup or Initialize as reported; Unknown where nothing current is known.
        reason: why.
        fresh: its heartbeat is fresh.
        standby: it would take over at once.
        failing: its gates fail.
        stalled: it has not applied the newest revision for more than 30 s.
    """

    candidate: Candidate
    state: str
    reason: str
    fresh: bool
    standby: bool
    failing: bool
    stalled: bool

    @property
    def withdrawn(self) -> bool:
        """It says itself that it takes no part."""
        return self.fresh and self.state == INITIALIZE


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
                fresh=node in progress,
                standby=active is None and abnormal is None and _would_serve(progress.get(node)),
                failing=_failing(active, abnormal),
                stalled=progress.get(node) is Progress.STALLED,
            )
        )
    return tuple(found)


def _would_serve(progress: Progress | None) -> bool:
    return progress in (Progress.CURRENT, Progress.CATCHING_UP)


def _failing(active: ActiveRouter | None, abnormal: AbnormalRouter | None) -> bool:
    if active is not None and active.failing_gates:
        return True
    return abnormal is not None and has_failing_gates(abnormal)


def _state(
    active: ActiveRouter | None,
    abnormal: AbnormalRouter | None,
    progress: Progress | None,
) -> tuple[str, str]:
    if progress is None:
        return UNKNOWN, Reason.NO_HEARTBEAT
    if active is not None:
        return ACTIVE, active.reason
    if abnormal is not None:
        return abnormal.state, abnormal.reason
    if _would_serve(progress):
        return BACKUP, ""
    return UNKNOWN, Reason.NOT_APPLIED


def summary(router: VirtualRouter, found: tuple[Situation, ...]) -> CandidatesSummary:
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
                effective_priority=_effective_priority(router, each),
                state=each.state,
                reason=each.reason,
            )
            for rank, each in enumerate(found[:MOST_SHOWN], start=1)
        ),
    )


def _effective_priority(router: VirtualRouter, situation: Situation) -> int:
    """Return the priority on the wire; 0 where the node takes no part."""
    priority = situation.candidate.priority
    if situation.state == INITIALIZE:
        return 0
    if not situation.failing:
        return priority
    gates = router.spec.gates
    subtrahend = min((gate.failure_policy.by for gate in gates), default=_FAILING_SUBTRAHEND)
    lowered = max(1, priority - subtrahend)
    return min(lowered, _HIGHEST_FAILING_PRIORITY) if router.spec.health_bands else lowered
