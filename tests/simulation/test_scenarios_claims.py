"""Hard cases by name, in the simulator: nodes that have just come up, and decisions grown old."""

from __future__ import annotations

import pytest

from support.simulation.lan import CLIENT
from support.simulation.scene import (
    active,
    always_held,
    build,
    cut,
    freeze,
    holders,
    power_off,
    run_until,
    service,
    settled,
    stop,
    substate,
    transitions,
    unplug,
)
from support.simulation.world import World
from vip_model.vocabulary import PreemptionMode, Substate
from vip_speaker.vrrp.config import Health, Heard
from vip_speaker.vrrp.timers import MILLISECOND_NS, SECOND_NS

MS = MILLISECOND_NS
DELAY_NS = 30 * SECOND_NS
VRID = 51
FAILING = Health(cost=60)


def held_by_n2() -> World:
    """Return a world in which n2 has held the addresses for long, and n1 has no power."""
    world = settled(start_delay_ns=DELAY_NS)
    world.run(DELAY_NS)
    boot = power_off(world, "n1")
    run_until(world, lambda: active(world) == "n2")
    world.run(60 * SECOND_NS)
    world.boot_later = boot  # type: ignore[attr-defined]
    return world


# --- preemption that keeps its word --------------------------------------------------------


@pytest.mark.parametrize("heals_after_ms", [4000, 6000, 20_000, 29_000])
def test_node_that_boots_behind_a_dead_port_takes_nothing_away(heals_after_ms: int) -> None:
    """Under Never the sitting holder keeps the addresses when traffic passes within 30 s."""
    world = held_by_n2()
    heal = cut(world, ["n1"], ["n2", "n3", CLIENT])
    world.boot_later()  # type: ignore[attr-defined]
    booted_ns = world.now_ns
    world.run(heals_after_ms * MS)
    assert active(world) == "n1 n2"
    assert substate(world, "n1") is Substate.PROVISIONAL
    heal()
    world.run(3 * SECOND_NS)
    assert (active(world), holders(world), world.client.node) == ("n2", "n2", "n2")
    world.run(60 * SECOND_NS)
    assert active(world) == "n2"
    moved = [one for one in transitions(world, since_ns=booted_ns) if not one.startswith("n1")]
    assert moved == []


def test_after_the_delay_a_heal_goes_by_priority() -> None:
    """A partition of a minute is one between equals, as documented."""
    world = held_by_n2()
    heal = cut(world, ["n1"], ["n2", "n3", CLIENT])
    world.boot_later()  # type: ignore[attr-defined]
    world.run(60 * SECOND_NS)
    heal()
    world.run(3 * SECOND_NS)
    assert (active(world), holders(world), world.client.node) == ("n1", "n1", "n1")


@pytest.mark.parametrize("away_ms", [1000, 10_000])
def test_cable_that_is_plugged_in_behind_a_dead_port(away_ms: int) -> None:
    """Carrier is back, nothing passes for 20 s: the one that took over meanwhile keeps it."""
    world = settled(start_delay_ns=DELAY_NS)
    world.run(DELAY_NS)
    plug_in = unplug(world, "n1")
    heal = cut(world, ["n1"], ["n2", "n3", CLIENT])
    world.run(away_ms * MS)
    plug_in()
    world.run(20 * SECOND_NS)
    assert active(world) == "n1 n2"
    heal()
    world.run(3 * SECOND_NS)
    # n2 took over from silence too, but has been up for long.
    assert (active(world), holders(world), world.client.node) == ("n2", "n2", "n2")


def test_cold_start_is_not_slower() -> None:
    """All start together: the first slot is Active after its down interval, and stays."""
    world = build(start_delay_ns=DELAY_NS)
    world.boot_all()
    took_ns = run_until(world, lambda: active(world) == "n1")
    assert took_ns == pytest.approx(3_007_812_500, abs=2 * MS)
    world.run(60 * SECOND_NS)
    assert [one for one in transitions(world) if " Active " in one] == ["n1 Active ActiveDown"]
    assert substate(world, "n1") is Substate.ESTABLISHED


@pytest.mark.parametrize("mode", PreemptionMode)
def test_nodes_that_start_one_after_the_other(mode: PreemptionMode) -> None:
    """A provisional holder is left alone by worse slots in every mode."""
    world = build(start_delay_ns=DELAY_NS, preemption=mode, preemption_delay_ns=SECOND_NS)
    for name in world.nodes:
        world[name].boot()
        world.run(5 * SECOND_NS)
    world.run(60 * SECOND_NS)
    assert [one for one in transitions(world) if " Active " in one] == ["n1 Active ActiveDown"]


def test_provisional_holder_whose_service_fails() -> None:
    """It yields to a healthy node like any other."""
    world = settled(start_delay_ns=DELAY_NS)
    assert substate(world, "n1") is Substate.PROVISIONAL
    with always_held(world):
        service(world, "n1", up=False)
        run_until(world, lambda: holders(world) == "n2")
    assert substate(world, "n2") is Substate.ESTABLISHED


def test_provisional_holder_hands_over_when_stopped() -> None:
    """A stop within the delay is as orderly as any."""
    world = settled(start_delay_ns=DELAY_NS)
    with always_held(world):
        stop(world, "n1")
        run_until(world, lambda: holders(world) == "n2")


def test_claims_are_held_off_beside_other_routers() -> None:
    """Without bands nobody claims from silence within the delay."""
    world = build(start_delay_ns=DELAY_NS, health_bands=False)
    world.boot_all()
    world.run(DELAY_NS)
    assert active(world) == ""
    world.run(SECOND_NS)
    assert (active(world), holders(world)) == ("n1", "n1")


# --- decisions grown old -------------------------------------------------------------------


@pytest.mark.parametrize("mode", PreemptionMode)
def test_stray_priority_zero_in_the_socket_of_a_frozen_active(mode: PreemptionMode) -> None:
    """One that slept for 7 s answers nothing of what it missed: the holder never lets go."""
    world = settled(preemption=mode, preemption_delay_ns=300 * SECOND_NS)
    thaw = freeze(world, "n1")
    world.run(500 * MS)
    world["n1"].arrive("stranger", VRID, Heard(0, world["n3"].source(), 0, SECOND_NS))
    world.run(6500 * MS)
    assert (active(world), holders(world)) == ("n2", "n2")
    thawed_ns = world.now_ns
    with always_held(world):
        thaw()
        world.run(2 * SECOND_NS)
    assert transitions(world, since_ns=thawed_ns)[0] == "n1 Backup Overslept"
    assert active(world) == ("n1" if mode is PreemptionMode.ALWAYS else "n2")


@pytest.mark.parametrize("before_ms", [5, 500, 2500])
def test_gate_that_fails_before_a_preemption(before_ms: int) -> None:
    """A higher Backup whose service stops does not take over from a healthy holder."""
    world = build(preemption=PreemptionMode.ALWAYS)
    world["n2"].boot()
    world["n3"].boot()
    world.run(10 * SECOND_NS)
    assert active(world) == "n2"
    began_ns = world.now_ns
    world["n1"].boot()
    world.run(3007 * MS - before_ms * MS)
    world["n1"].command("health(Failing)", lambda election, now: election.set_health(now, FAILING))
    world["n1"].gate.service_up = False
    world.run(20 * SECOND_NS)
    assert [one for one in transitions(world, since_ns=began_ns) if " Active " in one] == []
    assert (active(world), holders(world)) == ("n2", "n2")
