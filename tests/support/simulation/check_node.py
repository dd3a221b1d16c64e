"""S2, S3, S4, S7, S8: what one node may do, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from support.simulation.checker import Checker
from support.simulation.node import Node
from support.simulation.world_facts import longest_deadline_ns
from vip_model.vocabulary import State
from vip_speaker.vrrp.actions import (
    Action,
    Announce,
    BindAddresses,
    ReleaseAddresses,
    SendAdvertisement,
    StateChanged,
)
from vip_speaker.vrrp.timers import MILLISECOND_NS

if TYPE_CHECKING:
    from support.simulation.world import World

_REPEATS = 2
_REPEAT_WINDOW_NS = 4 * MILLISECOND_NS
_HANDOVERS = ("ActiveResigned", "LowerPriorityPreempted")


class Timers(Checker):
    """S2: a deadline that is neither past nor absurd; S7: an early tick does nothing."""

    def turned(self, node: Node) -> None:
        election = node.election
        assert election is not None
        now, deadline = node.local_ns, election.deadline()
        if deadline is None:
            if election.state is not State.INITIALIZE:
                text = f"{node.name} is {election.state.value} and no timer is armed"
                raise self.violated("S2", text)
            return
        assert node.engine is not None
        if deadline <= now:
            if node.engine.unheard_since_ns is not None:
                return  # an advert that waits may be from before the deadline
            raise self.violated("S2", f"a timer of {node.name} is due and did not fire")
        if deadline - now > longest_deadline_ns(self.world):
            seconds = (deadline - now) / 1e9
            raise self.violated("S2", f"{node.name} waits for {seconds:.3f} s")
        if election.tick(now):
            raise self.violated("S7", f"{node.name} acted on a tick before its deadline")


class Senders(Checker):
    """S3: who may send what; S8: with which priority."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._resigned: dict[str, tuple[int, int]] = {}  # local time, repeats so far

    def booted(self, node: Node, *, adopted: bool) -> None:
        self._resigned.pop(node.name, None)

    def acted(self, node: Node, event: str, before: State, actions: Sequence[Action]) -> None:
        state = before
        if before is State.BACKUP and event.startswith("hear(") and "(0 " not in event:
            # A successor was heard; as a Backup this node has nothing to say any more.
            self._resigned.pop(node.name, None)
        for action in actions:
            if isinstance(action, StateChanged):
                state = action.state
                if state is State.ACTIVE:
                    self._resigned.pop(node.name, None)
            elif isinstance(action, SendAdvertisement):
                self._check(node, event, state, action.priority)

    def _check(self, node: Node, event: str, state: State, priority: int) -> None:
        assert node.election is not None
        if priority == 0:
            self._check_resignation(node, event, state)
            return
        if state is not State.ACTIVE:
            raise self.violated("S3", f"{node.name} sent {priority} as {state.value}, on {event}")
        assert node.engine is not None
        # The last advert of row 11 is from before.
        last, now = node.engine.priority_before, node.election.effective_priority
        expected = now if node.state is State.ACTIVE else last
        if priority != expected:
            raise self.violated("S8", f"{node.name} sent {priority} instead of {expected}")

    def _check_resignation(self, node: Node, event: str, state: State) -> None:
        if state is State.ACTIVE:
            self._resigned[node.name] = (node.local_ns, 0)
            return
        since_ns, repeats = self._resigned.get(node.name, (0, _REPEATS))
        if repeats >= _REPEATS:
            raise self.violated("S3", f"{node.name} sent 0 as {state.value}, on {event}")
        self._resigned[node.name] = (since_ns, repeats + 1)
        late_ns = node.local_ns - since_ns - _REPEAT_WINDOW_NS - self.world.slack_ns
        if late_ns > 0 and node.running_since_ns <= self.world.now_ns - late_ns:
            raise self.violated("S3", f"{node.name} repeated its 0 {late_ns / 1e6:.3f} ms late")


@dataclass(slots=True)
class _Stay:
    """One stay in Active."""

    handover: bool
    bound: bool = False
    sent: bool = False
    announced: bool = False


class Entries(Checker):
    """S4: every entry to Active yields adverts and announcements, in the right order."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._stays: dict[str, _Stay] = {}
        self._bound: set[str] = set()

    def booted(self, node: Node, *, adopted: bool) -> None:
        self._stays.pop(node.name, None)
        self._bound.discard(node.name)

    def acted(self, node: Node, event: str, before: State, actions: Sequence[Action]) -> None:
        stay = self._stays.get(node.name)
        if event == "bound":
            self._bound.add(node.name)
            if stay is not None:
                stay.bound = True
        for action in actions:
            if isinstance(action, StateChanged):
                stay = self._change(node, stay, action, actions)
            elif isinstance(action, SendAdvertisement) and action.priority and stay is not None:
                self._sent(node, stay)
            elif isinstance(action, (BindAddresses, ReleaseAddresses)):
                self._bound.discard(node.name)
            elif isinstance(action, Announce):
                self._announced(node, stay, event)
        if event == "bound" and stay is not None and not (stay.sent and stay.announced):
            raise self.violated("S4", f"{node.name} has bound and is silent about it")

    def announced(self, node: Node) -> None:
        if node.state is not State.ACTIVE:
            raise self.violated("S4", f"{node.name} announces and is {node.state.value}")

    def _change(
        self, node: Node, stay: _Stay | None, change: StateChanged, actions: Sequence[Action]
    ) -> _Stay | None:
        if change.state is State.ACTIVE:
            if stay is not None:
                raise self.violated("S4", f"{node.name} entered Active twice")
            sends = any(isinstance(one, SendAdvertisement) and one.priority for one in actions)
            if not sends:
                raise self.violated("S4", f"{node.name} became Active without an advert")
            handover = change.reason in _HANDOVERS
            stay = self._stays[node.name] = _Stay(handover, bound=node.name in self._bound)
            return stay
        self._stays.pop(node.name, None)
        return None

    def _sent(self, node: Node, stay: _Stay) -> None:
        if stay.handover and not stay.sent and not (stay.bound and stay.announced):
            text = f"{node.name} sent before it had bound and announced, in a handover"
            raise self.violated("S4", text)
        stay.sent = True

    def _announced(self, node: Node, stay: _Stay | None, event: str) -> None:
        if stay is None:
            raise self.violated("S4", f"{node.name} announced and is not Active, on {event}")
        if not stay.bound:
            raise self.violated("S4", f"{node.name} announced before it had bound, on {event}")
        stay.announced = True
