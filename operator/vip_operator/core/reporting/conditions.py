"""The conditions of a VirtualIP (Kubernetes API conventions). Pure.

Each condition is made without `lastTransitionTime`; `merged` knows when its status last changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from vip_common.timestamps import rfc3339
from vip_model.planning.planned_status import PlannedStatus
from vip_model.resources.metadata import Condition
from vip_model.resources.speaker import AddressConflict
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.schema.errors import Problem
from vip_model.vocabulary import Reason
from vip_operator.core.holders.candidate_states import Situation
from vip_operator.core.holders.holder import Claim, Holding, Standing

ACCEPTED, BOUND, READY, CONTESTED, STALLED, ADDRESS_CONFLICT = TYPES = (
    "Accepted",
    "Bound",
    "Ready",
    "Contested",
    "Stalled",
    "AddressConflict",
)
_MOST_NAMED = 8
_NOTHING_RUNS = "nothing runs for the VirtualIP: see Accepted"

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"


# What it comes to where nodes have no speaker.
WITHOUT_SPEAKERS = frozenset({Reason.NO_CANDIDATES, Reason.NO_SPEAKERS})
# What Bound says while an address moves: reports come one after the other.
ON_THE_MOVE = frozenset({Reason.SETTLING, Reason.AWAITING_REPORTS})
# What Bound says where a node claims them, or may claim them unheard.
CLAIMED = frozenset(
    {
        Reason.HELD,
        Reason.SETTLING,
        Reason.CONTESTED,
        Reason.HOLDER_SILENT,
        Reason.HOLDER_UNREACHABLE,
        Reason.AWAITING_REPORTS,
    }
)


def accepted(planned: PlannedStatus) -> Condition:
    """Return Accepted of a VirtualIP that was planned."""
    return planned.condition()


def unreadable(problems: Iterable[Problem], generation: int) -> Condition:
    """Return Accepted of a VirtualIP that could not be parsed."""
    text = "; ".join(
        f"{problem.field}: {problem.message}" if problem.field else problem.message
        for problem in problems
    )
    return _condition(ACCEPTED, FALSE, Reason.INVALID, text, generation)


def not_running(generation: int) -> list[Condition]:
    """Return Bound and what follows it, of a VirtualIP that is refused and has no election."""
    return [
        _condition(BOUND, FALSE, Reason.NOT_ACCEPTED, _NOTHING_RUNS, generation),
        _condition(READY, FALSE, Reason.NOT_ACCEPTED, _NOTHING_RUNS, generation),
        _not_contested(generation),
        _progressing(generation),
        _without_conflict(generation),
    ]


def running(
    virtual_ip: str,
    router: VirtualRouter,
    holding: Holding,
    found: Sequence[Situation],
    generation: int,
    *,
    speaker_trouble: str = "",
    not_shown: Sequence[str] = (),
    stays_ready: bool = False,
) -> list[Condition]:
    """Return every condition but Accepted of a VirtualIP that has an election.

    Args:
        virtual_ip: NAMESPACE/NAME.
        router: the election.
        holding: who holds it.
        found: its candidates.
        generation: the generation of the VirtualIP that is judged.
        speaker_trouble: why nodes have no speaker, a clause; empty where nothing is known of it.
        not_shown: which addresses its Services do not show, and why: a sentence for each.
        stays_ready: it was Ready, and is on the move since a moment.
    """
    status, reason, message = _bound(router, holding, found)
    if reason in WITHOUT_SPEAKERS and speaker_trouble:
        message = f"{message}; {speaker_trouble}"
    bound = _condition(BOUND, status, reason, message, generation)
    return [
        bound,
        _ready(virtual_ip, router, bound, holding.holder, not_shown, stays_ready=stays_ready),
        _contested(holding, generation),
        _stalled(holding, found, generation),
        _conflicting(found, generation),
    ]


def find(conditions: Iterable[Condition], type_: str) -> Condition | None:
    """Return the condition of a type, None where there is none."""
    return next((each for each in conditions if each.type == type_), None)


def is_true(conditions: Iterable[Condition], type_: str) -> bool:
    """Return whether a condition is there and True."""
    found = find(conditions, type_)
    return found is not None and found.status == TRUE


def merged(
    before: Sequence[Condition], now: Iterable[Condition], utc: datetime
) -> tuple[Condition, ...]:
    """Return the conditions with their times: `lastTransitionTime` changes only with status."""
    text = rfc3339(utc, "seconds")
    result = []
    for condition in now:
        known = find(before, condition.type)
        kept = known is not None and known.status == condition.status
        since = known.last_transition_time if known is not None and kept else ""
        result.append(msgspec.structs.replace(condition, last_transition_time=since or text))
    return tuple(result)


def _bound(
    router: VirtualRouter, holding: Holding, found: Sequence[Situation]
) -> tuple[str, Reason, str]:
    if holding.standing is Standing.UNREPORTED:
        text = "the last claim has ended, and not every candidate has reported since"
        return UNKNOWN, Reason.AWAITING_REPORTS, text
    holder = holding.holder
    if holder is None or holding.standing is Standing.SILENT:
        heard = (each for each in found if each.heard_by)
        for each in heard:
            is_holder = holder is not None and each.candidate.node == holder.node
            if is_holder or holder is None:
                text = _unreachable(each, is_holder=is_holder)
                return UNKNOWN, Reason.HOLDER_UNREACHABLE, text
    if holder is None:
        reason, message = _why_nobody(router, found)
        return FALSE, reason, message
    nodes = [claim.node for claim in holding.claims]
    match holding.standing:
        case Standing.SETTLING:
            others = enumerated(nodes[1:])
            text = f"{_held(holder)}; {others} held it before and may not have reported the end yet"
            return UNKNOWN, Reason.SETTLING, text
        case Standing.CONTESTED:
            text = f"{both_hold(nodes)} it: look for what keeps their adverts apart"
            return FALSE, Reason.CONTESTED, text
        case Standing.SILENT:
            text = f"{holder.node} held it, and its speaker is not heard any more"
            return UNKNOWN, Reason.HOLDER_SILENT, text
        case _:
            return TRUE, Reason.HELD, _held(holder)


def _unreachable(node: Situation, *, is_holder: bool) -> str:
    name, those = node.candidate.node, node.heard_by
    hear = f"{_first_of(those)} {'hears' if len(those) == 1 else 'hear'} it"
    what = "held it" if is_holder else "may hold it"
    return f"{name} {what}, its speaker does not reach the API server, and {hear}"


def _held(holder: Claim) -> str:
    since = f" since {holder.since}" if holder.since else ""
    reason = f" ({holder.reason})" if holder.reason else ""
    return f"{holder.node} holds it{since}{reason}"


def _why_nobody(router: VirtualRouter, found: Sequence[Situation]) -> tuple[Reason, str]:
    if not found:
        addresses = ", ".join(router.addresses)
        text = (
            f"no node that placement allows reports an interface in the subnet of {addresses}: "
            "check the address, placement, and that speakers run"
        )
        return Reason.NO_CANDIDATES, text
    nodes = [each.candidate.node for each in found]
    if not any(each.fresh for each in found):
        text = f"the speakers of {_first_of(sorted(nodes))} are not heard: check that they run"
        return Reason.NO_SPEAKERS, text
    if all(each.takes_no_part for each in found):
        said = [
            f"{each.candidate.node} ({each.message or each.reason or 'no reason given'})"
            for each in found
        ]
        return Reason.ALL_WITHDRAWN, f"no candidate takes part: {_first_of(said)}"
    return Reason.ELECTING, "no candidate has taken it yet"


def _ready(
    virtual_ip: str,
    router: VirtualRouter,
    bound: Condition,
    holder: Claim | None,
    not_shown: Sequence[str],
    *,
    stays_ready: bool,
) -> Condition:
    """Return Ready; while it is not bound, for the reason of that: listings show only this one."""
    generation = bound.observed_generation
    on_the_move = stays_ready and bound.reason in ON_THE_MOVE
    if not on_the_move and (bound.status != TRUE or holder is None):
        return _condition(READY, FALSE, bound.reason, bound.message, generation)
    if holder is None:  # its report is on its way
        return _condition(READY, TRUE, bound.reason, bound.message, generation)
    if holder.failing_gates:
        names = [_gate_of(router, virtual_ip, name) for name in holder.failing_gates]
        text = f"{gates_failing(names)} on {holder.node}"
        return _condition(READY, FALSE, Reason.GATES_FAILING, text, generation)
    text = "; ".join([f"the gates pass on {holder.node}", *not_shown])
    return _condition(READY, TRUE, Reason.GATES_PASSING, text, generation)


def _gate_of(router: VirtualRouter, virtual_ip: str, gate: str) -> str:
    """Return the name of a gate, and whose it is where it is another VirtualIP's of the group."""
    owners = [owner.key for owner in router.spec.owners if gate in owner.gates]
    return f"{gate} of {owners[0]}" if owners and virtual_ip not in owners else gate


def _contested(holding: Holding, generation: int) -> Condition:
    if holding.standing is not Standing.CONTESTED:
        return _not_contested(generation)
    text = f"{both_hold([claim.node for claim in holding.claims])} it"
    return _condition(CONTESTED, TRUE, Reason.CONTESTED, text, generation)


def _not_contested(generation: int) -> Condition:
    return _condition(CONTESTED, FALSE, Reason.NOT_CONTESTED, "", generation)


def _stalled(holding: Holding, found: Sequence[Situation], generation: int) -> Condition:
    """Return Stalled: who serves does not follow. A standby that lags takes nothing from users."""
    deciding = [each for each in found if each.candidate.node == holding.node]
    if not holding.claims:
        deciding = [each for each in found if each.fresh]
    if not deciding or not all(each.stalled for each in deciding):
        return _progressing(generation)
    text = lagging([each.candidate.node for each in deciding])
    return _condition(STALLED, TRUE, Reason.SPEAKERS_BEHIND, text, generation)


def lagging(nodes: Sequence[str]) -> str:
    """Return that speakers do not follow."""
    return (
        f"{_first_of(sorted(nodes))} did not apply the newest revision for more than 30 s: "
        "see the log of the speaker there"
    )


def _progressing(generation: int) -> Condition:
    return _condition(STALLED, FALSE, Reason.PROGRESSING, "", generation)


def _conflicting(found: Sequence[Situation], generation: int) -> Condition:
    """Return AddressConflict, with the reason of the first and every sentence once."""
    heard: dict[str, tuple[str, AddressConflict]] = {}
    for each in found:
        for conflict in each.conflicts:
            heard.setdefault(conflict.message, (each.candidate.node, conflict))
    if not heard:
        return _without_conflict(generation)
    sentences = [f"{node}: {sentence}" for sentence, (node, _) in sorted(heard.items())]
    conflicts = [heard[sentence][1] for sentence in sorted(heard)]
    worst = min(conflicts, key=lambda one: one.reason != Reason.ADDRESS_CONFLICT)
    more = len(sentences) - _MOST_NAMED
    text = "; ".join(sentences[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
    return _condition(ADDRESS_CONFLICT, TRUE, worst.reason, text, generation)


def _without_conflict(generation: int) -> Condition:
    return _condition(ADDRESS_CONFLICT, FALSE, Reason.NO_CONFLICT, "", generation)


def enumerated(words: Sequence[str]) -> str:
    """Return the words as in a sentence: a, b and c."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _first_of(words: Sequence[str]) -> str:
    """Return as many of the words as a person reads, and how many more there are."""
    more = len(words) - _MOST_NAMED
    return enumerated([*words[:_MOST_NAMED], f"{more} more"] if more > 0 else words)


def both_hold(nodes: Sequence[str]) -> str:
    """Return that several nodes hold something, in the order of their names."""
    return f"{enumerated(sorted(nodes))} {'both' if len(nodes) == 2 else 'all'} hold"


def gates_failing(names: Sequence[str]) -> str:
    """Return that gates fail: gate nginx failing."""
    return f"{'gate' if len(names) == 1 else 'gates'} {enumerated(names)} failing"


def _condition(type_: str, status: str, reason: str, message: str, generation: int) -> Condition:
    return Condition(
        type=type_,
        status=status,
        reason=str(reason),
        message=message,
        observed_generation=generation,
    )
