"""Two of our speakers and Debian's keepalived on the third host share one virtual router."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from support.figures import Figure
from support.network_manifests import ROUTER, VIP, VIRTUAL_ROUTER_ID, manifest, virtual_ip
from support.speakers import (
    SETTLED_SECONDS,
    TAKEOVER_SECONDS,
    down_interval_seconds,
    limit_ms,
)
from vip_lab.client import Probing
from vip_lab.fleet import Fleet
from vip_lab.keepalived import Keepalived, KeepalivedInstance, version, why_no_keepalived
from vip_lab.lan import Lan
from vip_lab.wait import throughout, until

pytestmark = pytest.mark.skipif(why_no_keepalived() is not None, reason=str(why_no_keepalived()))

OURS = ("n1", "n2")
PRIORITIES = {"n1": 150, "n2": 140}
PEER = "n3"
HIGHER, LOWER = 200, 100
PROBE = f"icmp:{VIP}"
COMPLAINTS = ("invalid", "mismatch", "not match", "bogus", "wrong", "checksum")


@pytest.fixture(scope="module", params=[1000, 100], ids=["1s", "100ms"])
def interval_ms(request: pytest.FixtureRequest) -> int:
    """Advertisement_Interval of everybody."""
    value = request.param
    assert isinstance(value, int)
    return value


@pytest.fixture(scope="module")
def fleet(lan: Lan, interval_ms: int) -> Iterator[Fleet]:
    """Speakers on n1 and n2 that know of keepalived on n3 and preempt it where it is lower."""
    document = virtual_ip(
        interval_ms=interval_ms,
        placement={
            "priorities": [{"node": name, "priority": one} for name, one in PRIORITIES.items()]
        },
        vrrp={"additionalPeers": [lan[PEER].ipv4], "preemption": {"mode": "Always"}},
    )
    for name in OURS:  # the other interval's fleet must not be resumed
        shutil.rmtree(lan[name].directory / "state", ignore_errors=True)
    fleet = Fleet(lan, OURS, manifest(document))
    fleet.start()
    yield fleet
    fleet.end()


@pytest.fixture
def ours_active(fleet: Fleet) -> None:
    """Both speakers run and n1, the higher one, is Active."""
    for speaker in fleet:
        if not speaker.running:
            speaker.start()
    until(
        "n1 Active and n2 Backup",
        lambda: fleet.states(ROUTER) == {"n1": "Active", "n2": "Backup"},
        SETTLED_SECONDS,
        show=lambda: fleet.describe(ROUTER),
    )


def peer_with(lan: Lan, cleanup: ExitStack, priority: int, interval_ms: int) -> Keepalived:
    """Start keepalived on its host, to be gone after the test without a trace."""
    peer = Keepalived(
        lan[PEER], KeepalivedInstance(VIRTUAL_ROUTER_ID, priority, interval_ms, [VIP])
    )

    def remove() -> None:
        peer.kill()
        if lan[PEER].holds(VIP):
            lan[PEER].ip("address", "delete", f"{VIP}/32", "dev", "eth0")

    cleanup.callback(remove)
    peer.start()
    return peer


def assert_no_complaint(peer: Keepalived) -> None:
    """Keepalived found nothing wrong with our adverts."""
    lines = peer.log().lower().splitlines()
    complaints = [line for line in lines if any(word in line for word in COMPLAINTS)]
    assert complaints == []


@pytest.mark.usefixtures("ours_active")
def test_keepalived_as_active(
    fleet: Fleet, lan: Lan, interval_ms: int, cleanup: ExitStack, figure: Figure
) -> None:
    """A higher keepalived takes over from us, keeps us Backup, and when it stops we take over."""
    peer = peer_with(lan, cleanup, HIGHER, interval_ms)
    until(
        "keepalived alone to hold",
        lambda: lan.holders(VIP) == [PEER],
        SETTLED_SECONDS,
        show=lambda: f"{lan.holders(VIP)}\n{peer.log()[-2000:]}",
    )
    throughout(
        "we are Backups",
        lambda: set(fleet.states(ROUTER).values()) == {"Backup"},
        4 * interval_ms / 1000,
        every=0.1,
    )
    for speaker in fleet:
        router = speaker.router(ROUTER)
        assert router is not None
        assert router["activeSource"] == lan[PEER].ipv4
    assert_no_complaint(peer)
    with Probing(lan["client"], [PROBE], 1000) as probing:
        time.sleep(0.2)
        peer.stop()
        until("n1 alone to hold", lambda: lan.holders(VIP) == ["n1"], TAKEOVER_SECONDS)
        until("the client to follow", lambda: _mac(lan) == lan["n1"].mac, 2.0)
        time.sleep(0.2)
    figure(f"{version()} stopped, we took over", probing.result)
    skew_seconds = (256 - PRIORITIES["n1"]) / 256 * interval_ms / 1000
    assert probing.result.longest_gap_ms < limit_ms(skew_seconds, interval_ms, probing.result)


@pytest.mark.usefixtures("ours_active")
def test_keepalived_as_active_is_killed(
    lan: Lan, interval_ms: int, cleanup: ExitStack, figure: Figure
) -> None:
    """When a keepalived that is Active is cut off, we take over after our down interval."""
    peer = peer_with(lan, cleanup, HIGHER, interval_ms)
    until(
        "keepalived alone to hold",
        lambda: lan.holders(VIP) == [PEER],
        SETTLED_SECONDS,
        show=lambda: f"{lan.holders(VIP)}\n{peer.log()[-2000:]}",
    )
    time.sleep(2 * interval_ms / 1000)  # its adverts have told us its interval
    with Probing(lan["client"], [PROBE], 1000) as probing:
        lan.cut(PEER)
        cleanup.callback(lan.restore, PEER)
        peer.kill()
        until("n1 to hold", lambda: lan["n1"].holds(VIP), TAKEOVER_SECONDS)
        until("the client to follow", lambda: _mac(lan) == lan["n1"].mac, 2.0)
        time.sleep(0.2)
    figure("keepalived cut off, we took over", probing.result)
    down_seconds = down_interval_seconds(interval_ms, PRIORITIES["n1"])
    assert probing.result.longest_gap_ms < limit_ms(down_seconds, interval_ms, probing.result)


@pytest.mark.usefixtures("ours_active")
def test_keepalived_as_backup(
    fleet: Fleet, lan: Lan, interval_ms: int, cleanup: ExitStack, figure: Figure
) -> None:
    """A lower keepalived stays Backup, takes over when we stop, and gives way when we return."""
    peer = peer_with(lan, cleanup, LOWER, interval_ms)
    until("keepalived to be a backup", lambda: "backup state" in peer.log().lower(), 5.0)
    throughout(
        "n1 holds", lambda: lan.holders(VIP) == ["n1"], 5 * interval_ms / 1000 + 0.5, every=0.1
    )
    assert_no_complaint(peer)
    assert fleet["n2"].stop() == 0
    with Probing(lan["client"], [PROBE], 1000) as probing:
        time.sleep(0.2)
        assert fleet["n1"].stop() == 0
        until(
            "keepalived alone to hold",
            lambda: lan.holders(VIP) == [PEER],
            5.0,
            show=lambda: f"{lan.holders(VIP)}\n{peer.log()[-2000:]}",
        )
        until("the client to follow", lambda: _mac(lan) == lan[PEER].mac, 2.0)
        time.sleep(0.2)
    figure(f"we stopped, {version()} took over", probing.result)
    skew_seconds = (256 - LOWER) / 256 * interval_ms / 1000
    assert probing.result.longest_gap_ms < limit_ms(skew_seconds, interval_ms, probing.result)
    with Probing(lan["client"], [PROBE], 1000) as probing:
        for name in OURS:
            fleet[name].start()
        until("n1 alone to hold again", lambda: lan.holders(VIP) == ["n1"], SETTLED_SECONDS)
        until("the client to follow", lambda: _mac(lan) == lan["n1"].mac, 2.0)
        time.sleep(0.2)
    figure("we preempted keepalived", probing.result)
    assert probing.result.longest_gap_ms < limit_ms(0, interval_ms, probing.result)
    assert_no_complaint(peer)


def _mac(lan: Lan) -> str | None:
    return lan["client"].neighbour_mac(VIP)
