"""S11: no node sends more adverts than its events and the answering rate allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from support.simulation.checker import Checker
from support.simulation.node import Node
from vip_model.vocabulary import State
from vip_speaker.vrrp.actions import Action, SendAdvertisement
from vip_speaker.vrrp.timers import MILLISECOND_NS

if TYPE_CHECKING:
    from support.simulation.world import World

_ANSWER_GAP_NS = 100 * MILLISECOND_NS
# An advert, an answer, a change of state and the last one of row 11 may fall together.
_BURST = 4.5


class Rate(Checker):
    """A leaky bucket per node: it drains at the legal rate, each advert fills it by one."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._level: dict[str, float] = {}
        self._drained_ns: dict[str, int] = {}

    def acted(self, node: Node, event: str, before: State, actions: Sequence[Action]) -> None:
        sent = sum(
            1 for action in actions if isinstance(action, SendAdvertisement) and action.priority
        )
        if not sent:
            return
        level = self._drain(node)
        if event.startswith(("hear(", "tick", "advertise")):
            # What the node did of its own accord (a verdict, a configuration) is not counted.
            level += sent
        self._level[node.name] = level
        if level > _BURST:
            raise self.violated("S11", f"{node.name} sends too many adverts, now on {event}")

    def _drain(self, node: Node) -> float:
        now = node.local_ns
        interval_ns = node.config.advertisement_interval_ns
        per_ns = 1 / interval_ns + 1 / min(interval_ns, _ANSWER_GAP_NS)
        passed_ns = max(0, now - self._drained_ns.get(node.name, now))
        self._drained_ns[node.name] = now
        return max(0.0, self._level.get(node.name, 0.0) - passed_ns * per_ns)
