"""What the codec makes of damaged, cut, foreign and arbitrary bytes (invariants S5 and M5)."""

from __future__ import annotations

import struct
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from support.vrrp_strategies import (
    checksum_forms,
    group_of,
    ipv4_addresses,
    ipv6_addresses,
    repeatable,
    sourced_advertisements,
)
from vip_model.vocabulary import Checksum
from vip_speaker.vrrp.config import Address
from vip_speaker.vrrp.packet import (
    GROUP_IPV4,
    GROUP_IPV6,
    Advertisement,
    DecodeError,
    DropReason,
    decode,
    encode,
)

SOURCE = IPv4Address("192.0.2.11")
SOURCE_IPV6 = IPv6Address("fe80::1")
VALID = Advertisement(51, 100, 1_000_000_000, (IPv4Address("192.0.2.100"),))
VALID_IPV6 = Advertisement(
    51, 100, 1_000_000_000, (IPv6Address("fe80::100"), IPv6Address("2001:db8::100"))
)
SAMPLES = {
    "IPv4-pseudo-header": (VALID, SOURCE, Checksum.PSEUDO_HEADER),
    "IPv4-message-only": (VALID, SOURCE, Checksum.MESSAGE_ONLY),
    "IPv6": (VALID_IPV6, SOURCE_IPV6, Checksum.PSEUDO_HEADER),
}
samples = pytest.mark.parametrize(
    ("advertisement", "source", "form"), SAMPLES.values(), ids=SAMPLES
)


def drop_reason(message: bytes, source: Address) -> DropReason | None:
    """Return why a message to the group is dropped; None if it is not."""
    try:
        decode(message, source, group_of(source), 255)
    except DecodeError as error:
        return error.reason
    return None


def flip(message: bytes, bit: int) -> bytes:
    """Return the message with one bit changed; bit 0 is the first on the wire."""
    changed = int.from_bytes(message) ^ 1 << (8 * len(message) - 1 - bit)
    return changed.to_bytes(len(message))


def flip_is_hidden(message: bytes, bit: int, form: Checksum, source: Address) -> bool:
    """Whether that flip turns a checksum of one IPv4 form into a valid one of the other.

    A flip adds or takes away a power of two; it stays unseen if that is just the pseudo-header's
    sum, by which the two forms differ. No receiver that accepts both forms can see it.
    """
    if source.version == 6:
        return False
    was_set = message[bit // 8] >> (7 - bit % 8) & 1
    change = (-1 if was_set else 1) * (1 << 15 - bit % 16)
    pseudo_header = int(source) + int(GROUP_IPV4) + 112 + len(message)
    hiding = pseudo_header if form is Checksum.PSEUDO_HEADER else -pseudo_header
    return (change - hiding) % 65535 == 0


@samples
def test_truncation_at_every_length_is_rejected(
    advertisement: Advertisement, source: Address, form: Checksum
) -> None:
    """No beginning of a message passes for a message."""
    message = encode(advertisement, source, group_of(source), form)
    reasons = [drop_reason(message[:length], source) for length in range(len(message))]
    expected = [DropReason.LENGTH] * len(message)
    if source.version == 6:
        expected[16] = DropReason.ADDRESS_FAMILY  # two IPv4 addresses would fit
    assert expected == reasons


@samples
@pytest.mark.parametrize("extra", [1, 2, 4, 16])
def test_bytes_after_the_message_are_rejected(
    advertisement: Advertisement, source: Address, form: Checksum, extra: int
) -> None:
    """Zero bytes, which no checksum can see, do not pass as the end of a message."""
    message = encode(advertisement, source, group_of(source), form)
    assert drop_reason(message + bytes(extra), source) is DropReason.LENGTH


@samples
def test_every_single_bit_flip_is_rejected(
    advertisement: Advertisement, source: Address, form: Checksum
) -> None:
    """One damaged bit anywhere is noticed; these sources hide none of them."""
    message = encode(advertisement, source, group_of(source), form)
    bits = range(8 * len(message))
    assert not any(flip_is_hidden(message, bit, form, source) for bit in bits)
    assert [bit for bit in bits if drop_reason(flip(message, bit), source) is None] == []


@repeatable
@given(
    sourced=sourced_advertisements(most=4),
    form=checksum_forms,
    place=st.floats(0, 1, exclude_max=True),
)
def test_bit_flip_passes_only_where_the_two_forms_hide_it(
    sourced: tuple[Address, Advertisement], form: Checksum, place: float
) -> None:
    """A damaged bit is accepted exactly where the checksum forms differ by just that bit."""
    source, advertisement = sourced
    message = encode(advertisement, source, group_of(source), form)
    bit = int(place * 8 * len(message))
    reason = drop_reason(flip(message, bit), source)
    if flip_is_hidden(message, bit, form, source):
        assert reason not in {DropReason.CHECKSUM, DropReason.HOP_LIMIT, DropReason.DESTINATION}
    else:
        assert reason is not None


def test_the_rare_source_that_hides_a_flip() -> None:
    """The exception exists: from this source a flipped reserved bit looks like the other form."""
    length = 12
    # The sum of this source's pseudo-header is 0x4000: the weight of bit 6 in the high byte of
    # a word, such as the reserved bit that is set here.
    rest = (0x4000 - int(GROUP_IPV4) - 112 - length) % 65535
    source = IPv4Address(0x0A000000 + (rest - 0x0A000000) % 65535)
    message = encode(VALID, source, GROUP_IPV4, Checksum.PSEUDO_HEADER)
    bit = 4 * 8 + 1
    assert flip_is_hidden(message, bit, Checksum.PSEUDO_HEADER, source)
    decoded = decode(flip(message, bit), source, GROUP_IPV4, 255)
    assert (decoded.advertisement, decoded.form) == (VALID, Checksum.MESSAGE_ONLY)


@samples
@pytest.mark.parametrize("reserved", range(1, 16))
def test_reserved_bits_are_ignored(
    advertisement: Advertisement, source: Address, form: Checksum, reserved: int
) -> None:
    """Reserved bits under a checksum that covers them change nothing (RFC 9568 §5.2.6)."""
    message = bytearray(encode(advertisement, source, group_of(source), form))
    message[4] |= reserved << 4
    (checksum,) = struct.unpack_from("!H", message, 6)
    adjusted = checksum - (reserved << 12)
    struct.pack_into("!H", message, 6, adjusted if adjusted >= 0 else adjusted + 0xFFFF)
    decoded = decode(bytes(message), source, group_of(source), 255)
    assert advertisement == decoded.advertisement
    assert form is decoded.form


@samples
def test_form_that_matched_is_told(
    advertisement: Advertisement, source: Address, form: Checksum
) -> None:
    """Both IPv4 forms are accepted and told apart; IPv6 has one."""
    message = encode(advertisement, source, group_of(source), form)
    assert form is decode(message, source, group_of(source), 255).form


def test_ipv6_message_without_pseudo_header_is_rejected() -> None:
    """The form that covers the message only is for IPv4 (RFC 9568 §5.2.8)."""
    message = bytearray(encode(VALID_IPV6, SOURCE_IPV6, GROUP_IPV6))
    message[6:8] = b"\0\0"
    total = sum(struct.unpack(f"!{len(message) // 2}H", message))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    struct.pack_into("!H", message, 6, 0xFFFF - total)
    assert drop_reason(bytes(message), SOURCE_IPV6) is DropReason.CHECKSUM


@repeatable
@given(
    message=st.binary(max_size=80)
    | st.binary(max_size=40).map(lambda tail: b"\x31" + tail)
    | st.binary(min_size=10, max_size=10).map(lambda tail: b"\x31\x33\x64\x01\x00\x64" + tail[4:]),
    source=ipv4_addresses | ipv6_addresses,
    destination=st.sampled_from([GROUP_IPV4, GROUP_IPV6]) | ipv4_addresses | ipv6_addresses,
    hop_limit=st.just(255) | st.integers(0, 255),
)
@example(message=b"", source=SOURCE, destination=GROUP_IPV4, hop_limit=255)
@example(message=bytes(12), source=SOURCE, destination=GROUP_IPV4, hop_limit=255)
@example(message=b"\xff" * 12, source=SOURCE, destination=GROUP_IPV4, hop_limit=255)
def test_arbitrary_bytes_raise_nothing_but_decode_error(
    message: bytes, source: Address, destination: Address, hop_limit: int
) -> None:
    """Whatever comes from the wire is an advertisement or a DecodeError."""
    with suppress(DecodeError):
        decode(message, source, destination, hop_limit)


@repeatable
@given(
    sourced=sourced_advertisements(most=2),
    patch=st.dictionaries(st.integers(0, 39), st.integers(0, 255), max_size=4),
    form=checksum_forms,
)
def test_what_is_accepted_can_be_said(
    sourced: tuple[Address, Advertisement], patch: dict[int, int], form: Checksum
) -> None:
    """Every message that is accepted, damaged or not, has fields that encode accepts too."""
    source, advertisement = sourced
    group = group_of(source)
    message = bytearray(encode(advertisement, source, group, form))
    for at, value in patch.items():
        message[at % len(message)] = value
    try:
        decoded = decode(bytes(message), source, group, 255)
    except DecodeError:
        return
    again = encode(decoded.advertisement, source, group, decoded.form)
    assert decoded.advertisement == decode(again, source, group, 255).advertisement


def test_first_ipv6_address_need_not_be_link_local() -> None:
    """A peer that lists a global address first is heard all the same (erratum 8300)."""
    listed = Advertisement(51, 100, 1_000_000_000, (IPv6Address("2001:db8::100"),))
    message = encode(listed, SOURCE_IPV6, GROUP_IPV6)
    assert listed == decode(message, SOURCE_IPV6, GROUP_IPV6, 255).advertisement


def test_error_reads_as_a_sentence() -> None:
    """The error says reason and detail, so that a log needs nothing else."""
    with pytest.raises(DecodeError) as caught:
        decode(b"\x21" + bytes(19), SOURCE, GROUP_IPV4, 255)
    assert str(caught.value) == "Version: VRRP version 2 instead of 3"
