"""A host's card becomes a port of a bridge: its adverts and addresses belong on the bridge."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.network_manifests import NODES, ROUTER, VIP, manifest, virtual_ip
from support.speakers import SETTLED_SECONDS
from vip_lab.client import Probing
from vip_lab.fleet import Fleet
from vip_lab.host import Host
from vip_lab.lan import Lan
from vip_lab.wait import throughout, until

SERVED_AGAIN_MS = 4000.0


@pytest.fixture(params=[[], ["eth0"]], ids=["by subnet", "named"])
def fleet(fresh_lan: Lan, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """A speaker on each host, all settled."""
    vrrp = {"interfaces": request.param} if request.param else {}
    fleet = Fleet(fresh_lan, NODES, manifest(virtual_ip(vrrp=vrrp)))
    fleet.start()
    fleet.await_settled(ROUTER, SETTLED_SECONDS)
    yield fleet
    fleet.end()


def enslave(host: Host) -> None:
    """Put the host's card into a bridge; the host's own address stays on the card."""
    host.ip("link", "add", "br0", "type", "bridge")
    host.ip("link", "set", "br0", "up")
    host.ip("link", "set", "eth0", "master", "br0")


def move_address(host: Host) -> None:
    """Do the second half: the address goes to the bridge."""
    host.ip("address", "delete", f"{host.ipv4}/24", "dev", "eth0")
    host.ip("address", "add", f"{host.ipv4}/24", "dev", "br0")


def test_on_a_backup(fresh_lan: Lan, fleet: Fleet) -> None:
    """It takes no part while only the port has the address, and is Backup again on the bridge."""
    holder = fleet.await_holder(VIP, NODES, 2.0)
    name = fleet.others(holder)[0]
    enslave(fresh_lan[name])

    def says_so() -> bool:
        router = fleet[name].router(ROUTER) or {}
        return router["state"] == "Initialize" and "eth0 is a port of br0" in router["message"]

    until("the reason", says_so, 2.0, show=lambda: fleet[name].router(ROUTER))
    throughout("one holder", lambda: fresh_lan.holders(VIP) == [holder], 8.0, every=0.1)
    assert says_so()
    move_address(fresh_lan[name])
    until("Backup", lambda: fleet[name].state(ROUTER) == "Backup", 4.0)
    until("it to hear", lambda: (fleet[name].router(ROUTER) or {})["activeSource"], 4.0)
    throughout("one holder", lambda: fresh_lan.holders(VIP) == [holder], 5.0, every=0.1)
    assert (fleet[name].router(ROUTER) or {})["interface"] == "br0"


def test_on_the_holder(fresh_lan: Lan, fleet: Fleet) -> None:
    """The address is served on, and by nobody else at the same time."""
    holder = fleet.await_holder(VIP, NODES, 2.0)
    host = fresh_lan[holder]
    with Probing(fresh_lan["client"], [f"icmp:{VIP}"], 200) as probing:
        enslave(host)
        move_address(host)
        throughout("no two holders", lambda: len(fresh_lan.holders(VIP)) <= 1, 8.0, every=0.05)
    assert probing.result.longest_gap_ms < SERVED_AGAIN_MS + probing.result.late_ms_max
    fleet.await_settled(ROUTER, SETTLED_SECONDS)
