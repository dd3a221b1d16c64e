"""The IP header in front of an advert, as a packet socket hands it over. Pure.

The kernel's IP layer has not seen these packets, so what it would check is checked here.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from vip_speaker.linux.rtnetlink import Address

_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_CHECKSUM_RIGHT = 0xFFFF

# Adverts come from a handful of routers: their addresses are made once.
_ipv4_address = lru_cache(maxsize=1024)(IPv4Address)
_ipv6_address = lru_cache(maxsize=1024)(IPv6Address)


class Datagram(NamedTuple):
    """What an IP packet carries, without the padding of a short Ethernet frame."""

    payload: bytes
    source: Address
    destination: Address
    hop_limit: int


def ones_complement_sum(data: bytes) -> int:
    """Return the 16-bit one's complement sum of RFC 1071; data of odd length is padded."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def parse(version: int, packet: bytes) -> Datagram | None:
    """Return the datagram, None if the header is cut short, odd or does not match the packet."""
    return _parse_ipv4(packet) if version == 4 else _parse_ipv6(packet)


def _parse_ipv4(packet: bytes) -> Datagram | None:
    if len(packet) < _IPV4.size:
        return None
    first, _, total, _, _, hop_limit, _, _, source, destination = _IPV4.unpack_from(packet)
    header = 4 * (first & 0x0F)
    if first >> 4 != 4 or header < _IPV4.size or not header <= total <= len(packet):
        return None
    if ones_complement_sum(packet[:header]) != _CHECKSUM_RIGHT:
        return None
    return Datagram(
        packet[header:total], _ipv4_address(source), _ipv4_address(destination), hop_limit
    )


def _parse_ipv6(packet: bytes) -> Datagram | None:
    if len(packet) < _IPV6.size:
        return None
    first, length, _, hop_limit, source, destination = _IPV6.unpack_from(packet)
    end = _IPV6.size + length
    if first >> 28 != 6 or end > len(packet):
        return None
    return Datagram(
        packet[_IPV6.size : end], _ipv6_address(source), _ipv6_address(destination), hop_limit
    )
