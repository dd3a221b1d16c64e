"""What users are told in a round: status and events of VirtualIPs, ingress of Services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vip_model.planning.planned_status import PlannedStatus, in_short
from vip_model.resources.metadata import Condition
from vip_model.resources.virtual_ip import CandidatesSummary, VirtualIP, VirtualIPStatus
from vip_operator.core.changes import SetStatus, StatusChange
from vip_operator.core.holders.earlier import Told
from vip_operator.core.holders.holder import NOBODY
from vip_operator.core.holders.running import (
    RunningKeeper,
    RunningRouter,
    by_owner,
    not_retired,
)
from vip_operator.core.known.round_inputs import STALE_AFTER_NS, Facts, Heartbeat
from vip_operator.core.known.snapshot import UnreadableVirtualIP
from vip_operator.core.known.speaker_reports import Reports, gather
from vip_operator.core.reporting import conditions
from vip_operator.core.reporting.earlier_statuses import decoded, told_by
from vip_operator.core.reporting.events import Announcer, Subject
from vip_operator.core.reporting.services import changes_of


@dataclass(frozen=True, slots=True)
class StatusRound:
    """What a round found.

    Attributes:
        changes: what must be written, statuses first, then Services, then events.
        due_ns: when there may be more to say although nothing changed (monotonic); None: never.
    """

    changes: tuple[StatusChange, ...]
    due_ns: int | None


@dataclass(frozen=True, slots=True)
class _Judged:
    """A VirtualIP with the status that it should have; None where it has it."""

    subject: Subject
    change: SetStatus | None


class StatusKeeper:
    """Finds what to tell users, round after round; remembers what needs time or was told."""

    def __init__(self) -> None:
        self._elections = RunningKeeper()
        self._announcer = Announcer()
        self._told: Told | None = None

    def round(self, facts: Facts) -> StatusRound:
        """Return what must be written, given what is there."""
        routers = by_owner(not_retired(facts.plan))
        if self._told is None:  # later statuses are our own
            names = {key: router.name for key, router in routers.items()}
            self._told = told_by(facts.snapshot, names)
        reports = gather(facts.snapshot.speakers)
        elections, lag_due_ns = self._elections.round(facts, reports, self._told)
        by_key = {key: elections[router.name] for key, router in routers.items()}
        judged = [*_readable(facts, by_key), *_unreadable(facts, by_key)]
        events, event_due_ns = self._announce(facts, judged, reports)
        statuses = [each.change for each in judged if each.change is not None]
        ingress = changes_of(facts)
        dues = (lag_due_ns, event_due_ns, _next_silence_ns(facts.heartbeats))
        return StatusRound(
            changes=(*statuses, *ingress, *events),
            due_ns=min((due for due in dues if due is not None), default=None),
        )

    def _announce(
        self, facts: Facts, judged: Sequence[_Judged], reports: Reports
    ) -> tuple[Sequence[StatusChange], int | None]:
        return self._announcer.round(
            [each.subject for each in judged],
            reports,
            facts,
        )


def _next_silence_ns(heartbeats: Mapping[str, Heartbeat]) -> int | None:
    """Return when the next heartbeat goes stale unless it is renewed."""
    dues = (each.changed_ns + STALE_AFTER_NS + 1 for each in heartbeats.values() if each.fresh)
    return min(dues, default=None)


def _readable(facts: Facts, elections: Mapping[str, RunningRouter]) -> Iterator[_Judged]:
    planned = {status.virtual_ip: status for status in facts.plan.statuses}
    for virtual_ip in facts.snapshot.virtual_ips:
        judgement = planned.get(virtual_ip.key)
        # What the plan does not know yet is judged in the next round.
        if judgement is not None:
            election = elections.get(virtual_ip.key)
            yield _judge(virtual_ip, judgement, election, facts)


def _judge(
    virtual_ip: VirtualIP, planned: PlannedStatus, election: RunningRouter | None, facts: Facts
) -> _Judged:
    before, metadata = virtual_ip.status, virtual_ip.metadata
    status = _status(
        virtual_ip.key,
        conditions.accepted(planned),
        election,
        before.conditions,
        addresses=planned.address_summary,
        facts=facts,
    )
    subject = Subject(
        namespace=virtual_ip.namespace,
        name=metadata.name,
        uid=metadata.uid,
        addresses=planned.address_summary,
        told_node=before.active_node,
        told_conditions=before.conditions,
        told_current=before.observed_generation == metadata.generation > 0,
        conditions=status.conditions,
        router=election.router if election is not None else None,
        holding=election.holding if election is not None else NOBODY,
    )
    change = _change(subject, metadata.resource_version, status) if status != before else None
    return _Judged(subject, change)


def _unreadable(facts: Facts, elections: Mapping[str, RunningRouter]) -> Iterator[_Judged]:
    for virtual_ip in facts.snapshot.unreadable:
        yield _judge_unreadable(virtual_ip, elections.get(virtual_ip.key), facts)


def _judge_unreadable(
    virtual_ip: UnreadableVirtualIP, election: RunningRouter | None, facts: Facts
) -> _Judged:
    before = decoded(virtual_ip)
    addresses = _address_summary(virtual_ip.key, election)
    accepted = conditions.unreadable(virtual_ip.problems, virtual_ip.generation)
    status = _status(virtual_ip.key, accepted, election, before, addresses=addresses, facts=facts)
    subject = Subject(
        namespace=virtual_ip.namespace,
        name=virtual_ip.name,
        uid=virtual_ip.uid,
        addresses=addresses or virtual_ip.key,
        told_node=None,
        told_conditions=before,
        told_current=True,
        conditions=status.conditions,
        router=election.router if election is not None else None,
        holding=election.holding if election is not None else NOBODY,
    )
    # Its conditions are all that is known of its status, and they tell the holder too.
    is_news = status.conditions != before
    change = _change(subject, virtual_ip.resource_version, status) if is_news else None
    return _Judged(subject, change)


def _status(
    virtual_ip: str,
    accepted: Condition,
    election: RunningRouter | None,
    before: Sequence[Condition],
    *,
    addresses: str,
    facts: Facts,
) -> VirtualIPStatus:
    generation = accepted.observed_generation
    if election is None:
        found = [accepted, *conditions.not_running(generation)]
    else:
        found = [
            accepted,
            *conditions.running(
                virtual_ip,
                election.router,
                election.holding,
                election.situations,
                generation,
                speaker_trouble=facts.snapshot.speaker_trouble,
                not_shown=facts.plan.not_shown.get(virtual_ip, ()),
            ),
        ]
    return VirtualIPStatus(
        observed_generation=generation,
        address_summary=addresses,
        active_node=election.holding.node if election is not None else "",
        routers=election.routers_of(virtual_ip) if election is not None else (),
        candidates=election.candidates if election is not None else CandidatesSummary(),
        conditions=conditions.merged(before, found, facts.now.utc),
    )


def _change(subject: Subject, resource_version: str, status: VirtualIPStatus) -> SetStatus:
    return SetStatus(
        namespace=subject.namespace,
        name=subject.name,
        uid=subject.uid,
        resource_version=resource_version,
        status=status,
    )


def _address_summary(virtual_ip: str, election: RunningRouter | None) -> str:
    """Return the addresses that run for it; empty where it is not known which those are."""
    owner = election.router.owners.get(virtual_ip) if election is not None else None
    if election is None or owner is None:
        return ""
    is_alone = len(election.router.spec.owners) == 1
    found = election.router.addresses_of(virtual_ip) if owner.addresses or is_alone else ()
    return in_short(found)
