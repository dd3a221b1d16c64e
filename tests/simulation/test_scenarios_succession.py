"""Hard cases by name, in the simulator: who succeeds where the kernel takes long to bind."""

from __future__ import annotations

import pytest

from support.simulation.scene import (
    active,
    adverts,
    always_held,
    holders,
    move,
    run_until,
    settled,
    stop,
    substate,
    transitions,
)
from vip_model.vocabulary import PreemptionMode, Substate
from vip_speaker.vrrp.timers import MILLISECOND_NS, SECOND_NS

MS = MILLISECOND_NS


def test_successor_that_binds_is_still_a_backup() -> None:
    """A kernel that takes long makes nobody let go too early, and nobody Active too early."""
    world = settled(2)
    world.weather.begin(["n2"])
    world["n2"].worker.slowness_ns = 100 * MS
    with always_held(world):
        stop(world, "n1")
        run_until(world, lambda: substate(world, "n2") is Substate.BINDING)
        move(world)
        world.run(90 * MS)
        assert (active(world), holders(world)) == ("", "n1")
        run_until(world, lambda: holders(world) == "n2")
    assert active(world) == "n2"


@pytest.mark.parametrize("count", [3, 8])
@pytest.mark.parametrize("bind_ms", [60, 100])
def test_handover_does_not_cascade(count: int, bind_ms: int) -> None:
    """With slow binds everywhere one node becomes Active, and one more at most announces."""
    world = settled(count, bind_mean_ns=bind_ms * MS, bind_max_ns=bind_ms * MS, bind_steady=True)
    began_ns = world.now_ns
    announcers: list[str] = []
    announce = world.announce
    world.announce = lambda sender: (announcers.append(sender.name), announce(sender))  # type: ignore[assignment,func-returns-value]
    with always_held(world):
        stop(world, "n1")
        run_until(world, lambda: holders(world) == "n2")
    world.run(8 * SECOND_NS)
    assert transitions(world, since_ns=began_ns)[0] == "n1 Backup Stopped"
    claims = [one for one in transitions(world, since_ns=began_ns) if " Active " in one]
    assert claims == ["n2 Active ActiveResigned"]
    assert set(announcers) <= {"n2", "n3"}
    assert (active(world), holders(world), world.client.node) == ("n2", "n2", "n2")


@pytest.mark.parametrize("mode", [PreemptionMode.NEVER, PreemptionMode.ALWAYS])
@pytest.mark.parametrize("slow", ["n2", "n3"])
def test_slow_successor_leaves_it_to_a_quicker_one(slow: str, mode: PreemptionMode) -> None:
    """One that hears another claim before it has bound lets go, and has told nobody anything."""
    world = settled(preemption=mode)
    world.weather.begin([slow])
    world[slow].worker.slowness_ns = 200 * MS
    quick = "n3" if slow == "n2" else "n2"
    with always_held(world):
        stop(world, "n1")
        run_until(world, lambda: active(world) == quick)
        world.run(SECOND_NS)
    assert (active(world), holders(world), world.client.node) == (quick, quick, quick)
    assert adverts(world, slow, world[slow].priority) == 0
