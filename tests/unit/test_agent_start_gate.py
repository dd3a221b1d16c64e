"""The gate that a node passes once its own Node object was seen Ready since boot."""

from __future__ import annotations

from typing import Any

import pytest

from vip_model.vocabulary import GateState
from vip_speaker.agent.kubernetes.start_gate import NodeWatch, StartGate, internal_address, is_ready

BOOT = "this-boot"


def node(ready: str = "True", boot_id: str = BOOT, uid: str = "uid-1") -> dict[str, Any]:
    """Return a Node object."""
    return {
        "metadata": {"name": "n1", "uid": uid},
        "status": {
            "nodeInfo": {"bootID": boot_id},
            "conditions": [
                {"type": "MemoryPressure", "status": "True"},
                {"type": "Ready", "status": ready},
            ],
        },
    }


@pytest.mark.parametrize(
    ("content", "ready"),
    [
        (node(), True),
        (node(boot_id=""), True),
        (node(boot_id="another"), False),
        (node("False"), False),
        (node("Unknown"), False),
        ({"metadata": {"name": "n1", "uid": "u"}}, False),
        ({"metadata": {"name": "n1", "uid": "u"}, "status": {"conditions": []}}, False),
    ],
    ids=["ready", "no boot id", "before the boot", "not ready", "silent", "new", "bare"],
)
def test_ready_of_this_boot(content: dict[str, Any], ready: bool) -> None:
    """Only Ready=True that a kubelet of this boot, or of no boot it names, reported counts."""
    assert is_ready(content, BOOT) is ready


def test_address_is_the_first_internal_one() -> None:
    """Host names and outer addresses are not where kube-proxy answers; without one it is empty."""
    addresses = [
        {"type": "Hostname", "address": "n1"},
        {"type": "ExternalIP", "address": "203.0.113.1"},
        {"type": "InternalIP", "address": "192.0.2.1"},
        {"type": "InternalIP", "address": "2001:db8::1"},
    ]
    watch = NodeWatch("n1", BOOT)
    assert watch.address == ""
    watch.upsert({"metadata": {"uid": "u"}, "status": {"addresses": addresses}})
    assert watch.address == "192.0.2.1"
    assert internal_address(node()) == ""


async def test_unknown_until_seen_ready_then_passing_for_ever() -> None:
    """It is never Failing, and a node that turns unready later does not matter to it."""
    watch, told = NodeWatch("n1", BOOT), []
    gate = StartGate(watch, lambda: told.append(gate.verdict.state))
    gate.start()
    states = [gate.verdict.state]
    watch.upsert(node("False"))
    states.append(gate.verdict.state)
    assert told == []

    watch.upsert(node())
    watch.upsert(node("False"))
    watch.delete(node("False"))
    states.append(gate.verdict.state)
    assert states == [GateState.UNKNOWN, GateState.UNKNOWN, GateState.PASSING]
    assert told == [GateState.PASSING]


async def test_a_gate_that_begins_later() -> None:
    """A router that comes after the node was seen passes at once and is not told again."""
    watch, told = NodeWatch("n1", BOOT), []
    watch.upsert(node())
    gate = StartGate(watch, lambda: told.append(1))
    gate.start()
    watch.upsert(node(uid="uid-2"))

    assert gate.verdict.state is GateState.PASSING
    assert told == []


async def test_a_stopped_gate_is_not_told() -> None:
    """Nothing of a gate is left behind."""
    watch, told = NodeWatch("n1", BOOT), []
    gate = StartGate(watch, lambda: told.append(1))
    gate.start()
    await gate.stop()
    watch.upsert(node())

    assert told == []


def test_the_uid_comes_and_goes_with_the_object() -> None:
    """What owns the Speaker is the Node that is there."""
    watch = NodeWatch("n1", BOOT)
    seen: list[str] = []
    watch.listen(lambda: seen.append(watch.uid))
    watch.upsert(node())
    watch.delete(node())
    watch.upsert(node(uid="uid-2"))

    assert seen == ["uid-1", "", "uid-2"]
