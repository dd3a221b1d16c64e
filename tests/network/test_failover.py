"""Three speakers, one address, adverts every second: what dies, freezes or is cut off."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
from scapy.layers.l2 import Ether
from scapy.layers.vrrp import VRRPv3

from support.figures import Figure
from support.network_manifests import NODES, ROUTER, VIP, manifest, virtual_ip
from support.speakers import (
    TAKEOVER_SECONDS,
    best,
    bring_back,
    down_interval_seconds,
    lifetime_limit_seconds,
    limit_ms,
    limit_seconds,
    make_holder,
    seconds_until,
)
from vip_lab.capture import Capture, Frame
from vip_lab.client import Probing
from vip_lab.fleet import Fleet
from vip_lab.lan import Lan
from vip_lab.wait import throughout, until

INTERVAL_MS = 1000
DOWN_SECONDS = down_interval_seconds(INTERVAL_MS)
PROBE = f"icmp:{VIP}"
ADVERTS = "ip proto 112"


@pytest.fixture(scope="module")
def fleet(lan: Lan) -> Iterator[Fleet]:
    """Three speakers with one vip.yaml, none of which is provisional after its start."""
    established = {"startDelaySeconds": 0}
    vip = virtual_ip(interval_ms=INTERVAL_MS, vrrp=established)
    fleet = Fleet(lan, NODES, manifest(vip))
    fleet.start()
    yield fleet
    fleet.end()


@pytest.fixture
def holder(fleet: Fleet) -> str:
    """The host that holds the address, all being well again."""
    return bring_back(fleet)


def adverts(frames: list[Frame]) -> list[tuple[int, str, int]]:
    """Return (time, source, priority) of each advert."""
    decoded = [(frame.at_ns, Ether(frame.data)) for frame in frames]
    return [(at_ns, one["IP"].src, one[VRRPv3].priority) for at_ns, one in decoded]


def test_three_speakers_elect_one(fleet: Fleet, lan: Lan, holder: str) -> None:
    """Exactly one host is Active and has the address, the others are Backups of it."""
    assert lan.holders(VIP) == [holder]
    states = fleet.states(ROUTER)
    assert sorted(str(state) for state in states.values()) == ["Active", "Backup", "Backup"]
    for name in fleet.others(holder):
        router = fleet[name].router(ROUTER)
        assert router is not None
        assert router["activeSource"] == lan[holder].ipv4


def test_address_is_bound_as_designed(lan: Lan, holder: str) -> None:
    """The address is a /32 with a finite lifetime, so that a dead engine loses it."""
    entry = lan[holder].addresses()[VIP]
    assert entry["prefixlen"] == 32
    lifetime = entry["valid_life_time"]
    assert isinstance(lifetime, int)
    assert 0 < lifetime <= 5


def test_engine_killed_loses_nothing(
    fleet: Fleet, lan: Lan, holder: str, pcap: Path, figure: Figure
) -> None:
    """A killed engine is replaced and goes on as Active; the others never notice."""
    speaker = fleet[holder]
    with (
        Capture(lan["client"], pcap, ADVERTS) as capture,
        Probing(lan["client"], [PROBE], 1000) as probing,
    ):
        old_pid = speaker.kill_role("engine")
        back_seconds = seconds_until(
            lambda: speaker.state(ROUTER) == "Active", "the new engine to be Active", 3.0
        )
        new_pid = speaker.await_new("engine", old_pid)
        throughout(
            "the address stays", lambda: lan.holders(VIP) == [holder], DOWN_SECONDS, every=0.1
        )
    figure("engine killed, Active again after", back_seconds)
    figure("engine killed", probing.result)
    assert new_pid != old_pid
    assert probing.result.lost <= 5
    heard = adverts(capture.frames())
    assert {source for _at, source, _priority in heard} == {lan[holder].ipv4}
    assert all(priority > 0 for _at, _source, priority in heard)
    silences = [(b[0] - a[0]) / 1e9 for a, b in itertools.pairwise(heard)]
    assert max(silences) < DOWN_SECONDS, silences


def test_agent_killed_address_does_not_notice(
    fleet: Fleet, lan: Lan, holder: str, figure: Figure
) -> None:
    """Without its agent the engine keeps priority and address, and the agent comes back."""
    speaker = fleet[holder]
    before = speaker.router(ROUTER)
    assert before is not None
    with Probing(lan["client"], [PROBE], 1000) as probing:
        old_pid = speaker.kill_role("agent")
        speaker.await_new("agent", old_pid)
        time.sleep(1.0)  # long enough for the new agent to do harm
    after = speaker.router(ROUTER)
    figure("agent killed", probing.result)
    assert probing.result.lost == 0
    assert after is not None
    for field in ("state", "since", "effectivePriority", "addresses"):
        assert after[field] == before[field], field


def test_everything_killed(fleet: Fleet, lan: Lan, holder: str, figure: Figure) -> None:
    """Another host takes over in time, and the kernel removes the address from the dead one."""
    dead = lan[holder]
    with Probing(lan["client"], [PROBE], 1000) as probing:
        began = time.monotonic()
        fleet[holder].kill()
        until(
            "another host to take over",
            lambda: any(lan[name].holds(VIP) for name in fleet.others(holder)),
            TAKEOVER_SECONDS,
        )
        taken_seconds = time.monotonic() - began
        until("the kernel to remove the address", lambda: not dead.holds(VIP), TAKEOVER_SECONDS)
        removed_seconds = time.monotonic() - began
        time.sleep(0.2)
    figure("all killed, taken over after", taken_seconds)
    figure("all killed, gone from the dead host after", removed_seconds)
    figure("all killed", probing.result)
    assert probing.result.longest_gap_ms < limit_ms(DOWN_SECONDS, INTERVAL_MS, probing.result)
    assert removed_seconds < lifetime_limit_seconds(INTERVAL_MS, probing.result)
    assert len(lan.holders(VIP)) == 1
    new_holder = lan.holders(VIP)[0]
    fleet[holder].start()
    assert fleet.await_settled(ROUTER, 10.0) == new_holder


@pytest.mark.parametrize("frozen_host", ["n1", "n3"])
def test_frozen_and_thawed(
    fleet: Fleet, lan: Lan, holder: str, frozen_host: str, figure: Figure
) -> None:
    """A frozen host loses the address by its kernel's hand and does not take it back later.

    Neither with a higher nor with a lower priority than the host that serves meanwhile.
    """
    if holder != frozen_host:
        make_holder(fleet, frozen_host)
    holder, frozen = frozen_host, lan[frozen_host]
    with Probing(lan["client"], [PROBE], 1000) as probing:
        began = time.monotonic()
        fleet[holder].freeze()
        until(
            "another host to take over",
            lambda: any(lan[name].holds(VIP) for name in fleet.others(holder)),
            TAKEOVER_SECONDS,
        )
        until("the kernel to remove the address", lambda: not frozen.holds(VIP), TAKEOVER_SECONDS)
        removed_seconds = time.monotonic() - began
        figure("frozen, address gone after", removed_seconds)
        time.sleep(max(0.0, 2 * DOWN_SECONDS - (time.monotonic() - began)))
        (new_holder,) = lan.holders(VIP)
        fleet[holder].thaw()
        throughout(
            "only the new holder has the address",
            lambda: lan.holders(VIP) == [new_holder],
            DOWN_SECONDS + 1.0,
            show=lambda: f"{lan.holders(VIP)}, {fleet.describe(ROUTER)}",
        )
    figure("frozen and thawed", probing.result)
    assert probing.result.longest_gap_ms < limit_ms(DOWN_SECONDS, INTERVAL_MS, probing.result)
    assert removed_seconds < lifetime_limit_seconds(INTERVAL_MS, probing.result)
    assert fleet.await_settled(ROUTER, 5.0) == new_holder


def test_link_cut_and_return(fleet: Fleet, lan: Lan, holder: str, figure: Figure) -> None:
    """A host without carrier releases at once, another takes over, the return moves nothing."""
    with Probing(lan["client"], [PROBE], 1000) as probing:
        lan.cut(holder)
        released_seconds = seconds_until(
            lambda: not lan[holder].holds(VIP), "the cut host to release", 1.0
        )
        new_holder = fleet.await_holder(VIP, fleet.others(holder), TAKEOVER_SECONDS)
        until("Initialize", lambda: fleet[holder].state(ROUTER) == "Initialize", 1.0)
        router = fleet[holder].router(ROUTER)
        assert router is not None
        assert "carrier" in router["message"]
        until("the client to follow", lambda: _mac_of(lan) == lan[new_holder].mac, 1.0)
    figure("link cut, released after", released_seconds)
    figure("link cut", probing.result)
    assert probing.result.longest_gap_ms < limit_ms(DOWN_SECONDS, INTERVAL_MS, probing.result)
    with Probing(lan["client"], [PROBE], 1000) as probing:
        lan.restore(holder)
        assert fleet.await_settled(ROUTER, 10.0) == new_holder
        throughout("one holder", lambda: lan.holders(VIP) == [new_holder], 1.0)
    assert probing.result.lost == 0, str(probing.result)


def test_short_flap_of_the_link(fleet: Fleet, lan: Lan, holder: str, figure: Figure) -> None:
    """A link that is back within the peers' window leaves the address where it was."""
    with Probing(lan["client"], [PROBE], 1000) as probing:
        lan.cut(holder)
        until("the host to release", lambda: not lan[holder].holds(VIP), 1.0)
        lan.restore(holder)
        back_seconds = seconds_until(lambda: lan[holder].holds(VIP), "the address back", 2.0)
        throughout("it stays", lambda: lan.holders(VIP) == [holder], DOWN_SECONDS, every=0.1)
    figure("link flap, bound again after", back_seconds)
    figure("link flap", probing.result)
    assert probing.result.longest_gap_ms < 2000


@pytest.mark.parametrize("old_holder", ["n1", "n3"])
def test_partition_and_heal(
    fleet: Fleet, lan: Lan, holder: str, old_holder: str, figure: Figure
) -> None:
    """Both sides hold while they are apart; after the heal the client follows the winner at once.

    The client is on the loser's side. The first advert after the heal may take an interval; the
    client's neighbour entry must follow within half a second of it.
    """
    if holder != old_holder:
        make_holder(fleet, old_holder)
    newcomer = best(fleet.others(old_holder))
    winner = best([old_holder, newcomer])
    loser = newcomer if winner == old_holder else old_holder
    client = lan["client"]
    with Probing(client, [PROBE], 1000) as probing:
        lan.partition([old_holder] if loser == newcomer else [old_holder, "client"])
        began = time.monotonic()
        until(
            "a holder on each side",
            lambda: sorted(lan.holders(VIP)) == sorted([old_holder, newcomer]),
            TAKEOVER_SECONDS,
            show=lambda: f"{lan.holders(VIP)}, {fleet.describe(ROUTER)}",
        )
        split_seconds = time.monotonic() - began
        until("the client to use the loser", lambda: _mac_of(lan) == lan[loser].mac, 5.0)
        time.sleep(0.3)
        lan.heal()
        moved_seconds = seconds_until(
            lambda: _mac_of(lan) == lan[winner].mac,
            "the client to use the winner",
            TAKEOVER_SECONDS,
        )
        until("the winner alone to hold", lambda: lan.holders(VIP) == [winner], 1.0)
        throughout("the client stays", lambda: _mac_of(lan) == lan[winner].mac, 1.0, every=0.1)
    figure(f"partition healed, client follows {winner} after", moved_seconds)
    figure("partition and heal", probing.result)
    assert split_seconds < limit_seconds(DOWN_SECONDS, INTERVAL_MS, probing.result)
    assert moved_seconds < limit_seconds(INTERVAL_MS / 1000, INTERVAL_MS, probing.result)
    assert fleet.await_settled(ROUTER, 5.0) == winner


def test_clean_stop_loses_no_probe(fleet: Fleet, lan: Lan, holder: str, figure: Figure) -> None:
    """Stopped in an orderly way five times, the holder hands over without a lost probe."""
    lost = []
    for _round in range(5):
        with Probing(lan["client"], [PROBE], 1000) as probing:
            time.sleep(0.2)
            stop_seconds = time.monotonic()
            assert fleet[holder].stop() == 0
            stop_seconds = time.monotonic() - stop_seconds
            fleet.await_holder(VIP, fleet.others(holder), 2.0)
            time.sleep(0.2)
        lost.append(probing.result.lost)
        figure(f"clean stop in {stop_seconds:.3f} s", probing.result)
        assert stop_seconds < INTERVAL_MS / 1000 + 0.5 + 1.0
        holder = bring_back(fleet)
    assert median(lost) == 0, lost
    assert max(lost) <= 5, lost


def _mac_of(lan: Lan) -> str | None:
    return lan["client"].neighbour_mac(VIP)
