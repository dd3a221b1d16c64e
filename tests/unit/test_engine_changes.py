"""News of the kernel that concern the engine, told apart from the echo of its own deeds."""

from __future__ import annotations

import dataclasses
from ipaddress import ip_address

import pytest

from vip_speaker.engine.changes import change_reports, news, removed_of_ours, vanished_links
from vip_speaker.linux.monitor import AddressChanged, Event, LinkChanged
from vip_speaker.linux.ownership import PROTOCOL
from vip_speaker.linux.rtnetlink import InterfaceAddress, Link

LINK = Link(
    2, "eth0", b"\2\0\0\0\0\1", up=True, carrier=True, loopback=False, kind="", master=0, mtu=1500
)


def address(protocol: int | None) -> InterfaceAddress:
    """Return a host address with this tag."""
    return InterfaceAddress(
        index=2,
        family=4,
        address=ip_address("192.0.2.100"),
        prefix_length=32,
        protocol=protocol,
        label="",
        flags=0,
        scope=0,
        valid_seconds=3,
    )


OURS, FOREIGN = address(PROTOCOL), address(None)


@pytest.mark.parametrize(
    ("event", "matters", "removed"),
    [
        (LinkChanged(LINK, None), True, False),
        (LinkChanged(None, LINK), True, False),
        (AddressChanged(None, OURS), False, False),
        (AddressChanged(OURS, None), False, True),
        (AddressChanged(None, FOREIGN), True, False),
        (AddressChanged(FOREIGN, None), True, False),
    ],
)
def test_news(event: Event, *, matters: bool, removed: bool) -> None:
    """Links and foreign addresses matter; of ours only the loss does."""
    assert bool(news([event])) is matters
    assert bool(removed_of_ours([event])) is removed


def test_an_interface_that_went_is_found_though_it_is_back() -> None:
    """What was open on it is dead, whether there is one of that index again or not."""
    assert vanished_links([LinkChanged(LINK, None), LinkChanged(None, LINK)]) == {2}
    assert vanished_links([LinkChanged(None, LINK), AddressChanged(OURS, None)]) == frozenset()


def veth(name: str, *, up: bool = True, master: int = 0) -> Link:
    """Return one end of a container's link."""
    return Link(9, name, b"", up, carrier=up, loopback=False, kind="veth", master=master, mtu=1500)


@pytest.mark.parametrize(
    ("event", "changes"),
    [
        (LinkChanged(None, veth("veth0815")), False),
        (LinkChanged(veth("veth0815"), None), False),
        (LinkChanged(veth("tmp1", up=False), veth("tmp1", master=5)), False),
        (LinkChanged(veth("eth0", up=False), veth("eth0")), True),
        (LinkChanged(LINK, None), True),
        (AddressChanged(None, FOREIGN), True),
        (AddressChanged(None, dataclasses.replace(FOREIGN, index=9)), False),
    ],
)
def test_containers_change_no_report(event: Event, *, changes: bool) -> None:
    """What is reported and listened to is looked at anew only where it may be another."""
    there = {2: LINK, 9: veth("veth0815")}
    assert change_reports([event], there.get) is changes
