"""Hard cases by name, in the simulator: a node that loses one instance of several."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.simulation.addresses import family_of
from support.simulation.scene import active, build, holders, power_off, run_until, settled
from support.simulation.world import World
from vip_model.vocabulary import PreemptionMode
from vip_speaker.vrrp.timers import MILLISECOND_NS, SECOND_NS

MS = MILLISECOND_NS


def holders_of(world: World, family: int) -> str:
    """Return the names of all whose kernels have the addresses of one family."""
    return " ".join(
        node.name
        for node in world.nodes.values()
        if any(family_of(one) == family for one in node.kernel.addresses)
    )


@contextmanager
def family_always_held(world: World, family: int) -> Iterator[None]:
    """Require that some node has the addresses of that family at every instant of the block."""
    world.watch(lambda: check(holders_of(world, family)))
    yield


def check(names: str) -> None:
    """Require that there is somebody."""
    assert names


def lose(world: World, name: str, family: int) -> None:
    """Switch a family off on one node."""
    world.weather.begin([name])
    world[name].lose_instance(family)


@pytest.mark.parametrize("mode", PreemptionMode)
@pytest.mark.parametrize("family", [0, 1])
def test_holder_that_loses_one_hands_over_at_once(family: int, mode: PreemptionMode) -> None:
    """The other family is served at every instant, and both are where all is there."""
    world = settled(families=2, preemption=mode, preemption_delay_ns=300 * SECOND_NS)
    with family_always_held(world, 1 - family):
        lose(world, "n1", family)
        took_ns = run_until(world, lambda: holders(world) == "n2")
    assert took_ns < 19_531_250 + 12 * MS
    assert len(world["n2"].kernel.addresses) == 2
    world.run(20 * SECOND_NS)
    assert active(world) == "n2"


def test_nobody_has_all() -> None:
    """One after the other loses IPv6: IPv4 is served on by the best that is left."""
    world = settled(families=2)
    with family_always_held(world, 0):
        for name in ("n1", "n2", "n3"):
            lose(world, name, 1)
            world.run(5 * SECOND_NS)
    (only,) = world.actives()
    assert (holders_of(world, 0), holders_of(world, 1)) == (only.name, "")


@pytest.mark.parametrize("mode", PreemptionMode)
def test_fuller_node_replaces_a_partial_one(mode: PreemptionMode) -> None:
    """As soon as a node has all, it takes over from one that has not, in every mode."""
    world = settled(families=2, preemption=mode, preemption_delay_ns=300 * SECOND_NS)
    for name in world.nodes:
        lose(world, name, 1)
    world.run(5 * SECOND_NS)
    (only,) = world.actives()
    other = "n3" if only.name != "n3" else "n2"
    with family_always_held(world, 0):
        world[other].regain_instance(1)
        run_until(world, lambda: holders(world) == other, SECOND_NS)
    assert len(world[other].kernel.addresses) == 2


def test_nodes_that_cannot_hear_each_other_serve_their_part() -> None:
    """One has only IPv4, the other only IPv6: each family is served."""
    world = settled(2, families=2)
    lose(world, "n1", 1)
    lose(world, "n2", 0)
    world.run(10 * SECOND_NS)
    assert active(world) == "n1 n2"
    assert (holders_of(world, 0), holders_of(world, 1)) == ("n1", "n2")


def test_holder_that_has_all_again_binds_it() -> None:
    """A partial holder whom nobody can replace serves both as soon as both work."""
    world = settled(1, families=2)
    lose(world, "n1", 1)
    world.run(5 * SECOND_NS)
    assert (holders_of(world, 0), holders_of(world, 1)) == ("n1", "")
    with family_always_held(world, 0):
        world["n1"].regain_instance(1)
        run_until(world, lambda: holders_of(world, 1) == "n1", SECOND_NS)


@pytest.mark.parametrize("left", [0, 1])
def test_beside_other_routers_a_partial_node_takes_no_part(left: int) -> None:
    """Without bands it resigns where it can, and the next one follows."""
    world = settled(families=2, health_bands=False)
    lose(world, "n1", 1 - left)
    took_ns = run_until(world, lambda: active(world) == "n2")
    assert took_ns < SECOND_NS
    world.run(10 * SECOND_NS)
    assert holders(world) == "n2"


@pytest.mark.parametrize("deaf_on", [0, 1])
def test_equals_that_hear_each_other_on_one_instance_only(deaf_on: int) -> None:
    """Two Actives of equal priority end as one, on whichever instance they meet."""
    world = build(2, families=2, priorities=(200, 200))
    ways = [("n1", "n2"), ("n2", "n1")]
    world.weather.begin(["n1", "n2"])
    heals = [world.lan.block(ways, 0), world.lan.block(ways, 1)]
    world.boot_all()
    world.run(8 * SECOND_NS)
    assert active(world) == "n1 n2"
    heals[1 - deaf_on]()
    world.run(6 * SECOND_NS)
    assert active(world) == "n2"


def test_partial_node_succeeds_if_it_must() -> None:
    """A crash of the only full node leaves the family that the others have served."""
    world = settled(2, families=2)
    lose(world, "n2", 1)
    power_off(world, "n1")
    world.run(5 * SECOND_NS)
    assert (holders_of(world, 0), holders_of(world, 1)) == ("n2", "")
