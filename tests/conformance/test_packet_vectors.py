"""Messages published by others, byte for byte, and two computed apart from this code.

Sources: the test suites of scapy (vrrp.uts) and holo-vrrp. The bytes are literals: nothing of the
codec takes part in writing them down.
"""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from support.vrrp_strategies import group_of
from vip_model.vocabulary import Checksum
from vip_speaker.vrrp.packet import (
    Advertisement,
    Decoded,
    DecodeError,
    DropReason,
    decode,
    encode,
)

VECTORS = {
    "scapy-IPv4[5.2.8]": (
        "3102fe02 0001b25e 14000102 14000103",
        "20.0.0.3",
        Checksum.PSEUDO_HEADER,
        (2, 254, 10_000_000, ["20.0.1.2", "20.0.1.3"]),
    ),
    "scapy-IPv4-message-only[5.2.8]": (
        "3102fe02 0001a6f4 14000102 14000103",
        "20.0.0.3",
        Checksum.MESSAGE_ONLY,
        (2, 254, 10_000_000, ["20.0.1.2", "20.0.1.3"]),
    ),
    "holo-IPv4-pseudo-header[5.2.8]": (
        "31011402 0001b95b 0a000105 0a000106",
        "10.0.1.2",
        Checksum.PSEUDO_HEADER,
        (1, 20, 10_000_000, ["10.0.1.5", "10.0.1.6"]),
    ),
    "holo-IPv4[5.2.8]": (
        "31011402 0001a4f0 0a000105 0a000106",
        "10.0.1.2",
        Checksum.MESSAGE_ONLY,
        (1, 20, 10_000_000, ["10.0.1.5", "10.0.1.6"]),
    ),
    "computed-IPv4[5.2.8]": (
        "31336401 00640568 c0000264",
        "192.0.2.11",
        Checksum.PSEUDO_HEADER,
        (51, 100, 1_000_000_000, ["192.0.2.100"]),
    ),
    "computed-IPv4-message-only[5.2.8]": (
        "31336401 0064a802 c0000264",
        "192.0.2.11",
        Checksum.MESSAGE_ONLY,
        (51, 100, 1_000_000_000, ["192.0.2.100"]),
    ),
    "scapy-IPv6[5.2.8]": (
        "3102fe02 0001481b 20010db8000000000000000000000002 20010db8000000000000000000000003",
        "2001:db8::1",
        Checksum.PSEUDO_HEADER,
        (2, 254, 10_000_000, ["2001:db8::2", "2001:db8::3"]),
    ),
    "holo-IPv6[5.2.8]": (
        "31011601 0001b57f 20010db8000000000000000003707334",
        "fe80::200:5eff:fe00:201",
        Checksum.PSEUDO_HEADER,
        (1, 22, 10_000_000, ["2001:db8::370:7334"]),
    ),
    "computed-IPv6[5.2.8]": (
        "31336402 00643dfd fe800000000000000000000000000100 20010db8000000000000000000000100",
        "fe80::1",
        Checksum.PSEUDO_HEADER,
        (51, 100, 1_000_000_000, ["fe80::100", "2001:db8::100"]),
    ),
}
vectors = pytest.mark.parametrize(
    ("message", "source", "form", "fields"), VECTORS.values(), ids=VECTORS
)
Fields = tuple[int, int, int, list[str]]


def advertisement_of(fields: Fields) -> Advertisement:
    """Return the advertisement with these fields."""
    virtual_router_id, priority, interval_ns, addresses = fields
    listed = tuple(ip_address(address) for address in addresses)
    return Advertisement(virtual_router_id, priority, interval_ns, listed)


@vectors
def test_encode(message: str, source: str, form: Checksum, fields: Fields) -> None:
    """The fields are written as the published bytes."""
    address = ip_address(source)
    encoded = encode(advertisement_of(fields), address, group_of(address), form)
    assert message.replace(" ", "") == encoded.hex()


@vectors
def test_decode(message: str, source: str, form: Checksum, fields: Fields) -> None:
    """The published bytes are read as their fields and their checksum form."""
    address = ip_address(source)
    decoded = decode(bytes.fromhex(message), address, group_of(address), 255)
    assert Decoded(advertisement_of(fields), form) == decoded


VERSION_2 = {
    "holo-VRRPv2[7.1]": "21331e01 0001b5c5 0a000105 0000000000000000",
    "computed-VRRPv2[7.1]": "21336401 0001b865 c0000264 0000000000000000",
}


@pytest.mark.parametrize("message", VERSION_2.values(), ids=VERSION_2)
def test_version_2_is_named(message: str) -> None:
    """A valid message of a VRRPv2 router is dropped for its version, and the log says which."""
    source = ip_address("192.0.2.11")
    with pytest.raises(DecodeError) as caught:
        decode(bytes.fromhex(message), source, group_of(source), 255)
    assert caught.value.reason is DropReason.VERSION
    assert caught.value.detail == "VRRP version 2 instead of 3"
