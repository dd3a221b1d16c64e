"""Hard cases by name, in the simulator: everything that is asked for and must cost nothing."""

from __future__ import annotations

import pytest

from support.simulation.addresses import make_instance
from support.simulation.lan import CLIENT
from support.simulation.scene import (
    active,
    adverts,
    always_held,
    build,
    cut,
    drain,
    harm,
    holders,
    move,
    power_off,
    run_until,
    service,
    settled,
    stop,
    substate,
    transitions,
    wait_for_advert,
)
from vip_model.vocabulary import PreemptionMode, State, Substate
from vip_speaker.vrrp.config import Heard
from vip_speaker.vrrp.timers import MILLISECOND_NS, SECOND_NS

MS = MILLISECOND_NS
VRID = 51


# --- stop, yield, failing gates ------------------------------------------------------------


def test_stop_hands_over() -> None:
    """A stopped Active leaves with its successor's advert; nobody is without address meanwhile."""
    world = settled()
    with always_held(world):
        stop(world, "n1")
        took_ns = run_until(world, lambda: world["n2"].serves)
        run_until(world, lambda: holders(world) == "n2")
    assert took_ns < 19_531_250 + 8 * MS
    world.run(2 * MS)
    assert world["n1"].election is None
    assert world.client.node == "n2"


def test_stop_of_the_last_node_waits_for_nobody_for_ever() -> None:
    """Without a successor one that is stopped leaves after interval + 0.5 s, and lets go."""
    world = build(1)
    world.boot_all()
    world.run(5 * SECOND_NS)
    stop(world, "n1")
    took_ns = run_until(world, lambda: world["n1"].election is None)
    assert took_ns == pytest.approx(1500 * MS, abs=2 * MS)
    world.run(2 * MS)
    assert holders(world) == ""


def test_single_node_yields_and_comes_back() -> None:
    """One that is alone is Active again after Skew_Time, and never lost the addresses."""
    world = build(1)
    world.boot_all()
    world.run(5 * SECOND_NS)
    began_ns = world.now_ns
    with always_held(world):
        move(world)
        world.run(5 * SECOND_NS)
    moves = ["n1 Backup Moved", "n1 Active NobodyTookOver"]
    assert moves == transitions(world, since_ns=began_ns)


@pytest.mark.parametrize("preemption", list(PreemptionMode))
def test_failing_gate_moves_the_address(preemption: PreemptionMode) -> None:
    """The healthy successor serves within its Skew_Time of the verdict, whatever Preempt_Mode."""
    world = settled(preemption=preemption)
    with always_held(world):
        service(world, "n1", up=False)
        run_until(world, lambda: not world["n1"].is_active)
        took_ns = run_until(world, lambda: world["n2"].serves)
        world.run(2 * SECOND_NS)
    assert took_ns < 19_531_250 + 8 * MS
    assert (active(world), holders(world), world.client.node) == ("n2", "n2", "n2")


def test_all_gates_fail() -> None:
    """If every service is down the best node serves all the same; a healthy one relieves it."""
    world = settled()
    with always_held(world):
        for name in world.nodes:
            service(world, name, up=False)
        world.run(5 * SECOND_NS)
        assert (active(world), holders(world)) == ("n1", "n1")
        service(world, "n3", up=True)
        run_until(world, lambda: active(world) == "n3", SECOND_NS)
        world.run(SECOND_NS)
    assert (holders(world), world.client.node) == ("n3", "n3")


@pytest.mark.parametrize("preemption", list(PreemptionMode))
def test_the_only_service_left_is_on_its_way_out(preemption: PreemptionMode) -> None:
    """The address stays with it as long as it serves, then goes where a service is ready."""
    world = settled(preemption=preemption)
    with always_held(world):
        for name in ("n2", "n3"):
            service(world, name, up=False)
        world.run(2 * SECOND_NS)
        drain(world, "n1")
        for _ in range(5000):
            world.run(MS)
            assert (holders(world), world.client.node) == ("n1", "n1")
        service(world, "n3", up=True)
        run_until(world, lambda: active(world) == "n3", SECOND_NS)
        world.run(SECOND_NS)
    assert (holders(world), world.client.node) == ("n3", "n3")


def test_the_address_goes_to_the_only_service_left() -> None:
    """A node on which the service is going relieves one on which it has gone."""
    world = settled()
    with always_held(world):
        service(world, "n3", up=False)
        drain(world, "n2")
        world.run(2 * SECOND_NS)
        assert holders(world) == "n1"
        service(world, "n1", up=False)
        run_until(world, lambda: holders(world) == "n2", 2 * SECOND_NS)
        world.run(5 * SECOND_NS)
    assert (holders(world), world.client.node) == ("n2", "n2")


def test_withdrawn_node_does_not_serve_however_alone() -> None:
    """Of a withdrawn and two failing nodes the better failing one serves; of none, nobody."""
    world = settled()
    world["n1"].set_withdrawn(withdrawn=True)
    for name in ("n2", "n3"):
        service(world, name, up=False)
    world.run(5 * SECOND_NS)
    assert (active(world), holders(world)) == ("n2", "n2")
    for name in ("n2", "n3"):
        world[name].set_withdrawn(withdrawn=True)
    world.run(5 * SECOND_NS)
    assert (active(world), holders(world)) == ("", "")
    assert {State.INITIALIZE} == {node.state for node in world.nodes.values()}


def test_two_yields_at_once() -> None:
    """The Active and its successor are stopped together: the third takes over without a gap."""
    world = settled()
    with always_held(world):
        stop(world, "n1")
        stop(world, "n2")
        run_until(world, lambda: holders(world) == "n3", 3 * SECOND_NS)
    world.run(2 * MS)
    assert (active(world), world.client.node) == ("n3", "n3")


def test_successor_that_is_stopped_while_it_takes_over() -> None:
    """One that is stopped before it has bound leaves the address where it was."""
    world = settled(bind_mean_ns=20 * MS, bind_max_ns=20 * MS)
    with always_held(world):
        stop(world, "n1")
        run_until(world, lambda: active(world) == "n2")
        stop(world, "n2")
        run_until(world, lambda: holders(world) == "n3", 3 * SECOND_NS)
    assert active(world) == "n3"


def test_two_actives_yield_at_once() -> None:
    """Two Actives of a partition that are both told to move end with one, and the client there."""
    world = settled()
    heal = cut(world, ["n1"], ["n2", "n3", CLIENT])
    world.run(10 * SECOND_NS)
    assert active(world) == "n1 n2"
    move(world)
    heal()
    world.run(8 * SECOND_NS)
    (only,) = world.actives()
    assert (holders(world), world.client.node) == (only.name, only.name)


# --- priority 0 lost or overtaken ----------------------------------------------------------


@pytest.mark.parametrize("lost", [1, 2])
def test_priority_zero_is_sent_three_times(lost: int) -> None:
    """With one or two of three copies lost the successor is as many times 2 ms later."""
    world = settled()
    seen: dict[str, int] = {}

    def swallows(sender: str, receiver: str, advert: Heard) -> bool:
        if advert.priority:
            return False
        seen[receiver] = seen.get(receiver, 0) + 1
        return seen[receiver] <= lost

    world.swallows = swallows
    with always_held(world):
        stop(world, "n1")
        took_ns = run_until(world, lambda: substate(world, "n2") is Substate.BINDING)
        run_until(world, lambda: holders(world) == "n2")
    assert took_ns == pytest.approx(19_531_250 + lost * 2 * MS, abs=2 * MS)


def test_every_priority_zero_lost_is_a_crash() -> None:
    """With all three lost the others wait for the down interval: the slow path of L3."""
    world = settled()
    harm(world, lambda: None)
    world.swallows = lambda sender, receiver, advert: advert.priority == 0
    wait_for_advert(world, "n1")
    stop(world, "n1")
    took_ns = run_until(world, lambda: active(world) == "n2")
    assert took_ns == pytest.approx(3_019_531_250, abs=3 * MS)


def test_old_advert_between_the_copies_of_priority_zero() -> None:
    """An advert that was overtaken by the first copy only is set right by the next copy."""
    world = settled()
    old = Heard(0, world["n1"].source(), 254, SECOND_NS)
    with always_held(world):
        stop(world, "n1")
        world.run(1500_000)
        for name in ("n2", "n3"):
            world[name].arrive("n1", VRID, old)
        took_ns = run_until(world, lambda: active(world) == "n2")
        run_until(world, lambda: holders(world) == "n2")
    assert took_ns < 30 * MS


def test_old_advert_after_priority_zero() -> None:
    """One that comes after the last copy re-arms the down interval: slow, but it ends well."""
    world = settled()
    old = Heard(0, world["n1"].source(), 254, SECOND_NS)
    harm(world, lambda: None)
    stop(world, "n1")
    world.run(7 * MS)
    for name in ("n2", "n3"):
        world[name].arrive("n1", VRID, old)
    took_ns = run_until(world, lambda: active(world) == "n2")
    assert took_ns == pytest.approx(3_019_531_250, abs=3 * MS)
    world.run(SECOND_NS)
    assert (holders(world), world.client.node) == ("n2", "n2")


# --- preemption ----------------------------------------------------------------------------


def test_better_node_returns_and_preempts() -> None:
    """With Always the better node is Active exactly its down interval after its start (L4)."""
    world = settled(preemption=PreemptionMode.ALWAYS)
    stop(world, "n1")
    world.run(10 * SECOND_NS)
    assert active(world) == "n2"
    world["n1"].boot()
    began_ns = world.now_ns
    with always_held(world):
        run_until(world, lambda: world["n1"].is_active)
        taken_ns = world.now_ns
        run_until(world, lambda: holders(world) == "n1")
    assert taken_ns - began_ns == pytest.approx(3_007_812_500, abs=MS)
    world.run(5 * MS)
    assert (active(world), world.client.node) == ("n1", "n1")


@pytest.mark.parametrize(
    ("preemption", "after_ms"), [(PreemptionMode.NEVER, None), (PreemptionMode.DELAYED, 8_000)]
)
def test_better_node_returns_and_waits(preemption: PreemptionMode, after_ms: int | None) -> None:
    """With Never it stays Backup; with Delayed it takes over after the delay and its timer."""
    world = settled(preemption=preemption, preemption_delay_ns=5 * SECOND_NS)
    boot = power_off(world, "n1")
    world.run(10 * SECOND_NS)
    boot()
    began_ns = world.now_ns
    world.run(30 * SECOND_NS)
    if after_ms is None:
        assert active(world) == "n2"
        return
    assert active(world) == "n1"
    assert "n1 Active LowerPriorityPreempted" in transitions(world, since_ns=began_ns)
    assert world["n1"].election is not None
    entered_ns = world["n1"].clock.time_ns(world["n1"].election.since_ns)
    assert entered_ns - began_ns == pytest.approx(after_ms * MS, abs=1100 * MS)


# --- configuration, retirement -------------------------------------------------------------


@pytest.mark.parametrize("order", ["n1 n2 n3", "n3 n2 n1"])
@pytest.mark.parametrize("interval_ms", [100, 500, 3000, 10_000])
def test_interval_changes_node_by_node(interval_ms: int, order: str) -> None:
    """The order in which nodes get a new interval moves nothing; a crash counts with it (L7)."""
    world = settled()
    began_ns = world.now_ns
    for name in order.split():
        world.weather.orderly()
        world.reconfigure([world[name]], advertisement_interval_ns=interval_ms * MS)
        world.run(1700 * MS)
    world.run(5 * interval_ms * MS)
    assert transitions(world, since_ns=began_ns) == []
    power_off(world, "n1")
    took_ns = run_until(world, lambda: active(world) == "n2", 120 * SECOND_NS)
    assert 2 * interval_ms * MS <= took_ns <= (3.1 * interval_ms + 5) * MS


@pytest.mark.parametrize("order", ["n1 n2 n3", "n3 n2 n1", "n2 n1 n3"])
@pytest.mark.parametrize("families", [1, 2])
def test_vrid_changes_node_by_node(order: str, families: int) -> None:
    """Another VRID, rolled out within two intervals, moves nothing and loses nothing."""
    world = settled(families=families)
    began_ns = world.now_ns
    with always_held(world):
        for name in order.split():
            world.weather.orderly()
            node = world[name]
            instances = tuple(make_instance(node.host, family, 1) for family in range(families))
            world.reconfigure([node], instances=instances)
            world.run(900 * MS)
        world.run(20 * SECOND_NS)
    assert transitions(world, since_ns=began_ns) == []
    assert (active(world), holders(world)) == ("n1", "n1")


def test_priority_changes_move_nothing_without_preemption() -> None:
    """A changed base priority decides the next election, not this one."""
    world = settled()
    began_ns = world.now_ns
    world.weather.orderly()
    world.reconfigure([world["n1"]], priority=160)
    world.run(10 * SECOND_NS)
    assert transitions(world, since_ns=began_ns) == []
    stop(world, "n1")
    world.run(SECOND_NS)
    assert active(world) == "n2"


def test_retired_router_leaves_without_a_word() -> None:
    """Backups leave at once, the Active half a second later, and nobody sends a priority 0."""
    world = settled()
    sent = adverts(world, "n1", 0)
    world.weather.orderly()
    for node in world.nodes.values():
        node.retire()
    world.run(400 * MS)
    assert (active(world), holders(world)) == ("n1", "n1")
    assert world["n2"].election is None
    world.run(200 * MS)
    assert (active(world), holders(world)) == ("", "")
    assert adverts(world, "n1", 0) == sent


def test_bootstrap_starts_at_once() -> None:
    """A router that nobody has ever run is Active at its first slot after the probe, not 3 s."""
    world = build(bootstrap=True)
    world.boot_all()
    took_ns = run_until(world, lambda: world["n1"].serves)
    assert took_ns == pytest.approx(157_812_500, abs=3 * MS)


def test_bootstrap_yields_to_whoever_is_there() -> None:
    """If somebody answers the probe the first slot waits like any other Backup."""
    world = settled()
    world.reconfigure(world.nodes.values(), bootstrap=True)
    boot = power_off(world, "n1")
    world.run(10 * SECOND_NS)
    began_ns = world.now_ns
    boot()
    world.run(10 * SECOND_NS)
    assert transitions(world, since_ns=began_ns) == ["n1 Backup Started"]
    assert active(world) == "n2"


# --- the resignation that meets another Active ---------------------------------------------


def test_active_that_resigns_to_another_active() -> None:
    """If one of two Actives resigns, its clients are told of the other one."""
    world = settled()
    heal = cut(world, ["n1"], ["n2", "n3", CLIENT])
    run_until(world, lambda: world.client.node == "n2")
    world.run(7 * SECOND_NS)
    heal()
    stop(world, "n2")
    world.run(1200 * MS)
    assert (active(world), holders(world), world.client.node) == ("n1", "n1", "n1")
