"""Leader election: contenders with delays and pauses, in virtual time."""

from __future__ import annotations

import contextlib
import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from vip_operator.core.known.round_inputs import SECOND_NS
from vip_operator.core.leader_election import (
    LEASE_SECONDS,
    RENEW_DEADLINE_NS,
    RETRY_NS,
    Election,
    LeaseView,
    Lost,
    Wait,
    Write,
)

LEASE_NS = LEASE_SECONDS * SECOND_NS

# --- contenders in virtual time ------------------------------------------------------------------


class RefusedError(Exception):
    """The API server refused a write: the Lease is another than it should be."""


@dataclass
class Server:
    """Keeps one Lease, with preconditions."""

    lease: LeaseView | None = None
    version: int = 0
    epochs: list[int] = field(default_factory=list)

    def write(self, step: Write) -> LeaseView:
        """Carry a write out, or refuse it."""
        current = "" if self.lease is None else self.lease.resource_version
        if current != step.resource_version:
            raise RefusedError
        if step.acquires:
            self.epochs.append(step.transitions + 1)
        self.version += 1
        self.lease = LeaseView(step.holder, step.transitions, str(self.version))
        return self.lease


class World:
    """Virtual time with three contenders that are slow, deaf and frozen at random."""

    def __init__(self, seed: int, renew_deadline_ns: int = RENEW_DEADLINE_NS) -> None:
        self.random = random.Random(seed)
        self.server = Server()
        self.now_ns = 0
        self.calm = False
        self.renew_deadline_ns = renew_deadline_ns
        self.agenda: list[tuple[int, int, Callable[[], None]]] = []
        self.order = 0
        self.born = 0
        self.contenders: list[Contender] = []
        self.two_lead_at_ns: int | None = None
        self.leaderships: set[int] = set()
        for _each in range(3):
            self.add_contender()

    def add_contender(self) -> None:
        """Start a process."""
        self.born += 1
        contender = Contender(self, f"operator-{self.born}")
        self.contenders.append(contender)
        self.after(0, contender.read)

    def after(self, delay_ns: int, action: Callable[[], None]) -> None:
        """Do something later."""
        self.order += 1
        heapq.heappush(self.agenda, (self.now_ns + delay_ns, self.order, action))

    def latency_ns(self) -> int:
        """Return how long a message is under way: mostly short, sometimes very long."""
        if self.calm or self.random.random() < 0.8:
            return self.random.randrange(1_000_000, 50_000_000)
        return self.random.randrange(0, 40 * SECOND_NS)

    def pause_ns(self) -> int:
        """Return how long a process does not run before it goes on: mostly not at all."""
        if self.calm or self.random.random() < 0.85:
            return 0
        return self.random.randrange(0, 40 * SECOND_NS)

    def run(self, until_ns: int) -> None:
        """Let time pass; look at every step, and between them, who believes it leads."""
        while self.agenda and self.agenda[0][0] <= until_ns:
            at_ns, _order, action = heapq.heappop(self.agenda)
            while self.now_ns < at_ns:
                self.now_ns = min(at_ns, self.now_ns + SECOND_NS // 4)
                self.look()
            action()
            self.look()
        self.now_ns = until_ns

    def look(self) -> None:
        """Note it if two lead."""
        leading = [each for each in self.contenders if each.election.leads(self.now_ns)]
        self.leaderships |= {each.election.epoch or 0 for each in leading}
        if len(leading) > 1 and self.two_lead_at_ns is None:
            self.two_lead_at_ns = self.now_ns


class Contender:
    """A driver as the module describes it, on messages that are late or lost."""

    def __init__(self, world: World, identity: str) -> None:
        self.world = world
        self.election = Election(identity, world.renew_deadline_ns)
        self.turn = 0
        self.gone = False

    def read(self) -> None:
        """Ask for the Lease; give up after 3 s."""
        turn = self._begin()

        def at_server() -> None:
            lease = self.world.server.lease
            self.world.after(
                self.world.latency_ns(), lambda: self._on(turn, lambda: self.decide(lease))
            )

        self.world.after(self.world.latency_ns(), at_server)

    def decide(self, lease: LeaseView | None) -> None:
        """Do what the election says, after a pause that may be long."""
        pause_ns = self.world.pause_ns()
        if pause_ns:
            turn = self._begin(timeout=False)
            self.world.after(pause_ns, lambda: self._on(turn, lambda: self.decide(lease)))
            return
        decision = self.election.decide(lease, self.world.now_ns)
        if isinstance(decision, Lost):
            self._exit()
        elif isinstance(decision, Wait):
            self.world.after(decision.until_ns - self.world.now_ns, self.read)
        elif self.election.epoch is not None and not self.world.calm and self._stops():
            self._release()
        else:
            self._write(decision)

    def _write(self, step: Write) -> None:
        turn = self._begin()
        world = self.world

        def at_server() -> None:
            try:
                lease = world.server.write(step)
            except RefusedError:
                world.after(world.latency_ns(), lambda: self._on(turn, self.read))
                return
            world.after(
                world.latency_ns(), lambda: self._on(turn, lambda: self._written(step, lease))
            )

        # The process may be frozen between its decision and the sending of the request.
        world.after(world.pause_ns() + world.latency_ns(), at_server)

    def _written(self, step: Write, lease: LeaseView) -> None:
        self.election.written(step, lease)
        self.decide(lease)

    def _release(self) -> None:
        step = self.election.release(self.world.now_ns)
        assert step is not None

        def at_server() -> None:
            with contextlib.suppress(RefusedError):
                self.world.server.write(step)

        self.world.after(self.world.latency_ns(), at_server)
        self._exit()

    def _stops(self) -> bool:
        return self.world.random.random() < 0.02

    def _begin(self, timeout: bool = True) -> int:
        """Begin a request; answers to earlier ones are not heard any more."""
        self.turn += 1
        turn = self.turn
        if timeout:
            self.world.after(3 * SECOND_NS + RETRY_NS, lambda: self._on(turn, self.read))
        return turn

    def _on(self, turn: int, action: Callable[[], None]) -> None:
        if turn == self.turn and not self.gone:
            self.turn += 1
            action()

    def _exit(self) -> None:
        self.gone = True
        self.world.contenders.remove(self)
        self.world.after(5 * SECOND_NS, self.world.add_contender)


@pytest.mark.parametrize("seed", range(40))
def test_never_two_lead(seed: int) -> None:
    """Whatever is late, lost or frozen, no two processes may write at a moment.

    Epochs are never given twice, and when all is well again exactly one leads.
    """
    world = World(seed)
    world.run(1800 * SECOND_NS)
    assert world.two_lead_at_ns is None
    assert len(world.leaderships) > 3, "the run was too quiet to prove anything"
    assert world.server.epochs == sorted(set(world.server.epochs))
    world.calm = True
    world.run(2000 * SECOND_NS)
    assert world.two_lead_at_ns is None
    assert sum(each.election.leads(world.now_ns) for each in world.contenders) == 1


def test_the_simulation_finds_two_leaders_where_the_deadline_is_too_long() -> None:
    """With a deadline beyond the Lease's duration the same runs do find two leaders."""
    found = 0
    for seed in range(40):
        world = World(seed, renew_deadline_ns=2 * LEASE_NS)
        world.run(1800 * SECOND_NS)
        found += world.two_lead_at_ns is not None
    assert found > 10
