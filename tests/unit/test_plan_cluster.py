"""The plan of a cluster: candidates, slots that stay, life and end of an election."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from support.cluster_plans import elected, plan_of
from support.pod_plans import PODS_GATE, pods_on
from support.resources import (
    lan,
    node,
    priorities_of,
    router_of,
    slots_of,
    speaker,
    vip,
)
from vip_model.planning.inputs import Pod, Settings
from vip_model.planning.rank import place_of, sources_of

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
