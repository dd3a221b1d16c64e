"""What a node says of virtual routers of others: for people, for programs, for the cluster."""

from __future__ import annotations

from datetime import UTC, datetime

from prometheus_client.parser import text_string_to_metric_families

from support.statuses import status
from vip_model.resources.speaker import ForeignRouter as ReportedForeign
from vip_model.vocabulary import Family, Reason
from vip_speaker import status_command as status_module
from vip_speaker.agent.kubernetes.speaker_status import with_engine, without_engine
from vip_speaker.agent.metrics import render
from vip_speaker.agent.report import Configuration, Report
from vip_speaker.messages import (
    ForeignRouter,
    ForeignRouters,
    InterfaceReport,
    decode_from_engine,
    encode,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def foreign(virtual_router_id: int, interface: str = "eth0") -> ForeignRouter:
    """Return a virtual router of somebody at 192.0.2.77."""
    return ForeignRouter(
        interface=interface,
        family=Family.IPV4,
        virtual_router_id=virtual_router_id,
        source="192.0.2.77",
    )


def interface(name: str) -> InterfaceReport:
    """Return an interface of the node."""
    return InterfaceReport(name=name, mac="02:00:00:00:00:01", subnets=[], carrier=True)


def test_people_read_one_line() -> None:
    """The table is followed by who else is there."""
    text = status_module.table(status(foreign=[foreign(7), foreign(9, "eth1")]), NOW)
    assert text.splitlines()[-1] == (
        "Virtual routers of others on the link: "
        "VRID 7 from 192.0.2.77 on eth0, VRID 9 from 192.0.2.77 on eth1"
    )


def test_many_are_not_all_named() -> None:
    """A link full of strangers is still one readable line."""
    text = status_module.table(status(foreign=[foreign(one) for one in range(1, 201)]), NOW)
    assert text.endswith("VRID 8 from 192.0.2.77 on eth0, and 192 more")


def test_programs_read_all() -> None:
    """`--json` has every one with interface, family, VRID and source."""
    document = status_module.document(status(foreign=[foreign(7)]))
    assert document["foreign"] == [
        {"interface": "eth0", "family": "IPv4", "virtualRouterID": 7, "source": "192.0.2.77"}
    ]


def test_the_metric_counts_by_interface() -> None:
    """An interface where nobody else speaks is a zero, so that a change can be alerted on."""
    engine = status(
        foreign=[foreign(7), foreign(9)], interfaces=[interface("eth0"), interface("eth1")]
    )
    report = Report(
        node="n1", engine=engine, configuration=Configuration(source="vip.yaml"), gates=[]
    )
    found = {
        sample.labels["interface"]: sample.value
        for family in text_string_to_metric_families(render(report).decode())
        for sample in family.samples
        if sample.name == "vip_speaker_foreign_routers"
    }
    assert found == {"eth0": 2, "eth1": 0}


def test_the_cluster_is_told() -> None:
    """The Speaker has each with the interface that its subnets are listed for."""
    engine = status(foreign=[foreign(7), foreign(9, "eth1")])
    expected = (
        ReportedForeign(interface="eth0", virtual_router_id=7, source="192.0.2.77"),
        ReportedForeign(interface="eth1", virtual_router_id=9, source="192.0.2.77"),
    )
    assert with_engine(engine, (), {}).foreign == expected


def test_they_outlive_the_engine() -> None:
    """An engine that is away takes no VRID off the list: its user is most likely there."""
    last = status(foreign=[foreign(7)])
    assert without_engine(last, [], (), Reason.STOPPED).foreign == with_engine(last, (), {}).foreign
    assert without_engine(None, [], (), Reason.STOPPED).foreign == ()


def test_the_announcement_crosses_the_socket() -> None:
    """What the engine says of strangers is read as it was meant."""
    message = ForeignRouters(foreign=[foreign(7)])
    assert decode_from_engine(encode(message)) == message
