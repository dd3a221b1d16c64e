"""One link-local address on two links: two virtual routers, since it is another one on each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from support.network_manifests import NODES, manifest, virtual_ip
from support.speakers import SETTLED_SECONDS
from vip_lab.fleet import Fleet
from vip_lab.host import Host
from vip_lab.lan import Lan
from vip_lab.wait import until

GATEWAY = "fe80::1"
CARDS = ("eth0", "eth1")
MANIFEST = manifest(
    *(
        virtual_ip(
            name=f"gateway-{card}",
            addresses=[GATEWAY],
            virtual_router_id=61 + number,
            vrrp={"interfaces": [card]},
        )
        for number, card in enumerate(CARDS)
    )
)


@pytest.fixture
def fleet(fresh_lan: Lan) -> Iterator[Fleet]:
    """Three speakers on hosts with a card in each of two networks."""
    for number, name in enumerate(NODES, start=11):
        fresh_lan.add_card(name, CARDS[1], f"198.51.100.{number}/24")
    fleet = Fleet(fresh_lan, NODES, MANIFEST)
    fleet.start()
    yield fleet
    fleet.end()


def tagged(host: Host, card: str) -> Mapping[str, Any] | None:
    """Return what the kernel knows of the gateway's address on a card."""
    return host.addresses(card).get(GATEWAY)


def test_each_link_has_its_own_holder(fresh_lan: Lan, fleet: Fleet) -> None:
    """The address is there on both; a link that is lost moves its own and leaves the other."""
    routers = {card: f"default/gateway-{card}" for card in CARDS}
    for router in routers.values():
        fleet.await_settled(router, SETTLED_SECONDS, "IPv6")
    holder = fleet.actives(routers["eth0"], "IPv6")[0]
    assert fleet.actives(routers["eth1"], "IPv6") == [holder]
    assert all(tagged(fresh_lan[holder], card) for card in CARDS)

    fresh_lan.cut(holder, "eth1")

    def moved() -> list[str]:
        return [name for name in fleet.others(holder) if tagged(fresh_lan[name], "eth1")]

    until("another holder on the second link", moved, SETTLED_SECONDS)
    until("none on the lost card", lambda: not tagged(fresh_lan[holder], "eth1"), 3.0)
    assert tagged(fresh_lan[holder], "eth0")
    assert not any(tagged(fresh_lan[name], "eth0") for name in fleet.others(holder))
