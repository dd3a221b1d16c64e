"""Which of the watched nodes are there. Pure: time is an argument.

Nobody is called gone who was not asked: three questions at least, at every address, over as long
as its addresses live. A question that could not be sent asks nobody, and a link that was down may
carry nothing yet when it is back: a switch that looks for loops keeps it shut for a while.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from vip_speaker.vrrp.config import Address
from vip_speaker.vrrp.timers import SECOND_NS

QUESTION_EVERY_NS = SECOND_NS
_QUESTIONS = 3
# A gap like that between two questions is no asking: the process stood still.
_GAP_NS = 5 * QUESTION_EVERY_NS // 2


class Target(NamedTuple):
    """An address that adverts of a watched node come from, on a link of ours."""

    ifindex: int
    address: Address


class Outcome(Enum):
    """What became of a question."""

    ASKED = auto()
    FAILED = auto()
    ANSWERED = auto()


class Event(NamedTuple):
    """Something happened to a question at that moment."""

    target: Target
    at_ns: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Watched:
    """A node to watch.

    Attributes:
        sources: for each address of its adverts, where it can be asked; an address that cannot be
            asked anywhere leaves it uncertain whether the node is gone.
        lifetime_ns: how long its virtual addresses live unrenewed.
    """

    sources: tuple[frozenset[Target], ...]
    lifetime_ns: int

    @property
    def targets(self) -> frozenset[Target]:
        """All that are asked."""
        return frozenset().union(*self.sources)


@dataclass(slots=True)
class _Trace:
    """What happened at one target.

    Attributes:
        heard_ns: last advert or answer.
        since_ns: it is asked without a gap since then.
        asked_ns: last question.
        questions: how many were sent since then.
    """

    heard_ns: int | None = None
    since_ns: int | None = None
    asked_ns: int = 0
    questions: int = 0

    def take(self, event: Event) -> None:
        """Note what became of a question."""
        if event.outcome is Outcome.ANSWERED:
            self.hear(event.at_ns)
        elif event.outcome is Outcome.FAILED:
            self.since_ns = None
        elif self.since_ns is None or event.at_ns - self.asked_ns > _GAP_NS:
            self.since_ns, self.asked_ns, self.questions = event.at_ns, event.at_ns, 1
        else:
            self.asked_ns = event.at_ns
            self.questions += 1

    def hear(self, at_ns: int) -> None:
        """Note an advert or an answer."""
        self.heard_ns = max(at_ns, self.heard_ns or at_ns)

    def is_heard(self, now: int, lifetime_ns: int) -> bool:
        """Whether it was heard within the lifetime."""
        return self.heard_ns is not None and now - self.heard_ns < lifetime_ns

    def is_silent(self, now: int, lifetime_ns: int, trusted_ns: int) -> bool:
        """Whether it was asked all that time, for nothing, on a link that is trusted so long."""
        return (
            self.since_ns is not None
            and self.questions >= _QUESTIONS
            and now - max(self.since_ns, trusted_ns) >= lifetime_ns
            and now - self.asked_ns <= _GAP_NS
            and not self.is_heard(now, lifetime_ns)
        )


class Evidence:
    """Collects what is heard of watched nodes.

    Attributes:
        trusted_ns: by interface index, from when on its silence counts; always if it is not there.
    """

    def __init__(self) -> None:
        self.trusted_ns: dict[int, int] = {}
        self._nodes: dict[str, Watched] = {}
        self._traces: dict[Target, _Trace] = {}

    def watch(self, nodes: Mapping[str, Watched]) -> list[Target]:
        """Watch these from now on; return the targets that were not watched before."""
        wanted = dict.fromkeys(target for node in nodes.values() for target in node.targets)
        added = [target for target in wanted if target not in self._traces]
        self._nodes = dict(nodes)
        self._traces = {target: self._traces.get(target) or _Trace() for target in wanted}
        return added

    def take(self, event: Event) -> None:
        """Note what became of a question; one at a target that is not watched says nothing."""
        trace = self._traces.get(event.target)
        if trace is not None:
            trace.take(event)

    def hear(self, at_ns: int, target: Target) -> bool:
        """Note an advert; return whether it is from a watched node."""
        trace = self._traces.get(target)
        if trace is None:
            return False
        trace.hear(at_ns)
        return True

    @property
    def names(self) -> list[str]:
        """The watched nodes, in order."""
        return sorted(self._nodes)

    def word(self, now: int, name: str) -> bool | None:
        """Return whether a node is there; None while that is uncertain, or nobody watches it."""
        node = self._nodes.get(name)
        if node is None:
            return None
        lifetime_ns = node.lifetime_ns
        traces = {target: self._traces[target] for target in node.targets}
        if any(trace.is_heard(now, lifetime_ns) for trace in traces.values()):
            return True
        is_asked = bool(node.sources) and all(node.sources)
        is_silent = all(
            trace.is_silent(now, lifetime_ns, self.trusted_ns.get(target.ifindex, 0))
            for target, trace in traces.items()
        )
        return False if is_asked and is_silent else None
