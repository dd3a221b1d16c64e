"""L2, L3, L4: in calm, crashes, handovers and reliefs end within their bounds.

A promise is made when it happens, and kept or broken later. Whatever else happens meanwhile
releases from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from support.simulation.check_service import settled_since_ns
from support.simulation.checker import Checker
from support.simulation.node import Node, Process
from support.simulation.world_facts import clock_tolerance_ns, with_clock
from vip_model.vocabulary import State
from vip_speaker.vrrp.actions import Action
from vip_speaker.vrrp.timers import skew_time_ns

if TYPE_CHECKING:
    from support.simulation.world import World

_YIELDS = ("stop", "health(Withdrawn)", "health(Failing)")


@dataclass(slots=True)
class _Promise:
    """What is to be true later, and what must not be true too early."""

    rule: str
    text: str
    due_ns: int
    kept: Callable[[], bool]
    not_before_ns: int = 0
    events: int | None = None  # events of the world when it was made


class Promises(Checker):
    """Makes promises and sees to them."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._promise: _Promise | None = None
        self._verdict: dict[str, str] = {}
        self._verdicts = 0

    def ending(self, node: Node) -> None:
        self._promise = None
        if not self._is_quiet() or not node.serves:
            return
        backups = self._backups_of(node)
        if len(self.world.actives()) != 1 or not backups:
            return
        options = self.world.options
        now, interval_ns = self.world.now_ns, node.interval_ns
        best_ns = min(_skew_ns(one) for one in backups)
        held_off_ns = 0 if options.health_bands else options.start_delay_ns
        down_ns = with_clock(3 * self.world.longest_interval_ns + best_ns + held_off_ns)
        others = [one for one in self.world.nodes.values() if one is not node]
        self._make(
            _Promise(
                "L2",
                f"{node.name} was killed and nobody took over",
                now + down_ns + options.delay_max_ns + self.world.slack_ns,
                lambda: any(one.is_active for one in others),
                now + 2 * interval_ns - clock_tolerance_ns(6 * interval_ns) - self.world.slack_ns,
            )
        )

    def acted(self, node: Node, event: str, before: State, actions: Sequence[Action]) -> None:
        if event.startswith("health("):
            if self._verdict.get(node.name) == event:
                return
            self._verdict[node.name] = event
            self._verdicts += 1
        if not self._is_quiet():
            return
        if before is State.ACTIVE and event in _YIELDS and node.serving_since_ns is not None:
            self._promise_successor(node, event)
        elif before is State.BACKUP and event.startswith("health("):
            self._promise_relief(node)

    def anything(self) -> None:
        promise = self._promise
        if promise is None:
            return
        events = self.world.weather.events + self._verdicts
        if promise.events is None:
            promise.events = events
        if promise.events != events:
            self._promise = None
            return
        now = self.world.now_ns
        if promise.not_before_ns and promise.kept():
            if now < promise.not_before_ns and self._claimed_after_silence():
                early_ms = (promise.not_before_ns - now) / 1e6
                raise self.violated(promise.rule, f"somebody took over {early_ms:.3f} ms too early")
            self.world.marks[f"kept {promise.rule}"] += 1
            self._promise = None
        elif now > promise.due_ns:
            if not promise.kept():
                raise self.violated(promise.rule, promise.text)
            self.world.marks[f"kept {promise.rule}"] += 1
            self._promise = None

    def _claimed_after_silence(self) -> bool:
        """Whether an Active counted to the end, and was not preempting a lower one anyway."""
        return any(
            node.election is not None and node.election.reason == "ActiveDown"
            for node in self.world.actives()
        )

    def _promise_successor(self, node: Node, event: str) -> None:
        """Somebody else serves soon; after a failing gate somebody healthy, if anybody is."""
        others = self._backups_of(node)
        healthy = [one for one in others if _is_healthy(one)]
        only_healthy = event == "health(Failing)" and self.world.options.health_bands
        candidates = healthy if only_healthy else others
        if event == "health(Failing)" and not only_healthy:
            candidates = [*others, node]  # without bands it may be the best itself
        if not candidates:
            return
        options = self.world.options
        best_ns = min(_skew_ns(one) for one in candidates)
        everybody = [one for one in self.world.nodes.values() if one in candidates or one != node]
        self._make(
            _Promise(
                "L3",
                f"{node.name} was told to yield ({event}) and nobody who should serves",
                self.world.now_ns
                + with_clock(best_ns)
                + options.delay_max_ns
                + options.bind_max_ns
                + 3 * self.world.slack_ns,
                lambda: any(
                    one.serves for one in everybody if _is_healthy(one) or not only_healthy
                ),
            )
        )

    def _promise_relief(self, node: Node) -> None:
        """A Backup that is better now relieves a worse Active that it knows."""
        actives = self.world.actives()
        if len(actives) != 1 or not self.world.options.health_bands:
            return
        active = actives[0]
        level = node.config.level
        own = level(node.priority)
        if not active.serves or level(active.priority) <= own:
            return
        if node not in self._backups_of(active):
            return
        options = self.world.options
        self._make(
            _Promise(
                "L4",
                f"{node.name} is better now and did not relieve {active.name}",
                self.world.now_ns
                + with_clock(_skew_ns(node))
                + options.delay_max_ns
                + options.bind_max_ns
                + 3 * self.world.slack_ns,
                lambda: any(
                    one.serves and level(one.priority) <= own for one in self.world.nodes.values()
                ),
            )
        )

    def _make(self, promise: _Promise) -> None:
        self._promise = promise
        self.world.marks[f"promised {promise.rule}"] += 1

    def _is_quiet(self) -> bool:
        settled_ns = settled_since_ns(self.world)
        return settled_ns is not None and settled_ns < self.world.now_ns

    def _backups_of(self, node: Node) -> list[Node]:
        """Return the Backups that know this node as the Active."""
        return [
            one
            for one in self.world.nodes.values()
            if one.takes_part
            and one.process is Process.RUNNING
            and one.state is State.BACKUP
            and one.election is not None
            and one.election.active_source_on(0) == node.source()
        ]


def _skew_ns(node: Node) -> int:
    """Return Skew_Time; one that preempts has not learned a new interval (row 7)."""
    interval_ns = node.world.longest_interval_ns
    return skew_time_ns(node.priority, interval_ns) + node.config.tie_delay_ns


def _is_healthy(node: Node) -> bool:
    return node.election is not None and node.election.health.is_healthy
