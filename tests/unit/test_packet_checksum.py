"""The checksum by division against RFC 1071's own description of it: a loop over words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from support.vrrp_strategies import repeatable
from vip_speaker.vrrp.checksum import internet_checksum, is_intact


def one_complement_sum(words: list[int]) -> int:
    """Add 16-bit words, each carry going round to the lowest bit (RFC 1071 §1)."""
    total = 0
    for word in words:
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return total


def as_number(words: list[int]) -> int:
    """Return the words as one number, the first being the highest."""
    return int.from_bytes(b"".join(word.to_bytes(2) for word in words))


messages = st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=12).filter(any)


def test_example_of_rfc_1071() -> None:
    """The sum of RFC 1071 §3 is 0xDDF2."""
    assert internet_checksum(0x0001_F203_F4F5_F6F7) == 0xFFFF - 0xDDF2


@repeatable
@given(words=messages)
def test_checksum_is_complement_of_the_sum(words: list[int]) -> None:
    """Division gives the complement of the sum that the loop gives."""
    assert 0xFFFF - one_complement_sum(words) == internet_checksum(as_number(words))


def test_sum_of_all_ones_has_checksum_zero() -> None:
    """Where one's complement has two zeros, the one that a loop over words writes is chosen."""
    assert internet_checksum(0xFFFF) == 0
    assert internet_checksum(as_number([0xFF00, 0x00FF])) == 0


@repeatable
@given(words=messages)
def test_intact_means_that_the_loop_sums_to_all_ones(words: list[int]) -> None:
    """Division and loop agree on what is undamaged."""
    assert (one_complement_sum(words) == 0xFFFF) is is_intact(as_number(words))
    completed = [*words, 0xFFFF - one_complement_sum(words)]
    assert is_intact(as_number(completed))
