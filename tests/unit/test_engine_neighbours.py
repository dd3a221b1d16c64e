"""What neighbours announce in another way than this node, and when it is told."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from ipaddress import ip_address
from types import SimpleNamespace
from typing import cast

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.engine_node import view
from vip_model.vocabulary import Family, Reason
from vip_speaker import status_command as status_module
from vip_speaker.agent.metrics import render
from vip_speaker.agent.report import Configuration, Report
from vip_speaker.engine.neighbour_watch import NeighbourWatch
from vip_speaker.engine.neighbours import Advert, Announced, Neighbours
from vip_speaker.linux.monitor import Monitor
from vip_speaker.messages import NeighbourComplaint, Status
from vip_speaker.vrrp.timers import SECOND_NS

VIP, OTHER = "192.0.2.100", "192.0.2.101"
N2 = ip_address("192.0.2.12")


def mine(*addresses: str, virtual_router_id: int = 51) -> Announced:
    """Return what this node announces on interface 2."""
    return Announced("web", 2, virtual_router_id, frozenset(map(ip_address, addresses)))


def advert(
    *addresses: str,
    virtual_router_id: int = 51,
    protocol: int = 3,
    ifindex: int = 2,
    source: str = "192.0.2.12",
) -> Advert:
    """Return an advert of n2."""
    listed = tuple(map(ip_address, addresses))
    return Advert(ifindex, ip_address(source), virtual_router_id, protocol, listed)


def hear(neighbours: Neighbours, heard: Advert, seconds: range) -> None:
    """Hear the same advert once a second."""
    for second in seconds:
        neighbours.hear(second * SECOND_NS, heard)
        if neighbours.due_ns is not None and second * SECOND_NS >= neighbours.due_ns:
            neighbours.review(second * SECOND_NS)


@pytest.fixture
def neighbours() -> Neighbours:
    """A node with 192.0.2.100 at VRID 51 on interface 2."""
    made = Neighbours()
    made.know(0, [mine(VIP)])
    return made


@pytest.mark.parametrize(
    ("heard", "problem", "words"),
    [
        (
            advert(VIP, OTHER),
            Reason.ADDRESSES_DIFFER,
            "192.0.2.12 also announces 192.0.2.101 with VRID 51: give all hosts the same",
        ),
        (
            advert(OTHER),
            Reason.ADDRESSES_DIFFER,
            "192.0.2.12 also announces 192.0.2.101 and does not announce 192.0.2.100 with VRID 51",
        ),
        (
            advert(VIP, virtual_router_id=77),
            Reason.OTHER_VIRTUAL_ROUTER_ID,
            (
                "192.0.2.12 announces 192.0.2.100 with VRRPv3 and VRID 77, and this host with "
                "VRRPv3 and VRID 51: use one VRID for the address"
            ),
        ),
        (
            advert(VIP, protocol=2),
            Reason.OTHER_VERSION,
            (
                "192.0.2.12 announces 192.0.2.100 with VRRPv2 and VRID 51, and this host with "
                "VRRPv3 and VRID 51: set the other router to version 3"
            ),
        ),
    ],
)
def test_what_is_told(neighbours: Neighbours, heard: Advert, problem: Reason, words: str) -> None:
    """Each kind has a sentence with both sides and what to do."""
    hear(neighbours, heard, range(1, 10))

    (complaint,) = neighbours.present
    assert (complaint.router, complaint.problem, complaint.source) == ("web", problem, N2)
    assert words in complaint.sentence


@pytest.mark.parametrize(
    "heard",
    [
        advert(VIP),
        advert(OTHER, virtual_router_id=77),
        advert(OTHER, protocol=2),
        advert(VIP, virtual_router_id=77, ifindex=3),
        advert(OTHER, ifindex=3),
    ],
)
def test_what_is_no_trouble(neighbours: Neighbours, heard: Advert) -> None:
    """The same list, and what others do with their addresses or on other links."""
    hear(neighbours, heard, range(1, 10))

    assert neighbours.present == ()


def test_the_order_on_the_wire_does_not_matter() -> None:
    """A list is compared as a set."""
    neighbours = Neighbours()
    neighbours.know(0, [mine(VIP, OTHER)])
    hear(neighbours, advert(OTHER, VIP), range(1, 10))

    assert neighbours.present == ()


def test_an_edit_on_its_way_is_no_trouble(neighbours: Neighbours) -> None:
    """Hosts take an edit within seconds of each other; a difference counts only if it stays."""
    hear(neighbours, advert(VIP, OTHER), range(1, 5))
    neighbours.know(5 * SECOND_NS, [mine(VIP, OTHER)])
    hear(neighbours, advert(VIP, OTHER), range(6, 20))

    assert neighbours.present == ()


def test_it_ends_when_the_neighbour_is_right(neighbours: Neighbours) -> None:
    """One advert with the right list is enough."""
    hear(neighbours, advert(VIP, OTHER), range(1, 10))
    assert neighbours.present
    hear(neighbours, advert(VIP), range(10, 12))

    assert neighbours.present == ()


def test_it_ends_in_silence(neighbours: Neighbours) -> None:
    """A neighbour that is gone is forgotten after two minutes, and a timer sees to it."""
    hear(neighbours, advert(VIP, OTHER), range(1, 10))
    while neighbours.due_ns is not None:  # it comes early as long as something is heard
        assert neighbours.due_ns <= (9 + 120) * SECOND_NS
        neighbours.review(neighbours.due_ns)

    assert neighbours.present == ()


def test_it_begins_anew_with_another_configuration(neighbours: Neighbours) -> None:
    """An edit here is judged against what the neighbours said last."""
    hear(neighbours, advert(VIP), range(1, 10))
    neighbours.know(10 * SECOND_NS, [mine(VIP, OTHER)])
    hear(neighbours, advert(VIP), range(11, 20))

    assert [each.problem for each in neighbours.present] == [Reason.ADDRESSES_DIFFER]


def test_memory_is_bounded(neighbours: Neighbours) -> None:
    """Somebody who invents senders fills no memory."""
    for number in range(5000):
        source = str(ip_address(0x0A000000 + number))
        hear(neighbours, advert(OTHER, source=source), range(1, 8, 6))

    assert len(neighbours.present) <= 256
    assert len(neighbours._seen) <= 256


def test_the_log_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """It has the first ones, and then one line that says where the rest is."""
    caplog.set_level(logging.INFO, "engine")
    watch = NeighbourWatch((), cast("Monitor", SimpleNamespace(view=view())))
    watch.neighbours.know(0, [mine(VIP)])
    for number in range(100):
        heard = advert(OTHER, source=f"10.0.0.{number}")
        for second in (1, 7):
            watch.neighbours.hear(second * SECOND_NS, heard)
    watch.review(8 * SECOND_NS)

    assert len(watch.complaints) == 100
    assert len(caplog.records) == 20
    assert "`vip-speaker status`" in caplog.records[-1].getMessage()
    assert caplog.records[0].levelno == logging.WARNING


def _status() -> Status:
    complaint = NeighbourComplaint(
        name="shop/web",
        router="vip.shop.web",
        problem=Reason.OTHER_VERSION,
        family=Family.IPV4,
        interface="eth0",
        source="192.0.2.12",
        message="192.0.2.12 announces it in VRRPv2",
    )
    return Status(node="n1", revision=1, virtual_routers=[], neighbours=[complaint])


def test_people_and_programs_read_it() -> None:
    """It is in the table, in the JSON and in the metrics."""
    shown = status_module.table(_status(), datetime.now(UTC)).splitlines()
    assert shown[-2:] == [
        "Trouble with other routers on the link:",
        "  shop/web (eth0): 192.0.2.12 announces it in VRRPv2",
    ]
    (written,) = status_module.document(_status())["neighbours"]
    assert written["problem"] == "OtherVersion"
    configuration = Configuration(source="vip.yaml")
    report = Report(node="n1", engine=_status(), configuration=configuration, gates=[])
    found = {
        (sample.labels["router"], sample.labels["problem"]): sample.value
        for family in text_string_to_metric_families(render(report).decode())
        for sample in family.samples
        if sample.name == "vip_speaker_neighbour_problems"
    }
    assert found["shop/web", "OtherVersion"] == 1


def test_when_a_neighbour_was_heard_last(neighbours: Neighbours) -> None:
    """The newest of its adverts in our version, and the hardware address that it came from."""
    first, second = bytes(6), bytes(5) + b"\x01"
    neighbours.know(0, [mine(VIP), mine(OTHER, virtual_router_id=52)])
    for at_ns, mac, vrid in ((1, first, 51), (2, first, 52), (3, second, 51)):
        heard = advert(VIP if vrid == 51 else OTHER, virtual_router_id=vrid)
        neighbours.hear(at_ns, heard._replace(mac=mac))
    neighbours.hear(4, advert(VIP, protocol=2))

    assert neighbours.last_heard(2, N2) == (3, second)
    assert neighbours.last_heard(3, N2) is None
    assert neighbours.last_heard(2, ip_address("192.0.2.13")) is None
