"""A VRID that somebody else uses on a network is left alone there, and only there."""

from __future__ import annotations

from collections.abc import Sequence

from support.resources import router_of, speaker, vip
from vip_model.claims import by_name
from vip_model.inputs import PlanInputs
from vip_model.plan import Plan, plan
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
