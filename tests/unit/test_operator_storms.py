"""Handovers and storms: Ready that stays, and how much an election that flaps has written."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from support.operator_facts import Cluster, events, statuses
from support.told_events import Crier, held_by_n1
from vip_operator.core.changes import EmitEvent
from vip_operator.core.known.round_inputs import SECOND_NS
from vip_operator.core.reporting.virtual_ip_status import StatusKeeper

GROUP = "group.shop.front"
MEMBERS = 256


def ready(crier: Crier) -> str:
    """Let the operator look and return Ready."""
    crier.hear()
    return crier.cluster.told("Ready")[0]


@pytest.mark.parametrize("first", ["claim", "release"])
def test_ready_stays_through_a_handover(first: str) -> None:
    """Whichever of the two reports comes first, that of the old holder or that of the new one."""
    crier = held_by_n1()
    cluster = crier.cluster
    assert ready(crier) == "True"
    if first == "claim":
        cluster.claim("n2")
    else:
        cluster.release("n1")
    assert cluster.told("Bound")[0] == "True"
    assert ready(crier) == "True"
    assert cluster.told("Bound")[0] == "Unknown"
    cluster.wait(2)
    cluster.claim("n2")
    cluster.release("n1")
    assert ready(crier) == "True"
    assert cluster.told("Bound")[0] == "True"


def test_ready_stays_for_25_seconds_at_most() -> None:
    """A handover that does not end is none, and the round that says so is not left to chance."""
    crier = held_by_n1()
    cluster = crier.cluster
    cluster.claim("n2")
    cluster.silent.update(["n1", "n2"])
    due_ns = cluster.round(crier.keeper).due_ns
    assert due_ns is not None
    assert due_ns <= cluster.now_ns + 25 * SECOND_NS
    began = cluster.seconds
    while cluster.told("Ready")[0] == "True":
        cluster.wait(1)
        cluster.changed["n1"] = cluster.changed["n2"] = began + 3  # within the overlap
        cluster.round(crier.keeper)
    assert cluster.seconds - began <= 26


def test_a_move_makes_nobody_ready() -> None:
    """Who was not Ready before becomes it when the move is over."""
    crier = held_by_n1()
    cluster = crier.cluster
    cluster.claim("n1", failing=["nginx"])
    assert ready(crier) == "False"
    cluster.claim("n2")
    assert ready(crier) == "False"
    cluster.release("n1")
    assert ready(crier) == "True"


def test_ready_ends_at_once_where_gates_fail_on_the_new_holder() -> None:
    """What is known to be wrong is told, whatever else is being settled."""
    crier = held_by_n1()
    crier.cluster.claim("n2", failing=["nginx"])
    assert ready(crier) == "False"


# --- storms --------------------------------------------------------------------------------------


@dataclass
class Storm:
    """A group that moves again and again, and what the operator had written of it."""

    cluster: Cluster = field(default_factory=Cluster)
    keeper: StatusKeeper = field(default_factory=StatusKeeper)
    holder: str = "n1"
    statuses: int = 0
    events: list[EmitEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the group, and let it have a holder in peace."""
        for number in range(MEMBERS):
            address = f"192.0.2.{number + 4}" if number < 251 else f"2001:db8::{number:x}"
            self.cluster.declare(f"web{number}", addresses=[address], group="front")
        self.cluster.write_routers()
        self.cluster.claim(self.holder, GROUP)
        self.look()
        self.cluster.wait(60)
        self.look()
        self.statuses, self.events = 0, []

    def look(self, *, written: bool = True) -> None:
        """Let the operator look once."""
        found = self.cluster.round(self.keeper, written=written)
        self.statuses += len(statuses(found))
        self.events += events(found)

    def rest(self, seconds: int) -> None:
        """Let time pass, with a round each second as Leases bring them."""
        for _each in range(seconds):
            self.cluster.wait(1)
            self.look(written=False)

    def move(self) -> None:
        """Let another node be the holder."""
        self.cluster.release(self.holder, GROUP)
        self.holder = "n2" if self.holder == "n1" else "n1"
        self.cluster.claim(self.holder, GROUP)
        self.look()


def shown(storm: Storm) -> set[str]:
    """Return the holders that the members show."""
    return {each.status.active_node for each in storm.cluster.virtual_ips.values()}


def test_one_move_is_told_at_once() -> None:
    """Of each VirtualIP of a large group, by status and event."""
    storm = Storm()
    storm.move()
    assert shown(storm) == {"n2"}
    assert storm.statuses == len(storm.events) == MEMBERS


def test_a_storm_is_told_in_measure() -> None:
    """A group that moves every 2 s: few writes, and what is true within 5 s of its end."""
    storm = Storm()
    moves = 15
    for _each in range(moves):
        storm.move()
        storm.rest(2)
    minutes = moves * 2 / 60
    allowed = MEMBERS * (2 + 4 * minutes)
    assert MEMBERS < storm.statuses <= allowed
    assert MEMBERS < len(storm.events) <= allowed
    storm.rest(5)
    assert shown(storm) == {"n2"}
    last = {each.name: each for each in storm.events}
    assert len(last) == MEMBERS
    assert {each.node for each in last.values()} == {"n2"}
    told = sum(_moves_in(each) for each in storm.events if each.name == "web7")
    assert told == moves


def _moves_in(event: EmitEvent) -> int:
    """Return how many moves an event tells of."""
    words = event.message.split(" moved ")[1].split()
    return int(words[0]) if words[1] == "times," else 1


def test_what_an_edit_brings_is_told_in_a_storm() -> None:
    """Whoever waits for the answer to an edit does not wait for the storm."""
    storm = Storm()
    for _each in range(4):
        storm.move()
    storm.cluster.declare("web7", addresses=["192.0.2.300"], group="front")
    storm.look()
    assert storm.cluster.told("Accepted", "web7")[0] == "False"


def test_a_single_virtual_ip_is_told_of_at_once() -> None:
    """Its status and events are no burden, however often it moves."""
    crier = held_by_n1()
    for number in range(40):
        old, new = ("n1", "n2") if number % 2 == 0 else ("n2", "n1")
        crier.cluster.release(old)
        crier.cluster.claim(new)
        crier.cluster.wait(1)
        assert [reason for reason, _message in crier.hear()] == ["Moved"]
        assert crier.cluster.status().active_node == new
