"""A host whose network works later than its speaker: it finds itself alone, and is not.

After a boot, or when a bond returns, a link has carrier for seconds before traffic passes
(spanning tree, LACP). The host takes over from silence; once it hears the others it gives way.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from support.figures import Figure
from support.network_manifests import NODES, ROUTER, VIP, manifest, virtual_ip
from support.speakers import SETTLED_SECONDS
from vip_lab.client import Probing
from vip_lab.fleet import Fleet
from vip_lab.lan import Lan
from vip_lab.wait import throughout, until

LATE, HOLDER = NODES[:2]  # the late one is preferred


def _fleet(lan: Lan, **vrrp: Any) -> Fleet:
    return Fleet(lan, NODES, manifest(virtual_ip(interval_ms=200, vrrp=vrrp)))


def _start_late(lan: Lan, fleet: Fleet) -> None:
    """Let the second host hold the address, and the first start where nothing passes."""
    for name in fleet.others(LATE):
        fleet[name].start_and_wait()
    until("n2 to hold it", lambda: lan.holders(VIP) == [HOLDER], SETTLED_SECONDS)
    lan.partition([LATE])
    fleet[LATE].start_and_wait()
    until("n1 to hold it too", lambda: LATE in lan.holders(VIP), SETTLED_SECONDS)


@pytest.fixture
def fleet(fresh_lan: Lan, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """Speakers that are not started, with these fields of spec.vrrp."""
    fleet = _fleet(fresh_lan, **request.param)
    yield fleet
    fleet.end()


def _since(fleet: Fleet) -> str:
    return str((fleet[HOLDER].router(ROUTER) or {})["since"])


@pytest.mark.parametrize("fleet", [{}], indirect=True)
def test_traffic_passes_after_a_while(fresh_lan: Lan, fleet: Fleet, figure: Figure) -> None:
    """The host that held the address before keeps it, in one life as Active, without loss."""
    _start_late(fresh_lan, fleet)
    since = _since(fleet)
    with Probing(fresh_lan["client"], [f"icmp:{VIP}"], 500) as probing:
        time.sleep(1)
        fresh_lan.heal()
        until("n2 alone", lambda: fresh_lan.holders(VIP) == [HOLDER], SETTLED_SECONDS)
        throughout("n2 alone", lambda: fresh_lan.holders(VIP) == [HOLDER], 3.0, every=0.1)
    figure("traffic passes late on a preferred host", probing.result)
    assert probing.result.longest_gap_ms < 200 + probing.result.late_ms_max
    assert _since(fleet) == since
    assert fleet.await_settled(ROUTER, SETTLED_SECONDS) == HOLDER


@pytest.mark.parametrize("fleet", [{"startDelaySeconds": 1}], indirect=True)
def test_traffic_passes_after_the_start_delay(fresh_lan: Lan, fleet: Fleet) -> None:
    """Both are established then, and priority decides, as in any partition that heals."""
    _start_late(fresh_lan, fleet)

    def established() -> bool:
        return (fleet[LATE].router(ROUTER) or {}).get("effectivePriority") == 254

    until("n1 to be established", established, 5.0)
    fresh_lan.heal()
    until("n1 alone", lambda: fresh_lan.holders(VIP) == [LATE], SETTLED_SECONDS)
    assert fleet.await_settled(ROUTER, SETTLED_SECONDS) == LATE
