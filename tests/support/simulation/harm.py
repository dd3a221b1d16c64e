"""What a fault or a wish is, and whom it may concern."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from support.simulation.addresses import family_of, own_address
from support.simulation.lan import CLIENT, Way
from support.simulation.node import Node, Process
from vip_speaker.vrrp.config import Heard

if TYPE_CHECKING:
    from support.simulation.world import World

_STRANGER = 250


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


def running(world: World, random: Random) -> Node | None:
    """Return a running node, preferably an Active, where harm matters most."""
    alive = [
        node
        for node in world.nodes.values()
        if node.process is Process.RUNNING and not node.leaving
    ]
    actives = [node for node in alive if node.is_active]
    chosen = actives if actives and random.random() < 0.5 else alive
    return random.choice(chosen) if chosen else None


def everybody(world: World) -> list[str]:
    """Return all nodes and the client."""
    return [*world.nodes, CLIENT]


def two_sides(world: World, random: Random) -> tuple[list[str], list[str]]:
    """Return them in two groups."""
    names = everybody(world)
    random.shuffle(names)
    cut = random.randrange(1, len(names))
    return names[:cut], names[cut:]


def between(one: list[str], other: list[str]) -> list[Way]:
    """Return the ways from the one to the others."""
    return [(sender, receiver) for sender in one for receiver in other if sender != receiver]


def backwards(ways: list[Way]) -> list[Way]:
    """Return the ways in the other direction."""
    return [(receiver, sender) for sender, receiver in ways]


def stray(world: World, node: Node) -> None:
    """Let a stranger send priority 0 to a node."""
    for instance in node.config.instances:
        family = family_of(instance.addresses[0])
        heard = Heard(0, own_address(_STRANGER, family), 0, world.options.interval_ns)
        packet = ("stranger", instance.virtual_router_id, heard)
        world.lan.carry(("stranger", node.name), family, node.arrive, *packet)


def end(
    world: World, random: Random, end: Callable[[Node], None], mend: Callable[[Node], None]
) -> Harm | None:
    """End one process or host, to be mended later."""
    node = running(world, random)
    if node is None:
        return None
    end(node)
    return Harm((node.name,), lambda: mend(node))
