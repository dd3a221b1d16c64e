"""The lab itself: what it reports is true, with keepalived on the hosts as a known quantity."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.network_manifests import VIP, VIRTUAL_ROUTER_ID
from vip_lab import namespaces
from vip_lab.capture import Capture
from vip_lab.client import Probing, answers, fetch
from vip_lab.host import Host
from vip_lab.keepalived import Keepalived, KeepalivedInstance, why_no_keepalived
from vip_lab.lan import Lan
from vip_lab.namespaces import LabError
from vip_lab.wait import until
from vip_lab.web import WebServer

# A probe or its answer may be on its way for so long, and the next probe is a period away.
ON_ITS_WAY_MS = 20.0

needs_keepalived = pytest.mark.skipif(
    why_no_keepalived() is not None, reason=str(why_no_keepalived())
)


@pytest.fixture
def pair(lan: Lan) -> Iterator[dict[str, Keepalived]]:
    """The two hosts n1 (preferred) and n2 with keepalived, adverts every 100 ms."""
    peers = {
        name: Keepalived(lan[name], KeepalivedInstance(VIRTUAL_ROUTER_ID, priority, 100, [VIP]))
        for name, priority in (("n1", 200), ("n2", 150))
    }
    for peer in peers.values():
        peer.start()
    until("n1 alone to hold the address", lambda: lan.holders(VIP) == ["n1"], 5.0)
    yield peers
    for peer in peers.values():
        peer.kill()
    for host in lan.hosts:
        if host.holds(VIP):
            host.ip("address", "delete", f"{VIP}/32", "dev", "eth0")


def test_prober_counts_what_it_lost_and_for_how_long(lan: Lan) -> None:
    """A link cut for half a second costs half a second of probes, and the gap says when."""
    client, address = lan["client"], lan["n1"].ipv4

    def restore() -> None:
        lan.restore("n1")
        until("n1 to be reached again", lambda: _echoes(client, address), 5.0)

    before_ms = _now_ms()
    with Probing(client, [f"icmp:{address}"], 1000) as probing:
        running_ms = _now_ms()
        time.sleep(0.3)
        cut_from_ms, cut_by_ms = _from_and_by_ms(lambda: lan.cut("n1"))
        time.sleep(0.5)
        restored_from_ms, restored_by_ms = _from_and_by_ms(restore)
        time.sleep(0.3)
    result = probing.result
    slack_ms = ON_ITS_WAY_MS + result.late_ms_max
    least_ms = restored_from_ms - cut_by_ms - slack_ms
    most_ms = restored_by_ms - cut_from_ms + slack_ms
    told = (str(result), least_ms, most_ms)
    assert least_ms < result.longest_gap_ms < most_ms, told
    assert least_ms - result.skipped < result.lost < most_ms, told
    # The first probe went out after `before_ms`, and by `running_ms`.
    least_ms, most_ms = cut_from_ms - running_ms - slack_ms, cut_by_ms - before_ms + slack_ms
    assert least_ms < result.longest_gap_at_seconds * 1000 < most_ms, (result, least_ms, most_ms)


def _now_ms() -> float:
    return time.monotonic_ns() / 1e6


def _from_and_by_ms(act: Callable[[], object]) -> tuple[float, float]:
    """Return the times between which something took effect."""
    from_ms = _now_ms()
    act()
    return from_ms, _now_ms()


def _echoes(client: Host, address: str) -> bool:
    with contextlib.suppress(LabError):
        client.run("ping", "-c1", "-W0.1", address)
        return True
    return False


def test_prober_loses_nothing_on_a_healthy_lan(lan: Lan) -> None:
    """At 1000 probes a second to three targets nothing is lost and the pace is kept."""
    web = WebServer(lan["n1"])
    web.start()
    targets = [f"icmp:{lan['n1'].ipv4}", f"icmp:{lan['n1'].ipv6}", f"tcp:{lan['n1'].ipv4}:80"]
    with Probing(lan["client"], targets, 1000) as probing:
        time.sleep(1.0)
    web.stop()
    for target, result in probing.results.items():
        assert result.lost == 0, (target, str(result))
        assert result.sent + result.skipped > 900, (target, str(result))


def test_prober_tells_refused_from_silent(lan: Lan) -> None:
    """A host without a web server refuses connections, which is no answer."""
    with Probing(lan["client"], [f"tcp:{lan['n2'].ipv4}:80"], 100) as probing:
        time.sleep(0.2)
    assert probing.result.refused == probing.result.lost == probing.result.sent > 0


def test_web_server_says_where_it_is(lan: Lan) -> None:
    """The page names its host over IPv4 and IPv6, and is gone once the server is stopped."""
    web = WebServer(lan["n2"])
    web.start()
    for address in (lan["n2"].ipv4, lan["n2"].ipv6):
        assert fetch(lan["client"], address) == "This page comes from n2."
    web.stop()
    assert answers(lan["client"], lan["n2"].ipv4) is None


def test_partition_splits_without_carrier_loss(lan: Lan) -> None:
    """Across a partition nobody is heard, on one's own side everybody is, and the link is up."""
    page = WebServer(lan["n1"])
    page.start()
    lan.partition(["n1"])
    assert answers(lan["client"], lan["n1"].ipv4) is None
    assert "LOWER_UP" in lan["n1"].ip("link", "show", "dev", "eth0")
    lan.partition(["client"])
    assert until("the other side", lambda: answers(lan["client"], lan["n1"].ipv4), 2.0)
    lan.heal()
    assert until("the whole", lambda: answers(lan["client"], lan["n1"].ipv4), 2.0)
    page.stop()


@needs_keepalived
def test_keepalived_moves_an_address(lan: Lan, pair: dict[str, Keepalived], pcap: Path) -> None:
    """Stopped on one host, keepalived serves from the other; adverts and loss are seen."""
    with (
        Capture(lan["client"], pcap, "ip proto 112") as capture,
        Probing(lan["client"], [f"icmp:{VIP}"], 1000) as probing,
    ):
        time.sleep(0.3)
        pair["n1"].stop()
        until("n2 alone to hold the address", lambda: lan.holders(VIP) == ["n2"], 5.0)
        until("the client to follow", lambda: lan["client"].neighbour_mac(VIP) == lan["n2"].mac, 2)
        time.sleep(0.2)
    # It lets go before the other binds: that is what the lab must be able to see.
    assert 0 < probing.result.lost < 500, str(probing.result)
    sources = {socket.inet_ntoa(frame.data[26:30]) for frame in capture.frames()}
    assert sources == {lan["n1"].ipv4, lan["n2"].ipv4}


def test_nothing_is_left_behind() -> None:
    """A LAN is gone with its processes, namespaces and files, also when its block failed."""
    small = Lan(["n1"])

    def use_it_and_fail() -> None:
        with small:
            small["n1"].start("sleep", ["sleep", "60"])
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        use_it_and_fail()
    assert not small["n1"].processes[0].running
    assert not small.directory.exists()
    assert small["n1"].namespace not in namespaces.run("ip", "netns", "list")


def test_sweep_removes_what_a_killed_run_left() -> None:
    """A namespace whose owner is gone disappears with what runs in it; others stay."""
    orphan = f"{namespaces.PREFIX}-{2**22}-1-1-n1"  # no process has an id that high
    namespaces.add(orphan)
    try:
        with Lan(["n1"]) as kept:
            assert orphan not in namespaces.run("ip", "netns", "list")
            namespaces.sweep()
            assert kept["n1"].namespace in namespaces.run("ip", "netns", "list")
    finally:
        namespaces.remove(orphan)
