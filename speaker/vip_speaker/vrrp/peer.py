"""What an election knows of the router that is Active elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field

from vip_speaker.vrrp.config import Address, Heard

_INTERVALS_MISSED = 3


@dataclass(slots=True)
class ActivePeer:
    """The current Active as heard.

    Attributes:
        sources: address of its last advert on each instance; empty when nobody was heard.
        priority: priority of its last advert that was not a resignation.
        heard_ns: when that arrived.
        interval_ns: the interval that it gave.
        lower_since_ns: since when every advert heard was lower than our own priority.
        resigned: it sent priority 0, and nobody has claimed the addresses since.
    """

    sources: dict[int, Address] = field(default_factory=dict)
    priority: int | None = None
    heard_ns: int = 0
    interval_ns: int = 0
    lower_since_ns: int | None = None
    resigned: bool = False

    def remember(self, arrived_ns: int, heard: Heard, *, is_lower: bool) -> None:
        """Take note of an advert that is not a resignation."""
        self.sources[heard.instance] = heard.source
        self.priority = heard.priority
        self.heard_ns = arrived_ns
        self.interval_ns = heard.interval_ns
        self.resigned = False
        if not is_lower:
            self.lower_since_ns = None
        elif self.lower_since_ns is None:
            self.lower_since_ns = arrived_ns

    def is_stranger(self, heard: Heard) -> bool:
        """Whether a router other than the current Active sent this."""
        return bool(self.sources) and self.sources.get(heard.instance) != heard.source

    def is_silent(self, now: int, skew_ns: int) -> bool:
        """Whether nothing was heard for a whole Active_Down_Interval of its own interval."""
        if self.priority is None:
            return True
        return now >= self.heard_ns + _INTERVALS_MISSED * self.interval_ns + skew_ns

    def forget(self) -> None:
        """Nobody is Active elsewhere, as far as is known."""
        self.sources.clear()
        self.priority = self.lower_since_ns = None
        self.resigned = False


@dataclass(slots=True)
class Tie:
    """On which instance two Actives of equal priority decide.

    Both must decide on the same one, or both stay or both go. That is the first one on which they
    hear each other: an instance decides only after the other router was heard there, and on no
    earlier one, for three of its intervals.
    """

    _first_ns: dict[int, int] = field(default_factory=dict)
    _last_ns: dict[int, int] = field(default_factory=dict)

    def is_decided_on(self, arrived_ns: int, heard: Heard, earlier: set[int]) -> bool:
        """Take note of an advert of equal priority; whether its instance is the one.

        Args:
            arrived_ns: when it arrived.
            heard: the advert.
            earlier: working instances before its own.
        """
        window_ns = _INTERVALS_MISSED * heard.interval_ns
        last_ns = self._last_ns.get(heard.instance)
        if last_ns is None or arrived_ns - last_ns >= window_ns:
            self._first_ns[heard.instance] = arrived_ns
        self._last_ns[heard.instance] = arrived_ns
        if not earlier:
            return True
        heard_earlier = any(
            arrived_ns - self._last_ns[index] < window_ns
            for index in earlier
            if index in self._last_ns
        )
        return not heard_earlier and arrived_ns - self._first_ns[heard.instance] >= window_ns

    def forget(self) -> None:
        """Neither is Active any more."""
        self._first_ns.clear()
        self._last_ns.clear()
