"""What one instance has counted since the engine started it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from vip_speaker.messages import Counters


@dataclass(slots=True)
class InstanceCounters:
    """Mutable twin of `messages.Counters`; drops by reason."""

    advertisements_sent: int = 0
    advertisements_received: int = 0
    priority_zero_sent: int = 0
    priority_zero_received: int = 0
    drops: Counter[str] = field(default_factory=Counter)

    def sent(self, priority: int) -> None:
        """Count an advert that went out."""
        self.advertisements_sent += 1
        self.priority_zero_sent += priority == 0

    def received(self, priority: int) -> None:
        """Count an advert that was obeyed."""
        self.advertisements_received += 1
        self.priority_zero_received += priority == 0

    def message(self, transitions: int) -> Counters:
        """Return the counters as they are reported."""
        return Counters(
            advertisements_sent=self.advertisements_sent,
            advertisements_received=self.advertisements_received,
            priority_zero_sent=self.priority_zero_sent,
            priority_zero_received=self.priority_zero_received,
            transitions=transitions,
            drops=dict(self.drops),
        )
