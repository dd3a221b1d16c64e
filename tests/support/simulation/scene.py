"""Scripted worlds for named tests: nothing happens by chance but delays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import Any

from support.simulation.lan import CLIENT, Way
from support.simulation.options import Options, slots
from support.simulation.trace import Trace
from support.simulation.world import World
from vip_model.vocabulary import Substate
from vip_speaker.vrrp.timers import MILLISECOND_NS, SECOND_NS

SEED = 4711


def build(
    count: int = 3, *, priorities: tuple[int, ...] = (), trace: int | None = 400, **options: Any
) -> World:
    """Return a world of so many nodes in which no process runs yet.

    Args:
        count: how many nodes; n1 has slot 0.
        priorities: instead of those of the slots.
        trace: how many lines to keep.
        options: fields of `Options`.
    """
    interval_ns = options.get("interval_ns", SECOND_NS)
    nodes = slots(count, interval_ns)
    if priorities:
        nodes = tuple(
            replace(node, priority=priority)
            for node, priority in zip(nodes, priorities, strict=True)
        )
    options.setdefault("seed", SEED)
    drawn = Options(nodes=nodes, **options)
    return World(drawn, Random(drawn.seed), trace=Trace(lines=trace))


def settled(count: int = 3, **options: Any) -> World:
    """Return a world in which n1 is Active since long, and everybody has heard it."""
    world = build(count, **options)
    world.boot_all()
    world.run(10 * world.options.interval_ns + 3 * SECOND_NS)
    assert active(world) == "n1"
    assert world.client.node == "n1"
    return world


def active(world: World) -> str:
    """Return the names of all that believe to be Active, in order."""
    return " ".join(node.name for node in world.actives())


def substate(world: World, name: str) -> Substate | None:
    """Return where a node's election is in the chart, None without a process."""
    election = world[name].election
    return None if election is None else election.substate


def holders(world: World) -> str:
    """Return the names of all whose kernels have the addresses, in order."""
    return " ".join(node.name for node in world.holders())


def cut(world: World, one: Iterable[str], other: Iterable[str]) -> Callable[[], None]:
    """Split the link between these; return what heals it."""
    ways: list[Way] = [(first, second) for first in one for second in other]
    return harm(world, world.lan.block([*ways, *((second, first) for first, second in ways)]))


def block(world: World, senders: Iterable[str], receivers: Iterable[str]) -> Callable[[], None]:
    """Cut one direction only; return what heals it."""
    ways = [(first, second) for first in senders for second in receivers if first != second]
    return harm(world, world.lan.block(ways))


def harm(world: World, mend: Callable[[], None]) -> Callable[[], None]:
    """Tell the checkers that something is wrong from now on, until what is returned is called."""
    world.weather.begin(world.nodes)

    def heal() -> None:
        mend()
        world.weather.end(world.nodes, world.now_ns)

    return heal


def freeze(world: World, name: str) -> Callable[[], None]:
    """Stop a process; return what lets it go on."""
    world[name].freeze()
    return harm(world, world[name].thaw)


def kill(world: World, name: str) -> Callable[[], None]:
    """SIGKILL a process; return what starts it again."""
    world[name].kill()
    return harm(world, world[name].boot)


def power_off(world: World, name: str) -> Callable[[], None]:
    """Cut the power of a host; return what boots it."""
    world[name].power_off()
    return harm(world, world[name].power_on)


def unplug(world: World, name: str) -> Callable[[], None]:
    """Cut the link of a host with loss of carrier; return what plugs it in."""
    world[name].unlink()
    return harm(world, world[name].link)


def stop(world: World, name: str) -> None:
    """SIGTERM."""
    world.weather.orderly()
    world[name].stop()


def service(world: World, name: str, *, up: bool) -> None:
    """Let the service of a node stop or start; its gate will find out."""
    world.weather.orderly()
    world[name].gate.service_up = up


def drain(world: World, name: str) -> None:
    """Let the service of a node go: its gate finds out that it serves only for a while."""
    world[name].gate.draining = True
    service(world, name, up=False)


def move(world: World) -> None:
    """Ask the Active to yield."""
    world.weather.orderly()
    for node in world.actives():
        node.command("yield", lambda election, now: election.yield_active(now, "Moved"))


def run_until(world: World, condition: Callable[[], bool], limit_ns: int = 60 * SECOND_NS) -> int:
    """Let time pass until that is so, at most for so long; return how long it took."""
    began_ns = world.now_ns
    while not condition():
        assert world.now_ns - began_ns < limit_ns, f"did not come to be so\n{world.trace}"
        world.run(MILLISECOND_NS // 4)
    return world.now_ns - began_ns


@contextmanager
def always_held(world: World) -> Iterator[None]:
    """Require that somebody has the addresses at every instant of the block."""
    instants = []

    def watch() -> None:
        instants.append(world.now_ns)
        assert world.holders(), f"nobody has the addresses at {world.now_ns / 1e9:.6f} s"

    world.watch(watch)
    yield
    assert instants


def events(world: World, name: str) -> list[str]:
    """Return what the trace says of one node, without times."""
    return [str(line).split(maxsplit=1)[1] for line in world.trace.lines() if line.node == name]


def transitions(world: World, *, since_ns: int = 0) -> list[str]:
    """Return node, old state, new state and reason of every transition since then."""
    found = []
    for line in world.trace.lines():
        if line.time_ns < since_ns:
            continue
        for action in line.actions:
            previous = getattr(action, "previous", None)
            if previous is not None:
                found.append(f"{line.node} {action.state.value} {action.reason}")  # type: ignore[union-attr]
    return found


def adverts(world: World, name: str, priority: int) -> int:
    """Return how often a node sent that priority, as far as the trace goes."""
    return sum(event.count(f"send({priority})") for event in events(world, name))


def wait_for_advert(world: World, name: str) -> None:
    """Let time pass until this Active has just sent its next advert."""
    sent = adverts(world, name, world[name].priority)
    run_until(world, lambda: adverts(world, name, world[name].priority) > sent)


def others(world: World, name: str) -> list[str]:
    """Return the other nodes and the client."""
    return [one for one in (*world.nodes, CLIENT) if one != name]
