"""The thread that sends adverts neither waits nor works without bound: on a crowded node."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import crowd
from support.crowd import others
from support.figures import Figure
from support.network_manifests import VIP
from support.undisturbed import WatchedPair
from vip_lab.lan import Lan

pytestmark = pytest.mark.alone

WATCHED = 2
FIRST = 60  # VRID of the first of the other routers
START_SECONDS_MAX = 0.6
RATE_MIN = 15.0
CHURN_SECONDS = 15.0
GROWTH_KIB_MAX = 1024


@pytest.fixture
def pair(fresh_lan: Lan) -> Iterator[WatchedPair]:
    """A router at 100 ms and one at 1 s, on two hosts with room for many others."""
    pair = WatchedPair(fresh_lan["n1"], fresh_lan["n2"])
    for host in pair.hosts:
        crowd.widen(host)
    pair.start()
    yield pair
    pair.end()


def test_routers_that_are_created_at_once(
    pair: WatchedPair, fresh_lan: Lan, figure: Figure
) -> None:
    """40 of them, and 130 of two families, delay no advert of those that run."""

    def create(count: int, *, dual: bool) -> str:
        pair.desire()
        crowd.await_served(pair.engines, WATCHED)
        pair.desire(*others(count, first=FIRST, dual=dual))
        crowd.await_served(pair.engines, WATCHED + (2 * count if dual else count))
        return ""

    figure("40 routers", pair.assert_undisturbed(lambda: create(40, dual=False)))
    figure("130 dual-stack routers", pair.assert_undisturbed(lambda: create(130, dual=True)))
    assert fresh_lan.holders(VIP) == ["n1"]


def test_interfaces_that_come_and_go_at_once(
    pair: WatchedPair, fresh_lan: Lan, figure: Figure
) -> None:
    """Beside 190 routers: 20 veths that join 250, and 300 that go with their namespace."""
    pair.desire(*others(190, first=FIRST))
    crowd.await_served(pair.engines, WATCHED + 190)
    for host in pair.hosts:
        crowd.add_veths(host, "p", 125)
    prefixes = (f"r{attempt}n" for attempt in itertools.count())
    namespace = f"{pair.hosts[0].namespace}-pods"

    def come() -> str:
        took = crowd.start_pods(pair.hosts, next(prefixes), 10)
        time.sleep(0.5)  # the kernel sends its last messages about them
        return "" if took < START_SECONDS_MAX else f"20 veths in {took:.1f} s"

    def go() -> str:
        crowd.make_namespace(namespace, pair.hosts, 300)
        crowd.delete_namespace(namespace, pair.hosts)
        return ""

    figure("20 veths beside 250", pair.assert_undisturbed(come))
    figure("300 veths that go", pair.assert_undisturbed(go))
    assert fresh_lan.holders(VIP) == ["n1"]


def test_interfaces_that_come_and_go_all_the_time(
    pair: WatchedPair, fresh_lan: Lan, figure: Figure
) -> None:
    """20 veth pairs a second beside 40 routers at 100 ms delay no advert and fill no memory."""
    pair.desire(*others(40, first=FIRST, interval=100))
    crowd.await_served(pair.engines, WATCHED + 40)
    crowd.churn(pair.hosts, 1.0)
    before = [_memory_kib(engine.pid("engine")) for engine in pair.engines]

    def churn() -> str:
        rate = crowd.churn(pair.hosts, CHURN_SECONDS)
        return "" if rate > RATE_MIN else f"{rate:.0f} veth pairs a second"

    figure("20 veth pairs a second", pair.assert_undisturbed(churn))
    for engine, memory_kib in zip(pair.engines, before, strict=True):
        assert _memory_kib(engine.pid("engine")) - memory_kib < GROWTH_KIB_MAX
    assert fresh_lan.holders(VIP) == ["n1"]


def _memory_kib(pid: int | None) -> int:
    """Return what a process has in memory that it does not share with others."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))
