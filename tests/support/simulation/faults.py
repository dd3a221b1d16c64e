"""The fault menu: each kind does its harm and returns how it is mended.

A kind returns None where it cannot apply (nobody left to kill). `Harm.orderly` marks what is no
fault but a wish: it must not cost the client anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from random import Random
from typing import TYPE_CHECKING

from support.simulation.addresses import family_of, make_instance, own_address
from support.simulation.lan import CLIENT, Way
from support.simulation.node import Node, Process
from vip_model.vocabulary import PreemptionMode, State
from vip_speaker.vrrp.config import Address, Heard, Instance
from vip_speaker.vrrp.timers import MILLISECOND_NS

if TYPE_CHECKING:
    from support.simulation.world import World

_STRANGER = 250
_JUNK = 50
_SLOW_NS = 300 * MILLISECOND_NS
_EXTRA: tuple[Address, ...] = (IPv4Address("192.0.2.101"), IPv6Address("2001:db8::101"))


def _nothing() -> None:
    """Mend what needs no mending."""


@dataclass(frozen=True, slots=True)
class Harm:
    """What was done.

    Attributes:
        nodes: names of those it concerns.
        mend: undoes it.
        orderly: it is a wish, not a fault.
        short: it lasts only milliseconds.
    """

    nodes: tuple[str, ...]
    mend: Callable[[], None] = _nothing
    orderly: bool = False
    short: bool = False


Kind = Callable[["World", Random], Harm | None]


# --- the link ------------------------------------------------------------------------------


def partition(world: World, random: Random) -> Harm:
    """Split the link in two; the client is on one side."""
    ways = _between(*_two_sides(world, random))
    return Harm(tuple(world.nodes), world.lan.block([*ways, *_reversed(ways)]))


def asymmetric_partition(world: World, random: Random) -> Harm:
    """One side does not hear the other."""
    return Harm(tuple(world.nodes), world.lan.block(_between(*_two_sides(world, random))))


def isolate(world: World, random: Random) -> Harm:
    """One node is cut off without losing carrier."""
    name = random.choice(list(world.nodes))
    ways = _between([name], [one for one in _everybody(world) if one != name])
    return Harm(tuple(world.nodes), world.lan.block([*ways, *_reversed(ways)]))


def deaf(world: World, random: Random) -> Harm:
    """One node sends and hears nothing."""
    name = random.choice(list(world.nodes))
    ways = _between([one for one in world.nodes if one != name], [name])
    return Harm(tuple(world.nodes), world.lan.block(ways))


def mute(world: World, random: Random) -> Harm:
    """One node hears and is not heard."""
    name = random.choice(list(world.nodes))
    ways = _between([name], [one for one in _everybody(world) if one != name])
    return Harm(tuple(world.nodes), world.lan.block(ways))


def lose_family(world: World, random: Random) -> Harm | None:
    """One instance of the election loses its link everywhere, the other works."""
    if any(len(node.config.instances) == 1 for node in world.nodes.values()):
        return None
    if len({node.config.priority for node in world.nodes.values()}) < len(world.nodes):
        return None  # the first instance decides between equals (docs/protocol.md, "Limits")
    ways = _between(list(world.nodes), list(world.nodes))
    return Harm(tuple(world.nodes), world.lan.block(ways, random.randrange(2)))


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
    return _end(world, random, Node.kill, Node.boot)


def kill_shortly(world: World, random: Random) -> Harm | None:
    """SIGKILL the engine; the supervisor starts it again at once."""
    harm = _end(world, random, Node.kill, Node.boot)
    return None if harm is None else replace(harm, short=True)


def power_off(world: World, random: Random) -> Harm | None:
    """The host loses power and boots later."""
    return _end(world, random, Node.power_off, Node.power_on)


def freeze(world: World, random: Random) -> Harm | None:
    """SIGSTOP everything, or a virtual machine without time."""
    return _end(world, random, Node.freeze, Node.thaw)


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
        world.agenda.at(at_ns, _stray, world, node)
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


def _end(
    world: World, random: Random, end: Callable[[Node], None], mend: Callable[[Node], None]
) -> Harm | None:
    node = _running(world, random)
    if node is None:
        return None
    end(node)
    return Harm((node.name,), lambda: mend(node))


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
    node = _running(world, random)
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
        node.command("recover", lambda election, now: election.recover(now))
    return Harm((node.name,))


# --- wishes --------------------------------------------------------------------------------


def stop(world: World, random: Random) -> Harm | None:
    """SIGTERM one node; it is started again later."""
    harm = _end(world, random, Node.stop, Node.boot)
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
        _stray(world, node)
    return Harm(tuple(world.nodes), orderly=True)


def _stray(world: World, node: Node) -> None:
    for instance in node.config.instances:
        family = family_of(instance.addresses[0])
        heard = Heard(0, own_address(_STRANGER, family), 0, world.options.interval_ns)
        packet = ("stranger", instance.virtual_router_id, heard)
        world.lan.carry(("stranger", node.name), family, node.arrive, *packet)


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


# --- helpers -------------------------------------------------------------------------------


def _running(world: World, random: Random) -> Node | None:
    """Return a running node, preferably an Active, where harm matters most."""
    running = [
        node
        for node in world.nodes.values()
        if node.process is Process.RUNNING and not node.leaving
    ]
    actives = [node for node in running if node.is_active]
    chosen = actives if actives and random.random() < 0.5 else running
    return random.choice(chosen) if chosen else None


def _everybody(world: World) -> list[str]:
    return [*world.nodes, CLIENT]


def _two_sides(world: World, random: Random) -> tuple[list[str], list[str]]:
    names = _everybody(world)
    random.shuffle(names)
    cut = random.randrange(1, len(names))
    return names[:cut], names[cut:]


def _between(one: list[str], other: list[str]) -> list[Way]:
    return [(sender, receiver) for sender in one for receiver in other if sender != receiver]


def _reversed(ways: list[Way]) -> list[Way]:
    return [(receiver, sender) for sender, receiver in ways]


MENU: dict[str, Kind] = {
    kind.__name__: kind
    for kind in (
        partition,
        asymmetric_partition,
        isolate,
        deaf,
        mute,
        lose_family,
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
