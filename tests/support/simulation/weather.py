"""What is going wrong, and since when it does not any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


class Weather:
    """Keeps account of faults for checkers whose rules hold only in calm.

    A fault begins and ends, and concerns some nodes. Orderly events (a stop, a yield, a failing
    gate, a new configuration) are counted too, but do not disturb the calm.
    """

    def __init__(self) -> None:
        self.events = 0
        self._ongoing: Counter[str] = Counter()
        self._ended_ns: dict[str, int] = {}
        self._all = 0
        self._all_ended_ns = 0

    def orderly(self) -> None:
        """Somebody asked for something."""
        self.events += 1

    def begin(self, nodes: Iterable[str]) -> None:
        """A fault begins that concerns these nodes."""
        self.events += 1
        self._all += 1
        self._ongoing.update(list(nodes))

    def end(self, nodes: Iterable[str], now_ns: int) -> None:
        """It ends."""
        self.events += 1
        self._all -= 1
        self._all_ended_ns = now_ns
        for node in nodes:
            self._ongoing[node] -= 1
            self._ended_ns[node] = now_ns

    def shake(self, nodes: Iterable[str], now_ns: int) -> None:
        """Something went wrong, and is over already."""
        names = list(nodes)
        self.begin(names)
        self.end(names, now_ns)

    def calm_since_ns(self, *nodes: str) -> int | None:
        """Return since when nothing is wrong with these nodes, or None."""
        if any(self._ongoing[node] for node in nodes):
            return None
        return max(self._ended_ns.get(node, 0) for node in nodes)

    def all_calm_since_ns(self) -> int | None:
        """Return since when nothing is wrong anywhere, or None."""
        return None if self._all else self._all_ended_ns
