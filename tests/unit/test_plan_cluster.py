"""The plan of a cluster: candidates, slots that stay, networks, life and end of an election."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from support.resources import (
    lan,
    node,
    priorities_of,
    router_of,
    slots_of,
    speaker,
    vip,
)
from vip_model.planning.inputs import PlanInputs, Pod, Service, ServiceEndpoints, Settings
from vip_model.planning.plan import Plan, plan
from vip_model.planning.rank import place_of, sources_of
from vip_model.resources.speaker import ForeignRouter, Speaker
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.vocabulary import Family


def plan_of(
    virtual_ips: Sequence[VirtualIP],
    speakers: Sequence[Speaker],
    allocated: Sequence[VirtualRouter] = (),
    **inputs: Any,
) -> Plan:
    """Return the plan for what speakers report; nodes exist as they report, unless given."""
    return plan(
        PlanInputs(virtual_ips=virtual_ips, speakers=speakers, allocated=allocated, **inputs)
    )


def elected(
    virtual_ip: VirtualIP,
    speakers: Sequence[Speaker],
    before: VirtualRouter | None = None,
    **inputs: Any,
) -> VirtualRouter:
    """Return the election of one VirtualIP."""
    found = plan_of([virtual_ip], speakers, [before] if before else [], **inputs)
    assert found.refusals == ()
    return router_of(found, virtual_ip.router_name)


# --- who can be a candidate ----------------------------------------------------------------------


def test_candidates_report_an_interface_in_the_subnet() -> None:
    """A node takes part if it reports an interface whose subnet holds the address."""
    router = elected(
        vip(),
        [
            speaker("n1", {"eth0": ["192.0.2.1/24"]}),
            speaker("n2", {"eth0": ["198.51.100.2/24"]}),
            speaker("n3", {"eth0": ["198.51.100.3/24"], "eth1": ["192.0.2.3/24"]}),
            speaker("n4", {}),
        ],
    )
    assert set(slots_of(router)) == {"n1", "n3"}
    sources = {each.node: each.sources for each in router.spec.candidates}
    assert [(each.interface, each.address) for each in sources["n3"]] == [("eth1", "192.0.2.3")]


def test_nobody_reports_the_subnet() -> None:
    """Without any candidate a VirtualIP is accepted, and it is known that nobody can hold it."""
    found = plan_of([vip()], [speaker("n1", {"eth0": ["198.51.100.1/24"]})])
    assert found.statuses[0].accepted
    assert found.statuses[0].has_candidates is False
    assert found.virtual_routers[0].spec.candidates == ()


def test_every_address_must_be_in_a_subnet_of_the_node() -> None:
    """A dual-stack address needs both families, and IPv6 a link-local address to send from."""
    virtual_ip = vip(addresses=["192.0.2.100", "2001:db8::100"])
    router = elected(
        virtual_ip,
        [
            speaker("n1", {"eth0": ["192.0.2.1/24", "2001:db8::1/64", "fe80::1/64"]}),
            speaker("n2", {"eth0": ["192.0.2.2/24", "2001:db8::2/64"]}),
            speaker("n3", {"eth0": ["192.0.2.3/24", "fe80::3/64"]}),
            speaker("n4", {"eth0": ["192.0.2.4/24"], "eth1": ["2001:db8::4/64", "fe80::4/64"]}),
        ],
    )
    assert set(slots_of(router)) == {"n1", "n4"}
    assert set(sources_of(router, router.spec.instances[1]) or ()) == {"fe80::1", "fe80::4"}


def test_the_narrowest_subnet_decides() -> None:
    """Where subnets overlap, the interface with the narrowest one that holds the address counts."""
    overlapping = speaker("n1", {"eth0": ["192.0.2.1/24"], "eth1": ["192.0.2.129/25"]})
    for address, interface in (("192.0.2.200", "eth1"), ("192.0.2.100", "eth0")):
        router = elected(vip(addresses=[address]), [overlapping])
        assert router.spec.candidates[0].sources[0].interface == interface


def test_patterns_choose_the_interface() -> None:
    """Per node the first that matches a pattern and whose subnet holds the address comes first."""
    virtual_ip = vip(vrrp={"interfaces": ["bond*", "eth1"]})
    router = elected(
        virtual_ip,
        [
            speaker("n1", {"eth0": ["192.0.2.1/24"], "eth1": ["192.0.2.11/24"]}),
            speaker("n2", {"bond0": ["198.51.100.2/24"], "eth1": ["192.0.2.2/24"]}),
            speaker("n3", {"bond0": ["198.51.100.3/24"], "bond1": ["192.0.2.3/24"]}),
            speaker("n4", {"eth0": ["192.0.2.4/24"]}),
        ],
    )
    assert {each.node: each.sources[0].interface for each in router.spec.candidates} == {
        "n1": "eth1",
        "n2": "eth1",
        "n3": "bond1",
    }


@pytest.mark.parametrize(
    ("fields", "order"),
    [({}, ["eth0", "eth1"]), ({"interfaces": ["eth1", "eth0"]}, ["eth1", "eth0"])],
)
def test_the_sources_of_every_interface_in_the_network(
    fields: dict[str, Any], order: list[str]
) -> None:
    """A node may have to send from another one when carrier is lost: the others know all."""
    cards = {"eth0": ["192.0.2.1/24"], "eth1": ["192.0.2.11/24"], "eth2": ["198.51.100.1/24"]}
    router = elected(vip(vrrp=fields), [speaker("n1", cards)])
    (candidate,) = router.spec.candidates
    assert [each.interface for each in candidate.sources] == order


def test_a_link_local_address_alone() -> None:
    """A link-local address takes part wherever the named interface has a link-local network."""
    virtual_ip = vip(addresses=["fe80::100"], vrrp={"interfaces": ["eth0"]})
    reports = [*lan(2), speaker("n3", {"eth0": ["192.0.2.3/24"]}), speaker("n4", {"eth1": []})]
    router = elected(virtual_ip, reports)
    assert set(slots_of(router)) == {"n1", "n2"}
    assert router.spec.instances[0].addresses == ("fe80::100",)


def test_labels_and_existence() -> None:
    """Nodes that do not exist or lack the labels take no part, whatever a Speaker says."""
    router = elected(
        vip(placement={"nodeSelector": {"rack": "a"}}),
        lan(4),
        nodes=[node("n1", {"rack": "a"}), node("n2", {"rack": "b"}), node("n3")],
    )
    assert set(slots_of(router)) == {"n1"}


def test_at_most_so_many() -> None:
    """MaxCandidates nodes take part, each with a slot of its own."""
    router = elected(vip(placement={"maxCandidates": 3}), lan(20))
    assert list(slots_of(router).values()) == [0, 1, 2]
    assert len(elected(vip(), lan(20)).spec.candidates) == 8
    fast = vip(vrrp={"advertisementIntervalMilliseconds": 20})
    assert list(priorities_of(elected(fast, lan(20))).values()) == [254, 190]


def test_addresses_are_spread() -> None:
    """Different VirtualIPs have different first candidates."""
    virtual_ips = [vip(f"v{n}", addresses=[f"192.0.2.{100 + n}"]) for n in range(60)]
    found = plan_of(virtual_ips, lan(5))
    first = [each.spec.candidates[0].node for each in found.virtual_routers]
    counts = {name: first.count(name) for name in set(first)}
    assert len(counts) == 5
    assert max(counts.values()) < 25


# --- slots stay ----------------------------------------------------------------------------------


def test_nothing_moves_when_a_node_comes() -> None:
    """A newcomer gets a free slot behind the others, and the others keep theirs."""
    before = elected(vip(), lan(3))
    after = elected(vip(), lan(4), before)
    assert slots_of(after) == {**slots_of(before), "n4": 3}


def test_nothing_moves_when_a_node_goes() -> None:
    """The others keep their slots; the next newcomer comes after them before it fills the gap."""
    before = elected(vip(placement={"maxCandidates": 4}), lan(3))
    first = before.spec.candidates[0].node
    rest = [each for each in lan(3) if each.node != first]
    gone = elected(vip(placement={"maxCandidates": 4}), rest, before)
    assert slots_of(gone) == {k: v for k, v in slots_of(before).items() if k != first}
    virtual_ip = vip(placement={"maxCandidates": 4})
    one_more = elected(virtual_ip, [*rest, *lan(1, first=10)], gone)
    assert slots_of(one_more) == {**slots_of(gone), "n10": 3}
    two_more = elected(virtual_ip, [*rest, *lan(2, first=10)], one_more)
    assert slots_of(two_more) == {**slots_of(one_more), "n11": 0}


def test_a_link_that_is_down_keeps_the_slot() -> None:
    """A node that reports no interface for a while keeps its slot and its known sources."""
    before = elected(vip(), lan(3))
    down = [speaker("n1", {}), *lan(2, first=2)]
    after = elected(vip(), down, before)
    assert after == before
    gone = elected(vip(), lan(2, first=2), before)
    assert "n1" not in slots_of(gone)


def test_a_node_object_decides_whether_a_node_is_gone() -> None:
    """Where nodes are known, a node without a Speaker keeps its slot until its Node is gone."""
    nodes = [node(f"n{number}") for number in (1, 2, 3)]
    before = elected(vip(), lan(3), nodes=nodes)
    assert elected(vip(), lan(2, first=2), before, nodes=nodes) == before
    after = elected(vip(), lan(2, first=2), before, nodes=nodes[1:])
    assert "n1" not in slots_of(after)


def test_an_address_in_another_network_asks_anew() -> None:
    """When the addresses move to another network, only nodes in that one take part."""
    speakers = [*lan(2), speaker("n3", {"eth0": ["198.51.100.3/24"]})]
    before = elected(vip(), speakers)
    after = elected(vip(addresses=["198.51.100.100"]), speakers, before)
    assert set(slots_of(after)) == {"n3"}


def test_sources_follow_the_reports() -> None:
    """A candidate whose address changed keeps its slot and has the new source."""
    before = elected(vip(), lan(2))
    after = elected(vip(), [speaker("n1", {"eth0": ["192.0.2.99/24"]}), *lan(1, first=2)], before)
    assert slots_of(after) == slots_of(before)
    assert set(sources_of(after, after.spec.instances[0]) or ()) == {"192.0.2.99", "192.0.2.2"}


def test_preferred_nodes_have_their_slots_reserved() -> None:
    """The first slots belong to preferredNodes also while these do not report."""
    virtual_ip = vip(placement={"preferredNodes": ["n3", "n1"]})
    before = elected(virtual_ip, [*lan(2), *lan(1, first=4)])
    assert slots_of(before)["n1"] == 1
    assert sorted(slots_of(before).values()) == [1, 2, 3]
    after = elected(virtual_ip, lan(4), before)
    assert slots_of(after) == {**slots_of(before), "n3": 0}


def test_an_edit_of_the_placement_allocates_anew() -> None:
    """When the user says otherwise, slots are given out as if for the first time."""
    before = elected(vip(), lan(3))
    last = before.spec.candidates[-1].node
    after = elected(vip(placement={"preferredNodes": [last]}), lan(3), before)
    assert slots_of(after)[last] == 0
    assert sorted(slots_of(after).values()) == [0, 1, 2]


def test_others_wait_until_all_report() -> None:
    """At first only preferred nodes get slots; the others once every node has reported."""
    virtual_ip = vip(placement={"preferredNodes": ["n2"]})
    waiting = Settings(all_nodes_reported=False)
    first = elected(virtual_ip, lan(2), settings=waiting)
    assert slots_of(first) == {"n2": 0}
    then = elected(virtual_ip, lan(3), first)
    assert slots_of(then)["n2"] == 0
    assert len(slots_of(then)) == 3


# --- what is behind the gates --------------------------------------------------------------------

PODS_GATE = {"name": "nginx", "pods": {"selector": {"matchLabels": {"app": "nginx"}}}}


def pods_on(*names: str, ready: bool = True) -> list[Pod]:
    """Return pods that the gate selects."""
    return [Pod("shop", name, {"app": "nginx"}, ready=ready) for name in names]


def test_nodes_with_ready_pods_come_first() -> None:
    """Nodes with a ready pod have slots before those without."""
    pods = [
        *pods_on("n4", "n7"),
        *pods_on("n1", ready=False),
        Pod("other", "n2", {"app": "nginx"}),
        Pod("shop", "n3", {"app": "redis"}),
    ]
    slots = slots_of(elected(vip(gates=[PODS_GATE]), lan(8), pods=pods))
    assert {slots["n4"], slots["n7"]} == {0, 1}


def test_a_node_with_a_pod_replaces_the_last_without() -> None:
    """Where all slots are taken, a node with a ready pod gets that of the lowest without one."""
    virtual_ip = vip(gates=[PODS_GATE], placement={"maxCandidates": 3})
    before = elected(virtual_ip, lan(6), pods=[])
    order = [each.node for each in before.spec.candidates]
    outside = next(f"n{n}" for n in range(1, 7) if f"n{n}" not in order)
    after = elected(virtual_ip, lan(6), before, pods=pods_on(outside, order[0]))
    assert [each.node for each in after.spec.candidates] == [order[0], order[1], outside]


def test_the_active_node_is_not_replaced() -> None:
    """A node that holds the address keeps its slot although nothing is behind its gates."""
    virtual_ip = vip(gates=[PODS_GATE], placement={"maxCandidates": 2})
    before = elected(virtual_ip, lan(4), pods=[])
    last = before.spec.candidates[-1].node
    outside = next(each.node for each in lan(4) if each.node not in slots_of(before))
    speakers = [
        msgspec.structs.replace(
            each,
            status=speaker(each.node, {}, active=["vip.shop.web"]).status
            if each.node == last
            else each.status,
        )
        for each in lan(4)
    ]
    after = elected(virtual_ip, speakers, before, pods=pods_on(outside))
    assert last in slots_of(after)
    assert outside in slots_of(after)


def test_a_service_brings_a_gate() -> None:
    """ServiceRef makes the Service's endpoints a gate, and with Local they decide the slots."""
    service = Service("shop", "nginx", local=True)
    endpoints = [ServiceEndpoints("shop", "nginx", frozenset({"n5"}))]
    router = elected(
        vip(serviceRef={"name": "nginx"}), lan(6), services=[service], endpoints=endpoints
    )
    (gate,) = router.spec.gates
    assert gate.name == "service/nginx"
    assert gate.kind == "endpoints"
    assert slots_of(router)["n5"] == 0
    anywhere = elected(
        vip(serviceRef={"name": "nginx"}),
        lan(6),
        services=[Service("shop", "nginx")],
        endpoints=endpoints,
    )
    assert slots_of(anywhere) == slots_of(elected(vip(), lan(6)))


def test_a_service_that_is_missing() -> None:
    """A serviceRef to nothing is accepted and warned about."""
    found = plan_of([vip(serviceRef={"name": "nginx"})], lan(1), services=[])
    assert found.refusals == ()
    assert "there is no Service nginx" in found.warnings[0].message


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, {"n1", "n2"}),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, {"n3"}),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "x"]}]}, {"n1"}),
        (
            {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]},
            {"n2", "n3"},
        ),
        ({}, {"n1", "n2", "n3"}),
    ],
)
def test_label_selectors(selector: dict[str, Any], expected: set[str]) -> None:
    """Expressions of a selector choose pods as elsewhere in Kubernetes."""
    pods = [Pod("shop", "n1", {"app": "a"}), Pod("shop", "n2", {"app": "b"}), Pod("shop", "n3", {})]
    gate = {"name": "p", "pods": {"selector": selector}}
    virtual_ip = vip(gates=[gate], placement={"maxCandidates": len(expected)})
    assert set(slots_of(elected(virtual_ip, lan(5), pods=pods))) == expected


# --- VRIDs and networks --------------------------------------------------------------------------


def two_lans() -> list[Speaker]:
    """Return two networks; n3 is in both, and the second has two subnets on one link."""
    return [
        speaker("n1", {"eth0": ["192.0.2.1/24", "fe80::1/64"]}),
        speaker("n2", {"eth0": ["198.51.100.2/24", "203.0.113.2/24", "fe80::2/64"]}),
        speaker("n3", {"eth0": ["192.0.2.3/24"], "eth1": ["203.0.113.3/24"]}),
    ]


def test_networks() -> None:
    """Subnets on one link are one network; a node in two networks does not join them."""
    found = plan_of(
        [
            vip("a", addresses=["192.0.2.100"]),
            vip("b", addresses=["198.51.100.100"]),
            vip("c", addresses=["203.0.113.100"]),
        ],
        two_lans(),
    )
    networks = {each.name: each.spec.instances[0].network for each in found.virtual_routers}
    assert networks == {
        "vip.shop.a": "192.0.2.0/24",
        "vip.shop.b": "198.51.100.0/24",
        "vip.shop.c": "198.51.100.0/24",
    }
    assert found.virtual_router_ids_used == {
        ("192.0.2.0/24", Family.IPV4): 1,
        ("198.51.100.0/24", Family.IPV4): 2,
    }


def test_a_virtual_router_id_is_unique_in_its_network_only() -> None:
    """One VRID may be written once in each network, also where its subnets differ."""
    vrrp = {"virtualRouterID": 7}
    found = plan_of(
        [
            vip("a", addresses=["192.0.2.100"], vrrp=vrrp),
            vip("b", addresses=["198.51.100.100"], vrrp=vrrp),
            vip("c", addresses=["203.0.113.100"], vrrp=vrrp),
        ],
        two_lans(),
    )
    assert [refusal.virtual_ip for refusal in found.refusals] == ["shop/c"]


def test_an_unknown_network_overlaps_with_all() -> None:
    """While no node reports the subnet of an address, its VRID must be free everywhere."""
    vrrp = {"virtualRouterID": 7}
    found = plan_of(
        [
            vip("a", addresses=["192.0.2.100"], vrrp=vrrp),
            vip("b", addresses=["10.0.0.1"], vrrp=vrrp),
        ],
        two_lans(),
    )
    assert [refusal.virtual_ip for refusal in found.refusals] == ["shop/b"]


def test_an_address_in_two_networks() -> None:
    """Addresses in two networks are two instances of one election, only for nodes in both."""
    router = elected(vip(addresses=["203.0.113.100", "192.0.2.100"]), two_lans())
    assert [(each.network, each.addresses) for each in router.spec.instances] == [
        ("192.0.2.0/24", ("192.0.2.100",)),
        ("198.51.100.0/24", ("203.0.113.100",)),
    ]
    assert set(slots_of(router)) == {"n3"}


def test_a_network_keeps_its_identity_while_nobody_reports() -> None:
    """With all speakers gone an election stays in the network it was allocated in."""
    before = elected(vip(vrrp={"virtualRouterID": 7}), lan(2))
    other = vip("other", addresses=["198.51.100.100"], vrrp={"virtualRouterID": 7})
    found = plan_of(
        [vip(vrrp={"virtualRouterID": 7}), other],
        [speaker("n9", {"eth0": ["198.51.100.9/24"]})],
        [before],
    )
    assert found.refusals == ()
    assert router_of(found).spec.instances == before.spec.instances


def test_reserved_and_foreign_ids_are_not_allocated() -> None:
    """VRIDs that are reserved, or spoken by a stranger on that network, are left alone."""
    virtual_ips = [
        vip(f"v{n}", addresses=[f"192.0.{2 + n // 200}.{1 + n % 200}"]) for n in range(240)
    ]
    foreign = [
        ForeignRouter(interface="eth0", virtual_router_id=number, source="192.0.2.77")
        for number in range(1, 8)
    ]
    report = speaker("n1", {"eth0": ["192.0.2.250/22"]}, foreign=foreign)
    found = plan_of(
        virtual_ips,
        [report],
        settings=Settings(reserved_virtual_router_ids=frozenset(range(100, 108))),
    )
    used = {each.spec.instances[0].virtual_router_id for each in found.virtual_routers}
    assert len(used) == 240
    assert used == set(range(1, 256)) - set(range(1, 8)) - set(range(100, 108))
    assert found.refusals == ()


def test_a_reserved_id_cannot_be_written() -> None:
    """A VRID that the operator reserves is refused where a user writes it."""
    found = plan_of(
        [vip(vrrp={"virtualRouterID": 9})],
        lan(1),
        settings=Settings(reserved_virtual_router_ids=frozenset({9})),
    )
    assert "9 is reserved by the operator's settings" in found.refusals[0].problems[0].message


def test_a_stranger_with_a_written_id_is_reported() -> None:
    """A stranger who speaks with a written VRID is a warning, unless it is an additional peer."""
    stranger = ForeignRouter(interface="eth0", virtual_router_id=9, source="192.0.2.77")
    report = speaker("n1", {"eth0": ["192.0.2.1/24"]}, foreign=[stranger])
    (warning,) = plan_of([vip(vrrp={"virtualRouterID": 9})], [report]).warnings
    assert "192.0.2.77, which is none of our nodes, speaks with 9" in warning.message
    peers = vip(vrrp={"virtualRouterID": 9, "additionalPeers": ["192.0.2.77"]})
    assert plan_of([peers], [report]).warnings == ()


def test_255_elections_are_the_limit() -> None:
    """The 256th election of a network is refused and pointed to groups, which then fit."""
    virtual_ips = [
        vip(f"v{n:03}", addresses=[f"192.0.{2 + n // 200}.{1 + n % 200}"]) for n in range(256)
    ]
    report = [speaker("n1", {"eth0": ["192.0.2.250/22"]})]
    found = plan_of(virtual_ips, report)
    (refusal,) = found.refusals
    assert refusal.reason == "VirtualRouterIDsExhausted"
    assert "share one with `group`" in refusal.problems[0].message
    assert found.virtual_router_ids_used == {("192.0.0.0/22", Family.IPV4): 255}
    again = plan_of(virtual_ips, report, found.virtual_routers)
    assert again.refusals[0].virtual_ip == refusal.virtual_ip


def test_an_allocated_id_stays() -> None:
    """An election keeps its VRID although the one of its name has become free."""
    names = [f"v{n}" for n in range(60)]
    virtual_ips = [vip(name, addresses=[f"192.0.2.{n + 1}"]) for n, name in enumerate(names)]
    found = plan_of(virtual_ips, lan(1, first=200))
    ids = {each.name: each.spec.instances[0].virtual_router_id for each in found.virtual_routers}
    half = plan_of(virtual_ips[30:], lan(1, first=200), found.virtual_routers)
    kept = [each for each in half.virtual_routers if not each.spec.retired]
    assert len(kept) == 30
    last = plan_of(virtual_ips[30:], lan(1, first=200), kept)
    assert {e.name: e.spec.instances[0].virtual_router_id for e in last.virtual_routers} == {
        e.name: ids[e.name] for e in kept
    }


def test_a_family_that_is_added_needs_the_id_to_be_free() -> None:
    """An election that gains a family keeps its VRID; where that is taken the edit is refused."""
    six = vip("six", addresses=["2001:db8::6"], vrrp={"virtualRouterID": 7})
    four = vip("four", addresses=["192.0.2.4"], vrrp={"virtualRouterID": 7})
    before = plan_of([four, six], lan(2))
    assert before.refusals == ()
    both = vip("four", addresses=["192.0.2.4", "2001:db8::4"], vrrp={"virtualRouterID": 7})
    found = plan_of([both, six], lan(2), before.virtual_routers)
    assert found.refusals[0].reason == "VirtualRouterIDInUse"
    assert router_of(found, "vip.shop.four") == router_of(before, "vip.shop.four")


# --- life and end --------------------------------------------------------------------------------


def test_bootstrap_ends_with_the_first_active() -> None:
    """A new election bootstraps until somebody reports to be Active, and never again."""
    first = elected(vip(), lan(2))
    assert first.spec.bootstrap
    assert elected(vip(), lan(2), first).spec.bootstrap
    active = [speaker("n1", {"eth0": ["192.0.2.1/24"]}, active=["vip.shop.web"]), *lan(1, first=2)]
    ran = elected(vip(), active, first)
    assert not ran.spec.bootstrap
    assert not elected(vip(), lan(2), ran).spec.bootstrap


def test_metadata_and_revision_are_carried() -> None:
    """What the API server and the writer keep in an election is not touched by the plan."""
    before = elected(vip(), lan(1))
    stored = msgspec.structs.replace(
        before,
        metadata=msgspec.structs.replace(before.metadata, resource_version="77", uid="u"),
        spec=msgspec.structs.replace(before.spec, revision=4711),
    )
    assert elected(vip(), lan(1), stored) == stored


def test_a_plan_of_its_own_result_changes_nothing() -> None:
    """Planning again with what was allocated gives the same elections."""
    virtual_ips = [
        vip("a", addresses=["192.0.2.101", "2001:db8::101"], gates=[PODS_GATE]),
        vip("b", addresses=["192.0.2.102"], group="front", serviceRef={"name": "nginx"}),
        vip("c", addresses=["192.0.2.103"], group="front"),
        vip("d", addresses=["192.0.2.104"], placement={"preferredNodes": ["n5"]}),
    ]
    inputs: dict[str, Any] = {"pods": pods_on("n2"), "nodes": [node(f"n{n}") for n in range(1, 13)]}
    first = plan_of(virtual_ips, lan(12), **inputs)
    assert first.refusals == ()
    again = plan_of(virtual_ips, lan(12), first.virtual_routers, **inputs)
    assert again.virtual_routers == first.virtual_routers


def test_conditions() -> None:
    """What is said of a VirtualIP becomes the condition Accepted."""
    found = plan_of([vip("a"), vip("b"), vip("c", addresses=["192.0.2.3", "192.0.2.4"])], lan(1))
    good, bad, two = (status.condition() for status in found.statuses)
    assert (good.type, good.status, good.reason, good.message) == (
        "Accepted",
        "True",
        "Accepted",
        "",
    )
    assert (bad.status, bad.reason) == ("False", "AddressInUse")
    assert bad.message.startswith("spec.addresses[0]: 192.0.2.100 is an address of shop/a too")
    assert two.status == "True"
    assert [each.address_summary for each in found.statuses] == [
        "192.0.2.100",
        "192.0.2.100",
        "192.0.2.3 (+1)",
    ]


def test_a_node_that_is_not_listed_takes_no_part() -> None:
    """In a cluster only candidates take part, and only their adverts count."""
    router = elected(vip(), lan(2))
    assert place_of(router, "n9") is None
    assert set(sources_of(router, router.spec.instances[0]) or ()) == {"192.0.2.1", "192.0.2.2"}


def test_a_report_that_makes_no_sense() -> None:
    """A subnet that cannot be read is left out, and the rest of the report counts."""
    router = elected(vip(), [speaker("n1", {"eth0": ["nonsense", "192.0.2.1/24"]})])
    assert set(slots_of(router)) == {"n1"}


def test_owners_say_what_is_theirs() -> None:
    """A VirtualRouter tells the members of a group apart: addresses in normal form, and gates."""
    gate = {"name": "up", "tcpSocket": {"port": 80}}
    members = [
        vip("b", addresses=["2001:DB8:0::102", "192.0.2.102"], group="front", gates=[gate]),
        vip("a", addresses=["192.0.2.101"], group="front", serviceRef={"name": "nginx"}),
    ]
    found = plan_of(members, lan(3))
    owners = {each.key: each for each in router_of(found, "group.shop.front").spec.owners}
    assert {key: (each.addresses, each.gates) for key, each in owners.items()} == {
        "shop/a": (("192.0.2.101",), ("service/nginx",)),
        "shop/b": (("2001:db8::102", "192.0.2.102"), ("up",)),
    }
