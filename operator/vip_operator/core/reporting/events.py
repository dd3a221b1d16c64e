"""Events: what users are told once, when it happens. Pure but for what it remembers.

What an earlier operator has told is read from the status of each VirtualIP at first sight.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from vip_model.resources.metadata import Condition
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.schema.errors import Problem
from vip_model.vocabulary import Reason
from vip_operator.core.changes import EmitEvent, EventType
from vip_operator.core.holders.holder import NOBODY, Claim, Holding, Standing, settling_ns
from vip_operator.core.known.round_inputs import Facts, Heartbeat
from vip_operator.core.known.speaker_reports import Reports
from vip_operator.core.reporting.conditions import (
    ACCEPTED,
    ADDRESS_CONFLICT,
    BOUND,
    CONTESTED,
    FALSE,
    WITHOUT_SPEAKERS,
    both_hold,
    find,
    gates_failing,
    is_true,
    lagging,
)

# What the API server takes is 1024 bytes; problems of many fields can be longer.
MOST_CHARACTERS = 1000

_KIND = "VirtualIP "
_SERVICE_FIELD = "spec.serviceRef.name"


@dataclass(frozen=True, slots=True)
class Subject:
    """A VirtualIP as events need it.

    Attributes:
        namespace: its namespace.
        name: its name.
        uid: its uid.
        addresses: its addresses in short.
        told_node: the holder that its status shows; None where that cannot be read.
        told_conditions: the conditions that its status shows.
        told_current: its status is of its present generation.
        conditions: its conditions now.
        router: its election; None where nothing runs.
        holding: who holds that.
        lagging: candidates that do not follow, of an election that this one is the first of.
        paced: events must wait, since its news never ends.
    """

    namespace: str
    name: str
    uid: str
    addresses: str
    told_node: str | None
    told_conditions: Sequence[Condition]
    told_current: bool
    conditions: Sequence[Condition]
    router: VirtualRouter | None = None
    holding: Holding = NOBODY
    lagging: tuple[str, ...] = ()
    paced: bool = False

    @property
    def key(self) -> str:
        """NAMESPACE/NAME."""
        return f"{self.namespace}/{self.name}"

    def event(
        self, reason: Reason, message: str, *, normal: bool = False, node: str = ""
    ) -> EmitEvent:
        """Return an event about it."""
        if len(message) > MOST_CHARACTERS:
            message = message[: MOST_CHARACTERS - 1] + "…"
        return EmitEvent(
            namespace=self.namespace,
            name=self.name,
            uid=self.uid,
            type=EventType.NORMAL if normal else EventType.WARNING,
            reason=reason,
            message=message,
            node=node,
        )


@dataclass(slots=True)
class _Told:
    """What the user of one VirtualIP was told last.

    Attributes:
        without_speakers: message of Bound where an earlier operator told of the trouble.
        speaker_trouble: what was told of the speakers' trouble.
        lagging: nodes that were told not to follow.
        seen_node: the holder in the round before, told or not.
        moves: how often the holder changed since the last event, while events had to wait.
    """

    node: str
    contested: bool
    conflict: bool
    refused: bool
    failing_gates: tuple[str, ...] = ()
    vacant_since_ns: int | None = None
    without_speakers: str = ""
    speaker_trouble: str = ""
    warnings: set[str] = field(default_factory=set)
    lagging: frozenset[str] = frozenset()
    seen_node: str = ""
    moves: int = 0


class Announcer:
    """Makes events of what changed since the round before."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], _Told] = {}

    def round(
        self, subjects: Iterable[Subject], reports: Reports, facts: Facts
    ) -> tuple[list[EmitEvent], int | None]:
        """Return the events, and when there may be more by time alone (monotonic, ns)."""
        scene = _Scene(reports, facts.heartbeats, facts.now.monotonic_ns)
        speaker_trouble = facts.snapshot.speaker_trouble
        by_object: dict[str, list[Problem]] = {}
        for warning in facts.plan.warnings:
            by_object.setdefault(warning.object, []).append(warning)
        told: dict[tuple[str, str], _Told] = {}
        events: list[EmitEvent] = []
        dues: list[int] = []
        for subject in subjects:
            key = (subject.key, subject.uid)
            found = by_object.get(_KIND + subject.key, ())
            before = self._told.get(key)
            if before is None:
                before = _at_first_sight(subject, found)
            told[key] = before
            events += _judgement(subject, before)
            events += _advice(subject, before, found)
            events += _trouble(subject, before, speaker_trouble)
            events += _lags(subject, before)
            _count(subject, before)
            if subject.paced:
                continue
            moves, due_ns = _moves(subject, before, scene)
            events += moves
            events += _contest(subject, before)
            events += _conflict(subject, before)
            if due_ns is not None:
                dues.append(due_ns)
        self._told = told
        return events, min(dues, default=None)


@dataclass(frozen=True, slots=True)
class _Scene:
    reports: Reports
    heartbeats: Mapping[str, Heartbeat]
    now_ns: int


def _at_first_sight(subject: Subject, warnings: Iterable[Problem]) -> _Told:
    """Return what an earlier operator has told."""
    node = subject.holding.node if subject.told_node is None else subject.told_node
    accepted = find(subject.told_conditions, ACCEPTED)
    told = _Told(
        node=node,
        seen_node=node,
        contested=is_true(subject.told_conditions, CONTESTED),
        conflict=is_true(subject.told_conditions, ADDRESS_CONFLICT),
        refused=_is_refused(accepted),
    )
    without_speakers = _without_speakers(subject.told_conditions)
    if without_speakers is not None:
        told.without_speakers = without_speakers.message
    if subject.told_current:
        told.warnings = {_text(each) for each in warnings}
    return told


def _judgement(subject: Subject, told: _Told) -> list[EmitEvent]:
    """Tell that the VirtualIP is refused, or accepted again."""
    accepted = find(subject.conditions, ACCEPTED)
    refused = _is_refused(accepted)
    if refused == told.refused:
        return []
    told.refused = refused
    if accepted is None or not refused:
        text = f"{subject.addresses} is accepted"
        return [subject.event(Reason.ACCEPTED, text, normal=True)]
    return [subject.event(Reason.REFUSED, f"{accepted.reason}: {accepted.message}")]


def _is_refused(accepted: Condition | None) -> bool:
    """Return whether a VirtualIP is refused, and not merely on its way to another election."""
    return accepted is not None and accepted.status == FALSE and accepted.reason != Reason.MOVING


def _advice(subject: Subject, told: _Told, warnings: Iterable[Problem]) -> list[EmitEvent]:
    """Tell each warning once, by its text."""
    events = []
    for warning in warnings:
        text = _text(warning)
        if text not in told.warnings:
            told.warnings.add(text)
            about_service = warning.field == _SERVICE_FIELD
            reason = Reason.NO_SUCH_SERVICE if about_service else Reason.ADVICE
            events.append(subject.event(reason, text))
    return events


def _text(problem: Problem) -> str:
    return f"{problem.field}: {problem.message}" if problem.field else problem.message


def _trouble(subject: Subject, told: _Told, speaker_trouble: str) -> list[EmitEvent]:
    """Tell why nodes have no speaker, where that leaves the addresses without a holder."""
    bound = _without_speakers(subject.conditions)
    if bound is None:
        told.speaker_trouble = told.without_speakers = ""
        return []
    if not speaker_trouble or speaker_trouble == told.speaker_trouble:  # or none is known yet
        return []
    told_already = bound.message == told.without_speakers
    told.speaker_trouble, told.without_speakers = speaker_trouble, ""
    if told_already:
        return []
    text = f"nobody can hold {subject.addresses}: {speaker_trouble}"
    return [subject.event(Reason.SPEAKERS_REFUSED, text)]


def _without_speakers(conditions: Iterable[Condition]) -> Condition | None:
    """Return Bound where nobody holds it for want of speakers."""
    bound = find(conditions, BOUND)
    return bound if bound is not None and bound.reason in WITHOUT_SPEAKERS else None


def _lags(subject: Subject, told: _Told) -> list[EmitEvent]:
    """Tell of candidates that began to lag behind, once for all VirtualIPs of an election."""
    new = frozenset(subject.lagging) - told.lagging
    told.lagging = frozenset(subject.lagging)
    if not new:
        return []
    return [subject.event(Reason.SPEAKERS_BEHIND, lagging(sorted(new)))]


def _count(subject: Subject, told: _Told) -> None:
    """Count the moves, of which not every one is told."""
    node = subject.holding.node
    if node and told.seen_node and node != told.seen_node:
        told.moves += 1
    told.seen_node = node or told.seen_node


def _moves(subject: Subject, told: _Told, scene: _Scene) -> tuple[list[EmitEvent], int | None]:
    """Tell that the holder changed."""
    holder = subject.holding.holder
    if holder is None:
        return _vacancy(subject, told, scene.now_ns)
    told.vacant_since_ns = None
    events = []
    if holder.node != told.node or told.moves > 1:
        events.append(_taken(subject, told, holder, scene))
    told.moves = 0
    told.node, told.failing_gates = holder.node, holder.failing_gates
    return events, None


def _taken(subject: Subject, told: _Told, holder: Claim, scene: _Scene) -> EmitEvent:
    why = f" ({holder.reason})" if holder.reason else ""
    if not told.node:
        text = f"{holder.node} holds {subject.addresses}{why}"
        return subject.event(Reason.BOUND, text, normal=True, node=holder.node)
    if told.moves > 1:
        text = f"{subject.addresses} moved {told.moves} times, and {holder.node} holds it now{why}"
        return subject.event(Reason.MOVED, text, node=holder.node)
    text = f"{subject.addresses} moved from {told.node} to {holder.node}{why}"
    cause = _cause(subject, told, scene)
    text += f": {cause}" if cause else ""
    return subject.event(Reason.MOVED, text, normal=True, node=holder.node)


def _cause(subject: Subject, told: _Told, scene: _Scene) -> str:
    """Return what is wrong with the node that held it before; empty if nothing is known."""
    if told.failing_gates:
        return f"{gates_failing(told.failing_gates)} on {told.node}"
    if subject.router is None:
        return ""
    abnormal = scene.reports.of(subject.router.name).abnormal.get(told.node)
    if abnormal is not None:
        gates = abnormal.failing_gates
        what = gates_failing(gates) if gates else abnormal.message or abnormal.reason
        return f"{what} on {told.node}"
    heartbeat = scene.heartbeats.get(told.node)
    if heartbeat is None or not heartbeat.fresh:
        return f"the speaker of {told.node} is not heard any more"
    return ""


def _vacancy(subject: Subject, told: _Told, now_ns: int) -> tuple[list[EmitEvent], int | None]:
    """Tell that nobody holds it, once that is certain and has lasted for longer than a move can.

    In a planned move the old holder's report often comes before the new one's.
    """
    if not told.node:
        return [], None
    if told.vacant_since_ns is None:
        told.vacant_since_ns = now_ns
    patience_ns = settling_ns(subject.router) if subject.router is not None else 0
    due_ns = told.vacant_since_ns + patience_ns
    if now_ns < due_ns:
        return [], due_ns
    if subject.holding.standing is Standing.UNREPORTED:
        return [], None
    bound = find(subject.conditions, BOUND)
    why = f": {bound.reason}, {bound.message}" if bound is not None else ""
    text = f"nobody holds {subject.addresses} any more, {told.node} was the last{why}"
    told.node, told.failing_gates, told.vacant_since_ns = "", (), None
    return [subject.event(Reason.UNBOUND, text)], None


def _contest(subject: Subject, told: _Told) -> list[EmitEvent]:
    contested = subject.holding.standing is Standing.CONTESTED
    begins = contested and not told.contested
    told.contested = contested
    if not begins:
        return []
    nodes = [claim.node for claim in subject.holding.claims]
    return [subject.event(Reason.CONTESTED, f"{both_hold(nodes)} {subject.addresses}")]


def _conflict(subject: Subject, told: _Told) -> list[EmitEvent]:
    """Warn that another machine uses or announces the addresses, once until it is over."""
    found = find(subject.conditions, ADDRESS_CONFLICT)
    conflict = is_true(subject.conditions, ADDRESS_CONFLICT)
    begins = conflict and not told.conflict
    told.conflict = conflict
    if found is None or not begins:
        return []
    return [subject.event(Reason.ADDRESS_CONFLICT, f"{found.reason}: {found.message}")]
