"""One VirtualIP with an IPv4 and an IPv6 address: one election, both move together."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from scapy.layers.inet6 import ICMPv6ND_NA, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.layers.vrrp import VRRPv3

from support.figures import Figure
from support.network_manifests import NODES, ROUTER, VIP, VIP6, manifest, virtual_ip
from support.speakers import TAKEOVER_SECONDS, bring_back, down_interval_seconds, limit_ms
from vip_lab.capture import Capture
from vip_lab.client import Probing, fetch
from vip_lab.fleet import Fleet
from vip_lab.lan import Lan
from vip_lab.wait import until
from vip_lab.web import WebServer

INTERVAL_MS = 200
DOWN_SECONDS = down_interval_seconds(INTERVAL_MS)
PROBES = [f"icmp:{VIP}", f"icmp:{VIP6}"]


@pytest.fixture(scope="module")
def fleet(lan: Lan) -> Iterator[Fleet]:
    """Three speakers with one dual-stack vip.yaml, and a web server on each host."""
    servers = [WebServer(lan[name]) for name in NODES]
    for server in servers:
        server.start()
    fleet = Fleet(lan, NODES, manifest(virtual_ip(addresses=[VIP, VIP6], interval_ms=INTERVAL_MS)))
    fleet.start()
    yield fleet
    fleet.end()
    for server in servers:
        server.stop()


@pytest.fixture
def holder(fleet: Fleet) -> str:
    """The host that holds both addresses, all being well again."""
    return bring_back(fleet)


def test_both_families_answer_from_one_host(fleet: Fleet, lan: Lan, holder: str) -> None:
    """One host holds both addresses and serves through both."""
    assert lan.holders(VIP) == lan.holders(VIP6) == [holder]
    assert fleet.actives(ROUTER, "IPv4") == fleet.actives(ROUTER, "IPv6") == [holder]
    for address in (VIP, VIP6):
        assert fetch(lan["client"], address) == f"This page comes from {holder}."


def test_ipv6_adverts_are_as_the_rfc_wants_them(lan: Lan, holder: str, pcap: Path) -> None:
    """IPv6 adverts come from the link-local address with hop limit 255 and list one first."""
    with Capture(lan["client"], pcap, "ip6 proto 112") as capture:
        until("three adverts", lambda: len(capture.frames()) >= 3, 5.0)
    for frame in capture.frames():
        packet = Ether(frame.data)
        assert packet[IPv6].src == lan[holder].link_local
        assert packet[IPv6].dst == "ff02::12"
        assert packet[IPv6].hlim == 255
        listed = packet[VRRPv3].addrlist
        assert listed[0].startswith("fe80:")
        assert listed[1] == VIP6


def test_clean_stop_moves_both_without_loss(
    fleet: Fleet, lan: Lan, holder: str, pcap: Path, figure: Figure
) -> None:
    """Both addresses are announced by the successor and neither loses a probe."""
    with (
        Capture(lan["client"], pcap, "arp or icmp6") as capture,
        Probing(lan["client"], PROBES, 1000) as probing,
    ):
        time.sleep(0.2)
        assert fleet[holder].stop() == 0
        new_holder = fleet.await_holder(VIP, fleet.others(holder), 2.0)
        until("IPv6 to follow", lambda: lan.holders(VIP6) == [new_holder], 2.0)
        time.sleep(0.2)
    for target, result in probing.results.items():
        figure(f"dual stack, clean stop, {target}", result)
        assert result.lost <= 5, (target, str(result))
    frames = [Ether(frame.data) for frame in capture.frames()]
    mac = lan[new_holder].mac
    assert any(
        ARP in one and one[ARP].psrc == one[ARP].pdst == VIP and one[ARP].hwsrc == mac
        for one in frames
    )
    unsolicited = [
        one
        for one in frames
        if ICMPv6ND_NA in one and one[ICMPv6ND_NA].tgt == VIP6 and one.src == mac
    ]
    assert any(one[ICMPv6ND_NA].S == 0 and one[ICMPv6ND_NA].O == 1 for one in unsolicited)


def test_cut_link_moves_both(fleet: Fleet, lan: Lan, holder: str, figure: Figure) -> None:
    """After a cut both addresses are at one other host within the protocol's own bound."""
    with Probing(lan["client"], PROBES, 1000) as probing:
        time.sleep(0.1)
        lan.cut(holder)
        new_holder = fleet.await_holder(VIP, fleet.others(holder), TAKEOVER_SECONDS)
        until("IPv6 to follow", lambda: lan.holders(VIP6) == [new_holder], 1.0)
        time.sleep(0.3)
    for target, result in probing.results.items():
        figure(f"dual stack, link cut, {target}", result)
        assert result.longest_gap_ms < limit_ms(DOWN_SECONDS, INTERVAL_MS, result), target


def test_adverts_of_one_family_keep_the_holder(fleet: Fleet, lan: Lan, holder: str) -> None:
    """With IPv4 adverts lost on the way, the IPv6 ones alone keep the others Backup."""
    rule = "add table inet lost; add chain inet lost out { type filter hook output priority 0; }; "
    rule += "add rule inet lost out ip protocol 112 drop"
    lan[holder].run("nft", rule)
    try:
        began = time.monotonic()
        while time.monotonic() - began < 3 * DOWN_SECONDS:
            assert lan.holders(VIP) == lan.holders(VIP6) == [holder]
            time.sleep(0.05)
    finally:
        lan[holder].run("nft", "delete table inet lost")
