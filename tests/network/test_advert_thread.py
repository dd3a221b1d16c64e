"""The thread that sends adverts neither waits nor works without bound, whatever happens."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support import flood
from support.bare_engine import SHOWN, BareEngine, router
from support.network_manifests import VIP
from support.punctual import Control
from vip_lab.lan import Lan

pytestmark = pytest.mark.alone

CPU_MILLISECONDS_MAX = 20.0
CONTROL_MILLISECONDS_MAX = 5.0
ATTEMPTS = 3
RATE = 50_000
RATE_MIN = 0.8 * RATE
FLOOD_SECONDS = 6.0
INTERVALS = pytest.mark.parametrize("interval", [100, 1000], ids=["100ms", "1s"])


@pytest.fixture
def pair(fresh_lan: Lan) -> Iterator[tuple[BareEngine, BareEngine]]:
    """Two engines, told of nothing yet."""
    engines = BareEngine(fresh_lan["n1"]), BareEngine(fresh_lan["n2"])
    for engine in engines:
        engine.start_and_wait()
    yield engines
    for engine in engines:
        engine.end()


def serve(pair: tuple[BareEngine, BareEngine], interval: int) -> None:
    """Make the first Active and the second its Backup."""
    for engine, priority, state in zip(pair, (254, 200), ("Active", "Backup"), strict=True):
        engine.desire(router(VIP, priority=priority, advertisement_interval_milliseconds=interval))
        engine.await_state(state)


def longest(engine: BareEngine, what: str) -> float:
    """Return the longest turn, or the greatest lateness, of the engine's life in ms."""
    return float(engine.status()["turns"][what]["longestMilliseconds"])


def transitions(engine: BareEngine) -> int:
    """Return how often the router changed its state."""
    found = engine.router(SHOWN)
    assert found is not None
    return int(found["counters"]["transitions"])


def undisturbed(pair: tuple[BareEngine, BareEngine], disturb: Callable[[], str]) -> None:
    """Assert that nothing moves meanwhile, and that no turn of either engine is long.

    It is done again, three times at most, where the machine let nobody be on time or `disturb` says
    what it fell short of. What is asserted holds each time; if all fell short the test is skipped.
    """
    before = [transitions(engine) for engine in pair]
    shortfalls = []
    for _ in range(ATTEMPTS):
        with Control() as control:
            shortfalls.append(disturb())
        assert [transitions(engine) for engine in pair] == before
        assert max(longest(engine, "processor") for engine in pair) < CPU_MILLISECONDS_MAX
        if not shortfalls[-1] and control.latest_milliseconds < CONTROL_MILLISECONDS_MAX:
            return
    if all(shortfalls):
        pytest.skip(f"This machine was too busy, and nothing moved: {'; '.join(shortfalls)}")


def sender(engine: BareEngine, virtual_router_id: int, *rest: str) -> Callable[[], str]:
    """Return what floods the LAN from an engine's host, and says if that was too slow."""
    words = ["eth0", engine.host.ipv4, str(virtual_router_id), "1", str(RATE), str(FLOOD_SECONDS)]

    def send() -> str:
        process = engine.host.start("flood", [sys.executable, flood.__file__, *words, *rest])
        assert process.wait(10 * FLOOD_SECONDS) == 0
        sent, took = (engine.host.directory / "flood.log").read_text().split()[-2:]
        rate = int(sent) / float(took)
        return "" if rate > RATE_MIN else f"{rate:.0f} of {RATE} adverts a second"

    return send


@INTERVALS
@pytest.mark.parametrize(
    "flooded", [(99,), (51, "bad-checksum"), (51,)], ids=["foreign", "bad-checksum", "valid"]
)
def test_a_flood(
    pair: tuple[BareEngine, BareEngine], fresh_lan: Lan, flooded: tuple[Any, ...], interval: int
) -> None:
    """50,000 adverts a second move nothing: of another VRID, wrong ones, and valid lower ones."""
    serve(pair, interval)
    undisturbed(pair, sender(BareEngine(fresh_lan["n3"]), *flooded))
    assert fresh_lan.holders(VIP) == ["n1"]
