"""What an election knows of the router that is Active elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field

from vip_speaker.vrrp.election import Address, Heard


@dataclass(slots=True)
class ActivePeer:
    """The current Active as heard.

    Attributes:
        sources: address of its last advert on each instance; empty when nobody was heard.
        priority: priority of its last advert that was not a resignation.
        lower_since_ns: since when every advert heard was lower than our own priority.
        resigned: it sent priority 0, and nobody has claimed the addresses since.
    """

    sources: dict[int, Address] = field(default_factory=dict)
    priority: int | None = None
    lower_since_ns: int | None = None
    resigned: bool = False

    def remember(self, now: int, heard: Heard, *, own_priority: int) -> None:
        """Take note of an advert that is not a resignation."""
        self.sources[heard.instance] = heard.source
        self.priority = heard.priority
        if heard.priority >= own_priority:
            self.lower_since_ns = None
        elif self.lower_since_ns is None:
            self.lower_since_ns = now

    def is_stranger(self, heard: Heard) -> bool:
        """Whether somebody else than the current Active sent this."""
        return bool(self.sources) and self.sources.get(heard.instance) != heard.source

    def forget(self) -> None:
        """Nobody is Active elsewhere, as far as is known."""
        self.sources.clear()
        self.priority = self.lower_since_ns = None
        self.resigned = False
