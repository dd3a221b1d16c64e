"""IP headers taken apart, with scapy as the other side."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, IPOption
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from vip_speaker.linux.ip_header import Datagram, parse

PAYLOAD = bytes(range(12))
V4 = bytes(IP(src="192.0.2.11", dst="224.0.0.18", ttl=255, proto=112) / Raw(PAYLOAD))
V6 = bytes(IPv6(src="fe80::11", dst="ff02::12", hlim=255, nh=112) / Raw(PAYLOAD))


@given(
    source=st.ip_addresses(v=4),
    ttl=st.integers(0, 255),
    payload=st.binary(max_size=80),
    padding=st.binary(max_size=20),
)
def test_ipv4(source: object, ttl: int, payload: bytes, padding: bytes) -> None:
    """Sender, group, TTL and payload are those scapy put in; Ethernet padding is not payload."""
    packet = bytes(IP(src=str(source), dst="224.0.0.18", ttl=ttl, proto=112) / Raw(payload))
    group = ip_address("224.0.0.18")

    assert Datagram(payload, source, group, ttl) == parse(4, packet + padding)  # type: ignore[arg-type]


@given(
    source=st.ip_addresses(v=6),
    hop_limit=st.integers(0, 255),
    payload=st.binary(max_size=80),
    padding=st.binary(max_size=20),
)
def test_ipv6(source: object, hop_limit: int, payload: bytes, padding: bytes) -> None:
    """Sender, group, Hop Limit and payload are those scapy put in; padding is not payload."""
    packet = bytes(IPv6(src=str(source), dst="ff02::12", hlim=hop_limit, nh=112) / Raw(payload))
    group = ip_address("ff02::12")

    assert Datagram(payload, source, group, hop_limit) == parse(6, packet + padding)  # type: ignore[arg-type]


def test_ipv4_options_are_skipped() -> None:
    """The payload of a packet with IP options begins behind them."""
    options = [IPOption(b"\x94\x04\x00\x00")]
    packet = IP(src="192.0.2.11", dst="224.0.0.18", ttl=255, proto=112, options=options)

    datagram = parse(4, bytes(packet / Raw(PAYLOAD)))

    assert datagram is not None
    assert datagram.payload == PAYLOAD


@pytest.mark.parametrize("length", range(len(V4)))
def test_truncated_ipv4(length: int) -> None:
    """An IPv4 packet that is shorter than it says is refused, wherever it is cut."""
    assert parse(4, V4[:length]) is None


@pytest.mark.parametrize("length", range(len(V6)))
def test_truncated_ipv6(length: int) -> None:
    """An IPv6 packet that is shorter than it says is refused, wherever it is cut."""
    assert parse(6, V6[:length]) is None


@given(at=st.integers(0, 19), bit=st.integers(0, 7))
def test_damaged_ipv4_header(at: int, bit: int) -> None:
    """A single flipped bit anywhere in the IPv4 header is noticed."""
    packet = bytearray(V4)
    packet[at] ^= 1 << bit

    assert parse(4, bytes(packet)) is None


@pytest.mark.parametrize("first", [0x05, 0x25, 0x65, 0x40, 0x44])
def test_odd_ipv4_header(first: int) -> None:
    """Another version, or a header shorter than 20 bytes, is refused."""
    packet = bytes(IP(V4, version=first >> 4, ihl=first & 15, chksum=None))

    assert parse(4, bytes([first]) + packet[1:]) is None


def test_another_version_in_ipv6() -> None:
    """A packet that is not of version 6 is refused."""
    assert parse(6, bytes([0x45]) + V6[1:]) is None


@given(version=st.sampled_from([4, 6]), packet=st.binary(max_size=80))
def test_noise_never_raises(version: int, packet: bytes) -> None:
    """Whatever arrives, the parser returns a datagram or None."""
    found = parse(version, packet)

    assert found is None or isinstance(found, Datagram)
