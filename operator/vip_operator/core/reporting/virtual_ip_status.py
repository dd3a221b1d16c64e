"""What users are told in a round: status and events of VirtualIPs, ingress of Services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from vip_model.planning.planned_status import PlannedStatus, in_short
from vip_model.resources.metadata import Condition
from vip_model.resources.virtual_ip import CandidatesSummary, VirtualIP, VirtualIPStatus
from vip_operator.core.changes import SetStatus, StatusChange
from vip_operator.core.holders.earlier import Told
from vip_operator.core.holders.holder import NOBODY, Standing, settling_ns
from vip_operator.core.holders.running import (
    RunningKeeper,
    RunningRouter,
    by_owner,
    in_service,
)
from vip_operator.core.known.round_inputs import STALE_AFTER_NS, Facts, Heartbeat
from vip_operator.core.known.snapshot import UnreadableVirtualIP
from vip_operator.core.known.speaker_reports import gather
from vip_operator.core.reporting import conditions
from vip_operator.core.reporting.earlier_statuses import decoded, told_by
from vip_operator.core.reporting.events import Announcer, Subject
from vip_operator.core.reporting.pacing import Pace, Pacer
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
class _Scene:
    """What a round judges by: the facts, and the elections that are on the move since a moment."""

    facts: Facts
    moving: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Judged:
    """A VirtualIP with the status that it should have.

    Attributes:
        subject: the VirtualIP.
        change: the status; None where it has it.
        urgent: it answers an edit, which nobody makes many times a second.
    """

    subject: Subject
    change: SetStatus | None
    urgent: bool = False

    @property
    def news(self) -> object:
        """What is to be written, apart from the moment; None: nothing that could wait."""
        if self.change is None or self.urgent:
            return None
        status = self.change.status
        said = ((each.type, each.status, each.message) for each in status.conditions)
        return (self.subject.key, status.active_node, status.routers, status.candidates, *said)

    def at(self, pace: Pace) -> _Judged:
        """Return it without what must wait."""
        subject = self.subject if pace.events else replace(self.subject, paced=True)
        change = self.change if pace.statuses or self.urgent else None
        return replace(self, subject=subject, change=change)


class StatusKeeper:
    """Finds what to tell users, round after round; remembers what needs time or was told."""

    def __init__(self) -> None:
        self._elections = RunningKeeper()
        self._announcer = Announcer()
        self._pacer = Pacer()
        self._moved_ns: dict[str, int] = {}
        self._moving: frozenset[str] = frozenset()
        self._told: Told | None = None

    def round(self, facts: Facts) -> StatusRound:
        """Return what must be written, given what is there."""
        routers = by_owner(in_service(facts.plan))
        if self._told is None:  # later statuses are our own
            names = {key: router.name for key, router in routers.items()}
            self._told = told_by(facts.snapshot, names)
        reports = gather(facts.snapshot.speakers)
        elections, lag_due_ns = self._elections.round(facts, reports, self._told)
        move_due_ns = self._note_moves(elections, facts.now.monotonic_ns)
        scene = _Scene(facts, self._moving)
        by_key = {key: elections[router.name] for key, router in routers.items()}
        judged = [*_readable(scene, by_key), *_unreadable(scene, by_key)]
        judged, pace_due_ns = self._paced(judged, facts.now.monotonic_ns)
        events, event_due_ns = self._announcer.round(
            [one.subject for one in judged], reports, facts
        )
        statuses = [each.change for each in judged if each.change is not None]
        dues = (
            lag_due_ns,
            move_due_ns,
            pace_due_ns,
            event_due_ns,
            _next_silence_ns(facts.heartbeats),
        )
        return StatusRound(
            changes=(*statuses, *changes_of(facts), *events),
            due_ns=min((due for due in dues if due is not None), default=None),
        )

    def _note_moves(self, elections: Mapping[str, RunningRouter], now_ns: int) -> int | None:
        """Note which elections are on the move since a moment; return when that is over."""
        moving = {name: each for name, each in elections.items() if _is_moving(each)}
        self._moved_ns = {name: self._moved_ns.get(name, now_ns) for name in moving}
        ends_ns = {name: self._moved_ns[name] + _patience_ns(each) for name, each in moving.items()}
        self._moving = frozenset(name for name, end_ns in ends_ns.items() if now_ns < end_ns)
        return min((ends_ns[name] for name in self._moving), default=None)

    def _paced(self, judged: list[_Judged], now_ns: int) -> tuple[list[_Judged], int | None]:
        """Hold back what elections whose news never ends want written too often."""
        together: dict[str, list[_Judged]] = {}
        for each in judged:
            router = each.subject.router
            together.setdefault(router.name if router is not None else "", []).append(each)
        self._pacer.begin(now_ns)
        found = together.pop("", [])
        for router_name, members in together.items():
            news = tuple(each.news for each in members if each.news is not None)
            pace = self._pacer.pace(router_name, len(members), news or None)
            found += [each.at(pace) for each in members]
        return found, self._pacer.end()


def _is_moving(election: RunningRouter) -> bool:
    return election.holding.standing in (Standing.SETTLING, Standing.UNREPORTED)


def _patience_ns(election: RunningRouter) -> int:
    """Return how long a move may take until it counts as an outage.

    While somebody claims it, until an old claim is certainly over; while nobody does, so long as
    the report of the next holder may be on its way.
    """
    if election.holding.standing is Standing.SETTLING:
        return STALE_AFTER_NS
    return settling_ns(election.router)


def _next_silence_ns(heartbeats: Mapping[str, Heartbeat]) -> int | None:
    """Return when the next heartbeat goes stale unless it is renewed."""
    dues = (each.changed_ns + STALE_AFTER_NS + 1 for each in heartbeats.values() if each.fresh)
    return min(dues, default=None)


def _readable(scene: _Scene, elections: Mapping[str, RunningRouter]) -> Iterator[_Judged]:
    planned = {status.virtual_ip: status for status in scene.facts.plan.statuses}
    for virtual_ip in scene.facts.snapshot.virtual_ips:
        judgement = planned.get(virtual_ip.key)
        # What the plan does not know yet is judged in the next round.
        if judgement is not None:
            election = elections.get(virtual_ip.key)
            yield _judge(virtual_ip, judgement, election, scene)


def _judge(
    virtual_ip: VirtualIP, planned: PlannedStatus, election: RunningRouter | None, scene: _Scene
) -> _Judged:
    before, metadata = virtual_ip.status, virtual_ip.metadata
    accepted = conditions.accepted(planned)
    status = _status(
        virtual_ip.key,
        accepted,
        election,
        before.conditions,
        addresses=planned.address_summary,
        scene=scene,
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
        lagging=_lagging(virtual_ip.key, election),
    )
    change = _change(subject, metadata.resource_version, status) if status != before else None
    urgent = _is_answer(accepted, before.conditions)
    return _Judged(subject, change, urgent)


def _unreadable(scene: _Scene, elections: Mapping[str, RunningRouter]) -> Iterator[_Judged]:
    for virtual_ip in scene.facts.snapshot.unreadable:
        yield _judge_unreadable(virtual_ip, elections.get(virtual_ip.key), scene)


def _judge_unreadable(
    virtual_ip: UnreadableVirtualIP, election: RunningRouter | None, scene: _Scene
) -> _Judged:
    before = decoded(virtual_ip)
    addresses = _address_summary(virtual_ip.key, election)
    accepted = conditions.unreadable(virtual_ip.problems, virtual_ip.generation)
    status = _status(virtual_ip.key, accepted, election, before, addresses=addresses, scene=scene)
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
        lagging=_lagging(virtual_ip.key, election),
    )
    # Its conditions are all that is known of its status, and they tell the holder too.
    is_news = status.conditions != before
    change = _change(subject, virtual_ip.resource_version, status) if is_news else None
    return _Judged(subject, change, _is_answer(accepted, before))


def _is_answer(accepted: Condition, before: Sequence[Condition]) -> bool:
    """Return whether a status answers an edit, or is the first one."""
    known = conditions.find(before, accepted.type)
    return known is None or known != msgspec.structs.replace(
        accepted, last_transition_time=known.last_transition_time
    )


def _lagging(virtual_ip: str, election: RunningRouter | None) -> tuple[str, ...]:
    """Return the candidates that do not follow, for the first VirtualIP of an election."""
    if election is None or virtual_ip != next(iter(election.router.owners), ""):
        return ()
    return tuple(
        each.candidate.node
        for each in election.situations
        if each.stalled and each.candidate.node != election.holding.node
    )


def _status(
    virtual_ip: str,
    accepted: Condition,
    election: RunningRouter | None,
    before: Sequence[Condition],
    *,
    addresses: str,
    scene: _Scene,
) -> VirtualIPStatus:
    generation, facts = accepted.observed_generation, scene.facts
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
                stays_ready=election.router.name in scene.moving
                and conditions.is_true(before, conditions.READY),
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
