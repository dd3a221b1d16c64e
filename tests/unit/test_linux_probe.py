"""Questions as scapy builds them, answers as scapy builds them, and nothing else taken for one."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import ARP, Ether
from scapy.utils6 import in6_getnsma, in6_getnsmac

from vip_speaker.linux.announce import gratuitous_arp, unsolicited_neighbor_advertisement
from vip_speaker.linux.probe import (
    Answer,
    ProbeSchedule,
    answer_to_probe,
    arp_request,
    neighbor_solicitation,
)

MS = 1_000_000
OURS, THEIRS = "02:00:00:00:00:01", "02:00:00:00:00:02"
VIP4, VIP6 = "192.0.2.100", "2001:db8::100"

macs = st.binary(min_size=6, max_size=6)


@given(mac=macs, address=st.ip_addresses(v=4), source=st.ip_addresses(v=4))
def test_arp_request(mac: bytes, address: IPv4Address, source: IPv4Address) -> None:
    """The ARP question is the one scapy builds."""
    text = mac.hex(":")
    oracle = Ether(src=text, dst="ff:ff:ff:ff:ff:ff") / ARP(
        op=1, hwsrc=text, psrc=str(source), hwdst="00:00:00:00:00:00", pdst=str(address)
    )

    assert bytes(oracle) == arp_request(mac, address, source)


def test_arp_probe_has_no_sender() -> None:
    """Without a source the question is a probe of RFC 5227: nobody's cache is touched."""
    frame = Ether(arp_request(bytes(6), IPv4Address(VIP4)))

    assert frame[ARP].psrc == "0.0.0.0"


@given(mac=macs, source=st.ip_addresses(v=6), address=st.ip_addresses(v=6))
def test_neighbor_solicitation(mac: bytes, source: IPv6Address, address: IPv6Address) -> None:
    """The IPv6 question goes to the solicited-node group and is the one scapy builds."""
    text = mac.hex(":")
    group = IPv6Address(in6_getnsma(address.packed))
    oracle = (
        Ether(src=text, dst=in6_getnsmac(group.packed))
        / IPv6(src=str(source), dst=str(group), hlim=255)
        / ICMPv6ND_NS(tgt=str(address))
        / ICMPv6NDOptSrcLLAddr(lladdr=text)
    )

    assert bytes(oracle) == neighbor_solicitation(mac, source, address)


def na(**changes: object) -> bytes:
    """Return a neighbor advertisement from THEIRS for VIP6, with changes to its IPv6 header."""
    header = {"src": "fe80::2", "dst": "fe80::1", "hlim": 255} | changes
    return bytes(
        Ether(src=THEIRS, dst=OURS)
        / IPv6(**header)
        / ICMPv6ND_NA(R=0, S=1, O=1, tgt=VIP6)
        / ICMPv6NDOptDstLLAddr(lladdr=THEIRS)
    )


ARP_REPLY = bytes(
    Ether(src=THEIRS, dst=OURS) / ARP(op=2, hwsrc=THEIRS, psrc=VIP4, hwdst=OURS, pdst="0.0.0.0")
)


@pytest.mark.parametrize(
    ("frame", "address"),
    [
        (ARP_REPLY, VIP4),
        (ARP_REPLY + bytes(18), VIP4),
        (gratuitous_arp(bytes.fromhex("020000000002"), IPv4Address(VIP4))[0], VIP4),
        (na(), VIP6),
        (
            unsolicited_neighbor_advertisement(
                bytes.fromhex("020000000002"), IPv6Address("fe80::2"), IPv6Address(VIP6)
            ),
            VIP6,
        ),
    ],
    ids=["reply", "padded reply", "somebody announces", "advertisement", "unsolicited"],
)
def test_answers(frame: bytes, address: str) -> None:
    """Each form in which somebody says to have an address is understood, with the sender's MAC."""
    assert Answer(ip_address(address), bytes.fromhex("020000000002")) == answer_to_probe(frame)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        bytes(13),
        arp_request(bytes.fromhex("020000000002"), IPv4Address(VIP4)),
        bytes(Ether(src=THEIRS, dst=OURS) / ARP(op=3, hwsrc=THEIRS, psrc=VIP4)),
        bytes(Ether(src=THEIRS, dst=OURS) / ARP(op=2, hwtype=6, hwsrc=THEIRS, psrc=VIP4)),
        bytes(Ether(src=THEIRS, dst=OURS) / IP(src=VIP4) / UDP()),
        bytes(Ether(src=THEIRS, dst=OURS) / IPv6(src="fe80::2", hlim=255) / ICMPv6EchoReply()),
        na(hlim=254),
        na()[:-1],
    ],
    ids=[
        "empty",
        "no header",
        "another's probe",
        "reverse ARP",
        "not Ethernet",
        "IPv4",
        "echo",
        "routed",
        "cut short",
    ],
)
def test_not_answers(frame: bytes) -> None:
    """What says nothing about an address, or cannot be trusted, is no answer."""
    assert answer_to_probe(frame) is None


@given(at=st.integers(14, len(na()) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_is_no_answer_for_the_address(at: int, bit: int) -> None:
    """A damaged advertisement never speaks for the address, thanks to its checksum."""
    frame = bytearray(na())
    frame[at] ^= 1 << bit
    # Traffic class and flow label are not checked by anybody.
    if 14 <= at < 18 and not (at == 14 and bit >= 4):
        return

    answer = answer_to_probe(bytes(frame))

    assert answer is None or answer.address != ip_address(VIP6)


@given(frame=st.binary(max_size=120))
def test_noise_never_raises(frame: bytes) -> None:
    """Whatever arrives, the parser returns an answer or None."""
    answer = answer_to_probe(frame)

    assert answer is None or isinstance(answer, Answer)


def test_three_questions_within_150_ms() -> None:
    """The link is asked at 0, 50 and 100 ms, and it is over at 150 ms."""
    schedule = ProbeSchedule()
    assert schedule.deadline() is None
    schedule.start(7 * MS)
    asked = []
    while (deadline := schedule.deadline()) is not None:
        last = deadline
        if schedule.due(deadline):
            asked.append(deadline - 7 * MS)

    assert asked == [0, 50 * MS, 100 * MS]
    assert last - 7 * MS == 150 * MS


def test_early_calls_ask_nothing() -> None:
    """A call before the deadline asks nothing, and after stop none does."""
    schedule = ProbeSchedule()
    schedule.start(0)
    assert schedule.due(0)
    assert not schedule.due(49 * MS)
    schedule.stop()

    assert schedule.deadline() is None
    assert not schedule.due(60 * MS)
