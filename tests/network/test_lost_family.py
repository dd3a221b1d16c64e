"""A family that goes away on a host takes the other one with it on none."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from support.figures import Figure
from support.network_manifests import NODES, ROUTER, VIP, VIP6, manifest, virtual_ip
from support.speakers import SETTLED_SECONDS
from vip_lab.client import Probing
from vip_lab.fleet import Fleet
from vip_lab.host import Host
from vip_lab.lan import Lan
from vip_lab.wait import throughout, until

INTERVAL_MS = 1000


@pytest.fixture
def fleet(fresh_lan: Lan) -> Iterator[Fleet]:
    """Three speakers with one dual-stack vip.yaml, all settled."""
    fleet = Fleet(
        fresh_lan, NODES, manifest(virtual_ip(addresses=[VIP, VIP6], interval_ms=INTERVAL_MS))
    )
    fleet.start()
    fleet.await_settled(ROUTER, SETTLED_SECONDS)
    yield fleet
    fleet.end()


def switch_ipv6(host: Host, *, on: bool) -> None:
    """Switch IPv6 on the host's card off, or on again with the address that it had."""
    host.run("sysctl", "-qw", f"net.ipv6.conf.eth0.disable_ipv6={0 if on else 1}")
    if on:
        host.ip("address", "add", f"{host.ipv6}/64", "dev", "eth0", "nodad")


def test_ipv6_is_switched_off_on_one_host_after_the_other(
    fresh_lan: Lan, fleet: Fleet, figure: Figure
) -> None:
    """IPv4 is served on by somebody all the time, and each host says which family is out."""
    holder = fleet.await_holder(VIP, NODES, 2.0)
    with Probing(fresh_lan["client"], [f"icmp:{VIP}"], 500) as probing:
        for name in [holder, *fleet.others(holder)]:
            switch_ipv6(fresh_lan[name], on=False)
            time.sleep(4 * INTERVAL_MS / 1000)
        throughout("one holder", lambda: len(fresh_lan.holders(VIP)) == 1, 4.0, every=0.1)
    figure("IPv6 off on every host", probing.result)
    assert probing.result.longest_gap_ms < 100 + probing.result.late_ms_max
    assert not fresh_lan.holders(VIP6)
    for name in NODES:
        family = fleet[name].router(ROUTER, "IPv6") or {}
        assert (family["state"], family["missing"]) == ("Initialize", 1), family
        assert VIP6 in family["message"], family
    assert fleet.actives(ROUTER, "IPv4") == fresh_lan.holders(VIP)


def test_the_host_that_has_both_takes_over(fresh_lan: Lan, fleet: Fleet, figure: Figure) -> None:
    """One with both families replaces one with IPv4 alone, also where nobody preempts."""
    holder = fleet.await_holder(VIP, NODES, 2.0)
    with Probing(fresh_lan["client"], [f"icmp:{VIP}"], 500) as probing:
        for name in NODES:
            switch_ipv6(fresh_lan[name], on=False)
        until("nobody with IPv6", lambda: not fresh_lan.holders(VIP6), 5.0)
        until("one holder", lambda: len(fresh_lan.holders(VIP)) == 1, 5.0)
        fuller = fleet.others(fresh_lan.holders(VIP)[0])[0]
        switch_ipv6(fresh_lan[fuller], on=True)
        until("both on the fuller host", lambda: fresh_lan.holders(VIP6) == [fuller], 6.0)
        until("IPv4 too", lambda: fresh_lan.holders(VIP) == [fuller], 1.0)
    figure("a host with both families", probing.result)
    assert probing.result.longest_gap_ms < 100 + probing.result.late_ms_max
    for name in NODES:
        if name != fuller:
            switch_ipv6(fresh_lan[name], on=True)
    assert fleet.await_settled(ROUTER, SETTLED_SECONDS) == fuller
    assert holder in NODES
