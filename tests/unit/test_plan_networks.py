"""Plans across networks: which VRIDs and addresses are taken where."""

from __future__ import annotations

from support.cluster_plans import elected, plan_of
from support.resources import (
    lan,
    router_of,
    slots_of,
    speaker,
    vip,
)
from vip_model.planning.inputs import Settings
from vip_model.resources.speaker import ForeignRouter, Speaker
from vip_model.vocabulary import Family


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
