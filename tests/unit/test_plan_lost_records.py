"""The plan where VirtualRouters are lost: what nodes still run keeps its VRID."""

from __future__ import annotations

import msgspec
import pytest

from support.resources import lan, router_of, vip
from vip_model.planning.claims import by_name
from vip_model.planning.inputs import PlanInputs, Settings
from vip_model.planning.plan import Plan, plan
from vip_model.resources.virtual_ip import RouterSummary, VirtualIP, VirtualIPStatus
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.vocabulary import Family


def shown(virtual_ip: VirtualIP, virtual_router_id: int, router: str = "") -> VirtualIP:
    """Return a VirtualIP whose status shows a VRID."""
    summary = RouterSummary(
        name=router or virtual_ip.router_name,
        family=Family.IPV4,
        virtual_router_id=virtual_router_id,
    )
    return msgspec.structs.replace(virtual_ip, status=VirtualIPStatus(routers=(summary,)))


def planned(*virtual_ips: VirtualIP, allocated: tuple[VirtualRouter, ...] = ()) -> Plan:
    """Return the plan of a cluster of three nodes."""
    return plan(PlanInputs(virtual_ips=virtual_ips, speakers=lan(3), allocated=allocated))


def id_of(found: Plan, name: str = "vip.shop.web") -> int:
    """Return the VRID of an election."""
    return router_of(found, name).spec.instances[0].virtual_router_id


def test_a_lost_virtual_router_comes_back_with_the_id_that_the_status_shows() -> None:
    """Where there is no VirtualRouter, the VRID in the status is used, not that of the name."""
    other = by_name("vip.shop.web") % 255 + 1
    assert id_of(planned(shown(vip(), other))) == other


def test_what_is_allocated_counts_more_than_the_status() -> None:
    """The VirtualRouter is the record: a status that shows another VRID changes nothing."""
    before = router_of(planned(vip()))
    other = before.spec.instances[0].virtual_router_id % 255 + 1
    assert id_of(planned(shown(vip(), other), allocated=(before,))) == by_name("vip.shop.web")


def test_what_the_user_writes_counts_more_than_the_status() -> None:
    """A VRID in the spec is used whatever the status shows."""
    assert id_of(planned(shown(vip(vrrp={"virtualRouterID": 7}), 9))) == 7


def test_a_new_election_does_not_take_the_id_of_a_lost_one() -> None:
    """The VRID of a lost VirtualRouter is taken before new elections choose theirs."""
    wanted = by_name("vip.shop.aaa")
    lost = shown(vip("web", addresses=["192.0.2.101"]), wanted)
    found = planned(vip("aaa"), lost)
    assert id_of(found) == wanted
    assert id_of(found, "vip.shop.aaa") != wanted


def test_an_id_that_was_given_away_meanwhile_is_not_taken_back() -> None:
    """Another election that has the VRID keeps it, and the lost one gets a new one."""
    holder = router_of(planned(vip("aaa", vrrp={"virtualRouterID": 9})), "vip.shop.aaa")
    lost = shown(vip("web", addresses=["192.0.2.101"]), 9)
    found = planned(vip("aaa"), lost, allocated=(holder,))
    assert id_of(found, "vip.shop.aaa") == 9
    assert id_of(found) == by_name("vip.shop.web") != 9


def test_the_status_of_another_election_says_nothing() -> None:
    """After a change of the group the status still shows the former election: it is ignored."""
    virtual_ip = shown(vip(group="front"), 9, router="vip.shop.web")
    assert id_of(planned(virtual_ip), "group.shop.front") == by_name("group.shop.front") != 9


@pytest.mark.parametrize("number", [0, 256, -1])
def test_a_status_that_shows_no_possible_id_is_ignored(number: int) -> None:
    """A number that is no VRID is not used."""
    assert id_of(planned(shown(vip(), number))) == by_name("vip.shop.web")


def test_an_id_that_became_reserved_stays_where_it_runs() -> None:
    """Reserving a VRID later takes it from nobody, also if the VirtualRouter is lost."""
    settings = Settings(reserved_virtual_router_ids=frozenset({9}))
    found = plan(PlanInputs(virtual_ips=[shown(vip(), 9)], speakers=lan(3), settings=settings))
    assert id_of(found) == 9


def test_without_a_cluster_the_status_says_nothing() -> None:
    """In static mode nothing depends on a status that was copied into the file."""
    found = plan(PlanInputs(virtual_ips=[shown(vip(), 9)]))
    assert id_of(found) == by_name("vip.shop.web") != 9


def test_the_members_of_a_group_agree() -> None:
    """Of members that show different VRIDs the first one counts for the whole group."""
    one = shown(vip("one", group="front"), 9)
    two = shown(vip("two", group="front", addresses=["192.0.2.101"]), 10)
    assert id_of(planned(one, two), "group.shop.front") == 9
