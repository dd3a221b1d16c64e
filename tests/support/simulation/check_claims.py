"""S13, S14, S15: who may become Active although another is, was, or is about to be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from support.simulation.check_service import settled_since_ns
from support.simulation.checker import Checker
from support.simulation.node import Node
from vip_model.vocabulary import OWNER_PRIORITY, PreemptionMode, State, Substate
from vip_speaker.vrrp.actions import Action, BindAddresses, StateChanged

if TYPE_CHECKING:
    from support.simulation.world import World

_SUCCEEDED, _PREEMPTED = "ActiveResigned", "LowerPriorityPreempted"
_FROM_SILENCE = ("ActiveDown", "LinkReturned")


def heard_priority(event: str) -> int:
    """Return the priority of the advert that an event tells of, 0 for any other event."""
    return int(event[len("hear(") :].split(maxsplit=1)[0]) if event.startswith("hear(") else 0


def _sender(event: str) -> str:
    return event.rsplit(maxsplit=1)[-1].rstrip(")")


class Successors(Checker):
    """S13: a successor that heard another's claim while it was binding does not go on."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._heard: dict[str, dict[str, int]] = {}  # by sender

    def booted(self, node: Node, *, adopted: bool) -> None:
        self._heard.pop(node.name, None)

    def acted(self, node: Node, event: str, before: State, actions: Sequence[Action]) -> None:
        assert node.election is not None
        for action in actions:
            if isinstance(action, StateChanged) and action.reason == _SUCCEEDED:
                self._check(node)
            if isinstance(action, BindAddresses):
                self._heard[node.name] = {}
        if event.startswith("hear(") and node.name in self._heard:
            # One that has resigned since claims nothing any more.
            self._heard[node.name][_sender(event)] = heard_priority(event)

    def _check(self, node: Node) -> None:
        assert node.election is not None
        level = node.config.level
        own = node.election.effective_priority
        for heard in filter(None, self._heard.get(node.name, {}).values()):
            if not node.config.health_bands or level(heard) <= level(own):
                text = f"{node.name} succeeds and has heard {heard} while it was binding"
                raise self.violated("S13", text)


class Preemptions(Checker):
    """S14: a preemption is right when it is carried out, whatever it was when it was decided."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._heard: dict[str, int] = {}

    def acted(self, node: Node, event: str, before: State, actions: Sequence[Action]) -> None:
        for action in actions:
            if isinstance(action, StateChanged) and action.reason == _PREEMPTED:
                self._check(node, self._heard[node.name])
        if priority := heard_priority(event):
            self._heard[node.name] = priority

    def _check(self, node: Node, heard: int) -> None:
        election = node.election
        assert election is not None
        config, own = election.config, election.effective_priority
        if config.health_bands and config.level(own) < config.level(heard):
            return
        like = own
        if config.is_provisional(heard) and own != OWNER_PRIORITY:
            like = config.effective_priority(election.health, provisional=True)
        if like > heard and (
            own == OWNER_PRIORITY or config.preemption is not PreemptionMode.NEVER
        ):
            return
        mode = config.preemption.value
        raise self.violated("S14", f"{node.name} ({own}, {mode}) replaces an Active of {heard}")


class Newcomers(Checker):
    """S15: a healthy holder under Never does not lose to a node that came up a moment ago.

    That is one which claimed from silence within the start delay, as it was behind a link over
    which nothing passed yet.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._up_ns: dict[str, int] = {}
        self._young: dict[str, bool] = {}  # claimed from silence within the delay
        self._since_ns: dict[str, int] = {}

    def booted(self, node: Node, *, adopted: bool) -> None:
        self._up_ns[node.name] = self.world.now_ns
        self._young[node.name] = False

    def acted(self, node: Node, event: str, before: State, actions: Sequence[Action]) -> None:
        if event in ("link-up", "recover"):
            self._up_ns[node.name] = self.world.now_ns
        for action in actions:
            if not isinstance(action, StateChanged):
                continue
            if action.state is State.ACTIVE:
                self._since_ns[node.name] = self.world.now_ns
                if action.reason != "NobodyTookOver":
                    silence = action.reason in _FROM_SILENCE
                    # By its own clock, which may run slow.
                    young = self._is_up_for_a_short_time(node, percent=102)
                    self._young[node.name] = silence and young
            elif action.reason == "HigherPriorityHeard":
                self._check(node, _sender(event))

    def _is_up_for_a_short_time(self, node: Node, *, percent: int) -> bool:
        up_ns = self.world.now_ns - self._up_ns[node.name]
        return up_ns < self.world.options.start_delay_ns * percent // 100

    def _check(self, loser: Node, name: str) -> None:
        winner = self.world.nodes.get(name)
        if winner is None or not winner.is_active or winner.config.priority == OWNER_PRIORITY:
            return
        assert loser.election is not None
        config = loser.election.config
        was_established = not self._young[loser.name]
        sound = loser.election.health.is_healthy and not loser.election.missing
        if not (config.health_bands and was_established and sound):
            return
        if self._young[name] and self._is_up_for_a_short_time(winner, percent=98):
            text = f"{loser.name} lost to {name}, which has been up for a short time only"
            raise self.violated("S15", text)


class Cascades(Checker):
    """S16: where binds take equally long, at most one node more than needed claims a handover."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._resigned_ns = 0
        self._claimed: set[str] = set()

    def acted(self, node: Node, event: str, before: State, actions: Sequence[Action]) -> None:
        for action in actions:
            if not isinstance(action, StateChanged):
                continue
            if action.previous is State.ACTIVE and node.election is not None:
                if node.election.substate in (Substate.YIELDING, Substate.LEAVING):
                    self._resigned_ns = self.world.now_ns
                    self._claimed = set()
            elif action.state is State.ACTIVE and action.reason == _SUCCEEDED:
                self._claimed.add(node.name)
                self._check()

    def _check(self) -> None:
        world = self.world
        settled_ns = settled_since_ns(world)
        if not world.options.bind_steady or settled_ns is None or settled_ns > self._resigned_ns:
            return
        if world.now_ns - self._resigned_ns > world.longest_interval_ns:
            return
        if len(self._claimed) > 2:
            names = ", ".join(sorted(self._claimed))
            raise self.violated("S16", f"{names} claimed one after the other in one handover")
