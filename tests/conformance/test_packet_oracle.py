"""Scapy as the oracle: every frame we build is what scapy builds from the same fields.

Scapy writes IPv4 messages with the pseudo-header only, so the form without it is checked against
scapy's own checksum function. Scapy's dissector does not verify checksums.
"""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.vrrp import VRRPv3
from scapy.utils import checksum

from support.vrrp_strategies import group_of, repeatable, sourced_advertisements
from vip_model.vocabulary import Checksum
from vip_speaker.vrrp.config import Address
from vip_speaker.vrrp.packet import Advertisement, decode, encode

IPV4_ADDRESSES = [f"192.0.2.{last}" for last in range(100, 120)]
IPV6_ADDRESSES = ["fe80::100", *(f"2001:db8::{last:x}" for last in range(100, 119))]

FRAMES = {
    f"{family}-{kind}": (source, addresses[:count], priority, interval_ns)
    for family, source, addresses in (
        ("IPv4", "192.0.2.11", IPV4_ADDRESSES),
        ("IPv6", "fe80::1", IPV6_ADDRESSES),
    )
    for kind, count, priority, interval_ns in (
        ("advert", 1, 254, 1_000_000_000),
        ("resignation", 1, 0, 1_000_000_000),
        ("owner", 1, 255, 1_000_000_000),
        ("failing", 1, 154, 1_000_000_000),
        ("two-addresses", 2, 200, 1_000_000_000),
        ("twenty-addresses", 20, 200, 1_000_000_000),
        ("shortest-interval", 1, 200, 10_000_000),
        ("longest-interval", 1, 200, 40_950_000_000),
    )
}


def message_of_scapy(source: Address, advertisement: Advertisement) -> bytes:
    """Return the message that scapy builds, without its IP header."""
    vrrp = VRRPv3(
        vrid=advertisement.virtual_router_id,
        priority=advertisement.priority,
        adv=advertisement.interval_ns // 10_000_000,
        addrlist=[str(address) for address in advertisement.addresses],
    )
    if source.version == 4:
        return bytes(IP(src=str(source), dst="224.0.0.18", ttl=255) / vrrp)[20:]
    return bytes(IPv6(src=str(source), dst="ff02::12", hlim=255) / vrrp)[40:]


@pytest.mark.parametrize(
    ("source", "addresses", "priority", "interval_ns"), FRAMES.values(), ids=FRAMES
)
def test_frame_equals_that_of_scapy(
    source: str, addresses: list[str], priority: int, interval_ns: int
) -> None:
    """Every kind of advert that the engine sends is byte for byte what scapy builds."""
    listed = tuple(ip_address(address) for address in addresses)
    advertisement = Advertisement(51, priority, interval_ns, listed)
    sender = ip_address(source)
    expected = message_of_scapy(sender, advertisement)
    assert expected == encode(advertisement, sender, group_of(sender))
    assert advertisement == decode(expected, sender, group_of(sender), 255).advertisement


@settings(repeatable, max_examples=100)
@given(sourced=sourced_advertisements(most=5))
def test_any_frame_equals_that_of_scapy(sourced: tuple[Address, Advertisement]) -> None:
    """The bytes agree for arbitrary fields and addresses (M6)."""
    source, advertisement = sourced
    expected = message_of_scapy(source, advertisement)
    assert expected == encode(advertisement, source, group_of(source))


@settings(repeatable, max_examples=100)
@given(sourced=sourced_advertisements(most=5))
def test_message_only_form_against_scapys_checksum(
    sourced: tuple[Address, Advertisement],
) -> None:
    """The RFC 9568 form has the checksum that scapy computes over the message alone."""
    source, advertisement = sourced
    if source.version == 6:
        return
    message = encode(advertisement, source, group_of(source), Checksum.MESSAGE_ONLY)
    without = message[:6] + b"\0\0" + message[8:]
    assert checksum(without) == int.from_bytes(message[6:8])
