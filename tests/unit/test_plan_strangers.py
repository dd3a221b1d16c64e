"""A VRID that somebody else uses on a network is left alone there, and only there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from support.resources import router_of, speaker, vip
from vip_model.planning.claims import by_name
from vip_model.planning.inputs import PlanInputs
from vip_model.planning.plan import Plan, plan
from vip_model.resources.speaker import ForeignRouter, Speaker
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouter

WANTED = by_name("vip.shop.web")
STRANGER = ForeignRouter(interface="eth1", virtual_router_id=WANTED, source="198.51.100.77")
INTERFACES = {"eth0": ["192.0.2.1/24"], "eth1": ["198.51.100.1/24"]}
HERE, THERE = "198.51.100.100", "192.0.2.100"


def plan_of(
    virtual_ip: VirtualIP, reports: Sequence[Speaker], allocated: Sequence[VirtualRouter] = ()
) -> Plan:
    """Return the plan of one VirtualIP."""
    return plan(PlanInputs(virtual_ips=[virtual_ip], speakers=reports, allocated=allocated))


def reports(*foreign: ForeignRouter) -> list[Speaker]:
    """Return the reports of two nodes, the first of which hears strangers."""
    second = {"eth0": ["192.0.2.2/24"], "eth1": ["198.51.100.2/24"]}
    return [speaker("n1", INTERFACES, foreign=foreign), speaker("n2", second)]


def virtual_router_id(found: Plan) -> int:
    """Return the VRID of the one router."""
    return router_of(found).spec.instances[0].virtual_router_id


def test_an_allocation_avoids_it() -> None:
    """What one node hears keeps the VRID from being used on that network."""
    found = plan_of(vip(addresses=[HERE]), reports(STRANGER))
    assert virtual_router_id(found) == WANTED % 255 + 1
    assert found.warnings == ()


def test_another_network_is_another_matter() -> None:
    """On the node's other interface the same VRID is free."""
    found = plan_of(vip(addresses=[THERE]), reports(STRANGER))
    assert virtual_router_id(found) == WANTED
    assert found.warnings == ()


def test_an_election_that_has_it_keeps_it_with_a_warning() -> None:
    """A stranger who comes later moves nothing: it is said who it is, and what can be done."""
    virtual_ip = vip(addresses=[HERE])
    before = plan_of(virtual_ip, reports())
    found = plan_of(virtual_ip, reports(STRANGER), before.virtual_routers)
    assert found.virtual_routers == before.virtual_routers
    (warning,) = found.warnings
    assert f"198.51.100.77, which is none of our nodes, speaks with {WANTED}" in warning.message
    gone = plan_of(virtual_ip, reports(), before.virtual_routers)
    assert gone.warnings == ()


# --- beside keepalived ---------------------------------------------------------------------------

PEER, OTHER = "198.51.100.5", "198.51.100.6"


def speaks(virtual_router_id: int, source: str = PEER) -> ForeignRouter:
    """Return somebody else's virtual router."""
    return ForeignRouter(interface="eth1", virtual_router_id=virtual_router_id, source=source)


def beside(*peers: str, **vrrp: Any) -> VirtualIP:
    """Return a VirtualIP that shares its addresses with routers that are not ours."""
    return vip("shared", addresses=["198.51.100.51"], vrrp={"additionalPeers": peers, **vrrp})


def test_a_peer_is_a_stranger_to_all_other_elections() -> None:
    """Of a peer only the VRID that is shared with it is ours; its others are left alone."""
    heard = reports(speaks(51), speaks(WANTED))
    shared = beside(PEER, virtualRouterID=51)
    both = [shared, vip(addresses=[HERE])]
    found = plan(PlanInputs(virtual_ips=both, speakers=heard, allocated=()))
    assert virtual_router_id(found) == WANTED % 255 + 1
    assert router_of(found, "vip.shop.shared").spec.instances[0].virtual_router_id == 51
    assert found.warnings == ()


def test_another_election_with_the_virtual_router_id_of_a_peer_is_warned() -> None:
    """A VRID that a declared peer of another VirtualIP uses brings a warning."""
    heard = reports(speaks(51), speaks(60))
    shared = beside(PEER, virtualRouterID=51)
    mine = vip(addresses=[HERE], vrrp={"virtualRouterID": 60})
    found = plan(PlanInputs(virtual_ips=[shared, mine], speakers=heard, allocated=()))
    (warning,) = found.warnings
    assert warning.object == "VirtualIP shop/web"
    assert f"{PEER}, which is none of our nodes, speaks with 60" in warning.message


@pytest.mark.parametrize("peers", [(PEER,), (OTHER,), ()])
def test_each_router_that_is_not_listed_is_named(peers: tuple[str, ...]) -> None:
    """Of two strangers with the VRID of an election, one that is not listed is warned about."""
    found = plan_of(beside(*peers, virtualRouterID=51), reports(speaks(51), speaks(51, OTHER)))
    (warning,) = found.warnings
    assert warning.message.split(",")[0] in {PEER, OTHER} - set(peers)


def test_a_peer_is_the_same_however_it_is_spelled() -> None:
    """FE80::5 in the list is the fe80::5 that is heard."""
    heard = speaker(
        "n1",
        {"eth1": ["2001:db8::1/64", "fe80::1/64"]},
        foreign=[speaks(51, "fe80::5")],
    )
    vrrp = {"virtualRouterID": 51, "additionalPeers": ["FE80:0::5"]}
    found = plan_of(vip(addresses=["2001:db8::51"], vrrp=vrrp), [heard])
    assert found.warnings == ()


def test_without_a_written_virtual_router_id_the_one_of_the_name_is_shared() -> None:
    """A peer that speaks with the VRID of the name was set up for it; with others it was not."""
    wanted = by_name("vip.shop.shared")
    for heard, expected in ((wanted, wanted), (wanted % 255 + 1, wanted)):
        found = plan_of(beside(PEER), reports(speaks(heard)))
        router = router_of(found, "vip.shop.shared")
        assert router.spec.instances[0].virtual_router_id == expected
        assert found.warnings == ()
    found = plan_of(beside(PEER), reports(speaks(wanted, OTHER), speaks(wanted % 255 + 1)))
    router = router_of(found, "vip.shop.shared")
    assert router.spec.instances[0].virtual_router_id == (wanted + 1) % 255 + 1
