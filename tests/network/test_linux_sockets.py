"""Adverts as they leave, and sockets that cannot be had."""

from __future__ import annotations

import errno
import select
import sys
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet as Frame

from support.linux_adverts import (
    FAMILIES,
    GROUP,
    MESSAGE,
    NODE,
    PEER,
    advert,
    next_packets,
    receiver_on,
    sender_on,
)
from support.linux_lan import Lan, frames_on, lan, until
from vip_speaker.linux.sockets import AdvertReceiver, AdvertSender, AnnouncementSocket


@pytest.fixture
def wire() -> Iterator[Lan]:
    """A node and a peer."""
    with lan() as made:
        yield made


@FAMILIES
def test_on_the_wire(wire: Lan, family: int) -> None:
    """An advert leaves with TTL or Hop Limit 255, class CS6, to the group, from our address."""
    with (
        frames_on(wire.peer) as captured,
        sender_on(wire.node, family, NODE[family]) as sender,
    ):
        sender.send(MESSAGE)
        seen: list[Frame] = []

        def found() -> list[Frame]:
            seen.extend(Ether(frame) for frame in captured())
            return [
                one
                for one in seen
                if (family == 4 and one.haslayer(IP) and one[IP].proto == 112)
                or (family == 6 and one.haslayer(IPv6) and one[IPv6].nh == 112)
            ]

        [frame] = until(found)

    assert frame.src == wire.node.link("eth0").mac.hex(":")
    if family == 4:
        ip = frame[IP]
        assert frame.dst == "01:00:5e:00:00:12"
        assert (ip.ttl, ip.tos, str(ip.flags), ip.frag) == (255, 0xC0, "DF", 0)
    else:
        ip = frame[IPv6]
        assert frame.dst == "33:33:00:00:00:12"
        assert (ip.hlim, ip.tc) == (255, 0xC0)
    assert (ip.src, ip.dst) == (NODE[family], GROUP[family])
    assert bytes(ip.payload) == MESSAGE


@FAMILIES
def test_membership(wire: Lan, family: int) -> None:
    """While the sender is open the node is in the group, and afterwards it is not."""

    def groups() -> str:
        return wire.node.ip("maddress", "show", "dev", "eth0")

    with sender_on(wire.node, family, NODE[family]):
        assert GROUP[family] in groups()
    until(lambda: GROUP[family] not in groups())


def test_an_output_firewall_is_an_error(wire: Lan) -> None:
    """With nftables dropping protocol 112 on output, send raises EPERM: it does not go unseen."""
    wire.node.run("nft", "add table inet filter")
    wire.node.run("nft", "add chain inet filter output { type filter hook output priority 0; }")
    wire.node.run("nft", "add rule inet filter output meta l4proto 112 drop")
    with sender_on(wire.node, 4, NODE[4]) as sender, pytest.raises(PermissionError):
        sender.send(MESSAGE)


@FAMILIES
def test_the_receive_queue_of_a_sender_stays_empty(wire: Lan, family: int) -> None:
    """What a sender's socket could receive is dropped by its filter."""
    with (
        sender_on(wire.node, family, NODE[family]) as sender,
        receiver_on(wire.node, family) as receiver,
        sender_on(wire.peer, family, PEER[family]) as other,
    ):
        other.send(MESSAGE)
        next_packets(receiver)

        assert select.select([sender], [], [], 0.1)[0] == []


def test_sending_without_a_link_is_an_error(wire: Lan) -> None:
    """With the interface down, send raises an OSError that says so."""
    with sender_on(wire.node, 4, NODE[4]) as sender:
        wire.node.ip("link", "set", "eth0", "down")
        with pytest.raises(OSError) as caught:
            sender.send(MESSAGE)

    assert caught.value.errno in (errno.ENETDOWN, errno.ENETUNREACH, errno.ENODEV)


@FAMILIES
def test_without_the_source_address(wire: Lan, family: int) -> None:
    """A sender for an address that the node does not have cannot be made."""
    with pytest.raises(OSError) as caught:
        sender_on(wire.node, family, PEER[family])

    assert caught.value.errno == errno.EADDRNOTAVAIL


@FAMILIES
def test_too_big_to_go_unfragmented(wire: Lan, family: int) -> None:
    """A message that does not fit into one packet is refused: no receiver takes fragments."""
    with sender_on(wire.node, family, NODE[family]) as sender:
        sender.send(bytes(1500 - (20 if family == 4 else 40)))
        with pytest.raises(OSError) as caught:
            sender.send(bytes(1500))

    assert caught.value.errno == errno.EMSGSIZE


@pytest.mark.parametrize(
    ("lost", "call"),
    [
        ("net_raw", "AdvertReceiver(1, 'lo', 4)"),
        ("net_raw", "AdvertSender(1, 'lo', 4, ip_address('127.0.0.1'))"),
        ("net_raw", "AnnouncementSocket(1)"),
        ("net_raw", "check_capabilities()"),
        ("net_admin", "check_capabilities()"),
    ],
)
def test_without_capability(wire: Lan, lost: str, call: str) -> None:
    """Without the capability one clear sentence names it and how to grant it."""
    script = f"""
from ipaddress import ip_address
from vip_speaker.linux.sockets import *
try:
    {call}
except MissingCapabilityError as error:
    print(error)
"""
    said = wire.node.run("setpriv", f"--bounding-set=-{lost}", "--", sys.executable, "-c", script)

    assert said.startswith(f"CAP_{lost.upper()} is needed")
    assert "AmbientCapabilities" in said
    assert said.count("\n") == 1


def test_sockets_need_no_more_than_net_raw(wire: Lan) -> None:
    """Without CAP_NET_ADMIN every socket opens all the same, with smaller buffers."""
    script = f"""
from ipaddress import ip_address
from vip_speaker.linux.sockets import *
AdvertReceiver({wire.index}, "eth0", 4)
AdvertSender({wire.index}, "eth0", 4, ip_address("{NODE[4]}"))
AnnouncementSocket({wire.index})
print("opened")
"""
    command = ("setpriv", "--bounding-set=-net_admin", "--", sys.executable, "-c", script)

    assert wire.node.run(*command) == "opened\n"


def test_announcements_without_a_link(wire: Lan) -> None:
    """Frames for a link that is down are swallowed, and the count says so."""
    with wire.node.entered():
        announcements = AnnouncementSocket(wire.index)
    with announcements:
        assert announcements.send([bytes(advert(4))] * 3) == 3
        wire.node.ip("link", "set", "eth0", "down")
        assert announcements.send([bytes(advert(4))] * 3) == 0


def test_no_interface(wire: Lan) -> None:
    """Sockets for an interface that is not there fail with an OSError and leave nothing open."""
    with wire.node.entered():
        for attempt in (
            lambda: AdvertReceiver(99, "eth9", 4),
            lambda: AdvertSender(99, "eth9", 4, ip_address(NODE[4])),
            lambda: AnnouncementSocket(99),
        ):
            with pytest.raises(OSError) as caught:
                attempt()
            assert caught.value.errno in (errno.ENODEV, errno.ENXIO)
