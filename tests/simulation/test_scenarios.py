"""Hard cases by name, in the simulator: crashes, pauses, partitions, late and lost packets.

All checkers watch here too. Times are those of priorities 254, 251, 248 at 1 s: Skew_Time 7.8,
19.5 and 31.3 ms.
"""

from __future__ import annotations

import pytest

from support.simulation.lan import CLIENT
from support.simulation.scene import (
    active,
    adverts,
    block,
    build,
    cut,
    events,
    freeze,
    holders,
    kill,
    others,
    power_off,
    run_until,
    settled,
    transitions,
    unplug,
    wait_for_advert,
)
from vip_model.vocabulary import PreemptionMode, State
from vip_speaker.vrrp.config import Heard
from vip_speaker.vrrp.timers import MILLISECOND_NS, SECOND_NS

MS = MILLISECOND_NS
VRID = 51


# --- crashes -------------------------------------------------------------------------------


@pytest.mark.parametrize("after_advert_ms", [1, 250, 500, 999])
def test_crash_is_taken_over_within_the_down_interval(after_advert_ms: int) -> None:
    """A Backup of 251 is Active 3 intervals and 19.5 ms after the last advert, not before (L2)."""
    world = settled()
    wait_for_advert(world, "n1")
    last_ns = world.now_ns
    world.run(after_advert_ms * MS)
    power_off(world, "n1")
    run_until(world, lambda: active(world) == "n2")
    assert world.now_ns - last_ns == pytest.approx(3_019_531_250, abs=2 * MS)
    world.run(2 * SECOND_NS)
    assert (active(world), holders(world), world.client.node) == ("n2", "n2", "n2")


@pytest.mark.parametrize("seed", range(20))
def test_crash_makes_one_active_if_skews_are_apart(seed: int) -> None:
    """With Skew_Times further apart than two delays a crash never makes two Actives (S10)."""
    world = settled(5, seed=seed, delay_mean_ns=2 * MS, delay_max_ns=5 * MS)
    world.run(seed * 50 * MS)
    power_off(world, "n1")
    began_ns = world.now_ns
    while world.now_ns - began_ns < 8 * SECOND_NS:
        world.run(MS)
        assert len(world.actives()) <= 1
    assert active(world) == "n2"


@pytest.mark.parametrize("gone_ms", [5, 50, 500, 1500, 2500])
def test_engine_that_is_back_in_time_resumes(gone_ms: int) -> None:
    """An engine killed just after an advert and back within the window was never missed."""
    world = settled()
    wait_for_advert(world, "n1")
    restart = kill(world, "n1")
    world.run(gone_ms * MS)
    assert holders(world) == "n1"
    began_ns = world.now_ns
    restart()
    world.run(5 * SECOND_NS)
    assert transitions(world, since_ns=began_ns) == ["n1 Active Resumed"]
    assert (active(world), holders(world), world.client.node) == ("n1", "n1", "n1")


@pytest.mark.parametrize("gone_ms", [*range(2900, 3100, 10), 3500, 5000])
def test_engine_that_may_be_late_does_not_resume(gone_ms: int) -> None:
    """From 50 ms before the window ends nobody resumes, and no two serve for longer than S9."""
    world = settled()
    wait_for_advert(world, "n1")
    last_ns = world.now_ns
    restart = kill(world, "n1")
    world.run_until(last_ns + gone_ms * MS)
    restart()
    world.run(6 * SECOND_NS)
    resumed = any("Resumed" in line for line in transitions(world))
    assert resumed == (gone_ms < 2950)
    winner = "n1" if resumed else "n2"
    assert (active(world), holders(world), world.client.node) == (winner, winner, winner)


def test_restarted_engine_keeps_what_it_finds_until_somebody_speaks() -> None:
    """Addresses of an earlier life are adopted, not swept, and released at the first advert."""
    world = settled()
    wait_for_advert(world, "n1")
    restart = kill(world, "n1")
    world.run(2970 * MS)
    assert active(world) == ""
    restart()
    world.run(10 * MS)
    node = world["n1"]
    assert node.election is not None
    assert (node.state, node.election.adopted) == (State.BACKUP, True)
    run_until(world, lambda: active(world) == "n2")
    world.run(10 * MS)
    assert holders(world) == "n2"


def test_whole_node_killed_loses_the_address_by_the_kernel() -> None:
    """A node without any process has the address for at most 4.5 s after the last renewal."""
    world = settled()
    kill(world, "n1")
    renewed_ns = world["n1"].kernel.renewed_ns
    run_until(world, lambda: not world["n1"].kernel.holds)
    assert world.now_ns - renewed_ns < 4_500 * MS
    world.run(SECOND_NS)
    assert (active(world), holders(world), world.client.node) == ("n2", "n2", "n2")


# --- pauses --------------------------------------------------------------------------------


@pytest.mark.parametrize("preemption", [PreemptionMode.NEVER, PreemptionMode.DELAYED])
@pytest.mark.parametrize("frozen_ms", [3500, 10_000, 60_000])
def test_pause_longer_than_the_down_interval(frozen_ms: int, preemption: PreemptionMode) -> None:
    """A frozen Active loses the address, thaws as a Backup, and moves nothing (keepalived does)."""
    world = settled(preemption=preemption, preemption_delay_ns=300 * SECOND_NS)
    thaw = freeze(world, "n1")
    world.run(frozen_ms * MS)
    assert active(world) == "n2"
    assert frozen_ms == 3500 or holders(world) == "n2"
    thawed_ns = world.now_ns
    thaw()
    assert world["n1"].state is State.BACKUP
    world.run(20 * SECOND_NS)
    assert transitions(world, since_ns=thawed_ns) == ["n1 Backup Overslept"]
    assert (active(world), holders(world), world.client.node) == ("n2", "n2", "n2")


def test_pause_shorter_than_three_intervals_moves_nothing() -> None:
    """An Active that missed two adverts goes on, and so does everybody else (L5)."""
    world = settled()
    wait_for_advert(world, "n1")
    began_ns = world.now_ns
    thaw = freeze(world, "n1")
    world.run(2900 * MS)
    thaw()
    world.run(10 * SECOND_NS)
    assert transitions(world, since_ns=began_ns) == []
    assert holders(world) == "n1"


def test_pause_of_a_backup_moves_nothing() -> None:
    """A Backup that wakes long after its timer reads what it missed, and claims nothing."""
    world = settled()
    began_ns = world.now_ns
    thaw = freeze(world, "n2")
    world.run(30 * SECOND_NS)
    thaw()
    world.run(10 * SECOND_NS)
    assert transitions(world, since_ns=began_ns) == []


def test_pause_of_everything() -> None:
    """A host of all nodes that sleeps for a minute ends with one Active and a served client."""
    world = settled()
    thaws = [freeze(world, name) for name in world.nodes]
    world.run(60 * SECOND_NS)
    assert holders(world) == ""
    for thaw in thaws:
        thaw()
    world.run(10 * SECOND_NS)
    (only,) = world.actives()
    assert (holders(world), world.client.node) == (only.name, only.name)


# --- partitions ----------------------------------------------------------------------------


@pytest.mark.parametrize("heals_after_ms", range(0, 1000, 100))
def test_heal_takes_the_client_to_the_winner(heals_after_ms: int) -> None:
    """Whichever advert crosses first, the loser's clients are told of the winner (L6)."""
    world = settled()
    heal = cut(world, ["n1"], ["n2", "n3", CLIENT])
    run_until(world, lambda: world.client.node == "n2")
    world.run(7 * SECOND_NS + heals_after_ms * MS)
    assert active(world) == "n1 n2"
    heal()
    took_ns = run_until(world, lambda: active(world) == "n1", 2 * SECOND_NS)
    assert took_ns <= SECOND_NS + 2 * MS
    world.run(3 * MS)
    assert (holders(world), world.client.node) == ("n1", "n1")
    assert adverts(world, "n2", 251) > 0
    assert "send(251), Active->Backup" in str(world.trace)


def test_partition_into_three_heals() -> None:
    """Three Actives that meet at once end as one, with the client there."""
    world = settled()
    heals = [cut(world, ["n1"], ["n2", "n3"]), cut(world, ["n2"], ["n3", CLIENT])]
    world.run(10 * SECOND_NS)
    assert active(world) == "n1 n2 n3"
    for heal in heals:
        heal()
    world.run(2500 * MS)
    assert (active(world), holders(world), world.client.node) == ("n1", "n1", "n1")


def test_mute_active_steps_down_after_the_heal() -> None:
    """Who sends but is not heard loses or wins by priority once it is heard again."""
    world = settled()
    mend = block(world, ["n1"], others(world, "n1"))
    world.run(5 * SECOND_NS)
    assert active(world) == "n1 n2"
    mend()
    world.run(1500 * MS)
    assert (active(world), holders(world), world.client.node) == ("n1", "n1", "n1")


def test_deaf_active_stays() -> None:
    """An Active that hears nobody is heard by all, so nothing moves."""
    world = settled()
    began_ns = world.now_ns
    mend = block(world, others(world, "n1"), ["n1"])
    world.run(20 * SECOND_NS)
    mend()
    world.run(5 * SECOND_NS)
    assert transitions(world, since_ns=began_ns) == []


@pytest.mark.parametrize("family", [0, 1])
def test_one_family_lost_moves_nothing(family: int) -> None:
    """With two families one is enough, to stay and to take over; all addresses move together."""
    world = settled(families=2)
    began_ns = world.now_ns
    everybody = list(world.nodes)
    ways = [(one, other) for one in everybody for other in everybody if one != other]
    world.weather.begin(everybody)
    world.lan.block(ways, family)
    world.run(20 * SECOND_NS)
    assert transitions(world, since_ns=began_ns) == []
    power_off(world, "n1")
    world.run(5 * SECOND_NS)
    assert (active(world), holders(world)) == ("n2", "n2")
    assert len(world["n2"].kernel.addresses) == 2


# --- adverts lost, late, forged ------------------------------------------------------------


def test_two_adverts_in_a_row_may_be_lost() -> None:
    """A Backup that hears every third advert only stays Backup, for as long as it lasts (L5)."""
    world = settled(delay_max_ns=2 * MS)
    began_ns = world.now_ns
    heard = dict.fromkeys(world.nodes, 0)

    def swallows(sender: str, receiver: str, advert: Heard) -> bool:
        heard[receiver] += 1
        return heard[receiver] % 3 != 0

    world.swallows = swallows
    world.run(200 * SECOND_NS)
    assert transitions(world, since_ns=began_ns) == []


def test_stray_priority_zero_moves_nothing() -> None:
    """A resignation of somebody who is not Active is not honoured, however often it comes."""
    world = settled()
    began_ns = world.now_ns
    for _ in range(50):
        stranger = world["n3"].source()
        for name in ("n1", "n2"):
            world[name].arrive("n3", VRID, Heard(0, stranger, 0, SECOND_NS))
        world.run(170 * MS)
    assert transitions(world, since_ns=began_ns) == []


def test_equal_priorities_leave_the_sitting_active_alone() -> None:
    """Among equals the sitting Active stays, whatever its address; a crash has one heir."""
    world = build(4, priorities=(200, 200, 200, 200), preemption=PreemptionMode.ALWAYS)
    world["n1"].boot()
    world.run(5 * SECOND_NS)
    world.boot_all()
    world.run(20 * SECOND_NS)
    assert active(world) == "n1"
    power_off(world, "n1")
    world.run(8 * SECOND_NS)
    (heir,) = world.actives()
    assert (holders(world), world.client.node) == (heir.name, heir.name)


def test_last_word_of_a_failing_active_that_comes_late() -> None:
    """A failing node's advert that is overtaken by its successor's must not start a takeover."""
    world = settled()
    began_ns = world.now_ns
    wait_for_advert(world, "n1")
    world.run(5 * MS)
    late = Heard(0, world["n2"].source(), 151, SECOND_NS)
    world["n3"].arrive("n2", VRID, late)
    world.run(5 * SECOND_NS)
    assert transitions(world, since_ns=began_ns) == []


# --- links ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("cut_ms", "returns"), [(100, True), (1900, True), (3500, False)])
def test_carrier_flap(cut_ms: int, returns: bool) -> None:
    """A link that is back within three intervals costs no takeover, only the time it was off."""
    world = settled()
    wait_for_advert(world, "n1")
    plug_in = unplug(world, "n1")
    world.run(10 * MS)
    assert holders(world) == ""
    world.run((cut_ms - 10) * MS)
    plug_in()
    world.run(5 * SECOND_NS)
    winner = "n1" if returns else "n2"
    assert (active(world), holders(world), world.client.node) == (winner, winner, winner)
    assert ("LinkReturned" in str(events(world, "n1"))) == returns


def test_bind_failure_gives_the_address_to_the_next() -> None:
    """A node whose kernel refuses resigns, is never Active without an address, and tries again."""
    world = build()
    world["n1"].worker.fails = True
    world.weather.begin(["n1"])
    world.boot_all()
    run_until(world, lambda: active(world) == "n2")
    world.run(30 * SECOND_NS)
    assert holders(world) == "n2"
    world["n1"].worker.fails = False
    world.run(70 * SECOND_NS)
    assert world["n1"].state is State.BACKUP


def test_address_that_somebody_removes_is_bound_again() -> None:
    """An Active whose address vanishes from the kernel has it again within milliseconds."""
    world = settled()
    world.weather.begin(["n1"])
    world["n1"].kernel.clear("removed")
    world.run(10 * MS)
    assert (active(world), holders(world)) == ("n1", "n1")
