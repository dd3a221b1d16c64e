"""Gates that cannot tell nodes apart, since every node asks the same place."""

from __future__ import annotations

from typing import Any

import pytest

from support.resources import vip
from vip_model.planning.inputs import PlanInputs
from vip_model.planning.plan import Plan, plan
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.vocabulary import Reason


def gate(host: str, kind: str = "httpGet", name: str = "web", **more: Any) -> dict[str, Any]:
    """Return a gate that asks a host."""
    return {"name": name, kind: {"host": host, "port": 80}, **more}


def planned(*virtual_ips: VirtualIP) -> Plan:
    """Return the plan of a file."""
    return plan(PlanInputs(virtual_ips=virtual_ips))


def messages(found: Plan) -> dict[str, str]:
    """Return field to message of everything that is refused."""
    return {each.field: each.message for status in found.refusals for each in status.problems}


def advice(found: Plan) -> dict[str, str]:
    """Return field to message of the warnings about gates."""
    return {each.field: each.message for each in found.warnings if ".gates[" in each.field}


ADDRESSES = ["192.0.2.100", "2001:db8::100", "fe80::100"]


@pytest.mark.parametrize(
    "host",
    [
        "192.0.2.100",
        "2001:db8::100",
        "2001:DB8:0:0::0100",
        "2001:db8::0.0.1.0",
        "::ffff:192.0.2.100",
        "fe80::100%eth0",
    ],
)
@pytest.mark.parametrize("kind", ["httpGet", "tcpSocket"])
def test_a_gate_that_asks_the_virtual_address(host: str, kind: str) -> None:
    """It would ask the holder from everywhere: refused, in any spelling of the address."""
    found = planned(vip(addresses=ADDRESSES, gates=[gate(host, kind)]))

    assert [status.reason for status in found.statuses] == [Reason.INVALID]
    assert messages(found)[f"spec.gates[0].{kind}.host"] == (
        f"{host} is the virtual address, so that every node asks the holder, and nobody passes "
        "while there is none: remove the line, each node is then asked itself"
    )


@pytest.mark.parametrize("host", ["192.0.2.100.", "[2001:db8::100]", "[192.0.2.100]", "0xc0000264"])
def test_other_forms_of_an_address_are_refused(host: str) -> None:
    """What only looks like a name cannot be the way round it."""
    assert messages(planned(vip(addresses=ADDRESSES, gates=[gate(host)])))


@pytest.mark.parametrize("action", ["Withdraw", "LowerPriority"])
def test_neither_action_makes_it_better(action: str) -> None:
    """With Withdraw nobody would ever begin, with LowerPriority it would be a race."""
    wrong = gate("192.0.2.100", failurePolicy={"action": action})

    assert messages(planned(vip(gates=[wrong])))


@pytest.mark.parametrize("asking", ["a", "b"])
def test_a_gate_that_asks_an_address_of_its_group(asking: str) -> None:
    """What moves together has one holder."""
    virtual_ips = [
        vip(
            name,
            group="g",
            addresses=[address],
            gates=[gate("192.0.2.2" if asking == "a" else "192.0.2.1")] if name == asking else [],
        )
        for name, address in (("a", "192.0.2.1"), ("b", "192.0.2.2"))
    ]
    found = messages(planned(*virtual_ips))

    assert len(found) == 1
    assert "virtual address" in str(found) or "moves together with it, asks it" in str(found)


def test_a_probe_of_pods_that_asks_the_virtual_address() -> None:
    """A host of a pod's probe is judged too."""
    pods = {
        "selector": {"matchLabels": {"app": "web"}},
        "probe": {"httpGet": {"host": "192.0.2.100", "port": 80}},
    }
    found = planned(vip(gates=[{"name": "web", "pods": pods}]))

    assert "spec.gates[0].pods.probe.httpGet.host" in messages(found)


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::7", "gateway.example.test"])
def test_a_gate_that_asks_one_remote_place(host: str) -> None:
    """It is accepted, and the user learns what it cannot do."""
    found = planned(vip(gates=[gate(host)]))

    assert [status.reason for status in found.statuses] == [Reason.ACCEPTED]
    assert advice(found)["spec.gates[0].httpGet.host"] == (
        f"every node asks the same {host}: when it does not answer, the gate fails on all nodes "
        "alike, so that it cannot tell which of them is broken; to check a service on the node "
        "itself, remove the line"
    )


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::", "localhost", "LOCALHOST.", "ip6-localhost"],
)
def test_a_gate_that_asks_the_node_itself(host: str) -> None:
    """Nothing is said about what each node answers for itself."""
    assert advice(planned(vip(gates=[gate(host)]))) == {}


def test_the_address_of_another_virtual_ip() -> None:
    """It is a remote place like any other."""
    found = planned(
        vip("a", addresses=["192.0.2.1"], gates=[gate("192.0.2.2")]),
        vip("b", addresses=["192.0.2.2"]),
    )

    assert messages(found) == {}
    assert len(advice(found)) == 1
