"""L1, L5, L6: once the faults stop, a core of nodes comes to rest, and the client is served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.simulation.injector import Injector, revive
from support.simulation.lan import CLIENT
from support.simulation.node import Node, Process
from support.simulation.trace import ViolationError
from support.simulation.world_facts import with_clock
from vip_model.vocabulary import OWNER_PRIORITY, PreemptionMode, State, Substate
from vip_speaker.vrrp.timers import MILLISECOND_NS, SECOND_NS

if TYPE_CHECKING:
    from support.simulation.world import World

_REFRESH_NS = 31 * SECOND_NS
# Rounds after 100 ms and 1 s may be needed if the first one met the loser's.
_HEALED_CLIENT_NS = 1200 * MILLISECOND_NS
_QUIET_INTERVALS = 8
_VERDICT_PERIODS = 4


def transition_to_liveness(world: World, injector: Injector) -> list[Node]:
    """Mend the link and a core of at least two nodes, break the others for good."""
    random = world.random
    injector.heal()
    world.lan.loss = world.lan.reorder = 0
    world.weather.shake(world.nodes, world.now_ns)
    nodes = list(world.nodes.values())
    core = random.sample(nodes, random.randint(2, len(nodes)))
    is_outage = random.random() < 0.3
    for node in core:
        revive(node)
        up = not is_outage and random.random() < 0.7
        node.gate.settle(service_up=up, helper_up=random.random() < 0.6)
        node.set_withdrawn(withdrawn=random.random() < 0.1)
    outside = [node for node in nodes if node not in core]
    for node in outside:
        _break(world, node)
    world.weather.begin(node.name for node in outside)
    names = " ".join(node.name for node in core)
    world.trace.add(world.now_ns, "*", "", f"liveness mode, the core is {names}")
    return core


def _break(world: World, node: Node) -> None:
    """Leave one node broken, in one way or another."""
    way = world.random.choice(("dead", "isolated", "frozen"))
    if way == "dead":
        node.power_off()
    elif way == "frozen":
        node.freeze()
    others = [name for name in (*world.nodes, CLIENT) if name != node.name]
    world.lan.block([(node.name, name) for name in others])
    world.lan.block([(name, node.name) for name in others])


def require_convergence(world: World, core: list[Node]) -> None:
    """Let time pass until the core is at rest; a violation if that takes too long."""
    stranded = world.client.node
    was_active = stranded is not None and world[stranded] in core and world[stranded].is_active
    _wait_until_stopped_nodes_are_back(world, core)
    judged_ns = world.now_ns + _VERDICT_PERIODS * world.options.gate_period_ns
    somebody_ns = judged_ns + _takeover_ns(world, core)
    due_ns = judged_ns + _convergence_ns(world, core)
    served = False
    calm_ns = 0
    while calm_ns < world.longest_interval_ns:
        problem = _problem(world, core)
        served = served or any(node.serves for node in core) or not _willing(core)
        if world.now_ns > somebody_ns and not served:
            raise ViolationError("L1", f"nobody in the core took over in time: {problem}")
        if world.now_ns > due_ns:
            raise ViolationError("L1", f"the core has not come to rest in time: {problem}")
        world.run(world.longest_interval_ns // 8)
        at_rest = problem is None and world.now_ns >= judged_ns
        calm_ns = calm_ns + world.longest_interval_ns // 8 if at_rest else 0
    _require_rest(world, core)
    _require_client(world, core, fast=was_active)


def _wait_until_stopped_nodes_are_back(world: World, core: list[Node]) -> None:
    """One that is leaving ends first, and is then started again."""
    while leaving := [node for node in core if node.leaving or node.process is Process.DEAD]:
        for node in leaving:
            revive(node)
        world.run(100 * MILLISECOND_NS)


def _takeover_ns(world: World, core: list[Node]) -> int:
    """Return in what time somebody is Active: the longest down interval, after any retry."""
    options = world.options
    surroundings_ns = options.bind_max_ns + 2 * options.delay_max_ns + 4 * world.slack_ns
    retry_ns = max((_retry_ns(node) for node in core), default=0)
    held_off_ns = 0 if options.health_bands else options.start_delay_ns
    silent_ns = with_clock(4 * world.longest_interval_ns + held_off_ns)
    return retry_ns + silent_ns + surroundings_ns


def _convergence_ns(world: World, core: list[Node]) -> int:
    """Return in what time the right one is: a takeover, and a preemption after its delay."""
    delay_ns = max(node.config.preemption_delay_ns for node in core)
    delay_ns += world.options.start_delay_ns
    answer_ns = world.longest_interval_ns
    return 2 * _takeover_ns(world, core) + with_clock(delay_ns + answer_ns)


def _retry_ns(node: Node) -> int:
    """Return how long a node still waits until it tries to bind again."""
    election = node.election
    if election is None or election.state is not State.INITIALIZE:
        return 0
    return max(0, (election.deadline() or 0) - node.local_ns)


def _problem(world: World, core: list[Node]) -> str | None:
    """Return why the core is not at rest, or None."""
    willing = _willing(core)
    actives = [node for node in core if node.is_active]
    holders = [node for node in core if node.kernel.addresses]
    if not willing:
        return f"{_names(holders)} hold, and all are withdrawn" if holders else None
    if len(actives) != 1 or holders != actives:
        return f"Active: {_names(actives)}; with addresses: {_names(holders)}"
    if waiting := [node for node in willing if node.state is State.INITIALIZE]:
        return f"{_names(waiting)} do not take part yet"
    active = actives[0]
    if active.election is not None and active.election.substate is Substate.PROVISIONAL:
        return f"{active.name} is provisional"
    if not active.serves:
        return f"{active.name} is Active and does not serve"
    return _better(world, willing, active)


def _willing(core: list[Node]) -> list[Node]:
    return [node for node in core if _takes_part(node)]


def _better(world: World, willing: list[Node], active: Node) -> str | None:
    best = max(willing, key=lambda node: node.priority)
    if world.options.health_bands:
        level = active.config.level
        if level(best.priority) < level(active.priority):
            return f"{active.name} is Active and worse than {best.name}"
    preempts = best.priority == OWNER_PRIORITY or all(
        node.config.preemption is not PreemptionMode.NEVER for node in willing
    )
    if preempts and best.priority > active.priority:
        return f"{active.name} ({active.priority}) is Active, not {best.name} ({best.priority})"
    return None


def _takes_part(node: Node) -> bool:
    election = node.election
    return (
        election is not None
        and node.process is Process.RUNNING
        and not node.gate.withdrawn
        and not election.health.withdrawn
    )


def _require_rest(world: World, core: list[Node]) -> None:
    """L5: without faults nothing moves any more."""
    before = [(node.name, node.state, _since_ns(node)) for node in core if _takes_part(node)]
    world.run(_QUIET_INTERVALS * world.longest_interval_ns)
    after = [(node.name, node.state, _since_ns(node)) for node in core if _takes_part(node)]
    if before != after:
        raise ViolationError("L5", f"the core moved again without a fault: {before} -> {after}")


def _require_client(world: World, core: list[Node], *, fast: bool) -> None:
    """L6: the client ends at the winner; at once if it was at a loser of the core."""
    actives = [node for node in core if node.is_active]
    if not actives:
        return
    allowed_ns = _HEALED_CLIENT_NS if fast else _REFRESH_NS
    due_ns = world.now_ns + with_clock(allowed_ns) + world.options.delay_max_ns
    while world.client.node != actives[0].name:
        if world.now_ns > due_ns:
            text = f"the client is at {world.client.node}, {actives[0].name} is Active"
            raise ViolationError("L6", text)
        world.run(world.options.interval_ns)


def _since_ns(node: Node) -> int:
    return 0 if node.election is None else node.election.since_ns


def _names(nodes: list[Node]) -> str:
    return ", ".join(node.name for node in nodes) or "nobody"
