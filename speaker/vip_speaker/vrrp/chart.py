"""The chart of an election: states, sub-states and every way from one to another.

The states are RFC 9568's (§6.4) and all that is seen on the wire. The sub-states say the rest,
among it where the addresses are (invariant S1): they are bound, or on their way into the kernel,
exactly in the sub-states that hold them. The diagram in docs/protocol.md is made from this chart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from vip_model.vocabulary import Reason, State, Substate

_INITIALIZE = (Substate.IDLE, Substate.FAULTED, Substate.RETRYING, Substate.WITHDRAWN)
_BACKUP = (
    Substate.WAITING,
    Substate.LISTENING,
    Substate.ADOPTED,
    Substate.BINDING,
    Substate.YIELDING,
    Substate.LEAVING,
)
_ACTIVE = (Substate.ESTABLISHED, Substate.PROVISIONAL, Substate.RETIRING)

STATE_OF = {
    substate: state
    for state, substates in (
        (State.INITIALIZE, _INITIALIZE),
        (State.BACKUP, _BACKUP),
        (State.ACTIVE, _ACTIVE),
    )
    for substate in substates
}

HOLDING = frozenset(
    (Substate.ADOPTED, Substate.BINDING, Substate.YIELDING, Substate.LEAVING, *_ACTIVE)
)
# Those that wait for Active_Down_Timer.
CLAIMING = frozenset((Substate.WAITING, Substate.LISTENING, Substate.ADOPTED, Substate.YIELDING))
RESIGNED = frozenset((Substate.YIELDING, Substate.LEAVING))
# An adopted address is left to its lifetime, since another may have taken over unheard.
RENEWING = HOLDING - {Substate.ADOPTED}


class Edge(NamedTuple):
    """One way through the chart.

    Attributes:
        source: where it begins.
        target: where it ends.
        when: what leads along it.
    """

    source: Substate
    target: Substate
    when: str


def _edges(sources: str, target: str, when: str) -> list[Edge]:
    return [Edge(Substate(source), Substate(target), when) for source in sources.split()]


EDGES: tuple[Edge, ...] = (
    # Initialize
    *_edges("Idle", "Waiting", "start"),
    *_edges("Idle", "Adopted", "start, addresses of an earlier life are bound"),
    *_edges("Idle", "Established", "resume, or the owner starts"),
    *_edges("Idle", "Provisional", "resume, provisional before"),
    *_edges("Idle", "Withdrawn", "start, a gate withdraws"),
    *_edges("Faulted", "Waiting", "recovered"),
    *_edges("Faulted", "Established", "recovered in time, or the owner recovers"),
    *_edges("Faulted", "Provisional", "recovered in time"),
    *_edges("Faulted", "Withdrawn", "recovered, a gate withdraws"),
    *_edges("Retrying", "Waiting", "retry"),
    *_edges("Withdrawn", "Waiting", "restored"),
    *_edges("Withdrawn", "Established", "the owner is restored"),
    # Backup
    *_edges("Waiting", "Listening", "woke late, or claims are held off"),
    *_edges("Listening", "Waiting", "advert"),
    *_edges("Adopted", "Waiting", "advert (release)"),
    *_edges("Yielding", "Waiting", "a successor's advert (release)"),
    *_edges("Binding", "Waiting", "advert of another, or no longer justified (release)"),
    *_edges("Waiting Listening Adopted", "Binding", "handover, after a resignation or to preempt"),
    *_edges("Yielding", "Binding", "nobody took over, addresses not bound yet"),
    *_edges("Waiting Listening Adopted", "Established", "Active_Down_Timer after silence"),
    *_edges("Waiting Listening Adopted", "Provisional", "Active_Down_Timer, up for a short time"),
    *_edges("Yielding", "Established", "nobody took over"),
    *_edges("Yielding", "Provisional", "nobody took over, up for a short time"),
    *_edges("Binding", "Established", "bound"),
    *_edges("Binding", "Provisional", "bound, up for a short time"),
    *_edges("Binding", "Retrying", "bind failed (release)"),
    *_edges("Yielding", "Leaving", "stop, or a gate withdraws"),
    *_edges("Leaving", "Yielding", "restored before it has left"),
    *_edges("Leaving", "Withdrawn", "succeeded, or nobody came (release)"),
    # Active
    *_edges("Provisional", "Established", "up for long enough"),
    *_edges("Established Provisional", "Waiting", "higher advert (last advert, release)"),
    *_edges("Established Provisional", "Adopted", "overslept"),
    *_edges("Established Provisional", "Yielding", "gate fails, move, instance lost (priority 0)"),
    *_edges("Established Provisional", "Leaving", "stop, or a gate withdraws (priority 0)"),
    *_edges("Established Provisional", "Retiring", "given up everywhere"),
    *_edges("Established Provisional", "Retrying", "bind failed (priority 0, release)"),
    *_edges("Retiring", "Established", "wanted again"),
    *_edges("Retiring", "Provisional", "wanted again, up for a short time"),
    *_edges("Retiring", "Leaving", "a move, or wanted again while a gate withdraws (priority 0)"),
    # Ends that many have in common
    *_edges("Waiting Listening Adopted Binding", "Withdrawn", "a gate withdraws (release)"),
    *_edges("Retrying", "Withdrawn", "a gate withdraws"),
    *_edges(
        "Waiting Listening Adopted Binding Yielding Leaving Established Provisional "
        "Retrying Withdrawn",
        "Faulted",
        "link, source or all instances lost (release)",
    ),
    *_edges(
        "Waiting Listening Adopted Binding Leaving Retiring Faulted Retrying Withdrawn",
        "Idle",
        "left for good (release)",
    ),
)

_ENDS = (Substate.IDLE, Substate.FAULTED, Substate.WITHDRAWN)
_KNOWN = frozenset((edge.source, edge.target) for edge in EDGES)


class Position:
    """Where an election is in the chart, why, and since when.

    Attributes:
        substate: where.
        reason: why.
        since_ns: since when the state, not the sub-state, is what it is.
        watch: called with every move; None for nobody.
    """

    def __init__(self) -> None:
        self.substate = Substate.IDLE
        self.reason: str = Reason.NOT_STARTED
        self.since_ns = 0
        self.watch: Callable[[Substate, Substate], None] | None = None

    @property
    def state(self) -> State:
        """Initialize, Backup or Active."""
        return STATE_OF[self.substate]

    @property
    def holds(self) -> bool:
        """Whether the addresses are bound, or on their way into the kernel."""
        return self.substate in HOLDING

    def move(self, now: int, target: Substate, reason: str | None = None) -> None:
        """Go there along an edge; to stay changes at most the reason."""
        source, state = self.substate, self.state
        self.reason = self.reason if reason is None else reason
        if source is target:
            return
        assert (source, target) in _KNOWN, f"no edge from {source} to {target} ({reason})"
        self.substate = target
        if self.state is not state:
            self.since_ns = now
        if self.watch is not None:
            self.watch(source, target)


def mermaid() -> str:
    """Return the chart as a Mermaid state diagram, without the ends that many have in common."""
    lines = ["stateDiagram-v2"]
    for state in State:
        lines.append(f"    state {state.value} {{")
        lines += [f"        {each.value}" for each, of in STATE_OF.items() if of is state]
        lines.append("    }")
    lines += [
        f"    {source.value} --> {target.value}: {when}"
        for source, target, when in EDGES
        if target not in _ENDS
    ]
    return "\n".join(lines)


def table() -> str:
    """Return every edge as a Markdown table, those of one kind in one row."""
    rows: dict[tuple[str, Substate], list[str]] = {}
    for source, target, when in EDGES:
        rows.setdefault((when, target), []).append(source.value)
    lines = ["| from | to | when |", "|---|---|---|"]
    lines += [
        f"| {', '.join(sources)} | {target.value} | {when} |"
        for (when, target), sources in rows.items()
    ]
    return "\n".join(lines)
