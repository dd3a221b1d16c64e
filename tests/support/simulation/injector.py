"""Does harm at random times, and mends it after a random while."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from support.simulation.faults import MENU
from support.simulation.harm import Harm
from support.simulation.node import Process
from vip_speaker.vrrp.timers import MILLISECOND_NS

if TYPE_CHECKING:
    from support.simulation.node import Node
    from support.simulation.world import World

_SHORT_MS = (5, 60)
_LONG_INTERVALS = (0.2, 12.0)


class Injector:
    """Draws kinds of harm by the weights of the options."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._open: dict[int, Harm] = {}
        self._number = 0
        self._over = False

    def begin(self) -> None:
        """Let it start."""
        if self._world.options.fault_gap_ns:
            self._plan()

    def heal(self) -> None:
        """Mend everything and do no more harm."""
        self._over = True
        for number in list(self._open):
            self._mend(number)

    def _plan(self) -> None:
        gap_ns = round(self._world.random.expovariate(1 / self._world.options.fault_gap_ns))
        self._world.agenda.after(gap_ns, self._strike)

    def _strike(self) -> None:
        if self._over:
            return
        world = self._world
        kinds = [kind for kind, _ in world.options.faults]
        weights = [weight for _, weight in world.options.faults]
        kind = world.random.choices(kinds, weights)[0]
        harm = MENU[kind](world, world.random)
        if harm is not None:
            self._number += 1
            world.marks[kind] += 1
            self._open[self._number] = harm
            self._note(f"{kind} {' '.join(harm.nodes)}")
            if harm.orderly:
                world.weather.orderly()
            else:
                world.weather.begin(harm.nodes)
            world.agenda.after(self._duration_ns(harm), self._mend, self._number)
        self._plan()

    def _duration_ns(self, harm: Harm) -> int:
        random = self._world.random
        if harm.short:
            return random.randint(*_SHORT_MS) * MILLISECOND_NS
        least, most = (math.log(one) for one in _LONG_INTERVALS)
        return round(math.exp(random.uniform(least, most)) * self._world.options.interval_ns)

    def _mend(self, number: int) -> None:
        harm = self._open.pop(number, None)
        if harm is None:
            return
        self._note(f"mended {' '.join(harm.nodes)}")
        harm.mend()
        if harm.orderly:
            self._world.weather.orderly()
        else:
            self._world.weather.end(harm.nodes, self._world.now_ns)

    def _note(self, text: str) -> None:
        self._world.trace.add(self._world.now_ns, "*", "", text)


def revive(node: Node) -> None:
    """Bring one node up, whatever became of it."""
    if not node.powered:
        node.power_on()
    if node.process is Process.FROZEN:
        node.thaw()
    node.boot()
