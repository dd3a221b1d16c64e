"""The receive ladder of RFC 9568 §7.1: one row per reason, and the first failing check decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from itertools import combinations

import pytest

from vip_speaker.vrrp.config import Address
from vip_speaker.vrrp.packet import GROUP_IPV4, GROUP_IPV6, DecodeError, DropReason, decode

SOURCE = IPv4Address("192.0.2.11")


@dataclass(frozen=True)
class Packet:
    """What the IP layer hands over."""

    message: bytes
    source: Address = SOURCE
    destination: Address = GROUP_IPV4
    hop_limit: int = 255


VALID = Packet(bytes.fromhex("31336401 00640568 c0000264"))
VALID_IPV6 = Packet(
    bytes.fromhex("31336401 00646cc7 fe800000000000000000000000000100"),
    source=IPv6Address("fe80::1"),
    destination=GROUP_IPV6,
)


def with_bytes(packet: Packet, at: int, replacement: str) -> Packet:
    """Return the packet with some bytes of its message replaced; the checksum stays."""
    new = bytes.fromhex(replacement)
    message = packet.message[:at] + new + packet.message[at + len(new) :]
    return replace(packet, message=message)


def verdict(packet: Packet) -> str:
    """Return the reason of the drop, or "accepted"."""
    try:
        decode(packet.message, packet.source, packet.destination, packet.hop_limit)
    except DecodeError as error:
        return error.reason
    return "accepted"


# In the order of the ladder. The rows of a count, an interval and a VRID of 0 have checksums that
# cover the message as it is, so that no other check can be the cause.
ROWS = {
    "hop-limit-254[5.1.1.3]": (replace(VALID, hop_limit=254), "HopLimit"),
    "hop-limit-1[5.1.1.3]": (replace(VALID, hop_limit=1), "HopLimit"),
    "hop-limit-254-IPv6[5.1.2.3]": (replace(VALID_IPV6, hop_limit=254), "HopLimit"),
    "destination-unicast[5.1.1.2]": (
        replace(VALID, destination=IPv4Address("192.0.2.12")),
        "Destination",
    ),
    "destination-other-group[5.1.1.2]": (
        replace(VALID, destination=IPv4Address("224.0.0.1")),
        "Destination",
    ),
    "destination-unicast-IPv6[5.1.2.2]": (
        replace(VALID_IPV6, destination=IPv6Address("fe80::2")),
        "Destination",
    ),
    "destination-other-family[5.1.1.2]": (replace(VALID, destination=GROUP_IPV6), "Destination"),
    "version-0[7.1]": (with_bytes(VALID, 0, "01"), "Version"),
    "version-2[7.1]": (with_bytes(VALID, 0, "21"), "Version"),
    "version-4[7.1]": (with_bytes(VALID, 0, "41"), "Version"),
    "type-0[7.1]": (with_bytes(VALID, 0, "30"), "Type"),
    "type-2[7.1]": (with_bytes(VALID, 0, "32"), "Type"),
    "empty[7.1]": (replace(VALID, message=b""), "Length"),
    "header-cut[7.1]": (replace(VALID, message=VALID.message[:7]), "Length"),
    "list-cut[7.1]": (replace(VALID, message=VALID.message[:11]), "Length"),
    "list-longer-than-counted[7.1]": (
        replace(VALID, message=VALID.message + VALID.message[8:]),
        "Length",
    ),
    "count-too-high[7.1]": (with_bytes(VALID, 3, "02"), "Length"),
    "IPv6-list-in-IPv4-packet[5.2.9]": (
        replace(VALID, message=VALID_IPV6.message),
        "AddressFamily",
    ),
    "IPv4-list-in-IPv6-packet[5.2.9]": (
        replace(VALID_IPV6, message=VALID.message),
        "AddressFamily",
    ),
    "count-0[erratum-8299]": (
        replace(VALID, message=bytes.fromhex("31336400 00646a68")),
        "CountZero",
    ),
    "interval-0[erratum-8301]": (
        replace(VALID, message=bytes.fromhex("31336401 0000a866 c0000264")),
        "IntervalZero",
    ),
    "interval-0-reserved-set[erratum-8301]": (
        replace(VALID, message=bytes.fromhex("31336401 f000b865 c0000264")),
        "IntervalZero",
    ),
    "checksum[7.1]": (with_bytes(VALID, 6, "0569"), "Checksum"),
    "checksum-0[7.1]": (with_bytes(VALID, 6, "0000"), "Checksum"),
    "checksum-IPv6[7.1]": (with_bytes(VALID_IPV6, 6, "6cc8"), "Checksum"),
    "checksum-of-another-source[5.2.8]": (
        replace(VALID, source=IPv4Address("192.0.2.12")),
        "Checksum",
    ),
    "vrid-0[7.1]": (
        replace(VALID, message=bytes.fromhex("31006401 0064a835 c0000264")),
        "UnknownVirtualRouter",
    ),
    "valid-IPv4": (VALID, "accepted"),
    "valid-IPv6": (VALID_IPV6, "accepted"),
}

# Found before or after the codec: they need the IP header as a whole, or the configuration.
REASONS_OF_THE_RECEIVER = {
    *("MalformedIPHeader", "OwnPacket", "UnknownSender"),
    *("ReceiveBufferFull", "NotSampled"),
}


@pytest.mark.parametrize(("packet", "expected"), ROWS.values(), ids=ROWS)
def test_row(packet: Packet, expected: str) -> None:
    """The packet is dropped for the reason of its row."""
    assert expected == verdict(packet)


def test_every_reason_has_a_row() -> None:
    """No reason is without a test, and no label changes unnoticed."""
    tested = {expected for _, expected in ROWS.values()} - {"accepted"}
    assert tested | REASONS_OF_THE_RECEIVER == {str(reason) for reason in DropReason}


# One fault per check, each a change to the same packet. A count of 0 needs a message without
# addresses, so it takes the place of the length's fault in the packets that have both.
FAULTS: dict[str, Callable[[Packet], Packet]] = {
    "HopLimit": lambda packet: replace(packet, hop_limit=254),
    "Destination": lambda packet: replace(packet, destination=IPv4Address("192.0.2.12")),
    "Version": lambda packet: with_bytes(packet, 0, f"2{packet.message[0] & 15:x}"),
    "Type": lambda packet: with_bytes(packet, 0, f"{packet.message[0] >> 4:x}2"),
    "Length": lambda packet: replace(packet, message=packet.message + b"\0\0"),
    "CountZero": lambda packet: replace(
        with_bytes(packet, 3, "00"), message=with_bytes(packet, 3, "00").message[:8]
    ),
    "IntervalZero": lambda packet: with_bytes(packet, 4, "0000"),
    "Checksum": lambda packet: with_bytes(packet, 6, "dead"),
}
PAIRS = [
    (first, second)
    for first, second in combinations(FAULTS, 2)
    if (first, second) != ("Length", "CountZero")
]


@pytest.mark.parametrize(
    ("first", "second"), PAIRS, ids=[f"{first}-before-{second}" for first, second in PAIRS]
)
def test_first_failing_check_decides(first: str, second: str) -> None:
    """Of two faults in one packet the one that is checked first gives the reason."""
    assert second == verdict(FAULTS[second](VALID))
    assert first == verdict(FAULTS[first](FAULTS[second](VALID)))


def test_length_is_checked_before_the_count() -> None:
    """A message with bytes that its count of 0 does not explain is of the wrong length."""
    assert verdict(with_bytes(VALID, 3, "00")) == "Length"


def test_checksum_is_checked_before_the_vrid() -> None:
    """A damaged VRID is a damaged message, not an unknown router."""
    assert verdict(with_bytes(VALID, 1, "00")) == "Checksum"
