"""What is accepted can be written: no VirtualRouter of a plan breaks the limits of its kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from support.planned_cluster import PlannedCluster, declared
from support.plans import confirmed
from support.resources import lan, node, router_of, speaker, vip
from vip_model.planning.inputs import PlanInputs
from vip_model.planning.plan import Plan, plan
from vip_model.planning.rank import sources_of
from vip_model.resources.speaker import Speaker
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.schema.limits import check_limits
from vip_model.vocabulary import Reason

GROUP = "group.shop.front"
# IPv4 and IPv6 addresses each have limits of their own: 256 VirtualIPs need both.
ADDRESSES = [f"192.0.2.{n}" for n in range(10, 255)] + [f"2001:db8::1:{n:x}" for n in range(20)]


def in_cluster(
    virtual_ips: Sequence[VirtualIP],
    allocated: Sequence[VirtualRouter] = (),
    speakers: Sequence[Speaker] | None = None,
) -> Plan:
    """Return the plan of a cluster, none of whose VirtualRouters breaks a limit."""
    nodes = [node(f"n{number}") for number in (1, 2, 3)]
    reports = lan(3) if speakers is None else speakers
    found = plan(
        PlanInputs(virtual_ips=virtual_ips, speakers=reports, allocated=allocated, nodes=nodes)
    )
    for router in found.virtual_routers:
        assert list(check_limits(router.spec, "spec")) == []
    return found


def member(name: str, *addresses: str, **spec: Any) -> VirtualIP:
    """Return a VirtualIP of the group."""
    return vip(name, addresses=list(addresses), group="front", **spec)


def crowd(count: int) -> list[VirtualIP]:
    """Return so many members."""
    return [member(f"m{n:03}", address) for n, address in enumerate(ADDRESSES[:count])]


def gates(prefix: str, count: int = 16) -> list[dict[str, Any]]:
    """Return gates of different names."""
    return [{"name": f"{prefix}-{n}", "tcpSocket": {"port": 1 + n}} for n in range(count)]


def only_refusal(found: Plan) -> tuple[str, Reason, str]:
    """Return name, reason and message of the only refusal."""
    (refusal,) = found.refusals
    (problem,) = refusal.problems
    return refusal.virtual_ip, refusal.reason, f"{problem.field}: {problem.message}"


def test_members_of_a_group() -> None:
    """256 VirtualIPs share a group; the next one is told to use another."""
    assert in_cluster(crowd(256)).refusals == ()
    assert only_refusal(in_cluster(crowd(257))) == (
        "shop/m256",
        Reason.INVALID,
        (
            "spec.group: the group shop/front would have 257 VirtualIPs, and 256 can share one: "
            "use another group"
        ),
    )


def test_gates_of_a_group() -> None:
    """256 gates fit into an election, each name once; whose gates are too many is told so."""
    sixteen = [member(f"m{n}", ADDRESSES[n], gates=gates(f"g{n}")) for n in range(10, 26)]
    shares = member("n", "192.0.2.200", gates=gates("g10"))
    assert in_cluster([*sixteen, shares]).refusals == ()
    one_more = member("o", "192.0.2.201", gates=gates("more", 1))
    assert only_refusal(in_cluster([*sixteen, one_more])) == (
        "shop/o",
        Reason.INVALID,
        (
            "spec.gates: the group shop/front would have 257 gates, and 256 fit: remove some here, "
            "or use another group"
        ),
    )


def test_a_service_is_a_gate_too() -> None:
    """The gate that serviceRef brings with it counts."""
    sixteen = [member(f"m{n}", ADDRESSES[n], gates=gates(f"g{n}")) for n in range(10, 26)]
    refers = member("o", "192.0.2.201", serviceRef={"name": "web"})
    name, reason, text = only_refusal(in_cluster([*sixteen, refers]))
    assert (name, reason) == ("shop/o", Reason.INVALID)
    assert text.startswith("spec.gates: the group shop/front would have 257 gates")


def test_networks_of_one_election() -> None:
    """Addresses in more networks than an election can have instances are refused."""
    subnets = [f"10.0.{n}.1/24" for n in range(17)]
    report = speaker("n1", {f"vlan{n}": [subnet] for n, subnet in enumerate(subnets)})
    addresses = [f"10.0.{n}.100" for n in range(17)]
    assert in_cluster([vip(addresses=addresses[:16])], speakers=[report]).refusals == ()
    assert only_refusal(in_cluster([vip(addresses=addresses)], speakers=[report])) == (
        "shop/web",
        Reason.INVALID,
        (
            "spec.addresses: shop/web would have addresses in 17 networks, and 16 can share an "
            "election: make a VirtualIP of its own of some"
        ),
    )


def full(cluster: PlannedCluster, *others: VirtualIP) -> None:
    """Let the group have as many IPv4 addresses as fit, and one more of shop/x."""
    mine = [f"192.0.2.{n}" for n in range(1, 255)]
    cluster.virtual_ips = [
        declared("many", addresses=mine, group="front"),
        declared("x", addresses=["198.51.100.1"], group="front"),
        *others,
    ]
    cluster.speakers = [
        speaker(f"n{n}", {"eth0": [f"192.0.3.{n}/23", f"198.51.100.{200 + n}/24"]})
        for n in (1, 2, 3)
    ]


def test_what_is_added_beside_what_stays() -> None:
    """What does not fit beside the addresses of a refused VirtualIP is refused as well."""
    cluster = PlannedCluster()
    full(cluster)
    cluster.settle()
    before = cluster.routers[GROUP].spec
    taken = declared("y", addresses=["192.0.2.255"], group="front")
    cluster.virtual_ips[1:] = [declared("x", addresses=["127.0.0.1"], group="front"), taken]
    cluster.settle()
    assert cluster.routers[GROUP].spec == before
    refusals = {each.virtual_ip: each for each in cluster.look().plan.refusals}
    assert refusals.keys() == {"shop/x", "shop/y"}
    (problem,) = refusals["shop/y"].problems
    assert str(problem.field) == "spec.addresses"
    assert problem.message == (
        "the group shop/front would have 256 IPv4 addresses, and 255 fit into an advert, while it "
        "keeps those of shop/x, whose edit is refused: mend that one first, or use another group"
    )
    cluster.virtual_ips[1:] = [taken]
    cluster.settle()
    assert cluster.look().plan.refusals == ()


def test_a_member_that_adds_nothing_is_not_refused_for_it() -> None:
    """Those whose addresses are served already stay accepted in a crowded group."""
    cluster = PlannedCluster()
    full(cluster)
    cluster.settle()
    cluster.virtual_ips[1:] = [
        declared("x", addresses=["127.0.0.1"], group="front"),
        declared("y", addresses=["192.0.2.255"], group="front"),
    ]
    statuses = cluster.look().plan.statuses
    assert [each.virtual_ip for each in statuses if each.accepted] == ["shop/many"]


# --- sources -------------------------------------------------------------------------------------


def crowded(count: int) -> list[Speaker]:
    """Return reports of a node with many addresses and of one with few."""
    many = [f"192.0.{10 + n // 250}.{1 + n % 250}/16" for n in range(count)]
    return [
        speaker("n1", {"eth0": [*many, "2001:db8::1/64", "fe80::1/64"]}),
        speaker("n2", {"eth0": ["192.0.9.2/16", "2001:db8::2/64", "fe80::2/64"]}),
    ]


def test_a_node_with_more_addresses_than_can_be_listed() -> None:
    """Its adverts may come from any of them: anyone is obeyed in that family, and it is said."""
    virtual_ip = vip(addresses=["192.0.2.100", "2001:db8::100"])
    found = in_cluster([virtual_ip], speakers=crowded(300))
    router = router_of(found)
    ipv4, ipv6 = router.spec.instances
    assert {each.node for each in router.spec.candidates} == {"n1", "n2"}
    assert sources_of(router, ipv4) is None
    assert set(sources_of(router, ipv6) or ()) == {"fe80::1", "fe80::2"}
    (warning,) = found.warnings
    assert warning.field == "spec.vrrp.interfaces"
    assert "n1 has 301 addresses" in warning.message
    assert "adverts of anyone on the link are obeyed" in warning.message


def test_no_address_of_before_stands_for_too_many() -> None:
    """A node whose addresses became too many to list has none listed, not those it had before."""
    before = in_cluster([vip()], speakers=crowded(100))
    assert sources_of(router_of(before), router_of(before).spec.instances[0])
    after = in_cluster([vip()], before.virtual_routers, speakers=crowded(300))
    assert sources_of(router_of(after), router_of(after).spec.instances[0]) is None
    again = in_cluster([vip()], after.virtual_routers, speakers=crowded(100))
    assert again.virtual_routers == before.virtual_routers
    assert again.warnings == ()


@pytest.mark.parametrize(("count", "listed"), [(256, 256), (257, 0)])
def test_how_many_are_listed(count: int, listed: int) -> None:
    """As many as a VirtualRouter may hold are listed, all or none."""
    found = in_cluster([vip()], speakers=crowded(count))
    first = next(each for each in router_of(found).spec.candidates if each.node == "n1")
    assert len(first.sources) == listed


def test_one_interface_counts_once() -> None:
    """Where room is short, addresses of an interface that instances share are listed once."""
    many = [f"10.{m}.0.{n}/24" for m in range(8) for n in range(1, 21)]
    reports = [speaker("n1", {"eth0": many})]
    addresses = [f"10.{m}.0.200" for m in range(8)]
    found = in_cluster([vip(addresses=addresses)], speakers=reports)
    assert len(router_of(found).spec.candidates[0].sources) <= 256
    assert found.warnings == ()


def test_more_addresses_that_are_let_go_of_than_fit() -> None:
    """An edit waits until some of them are free; the election goes on with what it has."""
    first = [f"192.0.2.{n}" for n in range(10, 210)]
    second = [f"2001:db8::1:{n:x}" for n in range(80)]
    third = [f"2001:db8::2:{n:x}" for n in range(80)]
    before = in_cluster([member("web", *first)])
    while_waiting = in_cluster([member("web", *second)], before.virtual_routers)
    assert len(router_of(while_waiting, GROUP).spec.releasing) == 200
    crowded = in_cluster([member("web", *third)], while_waiting.virtual_routers)
    assert crowded.virtual_routers == while_waiting.virtual_routers
    free = plan(
        PlanInputs(
            virtual_ips=[member("web", *third)],
            speakers=lan(3),
            allocated=while_waiting.virtual_routers,
            liveness=confirmed(while_waiting),
        )
    )
    assert len(router_of(free, GROUP).spec.releasing) == 80
