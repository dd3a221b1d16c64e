"""The link between the nodes and a client: delay, loss, duplicates, reordering, partitions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from random import Random

from support.simulation.agenda import Agenda
from support.simulation.options import Options

CLIENT = "client"
Way = tuple[str, str]  # from, to


class Lan:
    """Carries packets from one to each of the others, on links that fail one by one."""

    def __init__(self, agenda: Agenda, random: Random, options: Options) -> None:
        self._agenda = agenda
        self._random = random
        self._options = options
        self._blocked: Counter[Way] = Counter()
        self._family_blocked: Counter[tuple[Way, int]] = Counter()
        self._last_arrival_ns: dict[Way, int] = {}
        self.loss = options.loss
        self.reorder = options.reorder

    @property
    def is_clean(self) -> bool:
        """Whether packets are neither lost nor overtaken, partitions aside."""
        return self.loss == 0 and self.reorder == 0

    def passes(self, way: Way, family: int = 0) -> bool:
        """Whether packets of that instance get through at all."""
        return not self._blocked[way] and not self._family_blocked[way, family]

    def block(self, ways: Iterable[Way], family: int | None = None) -> Callable[[], None]:
        """Cut these ways, for one instance or for everything; return what mends them."""
        cut = list(ways)

        def change(by: int) -> None:
            for way in cut:
                if family is None:
                    self._blocked[way] += by
                else:
                    self._family_blocked[way, family] += by

        change(+1)
        return lambda: change(-1)

    def carry(self, way: Way, family: int, arrive: Callable[..., None], *packet: object) -> None:
        """Send one packet one way."""
        if not self.passes(way, family):
            return
        random = self._random
        for _ in range(2 if random.random() < self._options.duplicate else 1):
            if random.random() >= self.loss:
                self._agenda.at(self._arrival_ns(way), arrive, *packet)

    def _arrival_ns(self, way: Way) -> int:
        options, random = self._options, self._random
        delay_ns = min(round(random.expovariate(1 / options.delay_mean_ns)), options.delay_max_ns)
        arrival_ns = self._agenda.now_ns + delay_ns
        if random.random() < self.reorder:
            return arrival_ns
        arrival_ns = max(arrival_ns, self._last_arrival_ns.get(way, 0))
        self._last_arrival_ns[way] = arrival_ns
        return arrival_ns


class Client:
    """Knows where the address is by what it was told last (gratuitous ARP, NA), and no better.

    It never asks: whatever does not announce itself leaves this client where it was.
    """

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda
        self.node: str | None = None
        self.since_ns = 0

    def told(self, node: str) -> None:
        """An announcement arrived."""
        if self.node != node:
            self.node, self.since_ns = node, self._agenda.now_ns
