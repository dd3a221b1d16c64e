"""A group that flaps, on a real API server: what is written of it, and what is true at its end."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from support.operator_stand import Stand, operator_stand
from vip_common.kinds import VIRTUAL_IPS
from vip_kube.kinds import EVENTS
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.wait import until

MEMBERS = 256
MOVES = 15
EVERY_SECONDS = 1.0


@pytest.fixture
def stand(api: ControlPlane, namespace: str) -> Iterator[Stand]:
    """An operator that leads, and three speakers that say what the test says."""
    with operator_stand(api, namespace) as stand:
        stand.operator.start_and_wait()
        yield stand


def holders(stand: Stand) -> set[str]:
    """Return the holders that the members show."""
    return {
        each.get("status", {}).get("activeNode", "")
        for each in stand.api.items(VIRTUAL_IPS, stand.namespace)
    }


def moves_told(stand: Stand) -> int:
    """Return how many events tell of moves."""
    return sum(each["reason"] == "Moved" for each in stand.api.items(EVENTS, stand.namespace))


def test_a_group_of_256_that_flaps(stand: Stand) -> None:
    """It moves every second: a few rounds of events, and 5 s after the end all statuses are true.

    The moves are made one after the other, however slow the machine is.
    """
    router = f"group.{stand.namespace}.front"
    for number in range(MEMBERS):
        address = f"192.0.2.{number + 4}" if number < 251 else f"2001:db8::{number:x}"
        stand.apply(f"web{number}", address, group="front")
    stand.await_condition(f"web{MEMBERS - 1}", "Accepted", "True", 60.0)
    stand.speakers.acknowledge()
    stand.speakers.claim("n1", router)
    until("n1 to be shown", lambda: holders(stand) == {"n1"}, 60.0, show=stand.describe)
    holder = "n1"
    for _each in range(MOVES):
        before, holder = holder, "n2" if holder == "n1" else "n1"
        stand.speakers.claim(before)
        stand.speakers.claim(holder, router)
        stand.speakers.acknowledge()
        time.sleep(EVERY_SECONDS)  # that is the storm
    until(
        f"{holder} to be shown by all",
        lambda: holders(stand) == {holder},
        5.0,
        show=stand.describe,
    )
    # Each move of its own would be 15 events for each VirtualIP.
    assert moves_told(stand) <= 6 * MEMBERS
