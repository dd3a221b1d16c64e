"""S2, S12, L5: who was silent or deaf listens first, and nobody claims without a reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from support.simulation.check_service import settled_since_ns
from support.simulation.checker import Checker
from support.simulation.node import Node
from vip_model.vocabulary import State
from vip_speaker.vrrp.actions import Action, SendAdvertisement, StateChanged

if TYPE_CHECKING:
    from support.simulation.world import World

_RETURNS = ("Resumed", "LinkReturned")
_SILENCE = "ActiveDown"
_CLAIMS = ("ActiveDown", "ActiveResigned")


class Rhythm(Checker):
    """An Active that was silent for three intervals does not go on, nor come back, unheard."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._sent_ns: dict[str, int] = {}  # by the node's own clock
        self._window_ns: dict[str, int] = {}  # how long the others wait after that advert
        self._entered_ns: dict[str, int] = {}

    def acted(self, node: Node, event: str, before: State, actions: Sequence[Action]) -> None:
        for action in actions:
            if isinstance(action, StateChanged):
                if action.reason in _RETURNS:
                    self._require_window(node, f"{node.name} came back ({action.reason})")
                self._entered_ns[node.name] = node.local_ns
            elif isinstance(action, SendAdvertisement) and action.priority:
                if (
                    event.startswith(("tick", "advertise", "hear("))
                    and self._entered_ns[node.name] < node.local_ns
                ):
                    self._require_window(node, f"{node.name} sent on")
                self._sent_ns[node.name] = node.local_ns
                self._window_ns[node.name] = 3 * node.interval_ns

    def _require_window(self, node: Node, what: str) -> None:
        silent_ns = node.local_ns - self._sent_ns[node.name]
        if silent_ns >= self._window_ns[node.name]:
            raise self.violated("S2", f"{what} after {silent_ns / 1e9:.3f} s of silence")


class Unread(Checker):
    """S12: nobody claims from silence while an advert is unread that arrived in time."""

    def acted(self, node: Node, event: str, before: State, actions: Sequence[Action]) -> None:
        if not any(isinstance(one, StateChanged) and one.reason == _SILENCE for one in actions):
            return
        assert node.engine is not None
        due_ns = node.engine.due_ns
        in_time = [one for one in node.engine.unread if due_ns is None or one[0] <= due_ns]
        if any(heard.priority > 0 for _, _, _, heard in in_time):
            text = f"{node.name} claims, and has not read {len(in_time)} adverts that came in time"
            raise self.violated("S12", text)


class Stability(Checker):
    """In calm no Backup claims while an Active that it can hear lives and has not resigned.

    One that has only just become Backup may not have heard it yet, and believes a stranger.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._backup_since_ns: dict[str, int] = {}

    def acted(self, node: Node, event: str, before: State, actions: Sequence[Action]) -> None:
        for action in actions:
            if isinstance(action, StateChanged):
                if action.reason in _CLAIMS:
                    self._check(node, action.reason)
                self._backup_since_ns[node.name] = self.world.now_ns

    def _check(self, node: Node, reason: str) -> None:
        settled_ns = settled_since_ns(self.world)
        if settled_ns is None or settled_ns > self.world.now_ns:
            return
        backup_ns = self.world.now_ns - self._backup_since_ns[node.name]
        if reason == "ActiveResigned" and backup_ns < 2 * self.world.longest_interval_ns:
            return
        long_ago_ns = self.world.now_ns - 5 * self.world.longest_interval_ns
        for other in self.world.nodes.values():
            since_ns = other.serving_since_ns
            if other.serves and since_ns is not None and since_ns < long_ago_ns:
                text = f"{node.name} claims ({reason}) though {other.name} serves"
                raise self.violated("L5", text)
