"""Priority 255: for the node that has the address as its own, and for no other."""

from __future__ import annotations

from typing import Any

import pytest

from support.resources import lan, node, priorities_of, router_of, vip
from vip_model.planning.inputs import PlanInputs
from vip_model.planning.plan import Plan, plan
from vip_model.vocabulary import Reason

OWNER = {"priorities": [{"node": "n1", "priority": 255}]}
N1 = "192.0.2.1"  # what n1 of lan() has itself


def in_cluster(**spec: Any) -> Plan:
    """Return the plan of three nodes, 192.0.2.1 to 3."""
    return plan(
        PlanInputs(
            virtual_ips=(vip(**spec),),
            nodes=[node(f"n{number}") for number in (1, 2, 3)],
            speakers=lan(3),
            allocated=(),
        )
    )


def messages(found: Plan) -> dict[str, str]:
    """Return field to message of everything that is refused."""
    return {each.field: each.message for status in found.refusals for each in status.problems}


def test_an_owner_has_the_address_itself() -> None:
    """A node's own address may be virtual where that node has priority 255."""
    found = in_cluster(addresses=[N1], placement=OWNER)

    assert [status.reason for status in found.statuses] == [Reason.ACCEPTED]
    assert priorities_of(router_of(found))["n1"] == 255


def test_the_highest_number_is_no_owner() -> None:
    """255 on a node without the address is refused, as is the address of a node without 255."""
    assert messages(in_cluster(placement=OWNER)) == {
        "spec.placement.priorities[0].priority": (
            "255 is for the node that has the address as its own, and n1 does not have "
            "192.0.2.100: choose 155 to 254"
        )
    }
    assert "n1 does not have 192.0.2.2" in str(
        messages(in_cluster(addresses=["192.0.2.2"], placement=OWNER))
    )
    assert "192.0.2.1 is an address of node n1 itself" in str(messages(in_cluster(addresses=[N1])))


def test_all_addresses_must_be_the_owners() -> None:
    """Half an owner is none."""
    found = in_cluster(addresses=[N1, "192.0.2.100"], placement=OWNER)

    assert "n1 does not have 192.0.2.100" in str(messages(found))


def test_an_owner_that_is_not_there() -> None:
    """What it has is not known while it does not report: the others back it up meanwhile."""
    found = plan(
        PlanInputs(
            virtual_ips=(vip(addresses=[N1], placement=OWNER),),
            nodes=[node(f"n{number}") for number in (1, 2, 3)],
            speakers=lan(2, first=2),
            allocated=(),
        )
    )

    assert [status.reason for status in found.statuses] == [Reason.ACCEPTED]


@pytest.mark.parametrize("mode", ["Never", "Delayed"])
def test_an_owner_does_not_wait(mode: str) -> None:
    """It takes the address at once, so that other modes could not be kept."""
    preemption = {"mode": mode, "delaySeconds": 5 if mode == "Delayed" else 0}
    found = plan(PlanInputs(virtual_ips=(vip(placement=OWNER, vrrp={"preemption": preemption}),)))

    assert messages(found) == {
        "spec.vrrp.preemption.mode": (
            "n1 has priority 255, so that it owns the address and takes it back at once: "
            "write mode Always, or give it a priority of 155 to 254"
        )
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gates", [{"name": "web", "tcpSocket": {"port": 80}}]),
        ("serviceRef", {"name": "web"}),
    ],
)
def test_no_gate_takes_it_from_an_owner(field: str, value: Any) -> None:
    """A gate would promise what cannot be."""
    found = plan(PlanInputs(virtual_ips=(vip(placement=OWNER, **{field: value}),)))

    assert "no gate can take it away" in messages(found)[f"spec.{field}"]


def test_a_file_does_not_know_what_hosts_have() -> None:
    """Without a cluster 255 is accepted; the host itself judges it."""
    found = plan(PlanInputs(virtual_ips=(vip(placement=OWNER),)))

    assert messages(found) == {}
