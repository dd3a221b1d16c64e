"""Costs of gates, and how many failing nodes an election keeps apart."""

from __future__ import annotations

from typing import Any

import pytest

from support.resources import lan, node, router_of, vip
from vip_model.planning.inputs import PlanInputs
from vip_model.planning.plan import Plan, plan
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import Timing
from vip_model.vocabulary import Reason

DOUBLING = (1, 2, 4, 8, 16)  # 31 different sums


def gates(*costs: int | None, prefix: str = "g", **policy: Any) -> list[dict[str, Any]]:
    """Return a gate of each cost; None leaves the default."""
    return [
        {
            "name": f"{prefix}{number}",
            "tcpSocket": {"port": 1 + number},
            "failurePolicy": {**policy, **({} if cost is None else {"cost": cost})},
        }
        for number, cost in enumerate(costs)
    ]


def static(*virtual_ips: VirtualIP, nodes: int = 0) -> Plan:
    """Return the plan of hosts that share a file, with so many Node documents or none."""
    documents = [node(f"n{number + 1}") for number in range(nodes)]
    return plan(PlanInputs(virtual_ips=virtual_ips, nodes=documents or None))


def in_cluster(*virtual_ips: VirtualIP) -> Plan:
    """Return the plan of a cluster of three nodes."""
    nodes = [node(f"n{number}") for number in (1, 2, 3)]
    return plan(PlanInputs(virtual_ips=virtual_ips, speakers=lan(3), nodes=nodes, allocated=()))


def timing(found: Plan) -> Timing:
    """Return the times of the only election, whose VirtualIP is accepted."""
    assert found.refusals == ()
    return router_of(found).spec.timing


def refusal(found: Plan) -> str:
    """Return field and message of the only refusal."""
    (status,) = found.refusals
    (problem,) = status.problems
    assert status.reason is Reason.INVALID
    return f"{problem.field}: {problem.message}"


@pytest.mark.parametrize("count", [0, 1, 16])
def test_gates_of_one_cost_always_fit(count: int) -> None:
    """Without written costs every candidate stays apart, whatever the number of gates is."""
    assert timing(in_cluster(vip(gates=gates(*[None] * count)))).failing_slots == 8


def test_written_costs_that_fit() -> None:
    """Two gates of 10 and 50, and the node's own readiness: seven sums for eight candidates."""
    assert timing(in_cluster(vip(gates=gates(10, 50)))).failing_slots == 8


def test_costs_that_leave_too_few_priorities() -> None:
    """The refusal has the numbers, and what would fit."""
    assert refusal(in_cluster(vip(gates=gates(*DOUBLING)))) == (
        "spec.gates: the gates of shop/web can fail in 63 degrees (sums of failurePolicy.cost, "
        "and networks that a node lacks), and 8 candidates need a priority each: 144 are there, "
        "so that 2 fit: give gates equal costs or set placement.maxCandidates to 2"
    )
    mended = vip(gates=gates(*DOUBLING), placement={"maxCandidates": 2})
    assert timing(in_cluster(mended)).failing_slots == 2


def test_a_gate_that_can_fail_in_part_counts_with_both_of_its_costs() -> None:
    """A Service's endpoints cost 100, or 50 while the last of them serve on."""
    # Sums of (10), (50 or 100) and the node's own 100.
    twelve = vip(gates=gates(10), serviceRef={"name": "web"}, placement={"maxCandidates": 16})
    assert timing(in_cluster(twelve)).failing_slots == 16
    assert "can fail in 9 degrees" in refusal(
        in_cluster(
            vip(gates=gates(10), serviceRef={"name": "web"}, placement={"maxCandidates": 17})
        )
    )


def test_failing_in_part_is_told_from_failing_however_many_candidates_there_are() -> None:
    """Without written costs the worst may share a place, but not those two."""
    many: dict[str, Any] = {
        "placement": {"maxCandidates": 100},
        "vrrp": {"advertisementIntervalMilliseconds": 40_000},
    }
    assert timing(in_cluster(vip(**many))).failing_slots == 100
    assert timing(in_cluster(vip(serviceRef={"name": "web"}, **many))).failing_slots == 72


def test_a_network_that_a_node_lacks_counts() -> None:
    """With addresses of two families there are twice as many degrees, and one between."""
    both = ["192.0.2.100", "2001:db8::100"]
    four = gates(1, 2, 4, 8)
    documents: dict[str, Any] = {"placement": {"maxCandidates": 9}}
    assert timing(static(vip(gates=four, **documents), nodes=9)).failing_slots == 9
    assert "can fail in 31 degrees" in refusal(
        static(vip(addresses=both, gates=four, **documents), nodes=9)
    )


def test_more_degrees_than_priorities() -> None:
    """Where nothing fits but equal costs, no number of candidates is proposed."""
    text = refusal(in_cluster(vip(gates=gates(*DOUBLING, 32, 64, 100))))
    assert "in more than 144 degrees" in text
    assert text.endswith("so that 0 fit: give gates equal costs")


def test_a_group_shares_its_costs() -> None:
    """What a member adds to gates that fitted alone is refused, and the others stay."""
    first = vip("a", addresses=["192.0.2.101"], group="g", gates=gates(1, 2, 4))
    second = vip("b", addresses=["192.0.2.102"], group="g", gates=gates(8, 16, prefix="h"))
    found = in_cluster(first, second)
    assert "the group shop/g" in refusal(found)
    assert router_of(found, "group.shop.g").spec.timing.failing_slots == 8


def test_costs_beside_what_a_refused_edit_keeps() -> None:
    """Gates that stay because an edit of their owner is refused count too."""
    group = {"group": "g"}
    owner = vip("a", addresses=["192.0.2.101"], gates=gates(1, 2, 4), **group)
    inputs = PlanInputs(
        virtual_ips=[owner], speakers=lan(3), nodes=[node(f"n{n}") for n in (1, 2, 3)], allocated=()
    )
    running = plan(inputs).virtual_routers
    broken = vip("a", addresses=["300.0.0.1"], gates=gates(1), **group)
    newcomer = vip("b", addresses=["192.0.2.102"], gates=gates(8, 16, prefix="h"), **group)
    found = plan(
        PlanInputs(
            virtual_ips=[broken, newcomer],
            speakers=inputs.speakers,
            nodes=inputs.nodes,
            allocated=running,
        )
    )
    refused = {each.virtual_ip: each.problems[0].field for each in found.refusals}
    assert refused == {"shop/a": "spec.addresses[0]", "shop/b": "spec.gates"}


def test_hosts_that_draw_their_slots() -> None:
    """Without Node documents the last slots share a place; those that are named never do."""
    many: dict[str, Any] = {"gates": gates(*DOUBLING)}
    assert timing(static(vip(**many))).failing_slots == 4
    named = {"preferredNodes": ["n1", "n2", "n3", "n4"]}
    assert timing(static(vip(**many, placement=named))).failing_slots == 4
    five = {"preferredNodes": ["n1", "n2", "n3", "n4", "n5"]}
    assert refusal(static(vip(**many, placement=five))).endswith(
        "and 5 candidates need a priority each: 144 are there, so that 4 fit: "
        "give gates equal costs or name 4 nodes at most"
    )


def test_gates_that_withdraw_the_node_have_no_degree() -> None:
    """They cost nothing, so that any number of them fits."""
    withdraw = gates(*[None] * 10, action="Withdraw", prefix="w")
    assert timing(in_cluster(vip(gates=[*withdraw, *gates(10, 50)]))).failing_slots == 8


@pytest.mark.parametrize(
    ("vrrp", "seconds"),
    [
        ({}, 30),
        ({"startDelaySeconds": 0}, 0),
        ({"startDelaySeconds": 90}, 90),
        ({"additionalPeers": ["192.0.2.5"]}, 0),
        ({"additionalPeers": ["192.0.2.5"], "startDelaySeconds": 10}, 10),
    ],
)
def test_the_start_delay(vrrp: dict[str, Any], seconds: int) -> None:
    """30 s, or nothing beside routers that are not ours, unless it is written."""
    assert timing(static(vip(vrrp=vrrp))).start_delay_seconds == seconds
