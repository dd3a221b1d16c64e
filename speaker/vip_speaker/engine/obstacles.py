"""What keeps a router from running on this node: a word for programs, a sentence for people."""

from __future__ import annotations

from dataclasses import dataclass

from vip_model.vocabulary import Reason, State
from vip_speaker.vrrp.election import Election


@dataclass(slots=True)
class Obstacles:
    """What a router waits for, and why it failed last.

    Attributes:
        waits_for: what the node lacks, a sentence; empty where it lacks nothing.
        waits_because: the same in a word.
        lacks: what the node lacks for some of its instances, while it takes part with the others.
        failure: why the election had to give the addresses up last, a sentence.
    """

    waits_for: str = ""
    waits_because: Reason = Reason.NOT_PLACEABLE
    lacks: str = ""
    failure: str = ""

    def wait(self, what_for: str, because: Reason) -> bool:
        """Note what it waits for now, empty for nothing; return whether that is news."""
        is_news = what_for != self.waits_for
        self.waits_for, self.waits_because = what_for, because
        return is_news

    def lack(self, what: str) -> bool:
        """Note what some instances lack, empty for nothing; return whether that is news."""
        is_news = what != self.lacks
        self.lacks = what
        return is_news

    def reason(self, election: Election | None) -> str:
        """Return why the state is what it is: a `Reason`."""
        if self.waits_for:
            return self.waits_because
        return election.reason if election is not None else Reason.NOT_STARTED

    def message(self, election: Election | None) -> str:
        """Return what stands in the way; empty while nothing does."""
        if self.waits_for:
            return self.waits_for
        is_out = election is None or election.state is State.INITIALIZE
        return self.failure if is_out else ""
