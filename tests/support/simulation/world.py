"""One simulated world: nodes, link, client, weather, and the checkers that watch it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from random import Random

from support.simulation.addresses import family_of, make_instance
from support.simulation.agenda import Agenda, Clock
from support.simulation.checker import HOOKS, Checker
from support.simulation.checkers import ALL
from support.simulation.gate import COSTS
from support.simulation.lan import CLIENT, Client, Lan
from support.simulation.node import Node
from support.simulation.options import NodeOptions, Options
from support.simulation.trace import Trace
from support.simulation.weather import Weather
from vip_model.vocabulary import State, Substate
from vip_speaker.vrrp.actions import Action, StateChanged
from vip_speaker.vrrp.config import ElectionConfig, Heard
from vip_speaker.vrrp.election import Election
from vip_speaker.vrrp.timers import MILLISECOND_NS, SECOND_NS

_PROBE_ANSWER_NS = 10 * MILLISECOND_NS


class World:
    """Everything, under one random number generator and one clock."""

    def __init__(
        self,
        options: Options,
        random: Random,
        *,
        election: type[Election] = Election,
        trace: Trace | None = None,
        checkers: Sequence[type[Checker]] = ALL,
    ) -> None:
        self.options = options
        self.random = random
        self.election_class = election
        self.trace = trace or Trace()
        self.agenda = Agenda()
        self.lan = Lan(self.agenda, random, options)
        self.client = Client(self.agenda)
        self.weather = Weather()
        self.longest_interval_ns = options.interval_ns
        # What the manifests say by now; each node takes it in its own time.
        self.desired: dict[str, int] = {}
        # What was met on the way: reasons of transitions, kinds of faults, promises.
        self.marks: Counter[str] = Counter()
        self.edges: Counter[tuple[Substate, Substate]] = Counter()
        # Adverts that get lost on purpose: called with sender, receiver and advert.
        self.swallows: Callable[[str, str, Heard], bool] = lambda sender, receiver, heard: False
        self.nodes = {one.name: self._make_node(one) for one in options.nodes}
        self._checkers = [checker(self) for checker in checkers]
        self._hooks = {
            hook: [
                getattr(checker, hook)
                for checker in self._checkers
                if getattr(type(checker), hook) is not getattr(Checker, hook)
            ]
            for hook in HOOKS
        }

    def _make_node(self, options: NodeOptions) -> Node:
        clock = Clock(self.random.randrange(10**6) * SECOND_NS, options.clock_ppm)
        return Node(self, options, self._config(options), clock)

    def _config(self, node: NodeOptions) -> ElectionConfig:
        options = self.options
        return ElectionConfig(
            instances=tuple(make_instance(node.host, family) for family in range(options.families)),
            priority=node.priority,
            advertisement_interval_ns=options.interval_ns,
            preemption=options.preemption,
            preemption_delay_ns=options.preemption_delay_ns,
            health_bands=options.health_bands,
            bootstrap=options.bootstrap,
            tie_delay_ns=node.tie_delay_ns,
            slot=node.slot,
            gate_costs=COSTS,
            candidates=len(options.nodes),
            start_delay_ns=options.start_delay_ns,
        )

    # --- what is seen ----------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        """The time."""
        return self.agenda.now_ns

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def actives(self) -> list[Node]:
        """Return the nodes that believe to be Active."""
        return [node for node in self.nodes.values() if node.is_active]

    def holders(self) -> list[Node]:
        """Return the nodes whose kernels have the addresses."""
        return [node for node in self.nodes.values() if node.kernel.addresses]

    @property
    def slack_ns(self) -> int:
        """How late a process may be, and what rounding and a release take."""
        options = self.options
        return 2 * options.lateness_max_ns + options.bind_mean_ns // 10 + MILLISECOND_NS

    def watch(self, hook: Callable[[], None]) -> None:
        """Call this after every event from now on."""
        self._hooks["anything"].append(hook)

    # --- time ------------------------------------------------------------------------------

    def boot_all(self) -> None:
        """Start a process on every node."""
        for node in self.nodes.values():
            node.boot()

    def run_until(self, time_ns: int) -> None:
        """Let time pass, and check after every event."""
        hooks = self._hooks["anything"]

        def after_each() -> None:
            for hook in hooks:
                hook()

        self.agenda.run_until(time_ns, after_each)

    def run(self, duration_ns: int) -> None:
        """Let that much time pass."""
        self.run_until(self.now_ns + duration_ns)

    # --- what nodes do ---------------------------------------------------------------------

    def send(self, sender: Node, virtual_router_id: int, heard: Heard) -> None:
        """Carry an advert to the other nodes."""
        family = family_of(heard.source)
        if sender.linked:
            for node in self.nodes.values():
                if node is not sender and not self.swallows(sender.name, node.name, heard):
                    way = (sender.name, node.name)
                    packet = (sender.name, virtual_router_id, heard)
                    self.lan.carry(way, family, node.arrive, *packet)

    def announce(self, sender: Node) -> None:
        """Carry gratuitous ARP and neighbour advertisements to the client."""
        for hook in self._hooks["announced"]:
            hook(sender)
        if sender.linked:
            self.lan.carry((sender.name, CLIENT), 0, self.client.told, sender.name)

    def probe(self, asker: Node) -> None:
        """Ask the link whether anybody has the addresses, and bring the answer."""
        for node in self.nodes.values():
            there, back = (asker.name, node.name), (node.name, asker.name)
            if node is asker or not node.kernel.holds:
                continue
            if node.linked and self.lan.passes(there) and self.lan.passes(back):
                self.agenda.after(_PROBE_ANSWER_NS, self._answer_probe, asker)
                return

    def _answer_probe(self, asker: Node) -> None:
        asker.command("address-in-use", lambda election, now: election.address_in_use(now))

    # --- hooks -----------------------------------------------------------------------------

    def note(self, node: Node, state: State, event: str, actions: Sequence[Action] = ()) -> None:
        """Add a line to the trace."""
        self.trace.add(self.now_ns, node.name, state.value, event, actions)

    def booted(self, node: Node, *, adopted: bool) -> None:
        """A node tells that its process was started."""
        for hook in self._hooks["booted"]:
            hook(node, adopted=adopted)

    def moved(self, source: Substate, target: Substate) -> None:
        """An election moved along an edge of the chart."""
        self.edges[source, target] += 1

    def acted(self, node: Node, event: str, before: State, actions: Sequence[Action]) -> None:
        """A node tells what its election did."""
        for action in actions:
            if isinstance(action, StateChanged):
                self.marks[action.reason] += 1
        if before is State.INITIALIZE and actions:
            self._started_with_another_interval(node)
        for hook in self._hooks["acted"]:
            hook(node, event, before, actions)

    def _started_with_another_interval(self, node: Node) -> None:
        """One that starts with a shorter interval than the Active's may claim before it learns."""
        if any(
            one.interval_ns > node.interval_ns for one in self.nodes.values() if one is not node
        ):
            self.weather.shake(self.nodes, self.now_ns)

    def turned(self, node: Node) -> None:
        """A node tells that it has nothing left to do."""
        for hook in self._hooks["turned"]:
            hook(node)

    def ending(self, node: Node) -> None:
        """A node tells that its process is about to be killed."""
        for hook in self._hooks["ending"]:
            hook(node)

    def kernel_changed(self, node: Node, why: str) -> None:
        """A kernel tells that its addresses changed."""
        if why != "released":
            self.note(node, node.state, f"kernel: {why}")
        for hook in self._hooks["kernel_changed"]:
            hook(node, why)

    # --- configuration ---------------------------------------------------------------------

    def reconfigure(self, nodes: Iterable[Node], **changes: object) -> None:
        """Change fields of the configuration of these nodes."""
        interval_ns = changes.get("advertisement_interval_ns", 0)
        assert isinstance(interval_ns, int)
        self.longest_interval_ns = max(self.longest_interval_ns, interval_ns)
        for node in nodes:
            node.reconfigure(replace(node.config, **changes))  # type: ignore[arg-type]
