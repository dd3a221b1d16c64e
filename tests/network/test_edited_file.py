"""vip.yaml is edited on all hosts while they run: what changes changes, what serves goes on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import pytest

from support.figures import Figure
from support.network_manifests import NODES, ROUTER, VIP, VIP6, manifest, virtual_ip
from support.speakers import SETTLED_SECONDS, bring_back, down_interval_seconds, limit_ms
from vip_lab.capture import Capture
from vip_lab.client import Probing
from vip_lab.fleet import Fleet
from vip_lab.lan import Lan
from vip_lab.wait import throughout, until

OTHER = "192.0.2.101"
NOWHERE = "203.0.113.5"
INTERVAL_MS = 500
DOWN_SECONDS = down_interval_seconds(INTERVAL_MS)
FOLLOW_SECONDS = 5.0


@pytest.fixture(scope="module")
def fleet(lan: Lan) -> Iterator[Fleet]:
    """Three speakers with one vip.yaml."""
    fleet = Fleet(lan, NODES, manifest(virtual_ip(interval_ms=INTERVAL_MS)))
    fleet.start()
    yield fleet
    fleet.end()


@pytest.fixture
def holder(fleet: Fleet, lan: Lan) -> str:
    """The host that holds the address, the first file being in force again."""
    fleet.write(manifest(virtual_ip(interval_ms=INTERVAL_MS)))
    until("the first file everywhere", lambda: _addresses(fleet) == [[VIP]] * 3, SETTLED_SECONDS)
    until("no other address", lambda: not lan.holders(OTHER) and not lan.holders(VIP6), 5.0)
    return bring_back(fleet)


def edit(fleet: Fleet, done: Callable[[], object], **fields: object) -> None:
    """Write the file anew with these fields and wait until it is in force."""
    fields = {"interval_ms": INTERVAL_MS, **fields}
    fleet.write(manifest(virtual_ip(**fields)))  # type: ignore[arg-type]
    until("the edit to be in force", done, FOLLOW_SECONDS, show=lambda: fleet.describe(ROUTER))


def test_address_added_and_removed(fleet: Fleet, lan: Lan, holder: str, figure: Figure) -> None:
    """A second address comes and goes on the same host, and the first loses nothing."""
    since = _since(fleet, holder)
    with Probing(lan["client"], [f"icmp:{VIP}"], 1000) as probing:
        edit(fleet, lambda: lan.holders(OTHER) == [holder], addresses=[VIP, OTHER])
        until(
            "the same everywhere", lambda: _addresses(fleet) == [[VIP, OTHER]] * 3, FOLLOW_SECONDS
        )
        edit(fleet, lambda: not lan.holders(OTHER), addresses=[VIP])
    figure("address added and removed", probing.result)
    assert probing.result.lost == 0
    assert lan.holders(VIP) == [holder]
    assert _since(fleet, holder) == since


def test_second_family_added(fleet: Fleet, lan: Lan, holder: str, figure: Figure) -> None:
    """An IPv6 address added to an IPv4 one is held by one host together with it."""
    with Probing(lan["client"], [f"icmp:{VIP}"], 1000) as probing:
        edit(fleet, lambda: len(lan.holders(VIP6)) == 1, addresses=[VIP, VIP6])
        until("both on one host", lambda: lan.holders(VIP) == lan.holders(VIP6), FOLLOW_SECONDS)
    figure("second family added", probing.result)
    assert probing.result.longest_gap_ms < limit_ms(DOWN_SECONDS, INTERVAL_MS, probing.result)


# An advert that is late by a pause makes two of the distances wrong: the median has to have more.
@pytest.mark.parametrize(("interval_ms", "adverts"), [(100, 9), (2000, 5)])
def test_interval_changed(
    *,
    fleet: Fleet,
    lan: Lan,
    holder: str,
    interval_ms: int,
    adverts: int,
    pcap: Path,
    figure: Figure,
) -> None:
    """Adverts go out in the new interval, and the change moves nothing."""
    since = _since(fleet, holder)
    with Probing(lan["client"], [f"icmp:{VIP}"], 500) as probing:
        edit(fleet, lambda: _intervals(fleet) == {interval_ms}, interval_ms=interval_ms)
        with Capture(lan["client"], pcap, "ip proto 112") as capture:
            throughout(
                "the holder stays",
                lambda: lan.holders(VIP) == [holder],
                5 * interval_ms / 1000,
                every=0.1,
            )
            until(f"{adverts} adverts", lambda: len(capture.frames()) >= adverts, 5.0)
        times = [frame.at_ns for frame in capture.frames()]
    measured_ms = median((b - a) / 1e6 for a, b in itertools.pairwise(times))
    figure(f"interval {interval_ms} ms", f"adverts every {measured_ms:.1f} ms")
    assert measured_ms == pytest.approx(interval_ms, rel=0.2)
    assert probing.result.lost == 0, str(probing.result)
    assert _since(fleet, holder) == since


def test_other_preference_moves_nothing(fleet: Fleet, lan: Lan, holder: str) -> None:
    """With preemption Never a new order of preferred nodes changes priorities, not the holder."""
    turned = list(reversed(NODES))

    def priorities() -> list[int]:
        found = [fleet[name].router(ROUTER) for name in turned]
        return [one["priority"] for one in found if one is not None]

    edit(
        fleet,
        lambda: len(priorities()) == 3 and priorities() == sorted(priorities(), reverse=True),
        placement={"preferredNodes": turned},
    )
    throughout("the holder stays", lambda: lan.holders(VIP) == [holder], 3.0, every=0.1)


def test_preemption_always_brings_the_address_to_the_first(
    fleet: Fleet, lan: Lan, holder: str, figure: Figure
) -> None:
    """With preemption Always the first of the preferred nodes takes it without loss."""
    first = fleet.others(holder)[0]
    with Probing(lan["client"], [f"icmp:{VIP}"], 1000) as probing:
        edit(
            fleet,
            lambda: lan.holders(VIP) == [first],
            placement={"preferredNodes": [first, *fleet.others(first)]},
            vrrp={"preemption": {"mode": "Always"}},
        )
    figure("preempted", probing.result)
    assert probing.result.lost <= 5


def test_new_virtual_router_id(fleet: Fleet, lan: Lan, holder: str, figure: Figure) -> None:
    """Another VRID on all hosts ends with exactly one holder again."""
    with Probing(lan["client"], [f"icmp:{VIP}"], 1000) as probing:
        edit(fleet, lambda: _virtual_router_ids(fleet) == {77}, virtual_router_id=77)
        new_holder = fleet.await_settled(ROUTER, SETTLED_SECONDS)
        fleet.await_holder(VIP, [new_holder], 5.0)
    figure("another VRID", probing.result)
    assert probing.result.longest_gap_ms < limit_ms(DOWN_SECONDS, INTERVAL_MS, probing.result)


def test_an_address_that_no_host_can_have(
    fleet: Fleet, lan: Lan, holder: str, figure: Figure
) -> None:
    """One of no subnet beside the one that serves: that goes on, and status says what is wrong."""
    with Probing(lan["client"], [f"icmp:{VIP}"], 1000) as probing:
        edit(fleet, lambda: _not_in_force(fleet, NOWHERE), addresses=[VIP, NOWHERE])
        # Hosts are asked one after the other: a handover in between may be missed once.
        throughout("somebody serves", lambda: lan.holders(VIP) or lan.holders(VIP), 4.0)
    figure("edit that fits no host", probing.result)
    assert probing.result.lost <= 5
    for name in NODES:
        lan.cut(name)
    lan.restore(NODES[-1])
    until("the last host to serve", lambda: NODES[-1] in lan.holders(VIP), 10.0)
    for name in NODES:
        lan.restore(name)
    edit(fleet, lambda: _addresses(fleet) == [[VIP]] * 3 and not _refused(fleet))


def test_an_address_that_only_the_others_can_have(
    fleet: Fleet, lan: Lan, holder: str, figure: Figure
) -> None:
    """Its holder hands over to a host that serves both addresses, without loss."""
    others = fleet.others(holder)
    for number, name in enumerate(others, start=11):
        lan[name].ip("address", "add", f"203.0.113.{number}/24", "dev", "eth0")
    try:
        with Probing(lan["client"], [f"icmp:{VIP}"], 1000) as probing:
            edit(fleet, lambda: lan.holders(NOWHERE), addresses=[VIP, NOWHERE])
            until("one host", lambda: lan.holders(VIP) == lan.holders(NOWHERE), FOLLOW_SECONDS)
        assert lan.holders(VIP)[0] in others
        figure("edit that fits the other hosts", probing.result)
        assert probing.result.lost <= 5
    finally:
        for number, name in enumerate(others, start=11):
            lan[name].ip("address", "delete", f"203.0.113.{number}/24", "dev", "eth0")


def _routers(fleet: Fleet) -> list[dict[str, object]]:
    return [one for speaker in fleet if (one := speaker.router(ROUTER)) is not None]


def _refused(fleet: Fleet) -> list[str]:
    return [str(why) for one in _routers(fleet) if (why := one["notInForce"])]


def _not_in_force(fleet: Fleet, word: str) -> bool:
    return len([why for why in _refused(fleet) if word in why]) == 3


def _addresses(fleet: Fleet) -> list[object]:
    return [one["addresses"] for one in _routers(fleet)]


def _intervals(fleet: Fleet) -> set[object]:
    return {one["advertisementIntervalMilliseconds"] for one in _routers(fleet)}


def _virtual_router_ids(fleet: Fleet) -> set[object]:
    return {one["virtualRouterID"] for one in _routers(fleet)}


def _since(fleet: Fleet, name: str) -> object:
    router = fleet[name].router(ROUTER)
    assert router is not None
    return router["since"]
