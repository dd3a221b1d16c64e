"""S9 and Leftover: how long two nodes may hold the addresses together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import TYPE_CHECKING

from support.simulation.checker import Checker
from support.simulation.node import Node, Process
from support.simulation.world_facts import down_ns, with_clock
from vip_model.vocabulary import State
from vip_speaker.vrrp.actions import Action
from vip_speaker.vrrp.timers import MILLISECOND_NS, SECOND_NS

if TYPE_CHECKING:
    from support.simulation.world import World

_ANSWER_GAP_NS = 100 * MILLISECOND_NS
_LEAST_LIFETIME_NS = 3 * SECOND_NS
_LEFTOVER_NS = 3 * SECOND_NS // 2


class Pairs(Checker):
    """Two that hear each other do not serve together for longer than S9 says.

    One that yielded, or adopted what an earlier life left, counts as the second too: it must let
    go at the first advert.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._configured_ns: dict[str, int] = {}

    def acted(self, node: Node, event: str, before: State, actions: Sequence[Action]) -> None:
        if event == "reconfigure":
            self._configured_ns[node.name] = self.world.now_ns

    def anything(self) -> None:
        if not self.world.lan.is_clean:
            return
        holders = self.world.holders()
        if len(holders) < 2:
            return
        for one, other in permutations(holders, 2):
            if one.serves and other.process is Process.RUNNING:
                self._check(one, other)

    def _check(self, one: Node, other: Node) -> None:
        calm_ns = self.world.weather.calm_since_ns(one.name, other.name)
        if calm_ns is None or (other.is_active and not other.serves) or not other.worker.idle:
            return
        assert one.serving_since_ns is not None
        since_ns = max(
            calm_ns,
            one.serving_since_ns,
            one.running_since_ns,
            other.running_since_ns,
            other.serving_since_ns or other.kernel.held_since_ns,
            self._configured_ns.get(one.name, 0),
            self._configured_ns.get(other.name, 0),
        )
        together_ns = self.world.now_ns - since_ns
        bound_ns = self._bound_ns(one, other)
        if together_ns > bound_ns:
            text = (
                f"{one.name} and {other.name} hold the addresses together for "
                f"{together_ns / 1e6:.3f} ms, {bound_ns / 1e6:.3f} ms are allowed"
            )
            raise self.violated("S9", text)

    def _bound_ns(self, one: Node, other: Node) -> int:
        delay_ns = self.world.options.delay_max_ns
        slack_ns = 3 * self.world.slack_ns
        own_ns = with_clock(one.interval_ns) + delay_ns
        if not other.serves:
            return own_ns + slack_ns
        if not _beats(one, other):
            return self._bound_ns(other, one) if _beats(other, one) else own_ns + slack_ns
        answered_ns = with_clock(other.interval_ns) + 2 * delay_ns + _ANSWER_GAP_NS
        return min(own_ns, answered_ns) + slack_ns


def _beats(one: Node, other: Node) -> bool:
    if one.priority != other.priority:
        return one.priority > other.priority
    return int(one.source()) > int(other.source())


class Leftovers(Checker):
    """An address that nobody renews is gone in time, whatever became of the process."""

    def anything(self) -> None:
        now = self.world.now_ns
        for node in self.world.nodes.values():
            if not node.kernel.addresses:
                continue
            age_ns = now - node.kernel.renewed_ns
            if age_ns <= _LEAST_LIFETIME_NS:
                continue
            if age_ns > max(_LEAST_LIFETIME_NS, self._down_ns(node)) + _LEFTOVER_NS:
                text = f"{node.name} has addresses that were renewed {age_ns / 1e9:.3f} s ago"
                raise self.violated("Leftover", text)

    def _down_ns(self, node: Node) -> int:
        if node.election is not None:
            return down_ns(node)
        return 4 * self.world.longest_interval_ns
