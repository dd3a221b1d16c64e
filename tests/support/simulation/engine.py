"""One engine process: the election and its loop, as docs/protocol.md wants it driven ("Duties").

It lives from boot to death; what outlives it is the node's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from support.simulation.kernel import Change
from vip_model.vocabulary import State
from vip_speaker.vrrp.actions import (
    Action,
    Announce,
    BindAddresses,
    ProbeAddresses,
    ReleaseAddresses,
    SendAdvertisement,
    StateChanged,
    StopAnnouncing,
)
from vip_speaker.vrrp.config import Heard, Instance
from vip_speaker.vrrp.election import Election
from vip_speaker.vrrp.timers import MILLISECOND_NS, SECOND_NS, address_lifetime_seconds
from vip_speaker.vrrp.turn import turn

if TYPE_CHECKING:
    from support.simulation.node import Node

_SECOND_ROUND_NS = 50 * MILLISECOND_NS
_LATER_ROUNDS_NS = (SECOND_NS, 5 * SECOND_NS)
_REFRESH_NS = 30 * SECOND_NS
_RENEWALS_PER_LIFETIME = 4

_EVERY_TURN = ("advertise", "tick", "hear(")

Command = Callable[[Election, int], list[Action]]


class Engine:
    """A process that runs one election.

    Attributes:
        election: the real thing, or one that is broken on purpose.
        unread: adverts in the socket: when they arrived, sender, VRID, advert.
        due_ns: the election's earliest deadline before it acted last.
        priority_before: the election's priority before it acted last.
        unheard_since_ns: when the last advert arrived that was read, if more are waiting.
        serving_since_ns: since when it is Active with addresses bound and announced, or None.
    """

    def __init__(self, node: Node, election: Election) -> None:
        self.election = election
        self.unheard_since_ns: int | None = None
        self.due_ns: int | None = None
        self.priority_before = 0
        self._last_read_ns = 0
        self.serving_since_ns: int | None = None
        self._node = node
        self._world = node.world
        self.unread: deque[tuple[int, str, int, Heard]] = deque()
        self._commands: deque[tuple[str, Command]] = deque()
        self._answers: deque[tuple[int, bool]] = deque()
        self._removed = False
        self._generation = 0
        self._renew_ns: int | None = None
        self._announcements_ns: list[int] = []
        self._turn_number = 0
        self._turn_at_ns: int | None = None

    # --- what reaches it -------------------------------------------------------------------

    def command(self, name: str, call: Command) -> None:
        """Have the election do something at the next turn."""
        self._commands.append((name, call))
        self._wake()

    def arrive(self, sender: str, virtual_router_id: int, heard: Heard) -> None:
        """An advert arrives in the socket, which notes the time."""
        self.unread.append((self._node.local_ns, sender, virtual_router_id, heard))
        self._wake()

    def kernel_answered(self, generation: int, *, done: bool) -> None:
        """The thread has bound the addresses, or could not."""
        self._answers.append((generation, done))
        self._wake()

    def addresses_removed(self) -> None:
        """The kernel tells that addresses are gone: expired, or removed by somebody."""
        self._removed = True
        self._wake()

    # --- turns of the loop -----------------------------------------------------------------

    def turn(self) -> None:
        """One turn, in the order of production."""
        turn(self)

    def now_ns(self) -> int:
        """Return the node's time."""
        return self._node.local_ns

    def due(self, now: int) -> list[Engine]:
        """Return this engine, which is its only router: a timer that is not due does nothing."""
        return [self]

    def advertise(self, now: int) -> None:
        """Send and renew what is due, if it is Active."""
        if self.election.state is not State.ACTIVE:
            return
        self.do("advertise", self.election.advertise)
        if self._renew_ns is not None and self._renew_ns <= now:
            self._renew()

    def postpone(self, routers: Iterable[Engine]) -> None:
        """Nothing has to wait: time stands still during a turn."""

    def receive(self, until_ns: int) -> None:
        """Take as many adverts from the socket as there is time for."""
        for _ in range(self._world.options.adverts_per_turn):
            if not self.unread:
                break
            self._last_read_ns = self.unread[0][0]
            self._hear(*self.unread.popleft())
        self.unheard_since_ns = self._last_read_ns if self.unread else None

    def heard_until_ns(self, router: Engine) -> int:
        """Return the arrival of the last advert that was read while more are waiting, else now."""
        since_ns = self.unheard_since_ns
        return self._node.local_ns if since_ns is None else since_ns

    def take_events(self, until_ns: int) -> None:
        """Take the kernel's answers and everything that somebody asks for."""
        while self._answers:
            self._take_answer(*self._answers.popleft())
        while self._commands:
            name, call = self._commands.popleft()
            self._carry_out(name, call)

    def tick(self, now: int, heard_until_ns: int) -> None:
        """Act on every timer that is due."""
        self.do("tick", lambda at: self.election.tick(at, heard_until_ns))
        self._look_after_addresses()

    def settle(self, until_ns: int) -> None:
        """Let the checkers look, and plan the next turn."""
        self._world.turned(self._node)
        self.schedule()

    def schedule(self) -> None:
        """Turn again when the next thing is due."""
        deadlines = (self.election.deadline(), self._renew_ns, *self._announcements_ns[:1])
        due = [at for at in deadlines if at is not None]
        self._turn_at_ns = None
        self._turn_number += 1
        if self.unread or self._answers or self._commands:
            self._wake()
        elif due:
            self._plan_turn(self._node.clock.time_ns(min(due)) + self._lateness_ns())

    def _wake(self) -> None:
        self._plan_turn(self._world.now_ns + self._lateness_ns())

    def _plan_turn(self, time_ns: int) -> None:
        if self._turn_at_ns is None or time_ns < self._turn_at_ns:
            self._turn_at_ns = time_ns
            self._turn_number += 1
            self._world.agenda.at(time_ns, self._planned_turn, self._turn_number)

    def _planned_turn(self, number: int) -> None:
        if number == self._turn_number:
            self._node.turn(self)

    def _lateness_ns(self) -> int:
        """Return how late the process is this time."""
        options = self._world.options
        if not options.lateness_mean_ns:
            return 0
        drawn_ns = round(self._world.random.expovariate(1 / options.lateness_mean_ns))
        return min(drawn_ns, options.lateness_max_ns)

    def _hear(self, arrived_ns: int, sender: str, virtual_router_id: int, heard: Heard) -> None:
        """Hand an advert over, if its family and VRID are configured here."""
        key = (heard.source.version, virtual_router_id)
        wire = self.election.config.wire
        if key not in wire:
            return
        known = replace(heard, instance=wire.index(key))
        event = f"hear({heard.priority} from {sender})"
        self.do(event, lambda at: self.election.receive(at, known, arrived_ns=arrived_ns))

    def _carry_out(self, name: str, call: Command) -> None:
        self.do(name, lambda now: call(self.election, now))

    def _take_answer(self, generation: int, done: bool) -> None:
        if generation != self._generation:
            return
        if done:
            self.do("bound", self.election.bound)
        else:
            self.do("bind-failed", lambda now: self.election.bind_failed(now, "BindFailed"))

    def _look_after_addresses(self) -> None:
        """Bind again, renew and announce what is due."""
        now = self._node.local_ns
        removed, self._removed = self._removed, False
        if removed and self.election.state is State.ACTIVE and not self._node.kernel.holds:
            self._bind()
            self._announce()
        if self._renew_ns is not None and self._renew_ns <= now:
            self._renew()
        if self._announcements_ns and self._announcements_ns[0] <= now:
            later = [at for at in self._announcements_ns if at > now]
            self._announcements_ns = later or [now + _REFRESH_NS]
            self._world.announce(self._node)

    # --- actions ---------------------------------------------------------------------------

    def do(self, event: str, call: Callable[[int], list[Action]]) -> None:
        """Let the election act, tell the world, carry the actions out."""
        before = self.election.state
        self.due_ns = self.election.deadline()
        self.priority_before = self.election.effective_priority
        actions = call(self._node.local_ns)
        if actions or not event.startswith(_EVERY_TURN):
            self._world.note(self._node, before, event, actions)
        self._world.acted(self._node, event, before, actions)
        for action in actions:
            self._apply(action)
        if actions:
            self._node.write_down(self.election)

    def _apply(self, action: Action) -> None:
        match action:
            case SendAdvertisement(priority):
                self._send(priority)
            case BindAddresses():
                self._bind()
            case ReleaseAddresses():
                self._submit("release")
                self._renew_ns = None
            case Announce():
                self._announce()
                if self.serving_since_ns is None:
                    self.serving_since_ns = self._world.now_ns
            case StopAnnouncing():
                self._announcements_ns = []
            case ProbeAddresses():
                self._world.probe(self._node)
            case StateChanged():
                self.serving_since_ns = None

    def _send(self, priority: int) -> None:
        config = self.election.config
        for position, instance in self._working():
            interval_ns = config.advertisement_interval_ns
            assert instance.source is not None
            heard = Heard(position, instance.source, priority, interval_ns)
            self._world.send(self._node, instance.virtual_router_id, heard)

    def _working(self) -> list[tuple[int, Instance]]:
        lacking = self.election.missing
        instances = enumerate(self.election.config.instances)
        return [(position, one) for position, one in instances if position not in lacking]

    def _bind(self) -> None:
        self._submit("bind")
        self._plan_renewal()

    def _renew(self) -> None:
        if self.election.renews:
            self._submit("renew")
            self._plan_renewal()
        else:
            self._renew_ns = None

    def _plan_renewal(self) -> None:
        period_ns = self._lifetime_ns() // _RENEWALS_PER_LIFETIME
        self._renew_ns = self._node.local_ns + period_ns

    def _submit(self, kind: str) -> None:
        if kind != "renew":
            self._generation += 1
        self._node.worker.submit(
            Change(
                kind=kind,
                generation=self._generation,
                addresses=frozenset(at for _, one in self._working() for at in one.addresses),
                lifetime_ns=self._lifetime_ns(),
                asked_ns=self._world.now_ns,
            )
        )

    def _lifetime_ns(self) -> int:
        interval_ns = self.election.config.advertisement_interval_ns
        return address_lifetime_seconds(interval_ns) * SECOND_NS

    def _announce(self) -> None:
        now = self._node.local_ns
        jitter_ns = self._world.random.randrange(_SECOND_ROUND_NS)
        later = [now + at for at in _LATER_ROUNDS_NS]
        self._announcements_ns = [now + _SECOND_ROUND_NS + jitter_ns, *later]
        self._world.announce(self._node)
