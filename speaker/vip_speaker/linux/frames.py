"""Ethernet frames with ARP and ICMPv6 in them. Pure."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

from vip_speaker.linux.ip_header import ones_complement_sum

_BROADCAST_MAC = b"\xff" * 6
_ETHERNET = struct.Struct("!6s6sH")  # destination, source, type
ARP = struct.Struct("!HHBBH6s4s6s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
ETH_P_ARP, ETH_P_IPV6 = 0x0806, 0x86DD
ARP_REQUEST, ARP_REPLY = 1, 2
IPPROTO_ICMPV6 = 58
NEIGHBOR_SOLICITATION, NEIGHBOR_ADVERTISEMENT = 135, 136
SOURCE_LINK_LAYER_ADDRESS, TARGET_LINK_LAYER_ADDRESS = 1, 2
HOP_LIMIT = 255


def arp_frame(
    operation: int,
    *,
    source_mac: bytes,
    source: IPv4Address,
    target_mac: bytes,
    target: IPv4Address,
) -> bytes:
    """Return a broadcast Ethernet frame with an ARP packet (RFC 826)."""
    return _ETHERNET.pack(_BROADCAST_MAC, source_mac, ETH_P_ARP) + ARP.pack(
        1, 0x0800, 6, 4, operation, source_mac, source.packed, target_mac, target.packed
    )


def icmpv6_frame(
    *,
    destination_mac: bytes,
    source_mac: bytes,
    source: IPv6Address,
    destination: IPv6Address,
    kind: int,
    body: bytes,
) -> bytes:
    """Return an Ethernet frame with an ICMPv6 message, checksum filled in (RFC 4443 §2.3).

    Args:
        destination_mac: receiver of the frame.
        source_mac: sender of the frame.
        source: IPv6 source.
        destination: IPv6 destination.
        kind: ICMPv6 type; the code is 0.
        body: what follows the checksum.
    """
    message = struct.pack("!BBH", kind, 0, 0) + body
    checksum = icmpv6_checksum(source.packed, destination.packed, message)
    message = struct.pack("!BBH", kind, 0, checksum) + body
    return (
        _ETHERNET.pack(destination_mac, source_mac, ETH_P_IPV6)
        + _IPV6.pack(
            6 << 28, len(message), IPPROTO_ICMPV6, HOP_LIMIT, source.packed, destination.packed
        )
        + message
    )


def icmpv6_checksum(source: bytes, destination: bytes, message: bytes) -> int:
    """Return the checksum of an ICMPv6 message; 0 for one whose checksum is filled in and right."""
    pseudo_header = source + destination + struct.pack("!II", len(message), IPPROTO_ICMPV6)
    return ~ones_complement_sum(pseudo_header + message) & 0xFFFF
