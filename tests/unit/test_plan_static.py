"""The plan without a cluster: the same on every host, from nothing but the file."""

from __future__ import annotations

from typing import Any

import pytest

from support.resources import node, priorities_of, slots_of, vip
from vip_model.planning.claims import by_name
from vip_model.planning.inputs import PlanInputs
from vip_model.planning.plan import Plan, plan
from vip_model.planning.rank import Place, place_of, rendezvous_order, sources_of
from vip_model.resources.enums import UnlistedNodes
from vip_model.resources.gate import BUILT_GATE_KINDS
from vip_model.resources.node import Node
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.vocabulary import Checksum, Family, PreemptionMode, Reason


def static_plan(*virtual_ips: VirtualIP, nodes: list[Node] | None = None) -> Plan:
    """Return the plan of a file with these VirtualIPs."""
    return plan(PlanInputs(virtual_ips=virtual_ips, nodes=nodes, supported_gates=BUILT_GATE_KINDS))


def only_router(**spec: Any) -> VirtualRouter:
    """Return the election of one VirtualIP, which must be accepted."""
    found = static_plan(vip(**spec))
    assert found.refusals == ()
    (router,) = found.virtual_routers
    return router


# --- slots and priorities ----------------------------------------------------------------------


def test_preferred_nodes_have_the_first_slots() -> None:
    """The named nodes have slots 0, 1, 2 and at 1 s adverts 254, 251, 248."""
    router = only_router(placement={"preferredNodes": ["n3", "n1", "n2"]})
    assert slots_of(router) == {"n3": 0, "n1": 1, "n2": 2}
    assert priorities_of(router) == {"n3": 254, "n1": 251, "n2": 248}
    assert router.spec.timing.step == 3
    assert router.spec.unlisted_nodes is UnlistedNodes.BY_HASH


@pytest.mark.parametrize(
    ("interval_ms", "expected"),
    [(1000, [254, 251, 248]), (100, [254, 241, 228]), (50, [254, 228, 202])],
)
def test_shorter_intervals_take_larger_steps(interval_ms: int, expected: list[int]) -> None:
    """Neighbours stay at least 5 ms of Skew_Time apart."""
    router = only_router(
        placement={"preferredNodes": ["n1", "n2", "n3"]},
        vrrp={"advertisementIntervalMilliseconds": interval_ms},
    )
    assert list(priorities_of(router).values()) == expected


def test_written_priorities_come_first() -> None:
    """Nodes with a written priority come before preferredNodes, and others stand below both."""
    router = only_router(
        placement={
            "priorities": [{"node": "n2", "priority": 180}, {"node": "n1", "priority": 200}],
            "preferredNodes": ["n3"],
        }
    )
    assert priorities_of(router) == {"n1": 200, "n2": 180, "n3": 177}
    other = place_of(router, "n9")
    assert other is not None
    assert other.hashed
    assert 155 <= other.priority < 177


def test_an_owner_is_written() -> None:
    """255 is used only where the user writes it."""
    router = only_router(placement={"priorities": [{"node": "n1", "priority": 255}]})
    assert place_of(router, "n1") == Place(slot=0, priority=255)


def test_places_by_hash_are_the_same_everywhere() -> None:
    """A node that is not named draws the same slot in every version of the program."""
    router = only_router(placement={"preferredNodes": ["n1", "n2", "n3"]})
    assert place_of(router, "n1") == Place(0, 254)
    assert place_of(router, "n9") == Place(29, 167, hashed=True)
    assert place_of(router, "host.example") == Place(23, 185, hashed=True)


def test_hashed_nodes_use_all_the_room() -> None:
    """Many unnamed nodes spread over every slot after the named ones, and over no other."""
    router = only_router(placement={"preferredNodes": ["n1", "n2"]})
    places = [place_of(router, f"other{number}") for number in range(400)]
    drawn = {place.slot: place.priority for place in places if place is not None}
    assert drawn == {slot: 254 - 3 * slot for slot in range(2, 34)}


def test_as_many_named_as_may_take_part() -> None:
    """Where all places are named, another node is no candidate."""
    router = only_router(placement={"preferredNodes": ["n1", "n2"], "maxCandidates": 2})
    assert router.spec.unlisted_nodes is UnlistedNodes.REFUSED
    assert place_of(router, "n3") is None


def test_no_node_is_named() -> None:
    """Without any name all nodes draw by hash, and one warning says what to do about it."""
    found = static_plan(vip())
    (router,) = found.virtual_routers
    assert router.spec.candidates == ()
    place = place_of(router, "n1")
    assert place is not None
    assert place.hashed
    (warning,) = found.warnings
    assert warning.field == "spec.placement.preferredNodes"
    assert "or add Node documents" in warning.message


# --- Node documents ----------------------------------------------------------------------------


def test_node_documents_give_slots_and_senders() -> None:
    """With Node documents each node has a slot of its own, and only their adverts count."""
    nodes = [node(f"n{number}", None, f"192.0.2.{number}") for number in (1, 2, 3)]
    found = static_plan(vip(), nodes=nodes)
    (router,) = found.virtual_routers
    assert sorted(slots_of(router).values()) == [0, 1, 2]
    assert list(slots_of(router)) == rendezvous_order("vip.shop.web", ["n1", "n2", "n3"])
    assert place_of(router, "n4") is None
    assert set(sources_of(router, router.spec.instances[0]) or ()) == {
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.3",
    }
    assert found.warnings == ()


def test_named_nodes_come_before_the_other_documents() -> None:
    """PreferredNodes have the first slots, the other documents the ones after them."""
    nodes = [node(f"n{number}", None, f"192.0.2.{number}") for number in (1, 2, 3)]
    (router,) = static_plan(vip(placement={"preferredNodes": ["n2"]}), nodes=nodes).virtual_routers
    assert slots_of(router)["n2"] == 0
    assert sorted(slots_of(router).values()) == [0, 1, 2]


def test_labels_choose_among_node_documents() -> None:
    """NodeSelector keeps nodes out that lack its labels, also named ones."""
    nodes = [node("n1", {"rack": "a"}, "192.0.2.1"), node("n2", {"rack": "b"}, "192.0.2.2")]
    found = static_plan(
        vip(placement={"nodeSelector": {"rack": "a"}, "preferredNodes": ["n2", "n1"]}), nodes=nodes
    )
    (router,) = found.virtual_routers
    assert slots_of(router) == {"n1": 1}
    assert "nodeSelector is there for n2" in found.warnings[0].message


def test_labels_need_node_documents() -> None:
    """A nodeSelector without any Node document is refused, since it cannot be judged."""
    (refusal,) = static_plan(vip(placement={"nodeSelector": {"rack": "a"}})).refusals
    assert refusal.reason is Reason.INVALID
    assert refusal.problems[0].field == "spec.placement.nodeSelector"


def test_a_named_node_without_a_document_opens_the_link() -> None:
    """Where one candidate's address is unknown, adverts of anyone count, and a warning says so."""
    found = static_plan(
        vip(placement={"preferredNodes": ["n1", "n2"]}), nodes=[node("n1", None, "192.0.2.1")]
    )
    (router,) = found.virtual_routers
    assert slots_of(router) == {"n1": 0, "n2": 1}
    assert sources_of(router, router.spec.instances[0]) is None
    assert "an address of n2" in found.warnings[0].message


def test_ipv6_adverts_come_from_link_local_addresses() -> None:
    """Only link-local addresses of Node documents count for IPv6."""
    nodes = [node("n1", None, "192.0.2.1", "2001:db8::1", "fe80::1")]
    (router,) = static_plan(
        vip(addresses=["192.0.2.100", "2001:db8::100"]), nodes=nodes
    ).virtual_routers
    assert [sources_of(router, each) for each in router.spec.instances] == [
        ("192.0.2.1",),
        ("fe80::1",),
    ]


def test_without_node_documents_anyone_may_speak() -> None:
    """The senders are unknown then, so none is left out."""
    router = only_router(placement={"preferredNodes": ["n1", "n2"]})
    assert sources_of(router, router.spec.instances[0]) is None


# --- virtual routers ---------------------------------------------------------------------------


def test_virtual_router_ids_follow_from_the_name() -> None:
    """A VRID that is not written is the same in every version of the program."""
    assert by_name("vip.shop.web") == 190
    assert by_name("group.shop.front") == 146
    assert only_router().spec.instances[0].virtual_router_id == 190


def test_a_written_virtual_router_id_is_used() -> None:
    """A VRID that is written is not changed."""
    router = only_router(vrrp={"virtualRouterID": 51})
    assert router.spec.instances[0].virtual_router_id == 51


def test_dual_stack_is_one_election() -> None:
    """IPv4 and IPv6 are two instances of one election with one VRID, IPv4 first."""
    router = only_router(
        addresses=["2001:db8::100", "192.0.2.100", "2001:db8::101", "fe80::5"],
        vrrp={"virtualRouterID": 7, "interfaces": ["eth0"]},
    )
    assert [
        (each.family, each.virtual_router_id, each.interfaces, each.addresses)
        for each in router.spec.instances
    ] == [
        (Family.IPV4, 7, ("eth0",), ("192.0.2.100",)),
        (Family.IPV6, 7, ("eth0",), ("2001:db8::100", "2001:db8::101", "fe80::5")),
    ]


def test_addresses_are_written_in_normal_form() -> None:
    """However an address is spelled, the election has its shortest form."""
    router = only_router(addresses=["2001:DB8:0:0::0100"])
    assert router.spec.instances[0].addresses == ("2001:db8::100",)


@pytest.mark.parametrize(
    ("placement", "preemption", "expected"),
    [
        ({}, {}, PreemptionMode.NEVER),
        ({"preferredNodes": ["n1"]}, {}, PreemptionMode.ALWAYS),
        ({"priorities": [{"node": "n1", "priority": 200}]}, {}, PreemptionMode.ALWAYS),
        ({"preferredNodes": ["n1"]}, {"mode": "Never"}, PreemptionMode.NEVER),
        ({}, {"mode": "Always"}, PreemptionMode.ALWAYS),
        ({}, {"mode": "Delayed", "delaySeconds": 5}, PreemptionMode.DELAYED),
    ],
)
def test_preemption(
    placement: dict[str, Any], preemption: dict[str, Any], expected: PreemptionMode
) -> None:
    """Auto is Always where the placement prefers nodes and Never otherwise."""
    router = only_router(placement=placement, vrrp={"preemption": preemption})
    assert router.spec.preemption.mode is expected
    assert router.spec.preemption.delay_seconds == preemption.get("delaySeconds", 0)


def test_additional_peers_switch_the_bands_off() -> None:
    """With routers that are not ours there are no health bands and no generated address."""
    router = only_router(vrrp={"additionalPeers": ["192.0.2.5"]})
    assert not router.spec.health_bands
    assert not router.spec.generate_link_local
    assert only_router().spec.health_bands
    assert only_router().spec.generate_link_local


def test_additional_peers_are_legitimate_senders() -> None:
    """Where senders are known, those of additionalPeers of the family are among them."""
    virtual_ip = vip(
        addresses=["192.0.2.100", "2001:db8::100"],
        vrrp={"additionalPeers": ["192.0.2.5", "fe80::5"]},
    )
    nodes = [node("n1", None, "192.0.2.1", "fe80::1")]
    (router,) = static_plan(virtual_ip, nodes=nodes).virtual_routers
    assert [sources_of(router, each) for each in router.spec.instances] == [
        ("192.0.2.1", "192.0.2.5"),
        ("fe80::1", "fe80::5"),
    ]


def test_compatibility_reaches_the_election() -> None:
    """Checksum form and link-local address are as written."""
    router = only_router(
        vrrp={
            "compatibility": {"checksum": "MessageOnly", "linkLocalAddress": "Always"},
            "additionalPeers": ["192.0.2.5"],
        }
    )
    assert router.spec.checksum is Checksum.MESSAGE_ONLY
    assert router.spec.generate_link_local


def test_static_mode_never_bootstraps() -> None:
    """Nobody can know whether the election has run before."""
    assert not only_router().spec.bootstrap


# --- what does not count, and advice ------------------------------------------------------------


def test_what_needs_a_cluster_is_told_once() -> None:
    """ServiceRef and pods do not count, which is said in one warning; the gates stay listed."""
    found = static_plan(
        vip(
            serviceRef={"name": "nginx"},
            gates=[{"name": "pods", "pods": {"selector": {}}}],
            placement={"preferredNodes": ["n1"]},
        )
    )
    (warning,) = found.warnings
    assert warning.field == "spec.serviceRef and spec.gates[0].pods"
    assert "NotApplicable" in warning.message
    assert [gate.name for gate in found.virtual_routers[0].spec.gates] == ["pods"]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (
            {
                "vrrp": {"additionalPeers": ["192.0.2.5"]},
                "gates": [{"name": "a", "httpGet": {"port": 1}, "failurePolicy": {"by": 3}}],
            },
            "spec.gates[0].failurePolicy.by",
        ),
        (
            {
                "placement": {"maxCandidates": 1, "preferredNodes": ["n1"]},
                "gates": [{"name": "a", "httpGet": {"port": 1}}],
            },
            "spec.gates[0]",
        ),
    ],
)
def test_gates_that_cannot_change_the_winner(spec: dict[str, Any], field: str) -> None:
    """A gate that can never move the address is warned about."""
    placement = {"placement": {"preferredNodes": ["n1", "n2"]}}
    (warning,) = static_plan(vip(**{**placement, **spec})).warnings
    assert warning.field == field
    assert "can never change the winner" in warning.message


def test_a_withdrawing_gate_always_counts() -> None:
    """With one node only, a gate that withdraws it is no mistake."""
    found = static_plan(
        vip(
            placement={"maxCandidates": 1, "preferredNodes": ["n1"]},
            gates=[{"name": "a", "httpGet": {"port": 1}, "failurePolicy": {"action": "Withdraw"}}],
        )
    )
    assert found.warnings == ()


def test_priorities_that_are_too_close() -> None:
    """Written priorities less than 5 ms of Skew_Time apart are warned about."""
    placement = {"priorities": [{"node": "n1", "priority": 200}, {"node": "n2", "priority": 199}]}
    (warning,) = static_plan(vip(placement=placement)).warnings
    assert "let them differ by 2 or more" in warning.message


def test_too_many_nodes_for_the_interval() -> None:
    """At 50 ms four of six nodes take part, and a warning says how many do not."""
    found = static_plan(
        vip(vrrp={"advertisementIntervalMilliseconds": 50}),
        nodes=[node(f"n{number}", None, f"192.0.2.{number}") for number in range(1, 7)],
    )
    assert list(priorities_of(found.virtual_routers[0]).values()) == [254, 228, 202, 176]
    assert "only 4 candidates fit far enough apart: 2 nodes" in found.warnings[0].message
