"""What the codec writes, and what it refuses to write."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import given

from support.vrrp_strategies import (
    checksum_forms,
    group_of,
    repeatable,
    sourced_advertisements,
)
from vip_model.vocabulary import Checksum
from vip_speaker.vrrp.config import Address
from vip_speaker.vrrp.packet import (
    GROUP_IPV4,
    GROUP_IPV6,
    Advertisement,
    decode,
    encode,
)

SOURCE = IPv4Address("192.0.2.11")
VALID = Advertisement(51, 100, 1_000_000_000, (IPv4Address("192.0.2.100"),))

IMPOSSIBLE: dict[str, tuple[dict[str, Any], str]] = {
    "vrid-0": ({"virtual_router_id": 0}, "a VRID is 1 to 255, not 0"),
    "vrid-256": ({"virtual_router_id": 256}, "a VRID is 1 to 255, not 256"),
    "priority-negative": ({"priority": -1}, "a priority is 0 to 255, not -1"),
    "priority-256": ({"priority": 256}, "a priority is 0 to 255, not 256"),
    "interval-0": ({"interval_ns": 0}, "in steps of 10 ms, not 0 ns"),
    "interval-negative": ({"interval_ns": -10_000_000}, "not -10000000 ns"),
    "interval-9-ms": ({"interval_ns": 9_000_000}, "10 ms to 40.95 s"),
    "interval-15-ms": ({"interval_ns": 15_000_000}, "in steps of 10 ms, not 15000000 ns"),
    "interval-40.96-s": ({"interval_ns": 40_960_000_000}, "10 ms to 40.95 s"),
    "no-address": ({"addresses": ()}, "lists 1 to 255 addresses, not 0"),
    "256-addresses": (
        {"addresses": (IPv4Address("192.0.2.100"),) * 256},
        "lists 1 to 255 addresses, not 256",
    ),
    "address-of-the-other-family": (
        {"addresses": (IPv4Address("192.0.2.100"), IPv6Address("2001:db8::1"))},
        "address 2001:db8::1 is not IPv4 like the source 192.0.2.11",
    ),
}


@pytest.mark.parametrize(("changes", "sentence"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_field_is_refused(changes: dict[str, Any], sentence: str) -> None:
    """A value that the message cannot carry raises ValueError with a sentence that names it."""
    with pytest.raises(ValueError, match=sentence):
        encode(replace(VALID, **changes), SOURCE, GROUP_IPV4)


def test_families_of_source_and_destination_must_agree() -> None:
    """A message cannot go from one family to the other."""
    with pytest.raises(ValueError, match=r"source 192.0.2.11 and destination ff02::12 differ"):
        encode(VALID, SOURCE, GROUP_IPV6)


def test_fields_at_their_limits_are_written() -> None:
    """Every numeric field holds its largest value, next to reserved bits that stay 0."""
    largest = Advertisement(255, 255, 40_950_000_000, (IPv4Address("255.255.255.255"),) * 255)
    message = encode(largest, SOURCE, GROUP_IPV4)
    assert message[:6] == bytes.fromhex("31 ff ff ff 0f ff")
    assert message[8:] == b"\xff" * 1020


def test_pseudo_header_is_the_default_form() -> None:
    """Without a word about it the checksum has the form that keepalived and FRR expect."""
    default = encode(VALID, SOURCE, GROUP_IPV4)
    assert default == encode(VALID, SOURCE, GROUP_IPV4, Checksum.PSEUDO_HEADER)
    assert default != encode(VALID, SOURCE, GROUP_IPV4, Checksum.MESSAGE_ONLY)


@repeatable
@given(sourced=sourced_advertisements(), form=checksum_forms)
def test_round_trip(sourced: tuple[Address, Advertisement], form: Checksum) -> None:
    """Whatever is encoded decodes to itself, in either form (M5)."""
    source, advertisement = sourced
    group = group_of(source)
    decoded = decode(encode(advertisement, source, group, form), source, group, 255)
    assert advertisement == decoded.advertisement


@repeatable
@given(sourced=sourced_advertisements())
def test_ipv6_knows_one_checksum_form(sourced: tuple[Address, Advertisement]) -> None:
    """The form changes an IPv4 message and never an IPv6 message."""
    source, advertisement = sourced
    group = group_of(source)
    forms = {encode(advertisement, source, group, form) for form in Checksum}
    # The two IPv4 forms agree where the pseudo-header's sum is zero, as one's complement has it.
    pseudo_header = int(source) + int(group) + 112 + 8 + 4 * len(advertisement.addresses)
    assert len(forms) == (1 if source.version == 6 or pseudo_header % 65535 == 0 else 2)
