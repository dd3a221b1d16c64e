"""Adverts between the two hosts of `linux_lan`, sent properly or made by hand."""

from __future__ import annotations

import contextlib
import select
from collections.abc import Callable, Iterator
from ipaddress import ip_address

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet as Frame
from scapy.packet import Raw

from support.linux_lan import Host
from vip_speaker.linux.sockets import AdvertReceiver, AdvertSender, AnnouncementSocket, Packet

MESSAGE = bytes.fromhex("3133640100640000c0000264")
GROUP = {4: "224.0.0.18", 6: "ff02::12"}
NODE = {4: "192.0.2.11", 6: "fe80::11"}
PEER = {4: "192.0.2.12", 6: "fe80::12"}
_MAC = "02:00:00:00:00:12"
FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["IPv4", "IPv6"])


def sender_on(host: Host, family: int, source: str) -> AdvertSender:
    """Return a sender on a host's eth0."""
    with host.entered():
        return AdvertSender(host.link("eth0").index, "eth0", family, ip_address(source))


def receiver_on(host: Host, family: int) -> AdvertReceiver:
    """Return a receiver on a host's eth0."""
    with host.entered():
        return AdvertReceiver(host.link("eth0").index, "eth0", family)


def next_packets(receiver: AdvertReceiver, seconds: float = 5.0) -> list[Packet]:
    """Wait with a selector, as the engine does, for packets."""
    assert select.select([receiver], [], [], seconds)[0], "nothing came"
    return receiver.receive()


def advert(family: int, **changes: object) -> Frame:
    """Return an advert of the peer as a frame, with changes to its IP header."""
    if family == 4:
        header = {"src": PEER[4], "dst": GROUP[4], "ttl": 255, "proto": 112} | changes
        return Ether(src=_MAC, dst="01:00:5e:00:00:12") / IP(**header) / Raw(MESSAGE)
    header = {"src": PEER[6], "dst": GROUP[6], "hlim": 255, "nh": 112} | changes
    return Ether(src=_MAC, dst="33:33:00:00:00:12") / IPv6(**header) / Raw(MESSAGE)


@contextlib.contextmanager
def injected_by(host: Host) -> Iterator[Callable[[Frame | bytes], None]]:
    """Yield a function that puts a frame on the wire from a host's eth0."""
    with host.entered():
        wire_end = AnnouncementSocket(host.link("eth0").index)
    with wire_end:

        def inject(frame: Frame | bytes) -> None:
            assert wire_end.send([bytes(frame)]) == 1

        yield inject
