"""Handover: as long as nothing fails somebody has the addresses, and the client is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from support.simulation.checker import Checker
from support.simulation.node import Node
from vip_model.vocabulary import State
from vip_speaker.vrrp.actions import Action, StateChanged
from vip_speaker.vrrp.timers import MILLISECOND_NS, SECOND_NS

if TYPE_CHECKING:
    from support.simulation.world import World

# The second round of announcements comes after 50 to 100 ms.
_SECOND_ROUND_NS = 100 * MILLISECOND_NS
_THIRD_ROUND_NS = 1100 * MILLISECOND_NS


def settled_since_ns(world: World) -> int | None:
    """Return since when earlier faults have no consequences any more, or None."""
    calm_ns = world.weather.all_calm_since_ns()
    if calm_ns is None or not world.lan.is_clean:
        return None
    return calm_ns + 6 * world.longest_interval_ns + SECOND_NS


class NeverNone(Checker):
    """The last holder lets go only if nobody could have taken over."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._resigned_ns: dict[str, int] = {}

    def acted(self, node: Node, event: str, before: State, actions: Sequence[Action]) -> None:
        for action in actions:
            if isinstance(action, StateChanged) and action.previous is State.ACTIVE:
                self._resigned_ns[node.name] = self.world.now_ns

    def kernel_changed(self, node: Node, why: str) -> None:
        if why != "released" or self.world.holders():
            return
        if self._owner_starts() or self._crossed(node):
            return
        settled_ns = settled_since_ns(self.world)
        if settled_ns is None or settled_ns > self.world.now_ns:
            return
        before_ns = self._resigned_ns.get(node.name, 0) - 2 * self.world.longest_interval_ns
        successors = [
            other.name
            for other in self.world.nodes.values()
            if other is not node and _could_follow(other, before_ns)
        ]
        if successors:
            names = ", ".join(successors)
            text = f"{node.name} let go and nobody has the addresses, though {names} could"
            raise self.violated("Handover", text)

    def _crossed(self, node: Node) -> bool:
        """Another left Active just before: its last word is taken for a successor's (Limits)."""
        options = self.world.options
        binding_ns = 2 * options.bind_max_ns  # a release waits behind a bind
        crossing_ns = 3 * options.delay_max_ns + 2 * self.world.slack_ns + binding_ns
        return any(
            self.world.now_ns - left_ns < crossing_ns
            for name, left_ns in self._resigned_ns.items()
            if name != node.name
        )

    def _owner_starts(self) -> bool:
        """Row 1 is literal: an owner that starts sends before it binds."""
        return any(
            node.election is not None and node.election.reason == "AddressOwner"
            for node in self.world.actives()
        )


def _could_follow(node: Node, before_ns: int) -> bool:
    election = node.election
    return (
        node.takes_part
        and election is not None
        and not election.health.withdrawn
        and node.clock.time_ns(election.since_ns) < before_ns
    )


class Reachability(Checker):
    """The client's packets reach a node that has the addresses.

    After a yield in calm the client follows at once. If its node let go because it heard somebody
    better (row 11, L6), also just after a fault, it may take one more round of announcements.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._lost_since_ns: int | None = None
        self._allowed_ns = 0
        self._lost_to_higher: set[str] = set()

    def acted(self, node: Node, event: str, before: State, actions: Sequence[Action]) -> None:
        for action in actions:
            if isinstance(action, StateChanged):
                self._lost_to_higher.discard(node.name)
                if action.reason == "HigherPriorityHeard":
                    self._lost_to_higher.add(node.name)

    def kernel_changed(self, node: Node, why: str) -> None:
        if self.world.client.node != node.name:
            return
        self._lost_since_ns = None
        self._allowed_ns = 0
        calm_ns = self.world.weather.all_calm_since_ns()
        if why != "released" or calm_ns is None or not self.world.lan.is_clean:
            return
        settled_ns = settled_since_ns(self.world)
        assert settled_ns is not None
        lost_to_higher = node.name in self._lost_to_higher
        if settled_ns > self.world.now_ns and not lost_to_higher:
            return
        round_ns = _THIRD_ROUND_NS if lost_to_higher else _SECOND_ROUND_NS
        self._allowed_ns = round_ns + 2 * self.world.options.delay_max_ns + self.world.slack_ns

    def anything(self) -> None:
        if not self._allowed_ns:
            return
        calm = self.world.weather.all_calm_since_ns() is not None and self.world.lan.is_clean
        if not calm or self._is_well():
            self._allowed_ns = 0
        elif not any(node.serves for node in self.world.nodes.values()):
            self._lost_since_ns = None
        elif self._lost_since_ns is None:
            self._lost_since_ns = self.world.now_ns
        elif self.world.now_ns - self._lost_since_ns > self._allowed_ns:
            lost_ms = (self.world.now_ns - self._lost_since_ns) / 1e6
            serving = ", ".join(node.name for node in self.world.nodes.values() if node.serves)
            text = f"the client has sent to {self.world.client.node} for {lost_ms:.3f} ms"
            raise self.violated("L6", f"{text}, {serving} serves")

    def _is_well(self) -> bool:
        where = self.world.client.node
        return where is None or bool(self.world.nodes[where].kernel.addresses)
