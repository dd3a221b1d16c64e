"""What a stranger on the link may send: each kind of rubbish is counted and changes nothing.

The frames are built with scapy, which knows nothing of our codec.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.vrrp import VRRP, VRRPv3
from scapy.packet import Raw

from support.network_manifests import ROUTER, VIP, VIP6, VIRTUAL_ROUTER_ID, manifest, virtual_ip
from support.speakers import SETTLED_SECONDS
from vip_lab.fleet import Fleet
from vip_lab.host import INTERFACE
from vip_lab.lan import Lan
from vip_lab.wait import until

NODE = "n1"
SENDER = "client"
GROUP, GROUP_MAC = "224.0.0.18", "01:00:5e:00:00:12"
GROUP6, GROUP6_MAC = "ff02::12", "33:33:00:00:00:12"
REPEATS = 3


@pytest.fixture(scope="module")
def fleet(lan: Lan) -> Iterator[Fleet]:
    """One speaker, Active for a dual-stack address, adverts every 100 ms."""
    fleet = Fleet(lan, [NODE], manifest(virtual_ip(addresses=[VIP, VIP6], interval_ms=100)))
    fleet.start()
    fleet.await_settled(ROUTER, SETTLED_SECONDS)
    yield fleet
    fleet.end()


def advert(lan: Lan, **fields: Any) -> VRRPv3:
    """Return an advert of priority 255, which would win, with these fields."""
    return VRRPv3(
        **{"vrid": VIRTUAL_ROUTER_ID, "priority": 255, "adv": 10, "addrlist": [VIP]} | fields
    )


def ipv4(lan: Lan, payload: Any, **fields: Any) -> bytes:
    """Return a frame to the VRRP group from the sender's address."""
    header = IP(**{"src": lan[SENDER].ipv4, "dst": GROUP, "ttl": 255, "proto": 112} | fields)
    return bytes(Ether(src=lan[SENDER].mac, dst=GROUP_MAC) / header / payload)


def ipv6(lan: Lan, payload: Any, **fields: Any) -> bytes:
    """Return the same for IPv6, from the sender's link-local address."""
    defaults = {"src": lan[SENDER].link_local, "dst": GROUP6, "hlim": 255, "nh": 112}
    frame = Ether(src=lan[SENDER].mac, dst=GROUP6_MAC) / IPv6(**defaults | fields) / payload
    if VRRPv3 in frame:  # only under an IPv6 header does scapy take IPv6 addresses
        frame[VRRPv3].addrlist = ["fe80::112:33", VIP6]
    return bytes(frame)


def advert6(lan: Lan, **fields: Any) -> VRRPv3:
    """Return an IPv6 advert of priority 255, to which `ipv6` adds the addresses."""
    return VRRPv3(**{"vrid": VIRTUAL_ROUTER_ID, "priority": 255, "adv": 10} | fields)


def summed(message: bytes) -> bytes:
    """Return a VRRP message with the checksum over the message only (RFC 9568 §5.2.8)."""
    message = message[:6] + b"\0\0" + message[8:]
    padded = message + b"\0" * (len(message) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return message[:6] + struct.pack("!H", ~total & 0xFFFF) + message[8:]


def message(
    version_and_type: int = 0x31, count: int = 1, interval: int = 10, tail: bytes | None = None
) -> Raw:
    """Return a VRRP message with a right checksum and whatever else is asked for."""
    head = struct.pack("!BBBBHH", version_and_type, VIRTUAL_ROUTER_ID, 255, count, interval, 0)
    return Raw(summed(head + (socket.inet_aton(VIP) if tail is None else tail)))


RUBBISH: dict[str, tuple[str, Callable[[Lan], bytes]]] = {
    "ttl 254": ("HopLimit", lambda lan: ipv4(lan, advert(lan), ttl=254)),
    "unicast": ("Destination", lambda lan: ipv4(lan, advert(lan), dst=lan[NODE].ipv4)),
    "version 2": (
        "Version",
        lambda lan: ipv4(lan, VRRP(vrid=VIRTUAL_ROUTER_ID, priority=255, addrlist=[VIP])),
    ),
    "version 7": ("Version", lambda lan: ipv4(lan, message(0x71))),
    "type 2": ("Type", lambda lan: ipv4(lan, message(0x32))),
    "three bytes": ("Length", lambda lan: ipv4(lan, Raw(b"\x31\x33\xff"))),
    "nothing": ("Length", lambda lan: ipv4(lan, Raw(b""))),
    "address missing": ("Length", lambda lan: ipv4(lan, message(count=2))),
    "count 0": ("CountZero", lambda lan: ipv4(lan, message(count=0, tail=b""))),
    "interval 0": ("IntervalZero", lambda lan: ipv4(lan, message(interval=0))),
    "checksum": ("Checksum", lambda lan: ipv4(lan, advert(lan, chksum=0x1234))),
    "VRID of a stranger": ("UnknownVirtualRouter", lambda lan: ipv4(lan, advert(lan, vrid=99))),
    "from our own address": (
        "OwnPacket",
        lambda lan: ipv4(lan, advert(lan), src=lan[NODE].ipv4),
    ),
    "IPv6 hop limit 64": ("HopLimit", lambda lan: ipv6(lan, advert6(lan), hlim=64)),
    "IPv6 checksum": ("Checksum", lambda lan: ipv6(lan, advert6(lan, chksum=0x1234))),
    "IPv6 VRID of a stranger": (
        "UnknownVirtualRouter",
        lambda lan: ipv6(lan, advert6(lan, vrid=99)),
    ),
}


def drops(fleet: Fleet, reason: str) -> int:
    """Return how often the speaker has dropped something for that reason, wherever counted."""
    status = fleet[NODE].status()
    counted = [router["counters"]["drops"] for router in status["virtualRouters"]]
    return sum(int(one.get(reason, 0)) for one in [*counted, status.get("drops", {})])


@pytest.mark.parametrize("kind", RUBBISH)
def test_rubbish_is_counted_and_not_obeyed(fleet: Fleet, lan: Lan, kind: str) -> None:
    """Each malformed advert is counted under its reason and leaves the Active as it was."""
    reason, build = RUBBISH[kind]
    before = drops(fleet, reason)
    router = fleet[NODE].router(ROUTER)
    frame = build(lan)
    with lan[SENDER].open_socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((INTERFACE, 0))
        for _repeat in range(REPEATS):
            sender.send(frame)
    until(
        f"{REPEATS} more drops for {reason}",
        lambda: drops(fleet, reason) == before + REPEATS,
        3.0,
        show=fleet[NODE].try_status,
    )
    after = fleet[NODE].router(ROUTER)
    assert router is not None
    assert after is not None
    assert (after["state"], after["since"]) == ("Active", router["since"])
    assert lan.holders(VIP) == [NODE]


def test_noise_of_every_length_is_survived(fleet: Fleet, lan: Lan) -> None:
    """Protocol 112 with payloads of 0 to 300 bytes neither stops the engine nor moves anything."""
    engine = fleet[NODE].pid("engine")
    with lan[SENDER].open_socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((INTERFACE, 0))
        for length in range(300):
            noise = bytes((length * 31 + position * 7) % 256 for position in range(length))
            sender.send(ipv4(lan, Raw(noise)))
            sender.send(ipv6(lan, Raw(noise)))
    before = fleet[NODE].status()
    until("the engine to go on", lambda: _adverts_sent(fleet) > _sent(before) + 3, 3.0)
    assert fleet[NODE].pid("engine") == engine
    assert fleet.actives(ROUTER) == [NODE]
    assert "Traceback" not in fleet[NODE].log()


def test_a_well_formed_advert_is_obeyed(fleet: Fleet, lan: Lan) -> None:
    """The same frame without a fault makes the speaker a Backup: the tests above can fail."""
    speaker = fleet[NODE]
    before = len(speaker.log())
    with lan[SENDER].open_socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((INTERFACE, 0))
        sender.send(ipv4(lan, advert(lan)))
    # Its log, because it is a Backup only for 300 ms.
    until("the speaker to be a Backup", lambda: _became_backup(speaker.log()[before:]), 2.0)
    fleet.await_settled(ROUTER, SETTLED_SECONDS)


def _became_backup(log: str) -> bool:
    return any(
        line.endswith("(HigherPriorityHeard)") and f"{ROUTER} (VRID " in line
        for line in log.splitlines()
        if "Active to Backup" in line
    )


def _adverts_sent(fleet: Fleet) -> int:
    return _sent(fleet[NODE].status())


def _sent(status: dict[str, Any]) -> int:
    return int(status["virtualRouters"][0]["counters"]["advertisementsSent"])
