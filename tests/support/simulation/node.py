"""One node: a host with its kernel, its clock, its agent, and at most one engine process.

The process can be frozen, killed and started again; the rest lives on.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from support.simulation.addresses import family_of
from support.simulation.agenda import Clock
from support.simulation.engine import Command, Engine
from support.simulation.gate import Gate
from support.simulation.kernel import Kernel, Worker
from support.simulation.options import NodeOptions
from vip_model.vocabulary import State
from vip_speaker.vrrp.actions import Action
from vip_speaker.vrrp.config import Address, ElectionConfig, Health, Heard
from vip_speaker.vrrp.election import Election
from vip_speaker.vrrp.timers import MILLISECOND_NS, SECOND_NS

if TYPE_CHECKING:
    from support.simulation.world import World

_CARRIER_LATENCY_NS = 2 * MILLISECOND_NS
_CONNECT_NS = 30 * MILLISECOND_NS


class Process(enum.Enum):
    """What the engine's process does."""

    RUNNING = enum.auto()
    FROZEN = enum.auto()
    DEAD = enum.auto()


@dataclass(frozen=True, slots=True)
class Record:
    """The state file: what the next life needs to know of this one."""

    state: State = State.INITIALIZE
    last_sent_ns: int | None = None
    interval_ns: int = 0
    health: Health | None = None
    provisional_until_ns: int | None = None
    seniority: int = 0


class Node:
    """A host with its engine."""

    def __init__(
        self, world: World, options: NodeOptions, config: ElectionConfig, clock: Clock
    ) -> None:
        self.world = world
        self.name = options.name
        self.host = options.host
        self.clock = clock
        self.config = config
        self.process = Process.DEAD
        self.engine: Engine | None = None
        self.gate = Gate()
        self.kernel = Kernel(world.agenda, world.random, self._kernel_changed)
        self.worker = Worker(
            world.agenda, world.random, world.options, self.kernel, self._kernel_answered
        )
        self.powered = True
        self.linked = True
        self.missing: set[int] = set()  # families whose instance lacks something
        self.leaving = False
        self.running_since_ns = 0
        self._record = Record()
        world.agenda.after(world.random.randrange(SECOND_NS // 5), self._probe_service)

    # --- what is seen from outside ---------------------------------------------------------

    @property
    def local_ns(self) -> int:
        """What this node's clock shows."""
        return self.clock.local_ns(self.world.agenda.now_ns)

    @property
    def election(self) -> Election | None:
        """The election of the process, None without a process."""
        return None if self.engine is None else self.engine.election

    @property
    def state(self) -> State:
        """The election's state; a dead process has none."""
        return State.INITIALIZE if self.engine is None else self.engine.election.state

    @property
    def is_active(self) -> bool:
        """Whether a living process believes to be Active."""
        return self.process is Process.RUNNING and self.state is State.ACTIVE

    @property
    def serving_since_ns(self) -> int | None:
        """Since when it is Active with addresses bound and announced, or None."""
        return None if self.engine is None else self.engine.serving_since_ns

    @property
    def serves(self) -> bool:
        """Whether it is Active, and has bound and announced the addresses."""
        return self.is_active and self.kernel.holds and self.serving_since_ns is not None

    @property
    def takes_part(self) -> bool:
        """Whether it is Backup or Active and means to stay."""
        stays = self.process is Process.RUNNING and not self.leaving
        return stays and self.state is not State.INITIALIZE

    @property
    def priority(self) -> int:
        """Its effective priority."""
        return 0 if self.engine is None else self.engine.election.effective_priority

    @property
    def interval_ns(self) -> int:
        """The interval that its election runs with."""
        config = self.config if self.engine is None else self.engine.election.config
        return config.advertisement_interval_ns

    def source(self, family: int = 0) -> Address:
        """Return its own address on one instance."""
        source = self.config.instances[family].source
        assert source is not None
        return source

    # --- the process -----------------------------------------------------------------------

    def boot(self) -> None:
        """Start a process, which finds what an earlier one left."""
        if self.process is not Process.DEAD or not self.powered:
            return
        self.process = Process.RUNNING
        self.leaving = False
        self.running_since_ns = self.world.agenda.now_ns
        record, self._record = self._record, Record()
        health = record.health if record.health is not None else Health.FAILING
        election = self.world.election_class(self.config, health)
        election.position.watch = self.world.moved
        self.engine = Engine(self, election)
        adopted = self.kernel.holds
        self.world.booted(self, adopted=adopted)
        # How long the others wait was decided by the interval in the last advert.
        same_interval = record.interval_ns == self.config.advertisement_interval_ns
        resumable = record.state is State.ACTIVE and same_interval
        last_sent_ns = record.last_sent_ns if resumable else None
        if self.missing:
            assert self._place(election, self.local_ns) == []
        self.engine.do(
            "start",
            lambda now: election.start(
                now,
                resume_last_sent_ns=last_sent_ns,
                resume_provisional_until_ns=record.provisional_until_ns,
                resume_seniority=record.seniority,
                adopted=adopted,
            ),
        )
        if not self.linked:
            self.engine.do("link-down", lambda now: election.fault(now, "NoCarrier"))
        self.world.agenda.after(_CONNECT_NS, self._tell_health)
        self.engine.schedule()

    def turn(self, engine: Engine) -> None:
        """The process gets time, unless it is frozen, dead, or another one by now."""
        if self.process is not Process.RUNNING or engine is not self.engine:
            return
        engine.turn()
        if self.leaving and engine.election.stopped:
            self._end()

    def kill(self) -> None:
        """SIGKILL: everything in the process is gone, the kernel keeps the addresses."""
        if self.process is Process.DEAD:
            return
        self.world.ending(self)
        self.world.note(self, self.state, "killed")
        self._end()
        self.worker.kill()

    def power_off(self) -> None:
        """The host is gone, with its kernel, its state file and its agent."""
        self.kill()
        self.powered = False
        self.kernel.clear("powered-off")
        self._record = Record()
        self.gate.forget()

    def power_on(self) -> None:
        """The host boots."""
        self.powered = True
        self.boot()

    def freeze(self) -> None:
        """SIGSTOP, or a virtual machine that does not get any time."""
        if self.process is Process.RUNNING:
            self.process = Process.FROZEN
            self.worker.freeze()
            self.world.note(self, self.state, "frozen")

    def thaw(self) -> None:
        """It goes on, and finds what arrived meanwhile in its sockets."""
        if self.process is Process.FROZEN:
            assert self.engine is not None
            self.process = Process.RUNNING
            self.running_since_ns = self.world.agenda.now_ns
            self.world.note(self, self.state, "thawed")
            self.turn(self.engine)
            self.worker.thaw()

    def stop(self) -> None:
        """SIGTERM."""
        if self.process is not Process.DEAD:
            self.leaving = True
            self.command("stop", lambda election, now: election.stop(now))

    def retire(self) -> None:
        """The address is given up everywhere; nothing else runs in this process."""
        self.leaving = True
        self.command("retire", lambda election, now: election.retire(now))

    def write_down(self, election: Election) -> None:
        """Keep the state file up to date."""
        self._record = Record(
            state=election.state,
            last_sent_ns=election.last_sent_ns,
            interval_ns=election.config.advertisement_interval_ns,
            health=election.health,
            provisional_until_ns=election.provisional_until_ns,
            seniority=election.seniority,
        )

    def _end(self) -> None:
        self.process = Process.DEAD
        self.engine = None

    # --- what reaches it -------------------------------------------------------------------

    def command(self, name: str, call: Command) -> None:
        """Let the process do something as soon as it turns."""
        if self.engine is not None:
            self.engine.command(name, call)

    def arrive(self, sender: str, virtual_router_id: int, heard: Heard) -> None:
        """An advert reaches the host; a socket takes it if there is one."""
        if family_of(heard.source) in self.missing:
            return
        if self.engine is not None and self.linked:
            self.engine.arrive(sender, virtual_router_id, heard)

    def reconfigure(self, config: ElectionConfig) -> None:
        """Take a new configuration, now or at the next start."""
        self.config = config
        self.command(
            "reconfigure",
            lambda election, now: election.reconfigure(now, config, working=self.working(config)),
        )
        if self.missing and self.linked:
            self.command("instances", self._place)

    def working(self, config: ElectionConfig) -> frozenset[int]:
        """Return the instances that have all they need."""
        return frozenset(
            position
            for position, one in enumerate(config.instances)
            if family_of(one.addresses[0]) not in self.missing
        )

    def lose_instance(self, family: int) -> None:
        """One family is switched off, or its link is gone."""
        self.missing.add(family)
        self.kernel.drop(family)
        if self.linked:
            self.command("instances", self._place)

    def regain_instance(self, family: int) -> None:
        """It is back."""
        self.missing.discard(family)
        if self.linked:
            self.command("instances", self._place)

    def recover(self) -> None:
        """What the adverts need is there again, as far as it is."""
        if self.missing:
            self.command("link-up", self._place)
        else:
            self.command("link-up", lambda election, now: election.recover(now))

    def _place(self, election: Election, now: int) -> list[Action]:
        return election.instances_changed(now, self.working(election.config))

    def unlink(self) -> None:
        """Pull the cable."""
        self.linked = False
        self.world.agenda.after(_CARRIER_LATENCY_NS, self._carrier_changed)

    def link(self) -> None:
        """Plug it in again."""
        self.linked = True
        self.world.agenda.after(_CARRIER_LATENCY_NS, self._carrier_changed)

    def set_withdrawn(self, *, withdrawn: bool) -> None:
        """A gate that withdraws the node changes its verdict."""
        self.gate.withdrawn = withdrawn
        self._tell_health()

    def _carrier_changed(self) -> None:
        if self.linked:
            self.recover()
        else:
            self.command("link-down", lambda election, now: election.fault(now, "NoCarrier"))

    def _probe_service(self) -> None:
        self.world.agenda.after(self.world.options.gate_period_ns, self._probe_service)
        if self.powered and self.process is not Process.FROZEN:
            self.gate.probe(self.local_ns)
            self._tell_health()

    def _tell_health(self) -> None:
        health = self.gate.health()
        if self.election is None or health is None or health == self.election.health:
            return
        self.command(f"health({health})", lambda election, now: election.set_health(now, health))

    def _kernel_changed(self, why: str) -> None:
        """What the process did not do itself it is told by the kernel."""
        self.world.kernel_changed(self, why)
        if self.engine is not None and why in ("expired", "removed"):
            self.engine.addresses_removed()

    def _kernel_answered(self, generation: int, done: bool) -> None:
        if self.engine is not None:
            self.engine.kernel_answered(generation, done=done)
