"""What two VirtualIPs claim: addresses, VRIDs, groups. One gets it, and the other is told."""

from __future__ import annotations

from typing import Any

import pytest

from support.plans import confirmed, in_cluster, verdicts
from support.resources import router_of, vip
from vip_model.planning.inputs import PlanInputs
from vip_model.planning.plan import Plan, plan
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.vocabulary import Reason


def in_file(*virtual_ips: VirtualIP) -> Plan:
    """Return the plan of a file."""
    return plan(PlanInputs(virtual_ips=virtual_ips))


def message(found: Plan) -> str:
    """Return the message of the only problem."""
    (refusal,) = found.refusals
    (problem,) = refusal.problems
    return f"{problem.field}: {problem.message}"


# --- in a file -----------------------------------------------------------------------------------


def test_one_address_in_two_virtual_ips() -> None:
    """The later by namespace and name is refused, however the address is spelled."""
    found = in_file(
        vip("b", addresses=["2001:DB8::1"], vrrp={"virtualRouterID": 1}),
        vip("a", addresses=["2001:db8:0::1"], vrrp={"virtualRouterID": 2}),
    )
    assert verdicts(found) == {"shop/a": Reason.ACCEPTED, "shop/b": Reason.ADDRESS_IN_USE}
    assert message(found) == (
        "spec.addresses[0]: 2001:db8::1 is an address of shop/a too: remove it from one of them"
    )


def test_the_namespace_comes_before_the_name() -> None:
    """Order is by namespace first, whatever the order in the file."""
    found = in_file(vip("a", namespace="z"), vip("z", namespace="a"))
    assert verdicts(found) == {"z/a": Reason.ADDRESS_IN_USE, "a/z": Reason.ACCEPTED}


def test_one_virtual_router_id_in_two_virtual_ips() -> None:
    """The later one is refused and told another VRID, which then is accepted."""
    first = vip("a", addresses=["192.0.2.1"], vrrp={"virtualRouterID": 51})
    second = vip("b", addresses=["192.0.2.2"], vrrp={"virtualRouterID": 51})
    found = in_file(first, second)
    assert verdicts(found)["shop/b"] is Reason.VIRTUAL_ROUTER_ID_IN_USE
    text = message(found)
    assert text.startswith("spec.vrrp.virtualRouterID: 51 is taken by shop/a: write another, such")
    suggestion = int(text.split("`virtualRouterID: ")[1].removesuffix("`"))
    again = vip("b", addresses=["192.0.2.2"], vrrp={"virtualRouterID": suggestion})
    assert in_file(first, again).refusals == ()


def test_virtual_router_ids_that_follow_from_names_may_collide() -> None:
    """Of many VRIDs made from names some collide; each refused one is told the line to add."""
    many = [vip(f"v{number}", addresses=[f"192.0.2.{number}"]) for number in range(1, 60)]
    found = in_file(*many)
    assert 0 < len(found.refusals) < 20
    mended = {}
    for refusal in found.refusals:
        text = refusal.problems[0].message
        assert "which follows from the name, is taken by shop/v" in text
        assert "add the line `virtualRouterID: " in text
        mended[refusal.virtual_ip] = int(text.split("`virtualRouterID: ")[1].split("`")[0])
    taken = {each.spec.instances[0].virtual_router_id for each in found.virtual_routers}
    assert taken.isdisjoint(mended.values())


def test_families_have_virtual_router_ids_of_their_own() -> None:
    """One VRID may be used once for IPv4 and once for IPv6."""
    found = in_file(
        vip("a", addresses=["192.0.2.1"], vrrp={"virtualRouterID": 51}),
        vip("b", addresses=["2001:db8::1"], vrrp={"virtualRouterID": 51}),
        vip("c", addresses=["192.0.2.3", "2001:db8::3"], vrrp={"virtualRouterID": 51}),
    )
    assert [refusal.virtual_ip for refusal in found.refusals] == ["shop/c"]


def test_a_refused_one_takes_nothing() -> None:
    """What a refused VirtualIP asked for is free for others."""
    found = in_file(
        vip("a", addresses=["192.0.2.1"], vrrp={"virtualRouterID": 1}),
        vip("b", addresses=["192.0.2.1", "192.0.2.2"], vrrp={"virtualRouterID": 2}),
        vip("c", addresses=["192.0.2.2"], vrrp={"virtualRouterID": 2}),
    )
    assert [refusal.virtual_ip for refusal in found.refusals] == ["shop/b"]


# --- groups --------------------------------------------------------------------------------------


def test_a_group_shares_one_election() -> None:
    """VirtualIPs of one namespace and group have one election with all their addresses."""
    gate = {"name": "web", "httpGet": {"port": 80}}
    found = in_file(
        vip("b", addresses=["192.0.2.2", "2001:db8::2"], group="front", gates=[gate]),
        vip("a", addresses=["192.0.2.1"], group="front", gates=[gate]),
        vip("c", namespace="other", addresses=["192.0.2.3"], group="front"),
    )
    assert found.refusals == ()
    router = router_of(found, "group.shop.front")
    assert router.display_name == "shop/front"
    assert [owner.name for owner in router.spec.owners] == ["a", "b"]
    assert [each.addresses for each in router.spec.instances] == [
        ("192.0.2.1", "192.0.2.2"),
        ("2001:db8::2",),
    ]
    assert [each.name for each in router.spec.gates] == ["web"]
    assert router_of(found, "group.other.front").spec.owners[0].name == "c"


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"vrrp": {"virtualRouterID": 5}}, "spec.vrrp.virtualRouterID"),
        (
            {"vrrp": {"advertisementIntervalMilliseconds": 500}},
            "spec.vrrp.advertisementIntervalMilliseconds",
        ),
        ({"placement": {"preferredNodes": ["n1"]}}, "spec.placement.preferredNodes"),
        ({"gates": [{"name": "web", "httpGet": {"port": 81}}]}, "spec.gates[0].name"),
    ],
)
def test_members_of_a_group_must_agree(spec: dict[str, Any], field: str) -> None:
    """A member with other parameters than the first is refused, and the field is named."""
    gates = [{"name": "web", "httpGet": {"port": 80}}]
    found = in_file(
        vip("a", addresses=["192.0.2.1"], group="front", gates=gates),
        vip("b", addresses=["192.0.2.2"], group="front", **{"gates": gates, **spec}),
    )
    (refusal,) = found.refusals
    assert (refusal.virtual_ip, refusal.reason) == ("shop/b", Reason.GROUP_MISMATCH)
    assert refusal.problems[0].field == field
    assert "shop/a" in refusal.problems[0].message


@pytest.mark.parametrize(
    ("prefix", "most"), [("10.0.{}.{}", 255), ("2001:db8::{}:{}", 90)], ids=["IPv4", "IPv6"]
)
def test_what_fits_into_one_advert(prefix: str, most: int) -> None:
    """A group has as many addresses as one advert holds; the next one is refused."""
    members = [
        vip(
            f"v{n:03}",
            addresses=[prefix.format(n, 1)],
            group="front",
            vrrp={"virtualRouterID": 1},
        )
        for n in range(most + 1)
    ]
    found = in_file(*members)
    (refusal,) = found.refusals
    assert refusal.virtual_ip == f"shop/v{most:03}"
    assert f"{most} fit into an advert: use another group" in refusal.problems[0].message


# --- in a cluster --------------------------------------------------------------------------------


def test_the_older_one_wins() -> None:
    """Of two new VirtualIPs with one address the older one gets it, whatever its name."""
    found = in_cluster(
        [
            vip("a", created="2026-01-02T00:00:00Z"),
            vip("b", created="2026-01-01T00:00:00Z"),
        ]
    )
    assert verdicts(found) == {"shop/a": Reason.ADDRESS_IN_USE, "shop/b": Reason.ACCEPTED}


def test_the_holder_wins() -> None:
    """Who has an address keeps it, also against an older VirtualIP."""
    before = in_cluster([vip("b", created="2026-01-02T00:00:00Z")])
    found = in_cluster(
        [
            vip("a", created="2026-01-01T00:00:00Z"),
            vip("b", created="2026-01-02T00:00:00Z"),
        ],
        before.virtual_routers,
    )
    assert verdicts(found) == {"shop/a": Reason.ADDRESS_IN_USE, "shop/b": Reason.ACCEPTED}
    assert "belongs to shop/b" in message(found)


def test_an_address_moves_in_two_plans() -> None:
    """An address that one VirtualIP gives up is another's only once nobody holds it any more."""
    before = in_cluster([vip("a", addresses=["192.0.2.1", "192.0.2.2"])])
    wanted = [vip("a", addresses=["192.0.2.1"]), vip("b", addresses=["192.0.2.2"])]
    first = in_cluster(wanted, before.virtual_routers)
    assert verdicts(first)["shop/b"] is Reason.ADDRESS_IN_USE
    assert router_of(first, "vip.shop.a").spec.instances[0].addresses == ("192.0.2.1",)
    waiting = in_cluster(wanted, first.virtual_routers)
    assert verdicts(waiting)["shop/b"] is Reason.MOVING
    assert router_of(waiting, "vip.shop.b").spec.standby
    second = in_cluster(wanted, waiting.virtual_routers, liveness=confirmed(waiting))
    assert second.refusals == ()
    assert not router_of(second, "vip.shop.b").spec.standby
    assert router_of(second, "vip.shop.a").spec.releasing == ()


def test_a_retired_election_keeps_its_address_and_id() -> None:
    """Until a retired election is deleted, nobody else gets its address or its VRID."""
    spec: dict[str, Any] = {"vrrp": {"virtualRouterID": 51}}
    before = in_cluster([vip("a", addresses=["192.0.2.1"], **spec)])
    retired = in_cluster([], before.virtual_routers)
    (router,) = retired.virtual_routers
    assert router.spec.retired
    assert router.spec.instances == before.virtual_routers[0].spec.instances
    found = in_cluster(
        [vip("b", addresses=["192.0.2.1"]), vip("c", addresses=["192.0.2.3"], **spec)],
        retired.virtual_routers,
    )
    assert verdicts(found) == {
        "shop/b": Reason.ADDRESS_IN_USE,
        "shop/c": Reason.VIRTUAL_ROUTER_ID_IN_USE,
    }
    assert "is still being released by shop/a" in found.refusals[0].problems[0].message
    assert [each.spec.retired for each in found.virtual_routers] == [True]


def test_a_refused_edit_changes_nothing() -> None:
    """A VirtualIP that serves goes on as it was while its new version is refused."""
    before = in_cluster([vip(addresses=["192.0.2.1"])])
    for edit in (
        vip(addresses=["127.0.0.1"]),
        vip(addresses=["192.0.2.1"], vrrp={"protocol": "VRRPv2"}),
    ):
        found = in_cluster([edit], before.virtual_routers)
        assert not found.statuses[0].accepted
        assert found.virtual_routers == before.virtual_routers


def test_an_unreadable_virtual_ip_is_not_gone() -> None:
    """A VirtualIP that exists and cannot be parsed keeps what was allocated for it."""
    before = in_cluster([vip("a", group="front"), vip("b", addresses=["192.0.2.2"])])
    found = in_cluster([], before.virtual_routers, unreadable=frozenset({"shop/a"}))
    assert {each.name: each.spec.retired for each in found.virtual_routers} == {
        "group.shop.front": False,
        "vip.shop.b": True,
    }
    joined = in_cluster(
        [vip("c", addresses=["192.0.2.3"], group="front")],
        before.virtual_routers,
        unreadable=frozenset({"shop/a"}),
    )
    router = router_of(joined, "group.shop.front")
    assert router.spec.instances[0].addresses == ("192.0.2.3", "192.0.2.100")
    assert [owner.name for owner in router.spec.owners] == ["a", "c"]


def test_a_refused_member_keeps_its_addresses_in_the_group() -> None:
    """A mistake in one member of a group takes away neither its addresses nor the others'."""
    before = in_cluster(
        [
            vip("a", addresses=["192.0.2.1"], group="front"),
            vip("b", addresses=["192.0.2.2"], group="front"),
        ]
    )
    edited = vip("b", addresses=["192.0.2.2", "127.0.0.1"], group="front")
    found = in_cluster(
        [vip("a", addresses=["192.0.2.1"], group="front"), edited], before.virtual_routers
    )
    router = router_of(found, "group.shop.front")
    assert router.spec.instances[0].addresses == ("192.0.2.1", "192.0.2.2")
    assert [owner.name for owner in router.spec.owners] == ["a", "b"]


def test_a_newcomer_does_not_change_its_group() -> None:
    """Those for whom a group's election runs decide its parameters, also against older members."""
    owner = vip("b", addresses=["192.0.2.2"], group="front", created="2026-01-02T00:00:00Z")
    before = in_cluster([owner])
    newcomer = vip(
        "a",
        addresses=["192.0.2.1"],
        group="front",
        created="2026-01-01T00:00:00Z",
        vrrp={"advertisementIntervalMilliseconds": 100},
    )
    found = in_cluster([newcomer, owner], before.virtual_routers)
    assert verdicts(found) == {"shop/a": Reason.GROUP_MISMATCH, "shop/b": Reason.ACCEPTED}
    assert found.virtual_routers == before.virtual_routers


def test_a_group_without_any_owner_left_is_retired() -> None:
    """A refused VirtualIP that never belonged to an election does not keep it alive."""
    before = in_cluster([vip("a", addresses=["192.0.2.1"], group="front")])
    refused = vip("b", addresses=["127.0.0.1"], group="front")
    found = in_cluster([refused], before.virtual_routers)
    assert router_of(found, "group.shop.front").spec.retired


def test_a_virtual_ip_that_returns_takes_its_election_back() -> None:
    """A VirtualIP created anew under its old name goes on with the VRID it had."""
    spec: dict[str, Any] = {"vrrp": {"virtualRouterID": 51}}
    before = in_cluster([vip(**spec)])
    retired = in_cluster([], before.virtual_routers)
    again = in_cluster([vip(**spec)], retired.virtual_routers)
    assert again.refusals == ()
    assert not again.virtual_routers[0].spec.retired
    other = in_cluster([vip(vrrp={"virtualRouterID": 52})], retired.virtual_routers)
    assert verdicts(other)["shop/web"] is Reason.IMMUTABLE
    assert "still being released" in message(other)
    assert other.virtual_routers == retired.virtual_routers


@pytest.mark.parametrize(
    ("vrrp", "field"),
    [
        ({"virtualRouterID": 52}, "spec.vrrp.virtualRouterID"),
        ({"virtualRouterID": 51, "interfaces": ["eth*"]}, "spec.vrrp.interfaces"),
    ],
)
def test_wire_parameters_do_not_change(vrrp: dict[str, Any], field: str) -> None:
    """What all nodes would have to change at one moment is refused, with the way to do it."""
    before = in_cluster([vip(vrrp={"virtualRouterID": 51})])
    found = in_cluster([vip(vrrp=vrrp)], before.virtual_routers)
    (refusal,) = found.refusals
    assert refusal.reason is Reason.IMMUTABLE
    assert refusal.problems[0].field == field
    assert "delete the VirtualIP, wait until it is gone, and create" in message(found)
    assert found.virtual_routers == before.virtual_routers


def test_writing_down_what_was_allocated_is_no_change() -> None:
    """The VRID that the operator chose may be written, and a written one may be removed."""
    before = in_cluster([vip()])
    chosen = before.virtual_routers[0].spec.instances[0].virtual_router_id
    written = in_cluster([vip(vrrp={"virtualRouterID": chosen})], before.virtual_routers)
    assert written.virtual_routers == before.virtual_routers
    removed = in_cluster([vip()], written.virtual_routers)
    assert removed.virtual_routers == before.virtual_routers
