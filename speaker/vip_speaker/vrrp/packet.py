"""The VRRP version 3 message of RFC 9568 §5.2: bytes to and from a frozen value, nothing else.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-------+-------+---------------+---------------+---------------+
    |Version| Type  | Virtual Rtr ID|   Priority    |  Addr Count   |
    +-------+-------+-------+-------+---------------+---------------+
    |Reserve| Max Advertise Interval|           Checksum            |
    +-------+-----------------------+-------------------------------+
    |          IPv4 or IPv6 addresses, as many as counted           |
    +---------------------------------------------------------------+

The IP header is the caller's; what it says is passed in, because the checks of §7.1 need it.
The first check that fails decides what a bad message is called; `DropReason` lists them in order.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from vip_model.vocabulary import Checksum
from vip_speaker.vrrp.checksum import internet_checksum, is_intact
from vip_speaker.vrrp.config import Address
from vip_speaker.vrrp.timers import CENTISECOND_NS

GROUP_IPV4 = IPv4Address("224.0.0.18")
GROUP_IPV6 = IPv6Address("ff02::12")
PROTOCOL = 112
HOP_LIMIT = 255

_VERSION_3 = 3
_ADVERTISEMENT = 1
_FIRST_BYTE = _VERSION_3 << 4 | _ADVERTISEMENT
_INTERVAL_BITS = 0x0FFF
_LONGEST_INTERVAL_NS = _INTERVAL_BITS * CENTISECOND_NS
_IPV4_BYTES = 4
_IPV6_BYTES = 16
_HEADER = struct.Struct("!BBBBHH")
# The header without its checksum, and the checksum alone.
_HEADER_START = struct.Struct("!BBBBH")
_CHECKSUM = struct.Struct("!H")


class DropReason(enum.StrEnum):
    """Why a packet was not obeyed; the values are labels of a metric and do not change.

    `decode` makes the checks from HOP_LIMIT to CHECKSUM in this order and refuses VRID 0; the
    others need to know more than the message and are made by the receiver.
    """

    MALFORMED_IP_HEADER = "MalformedIPHeader"  # fragment, impossible lengths, another protocol
    HOP_LIMIT = "HopLimit"  # not 255: it came through a router (§5.1.1.3, §5.1.2.3)
    DESTINATION = "Destination"  # not the group (§5.1.1.2, §5.1.2.2)
    VERSION = "Version"  # not 3
    TYPE = "Type"  # not an advertisement
    LENGTH = "Length"  # truncated, or longer than its address count says
    ADDRESS_FAMILY = "AddressFamily"  # as long as if it listed addresses of the other family
    COUNT_ZERO = "CountZero"  # no address (erratum 8299)
    INTERVAL_ZERO = "IntervalZero"  # an interval of 0 (erratum 8301)
    CHECKSUM = "Checksum"  # matches neither form
    UNKNOWN_VIRTUAL_ROUTER = "UnknownVirtualRouter"  # VRID not configured here; 0 never is
    OWN_PACKET = "OwnPacket"  # from an address of this node: looped or reflected
    UNKNOWN_SENDER = "UnknownSender"  # not one of the planned candidates or additional peers
    RECEIVE_BUFFER_FULL = "ReceiveBufferFull"  # for routers here, and came faster than it was read
    NOT_SAMPLED = "NotSampled"  # for no router here, and not looked at since there were too many


class DecodeError(ValueError):
    """A message that is to be dropped.

    Attributes:
        reason: the first check that failed.
        detail: what was found, in words for a log.
    """

    def __init__(self, reason: DropReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Advertisement:
    """The fields of an advertisement (RFC 9568 §5.2).

    Attributes:
        virtual_router_id: VRID, 1-255.
        priority: 0-255; 0 resigns.
        interval_ns: Max Advertise Interval, 10 ms to 40.95 s in whole centiseconds.
        addresses: 1-255 of one family, in the order on the wire. The first one of an IPv6
            message should be link-local (§5.2.9, erratum 8300); that is not checked here, since a
            peer that breaks it is still heard.
    """

    virtual_router_id: int
    priority: int
    interval_ns: int
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Decoded:
    """An advertisement that passed every check, and the checksum form that matched."""

    advertisement: Advertisement
    form: Checksum


def encode(
    advertisement: Advertisement,
    source: Address,
    destination: Address,
    form: Checksum = Checksum.PSEUDO_HEADER,
) -> bytes:
    """Return the message without IP header, reserved bits 0 (RFC 9568 §5.2).

    Args:
        advertisement: what to say.
        source: source address of the IP header; it decides the family.
        destination: destination address of the IP header, in general the group.
        form: what the checksum of an IPv4 message covers; ignored with IPv6.

    Raises:
        ValueError: a field cannot be written that way.
    """
    family = source.version
    if destination.version != family:
        raise ValueError(f"source {source} and destination {destination} differ in family")
    addresses = advertisement.addresses
    if not 1 <= len(addresses) <= 255:
        raise ValueError(f"an advertisement lists 1 to 255 addresses, not {len(addresses)}")
    for address in addresses:
        if address.version != family:
            raise ValueError(f"address {address} is not IPv{family} like the source {source}")
    start = _encode_start(advertisement)
    listed = b"".join([address.packed for address in addresses])
    covered = int.from_bytes(start + listed)
    if family == 6 or form is Checksum.PSEUDO_HEADER:
        length = _HEADER.size + len(listed)
        covered += _pseudo_header_sum(source, destination, length)
    return start + _CHECKSUM.pack(internet_checksum(covered)) + listed


def decode(message: bytes, source: Address, destination: Address, hop_limit: int) -> Decoded:
    """Return the advertisement in a message, or say why it is to be dropped (RFC 9568 §7.1).

    Whether VRID and sender are known here is for the caller to check; the reserved bits are
    ignored (§5.2.6).

    Args:
        message: payload of the IP packet, exactly as long as its header says.
        source: source address of the IP header; it decides the family.
        destination: destination address of the IP header.
        hop_limit: TTL or Hop Limit of the IP header.

    Raises:
        DecodeError: the message is to be dropped; whatever the bytes, nothing else is raised.
    """
    is_ipv4 = source.version == 4
    if hop_limit != HOP_LIMIT:
        raise DecodeError(DropReason.HOP_LIMIT, f"hop limit {hop_limit} instead of {HOP_LIMIT}")
    if destination != (GROUP_IPV4 if is_ipv4 else GROUP_IPV6):
        raise DecodeError(DropReason.DESTINATION, f"sent to {destination}, which is not the group")
    size = _IPV4_BYTES if is_ipv4 else _IPV6_BYTES
    _check_shape(message, size)
    _, virtual_router_id, priority, _, interval, _ = _HEADER.unpack_from(message)
    interval &= _INTERVAL_BITS
    if interval == 0:
        raise DecodeError(DropReason.INTERVAL_ZERO, "Max Advertise Interval is 0")
    form = _matching_form(message, source, destination)
    if virtual_router_id == 0:
        raise DecodeError(DropReason.UNKNOWN_VIRTUAL_ROUTER, "VRID is 0")
    make = IPv4Address if is_ipv4 else IPv6Address
    places = range(_HEADER.size, len(message), size)
    addresses = tuple([make(message[at : at + size]) for at in places])
    interval_ns = interval * CENTISECOND_NS
    return Decoded(Advertisement(virtual_router_id, priority, interval_ns, addresses), form)


def _encode_start(advertisement: Advertisement) -> bytes:
    """Return the header up to the checksum."""
    virtual_router_id, priority = advertisement.virtual_router_id, advertisement.priority
    if not 1 <= virtual_router_id <= 255:
        raise ValueError(f"a VRID is 1 to 255, not {virtual_router_id}")
    if not 0 <= priority <= 255:
        raise ValueError(f"a priority is 0 to 255, not {priority}")
    interval, rest_ns = divmod(advertisement.interval_ns, CENTISECOND_NS)
    if rest_ns or not CENTISECOND_NS <= advertisement.interval_ns <= _LONGEST_INTERVAL_NS:
        raise ValueError(
            "an advertisement interval is 10 ms to 40.95 s in steps of 10 ms,"
            f" not {advertisement.interval_ns} ns"
        )
    count = len(advertisement.addresses)
    return _HEADER_START.pack(_FIRST_BYTE, virtual_router_id, priority, count, interval)


def _check_shape(message: bytes, size: int) -> None:
    """Check version, type, length and count, each address being so many bytes long."""
    first_byte = message[0] if message else _FIRST_BYTE
    if first_byte != _FIRST_BYTE:
        version, message_type = first_byte >> 4, first_byte & 0x0F
        if version != _VERSION_3:
            raise DecodeError(DropReason.VERSION, f"VRRP version {version} instead of 3")
        raise DecodeError(DropReason.TYPE, f"VRRP type {message_type} instead of 1")
    length = len(message)
    if length < _HEADER.size:
        raise DecodeError(DropReason.LENGTH, f"{length} bytes are less than the header's 8")
    count = message[3]
    if length != _HEADER.size + count * size:
        detail = f"{length} bytes cannot be {count} addresses of {size} bytes after the header"
        is_other_family = length == _HEADER.size + count * (_IPV4_BYTES + _IPV6_BYTES - size)
        raise DecodeError(
            DropReason.ADDRESS_FAMILY if is_other_family else DropReason.LENGTH, detail
        )
    if count == 0:
        raise DecodeError(DropReason.COUNT_ZERO, "the message lists no address")


def _matching_form(message: bytes, source: Address, destination: Address) -> Checksum:
    """Return what the checksum covers (RFC 9568 §5.2.8)."""
    covered = int.from_bytes(message)
    if is_intact(covered + _pseudo_header_sum(source, destination, len(message))):
        return Checksum.PSEUDO_HEADER
    if source.version == 4 and is_intact(covered):
        return Checksum.MESSAGE_ONLY
    detail = f"checksum {message[6:8].hex()} does not match the message"
    raise DecodeError(DropReason.CHECKSUM, detail)


def _pseudo_header_sum(source: Address, destination: Address, length: int) -> int:
    """Return a number congruent to the pseudo-header's sum, of either family (RFC 8200 §8.1)."""
    return int(source) + int(destination) + length + PROTOCOL
