"""The fault menu: each kind does its harm and returns how it is mended.

A kind returns None where it cannot apply (nobody left to kill). `Harm.orderly` marks what is no
fault but a wish: it must not cost the client anything.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from support.simulation.addresses import family_of, own_address
from support.simulation.harm import (
    Harm,
    Kind,
    backwards,
    between,
    end,
    everybody,
    running,
    stray,
    two_sides,
)
from support.simulation.node import Node
from support.simulation.wishes import (
    change_addresses,
    change_interval,
    change_preemption,
    change_priority,
    change_wire,
    degrade,
    outage,
    service_down,
    stop,
    stray_resignation,
    withdraw,
    yield_,
)
from vip_model.vocabulary import State
from vip_speaker.vrrp.timers import MILLISECOND_NS

if TYPE_CHECKING:
    from support.simulation.world import World

_JUNK = 50
_SLOW_NS = 300 * MILLISECOND_NS


# --- the link ------------------------------------------------------------------------------


def partition(world: World, random: Random) -> Harm:
    """Split the link in two; the client is on one side."""
    ways = between(*two_sides(world, random))
    return Harm(tuple(world.nodes), world.lan.block([*ways, *backwards(ways)]))


def asymmetric_partition(world: World, random: Random) -> Harm:
    """One side does not hear the other."""
    return Harm(tuple(world.nodes), world.lan.block(between(*two_sides(world, random))))


def isolate(world: World, random: Random) -> Harm:
    """One node is cut off without losing carrier."""
    name = random.choice(list(world.nodes))
    ways = between([name], [one for one in everybody(world) if one != name])
    return Harm(tuple(world.nodes), world.lan.block([*ways, *backwards(ways)]))


def deaf(world: World, random: Random) -> Harm:
    """One node sends and hears nothing."""
    name = random.choice(list(world.nodes))
    ways = between([one for one in world.nodes if one != name], [name])
    return Harm(tuple(world.nodes), world.lan.block(ways))


def mute(world: World, random: Random) -> Harm:
    """One node hears and is not heard."""
    name = random.choice(list(world.nodes))
    ways = between([name], [one for one in everybody(world) if one != name])
    return Harm(tuple(world.nodes), world.lan.block(ways))


def lose_family(world: World, random: Random) -> Harm | None:
    """One instance of the election loses its link everywhere, the other works."""
    if any(len(node.config.instances) == 1 for node in world.nodes.values()):
        return None
    if len({node.config.priority for node in world.nodes.values()}) < len(world.nodes):
        return None  # the first instance decides between equals (docs/protocol.md, "Limits")
    ways = between(list(world.nodes), list(world.nodes))
    return Harm(tuple(world.nodes), world.lan.block(ways, random.randrange(2)))


def lose_instance(world: World, random: Random) -> Harm | None:
    """One node lacks one instance of several: IPv6 is off, or one of its links is gone."""
    if any(len(node.config.instances) == 1 for node in world.nodes.values()):
        return None
    node = random.choice([node for node in world.nodes.values() if not node.missing] or [None])
    if node is None:
        return None
    family = random.randrange(2)
    node.lose_instance(family)
    return Harm(tuple(world.nodes), lambda: node.regain_instance(family))


def lossy_spell(world: World, random: Random) -> Harm:
    """Many packets are lost for a while."""
    before = world.lan.loss
    world.lan.loss = max(before, random.uniform(0.2, 0.8))

    def mend() -> None:
        world.lan.loss = world.options.loss

    return Harm(tuple(world.nodes), mend)


# --- processes and hosts -------------------------------------------------------------------


def kill(world: World, random: Random) -> Harm | None:
    """SIGKILL the engine and its supervisor; they come back later."""
    return end(world, random, Node.kill, Node.boot)


def kill_shortly(world: World, random: Random) -> Harm | None:
    """SIGKILL the engine; the supervisor starts it again at once."""
    harm = end(world, random, Node.kill, Node.boot)
    return None if harm is None else replace(harm, short=True)


def power_off(world: World, random: Random) -> Harm | None:
    """The host loses power and boots later."""
    return end(world, random, Node.power_off, Node.power_on)


def freeze(world: World, random: Random) -> Harm | None:
    """SIGSTOP everything, or a virtual machine without time."""
    return end(world, random, Node.freeze, Node.thaw)


def stall(world: World, random: Random) -> Harm | None:
    """A Backup stands still until about when its timer is due, behind many adverts of no use."""
    backups = [
        node
        for node in world.nodes.values()
        if node.takes_part and node.state is State.BACKUP and node.election is not None
    ]
    if not backups:
        return None
    node = random.choice(backups)
    assert node.election is not None
    due_ns = node.election.deadline() or 0
    node.freeze()
    for number in range(_JUNK):
        at_ns = world.now_ns + number * MILLISECOND_NS // 10
        world.agenda.at(at_ns, stray, world, node)
    late_ns = random.randrange(world.options.interval_ns // 3)
    world.agenda.at(node.clock.time_ns(due_ns) + late_ns, node.thaw)
    return Harm((node.name,), node.thaw)


def link_down(world: World, random: Random) -> Harm | None:
    """Pull a cable and plug it in again."""
    plugged = [node for node in world.nodes.values() if node.linked]
    if not plugged:
        return None
    node = random.choice(plugged)
    node.unlink()
    return Harm((node.name,), node.link)


# --- addresses -----------------------------------------------------------------------------


def bind_fails(world: World, random: Random) -> Harm:
    """The kernel of one node refuses the addresses."""
    node = random.choice(list(world.nodes.values()))
    node.worker.fails = True

    def mend() -> None:
        node.worker.fails = False

    return Harm((node.name,), mend)


def slow_binds(world: World, random: Random) -> Harm:
    """The kernel of one node takes long for everything."""
    node = random.choice(list(world.nodes.values()))
    node.worker.slowness_ns = random.randrange(_SLOW_NS)

    def mend() -> None:
        node.worker.slowness_ns = 0

    return Harm((node.name,), mend)


def remove_address(world: World, random: Random) -> Harm | None:
    """Somebody deletes the addresses from the holder."""
    holders = world.holders()
    if not holders:
        return None
    node = random.choice(holders)
    node.kernel.clear("removed")
    return Harm((node.name,))


def change_source(world: World, random: Random) -> Harm | None:
    """A node gets another address of its own, and adverts must come from that."""
    node = running(world, random)
    if node is None:
        return None
    taken = {one.host for one in world.nodes.values()}
    node.host = random.choice([host for host in range(11, 99) if host not in taken])
    node.command("fault", lambda election, now: election.fault(now, "SourceChanged", resign=True))
    instances = tuple(
        replace(one, source=own_address(node.host, family_of(one.addresses[0])))
        for one in node.config.instances
    )
    world.reconfigure([node], instances=instances)
    if node.linked:
        node.recover()
    return Harm((node.name,))


MENU: dict[str, Kind] = {
    kind.__name__: kind
    for kind in (
        partition,
        asymmetric_partition,
        isolate,
        deaf,
        mute,
        lose_family,
        lose_instance,
        lossy_spell,
        kill,
        kill_shortly,
        power_off,
        freeze,
        stall,
        link_down,
        stop,
        yield_,
        service_down,
        degrade,
        outage,
        withdraw,
        bind_fails,
        slow_binds,
        remove_address,
        change_source,
        stray_resignation,
        change_interval,
        change_priority,
        change_addresses,
        change_wire,
        change_preemption,
    )
}
