"""The thread that sends adverts neither waits nor works without bound: under floods of adverts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from support import flood
from support.figures import Figure
from support.network_manifests import VIP
from support.undisturbed import Disturb, WatchedPair
from vip_lab.host import Host
from vip_lab.lan import Lan

pytestmark = pytest.mark.alone

RATE = 50_000
RATE_MIN = 0.8 * RATE
FLOOD_SECONDS = 6.0


@pytest.fixture
def pair(fresh_lan: Lan) -> Iterator[WatchedPair]:
    """A router at 100 ms and one at 1 s, on two hosts."""
    pair = WatchedPair(fresh_lan["n1"], fresh_lan["n2"])
    pair.start()
    yield pair
    pair.end()


def sender(host: Host, virtual_router_id: int, *rest: str) -> Disturb:
    """Return what floods the LAN from a host, and says if that was too slow."""
    words = ["eth0", host.ipv4, str(virtual_router_id), "1", str(RATE), str(FLOOD_SECONDS)]

    def send() -> str:
        process = host.start("flood", [sys.executable, flood.__file__, *words, *rest])
        assert process.wait(10 * FLOOD_SECONDS) == 0
        sent, took = (host.directory / "flood.log").read_text().split()[-2:]
        rate = int(sent) / float(took)
        return "" if rate > RATE_MIN else f"{rate:.0f} of {RATE} adverts a second"

    return send


@pytest.mark.parametrize(
    "flooded",
    [
        pytest.param((99,), id="foreign"),
        pytest.param((51, "bad-checksum"), id="bad-checksum-100ms"),
        pytest.param((52, "bad-checksum"), id="bad-checksum-1s"),
        pytest.param((51,), id="valid-100ms"),
        pytest.param((52,), id="valid-1s"),
    ],
)
def test_a_flood(
    pair: WatchedPair, fresh_lan: Lan, flooded: tuple[Any, ...], figure: Figure
) -> None:
    """50,000 adverts a second move nothing: of another VRID, wrong ones, and valid lower ones."""
    figure("turns", pair.assert_undisturbed(sender(fresh_lan["n3"], *flooded)))
    assert fresh_lan.holders(VIP) == ["n1"]
