"""Wishes, which must not cost the client anything: stops, moves, gates, configurations."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from random import Random
from typing import TYPE_CHECKING

from support.simulation.addresses import make_instance
from support.simulation.harm import (
    Harm,
    end,
    stray,
)
from support.simulation.node import Node
from vip_model.vocabulary import PreemptionMode
from vip_speaker.vrrp.config import Address, Instance
from vip_speaker.vrrp.timers import MILLISECOND_NS

if TYPE_CHECKING:
    from support.simulation.world import World

_EXTRA: tuple[Address, ...] = (IPv4Address("192.0.2.101"), IPv6Address("2001:db8::101"))


def stop(world: World, random: Random) -> Harm | None:
    """SIGTERM one node; it is started again later."""
    harm = end(world, random, Node.stop, Node.boot)
    return None if harm is None else replace(harm, orderly=True)


def yield_(world: World, random: Random) -> Harm | None:
    """Ask the Active to move."""
    actives = world.actives()
    if not actives:
        return None
    node = random.choice(actives)
    node.command("yield", lambda election, now: election.yield_active(now, "Moved"))
    return Harm((node.name,), orderly=True)


def service_down(world: World, random: Random) -> Harm:
    """The service of one node stops; its gate will find out."""
    node = random.choice(list(world.nodes.values()))
    node.gate.service_up = False

    return Harm((node.name,), node.gate.repair, orderly=True)


def degrade(world: World, random: Random) -> Harm:
    """The helper of one node stops: better than a node without the service."""
    node = random.choice(list(world.nodes.values()))
    node.gate.helper_up = False
    return Harm((node.name,), node.gate.repair_helper, orderly=True)


def outage(world: World, random: Random) -> Harm:
    """The services of all nodes stop, and come back one after the other."""
    for node in world.nodes.values():
        node.gate.service_up = False

    def mend() -> None:
        for node in world.nodes.values():
            delay_ns = random.randrange(8 * world.options.interval_ns)
            world.agenda.after(delay_ns, node.gate.repair)

    return Harm(tuple(world.nodes), mend, orderly=True)


def withdraw(world: World, random: Random) -> Harm:
    """A gate withdraws one node."""
    node = random.choice(list(world.nodes.values()))
    node.set_withdrawn(withdrawn=True)
    return Harm((node.name,), lambda: node.set_withdrawn(withdrawn=False), orderly=True)


def stray_resignation(world: World, random: Random) -> Harm:
    """Somebody who is not of the election sends priority 0."""
    for node in world.nodes.values():
        stray(world, node)
    return Harm(tuple(world.nodes), orderly=True)


def change_interval(world: World, random: Random) -> Harm:
    """All nodes get another interval, one after the other."""
    interval_ns = world.options.interval_ns * random.choice((1, 2, 3)) // random.choice((1, 2))
    interval_ns = max(interval_ns // (10 * MILLISECOND_NS), 5) * 10 * MILLISECOND_NS
    world.longest_interval_ns = max(world.longest_interval_ns, interval_ns)
    world.desired["advertisement_interval_ns"] = interval_ns
    return _roll_out(world, random, 2 * world.options.interval_ns)


def change_priority(world: World, random: Random) -> Harm | None:
    """One node gets another slot."""
    if len({node.config.priority for node in world.nodes.values()}) < len(world.nodes):
        return None
    taken = {node.config.priority for node in world.nodes.values()}
    node = random.choice(list(world.nodes.values()))
    free = [priority for priority in range(156, 254) if priority not in taken]
    world.reconfigure([node], priority=random.choice(free))
    return Harm((node.name,), orderly=True)


def change_addresses(world: World, random: Random) -> Harm:
    """An address is added, or the added one removed."""
    for node in world.nodes.values():
        instances = tuple(_toggled(one) for one in node.config.instances)
        world.reconfigure([node], instances=instances)
    return Harm(tuple(world.nodes), orderly=True)


def change_wire(world: World, random: Random) -> Harm:
    """All nodes get other VRIDs or families, one after the other, within an interval.

    Alone that costs nothing. But until all have them they do not hear each other, and nothing
    else may happen: to the checkers it is a fault.
    """
    world.desired["families"] = random.randint(1, 2)
    world.desired["wire"] = random.randrange(3)
    return replace(_roll_out(world, random, world.options.interval_ns), orderly=False)


def _roll_out(world: World, random: Random, within_ns: int) -> Harm:
    """Let every node take what is desired then, each at a time of its own."""
    for node in world.nodes.values():
        world.agenda.after(random.randrange(within_ns), _take_desired, world, node)
    return Harm(tuple(world.nodes), orderly=True)


def _take_desired(world: World, node: Node) -> None:
    desired = world.desired
    changes: dict[str, object] = {}
    if "advertisement_interval_ns" in desired:
        changes["advertisement_interval_ns"] = desired["advertisement_interval_ns"]
    if "wire" in desired:
        changes["instances"] = tuple(
            make_instance(node.host, family, desired["wire"])
            for family in range(desired["families"])
        )
        world.weather.shake(world.nodes, world.now_ns)
    world.reconfigure([node], **changes)


def change_preemption(world: World, random: Random) -> Harm:
    """All nodes get another Preempt_Mode."""
    mode = random.choice(list(PreemptionMode))
    world.reconfigure(world.nodes.values(), preemption=mode)
    return Harm(tuple(world.nodes), orderly=True)


def _toggled(instance: Instance) -> Instance:
    first = instance.addresses[0]
    extra = _EXTRA[0 if first.version == 4 else 1]
    addresses = (first,) if extra in instance.addresses else (first, extra)
    return replace(instance, addresses=addresses)
