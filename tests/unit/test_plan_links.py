"""One address on several links: a link-local one may be on each, any other on one only."""

from __future__ import annotations

from typing import Any

import pytest

from support.resources import speaker, vip, vip_document
from vip_model.planning.inputs import PlanInputs
from vip_model.planning.links import Link, are_apart
from vip_model.planning.plan import Plan, plan
from vip_model.planning.static import plan_documents
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.vocabulary import Reason

SPEAKERS = [
    speaker(
        f"n{number}",
        {
            "eth0": [f"192.0.2.1{number}/24", f"2001:db8:0::1{number}/64", f"fe80::a{number}/64"],
            "eth1": [
                f"198.51.100.1{number}/24",
                f"2001:db8:1::1{number}/64",
                f"fe80::b{number}/64",
            ],
        },
    )
    for number in (1, 2, 3)
]


def on(interface: str, name: str, virtual_router_id: int, *addresses: str) -> VirtualIP:
    """Return a VirtualIP on one interface."""
    vrrp = {"interfaces": [interface], "virtualRouterID": virtual_router_id}
    return vip(name, addresses=list(addresses), vrrp=vrrp)


def reasons(found: Plan) -> list[Reason]:
    """Return what is said of each VirtualIP."""
    return [status.reason for status in found.statuses]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (["eth0"], ["eth1"], True),
        (["eth0"], ["eth0"], False),
        (["eth0", "eth1"], ["eth1"], False),
        (["eth*"], ["eth1"], False),
        (["eth*"], ["ens*"], True),
        (["e*"], ["eth*"], False),
        (["*0"], ["eth*"], False),
        (["eth?"], ["eth10"], True),
        ([], ["eth0"], False),
        ([], [], False),
    ],
)
def test_when_interfaces_are_different_links(
    one: list[str], other: list[str], expected: bool
) -> None:
    """Two patterns are apart only if no interface can match both."""
    assert are_apart(one, other) is expected
    assert are_apart(other, one) is expected


def test_networks_tell_links_apart() -> None:
    """Known networks decide, whatever interfaces are named."""
    assert Link(frozenset({"a"})).is_apart_from(Link(frozenset({"b"})))
    assert not Link(frozenset({"a"})).is_apart_from(Link(frozenset({"a", "b"})))
    assert not Link(frozenset({"a"})).is_apart_from(Link())


@pytest.mark.parametrize("speakers", [None, SPEAKERS])
@pytest.mark.parametrize("address", ["fe80::1", "169.254.7.7"])
def test_a_link_local_address_on_two_links(speakers: Any, address: str) -> None:
    """fe80::1 as the gateway of two networks is two addresses, in a file and in a cluster."""
    found = plan(
        PlanInputs(
            virtual_ips=(on("eth0", "a", 61, address), on("eth1", "b", 62, address)),
            speakers=speakers,
        )
    )

    assert reasons(found) == [Reason.ACCEPTED] * 2
    assert [each.spec.instances[0].interfaces for each in found.virtual_routers] == [
        ("eth0",),
        ("eth1",),
    ]


@pytest.mark.parametrize("speakers", [None, SPEAKERS])
def test_a_link_local_address_twice_on_one_link(speakers: Any) -> None:
    """On the same link it is one address, and the message has both ways out."""
    found = plan(
        PlanInputs(
            virtual_ips=(on("eth0", "a", 61, "fe80::1"), on("eth*", "b", 62, "fe80::1")),
            speakers=speakers,
        )
    )

    assert reasons(found) == [Reason.ACCEPTED, Reason.ADDRESS_IN_USE]
    (problem,) = found.refusals[0].problems
    assert problem.message == (
        "fe80::1 is an address of shop/a too: remove it from one of them or name different "
        "vrrp.interfaces"
    )


def test_another_address_on_two_links() -> None:
    """An address that can be reached from elsewhere is one, whatever the interface."""
    found = plan(
        PlanInputs(virtual_ips=(on("eth0", "a", 61, "192.0.2.1"), on("eth1", "b", 62, "192.0.2.1")))
    )

    assert reasons(found) == [Reason.ACCEPTED, Reason.ADDRESS_IN_USE]


def test_link_local_addresses_beside_others_in_a_cluster() -> None:
    """The networks of the other addresses tell the links apart where no interface is named."""
    found = plan(
        PlanInputs(
            virtual_ips=(
                vip("a", addresses=["fe80::1", "2001:db8:0::1"]),
                vip("b", addresses=["fe80::1", "2001:db8:1::1"]),
                vip("c", addresses=["fe80::1", "2001:db8:1::2"]),
            ),
            speakers=SPEAKERS,
        )
    )

    assert reasons(found) == [Reason.ACCEPTED, Reason.ACCEPTED, Reason.ADDRESS_IN_USE]


def test_what_is_allocated_is_on_its_link() -> None:
    """A VirtualIP that runs keeps its address, and another link has one of its own."""
    first = on("eth0", "z", 61, "fe80::1")
    allocated = plan(PlanInputs(virtual_ips=(first,), speakers=SPEAKERS)).virtual_routers
    found = plan(
        PlanInputs(
            virtual_ips=(on("eth0", "a", 62, "fe80::1"), on("eth1", "b", 63, "fe80::1"), first),
            speakers=SPEAKERS,
            allocated=allocated,
        )
    )

    assert reasons(found) == [Reason.ADDRESS_IN_USE, Reason.ACCEPTED, Reason.ACCEPTED]


def test_virtual_router_ids_are_judged_by_link() -> None:
    """In a file the same VRID may be used on interfaces of which it is certain that they differ."""
    apart = plan(
        PlanInputs(virtual_ips=(on("eth0", "a", 51, "192.0.2.1"), on("eth1", "b", 51, "192.0.2.2")))
    )
    unclear = plan(
        PlanInputs(virtual_ips=(on("eth0", "a", 51, "192.0.2.1"), on("e*", "b", 51, "192.0.2.2")))
    )

    assert reasons(apart) == [Reason.ACCEPTED] * 2
    assert reasons(unclear) == [Reason.ACCEPTED, Reason.VIRTUAL_ROUTER_ID_IN_USE]


def test_documents_with_one_gateway_per_link() -> None:
    """The whole way from documents: accepted without a word."""
    documents = [
        (
            "vip.yaml",
            vip_document(
                f"lan{number}",
                addresses=["fe80::1"],
                vrrp={"interfaces": [f"eth{number}"], "virtualRouterID": 61 + number},
                placement={"preferredNodes": ["n1", "n2"]},
            ),
        )
        for number in (0, 1)
    ]
    found = plan_documents(documents, supported_gates=None, first_start=False, node="n1")

    assert found.problems == ()
    assert len(found.virtual_routers or ()) == 2
