"""The Internet checksum (RFC 1071), on integers of any length.

2^16 leaves the remainder 1 when divided by 65535. A number made of 16-bit words therefore has the
same remainder as the sum of its words, and one division replaces the loop over them. Numbers that
start on a 16-bit boundary may be added before it. One's complement writes zero in two ways:
a remainder of 0 stands for the sum 0xFFFF, unless every word is 0.
"""

from __future__ import annotations

_MODULUS = 0xFFFF


def internet_checksum(covered: int) -> int:
    """Return the checksum over words that are not all zero, the checksum's own word left out."""
    return -covered % _MODULUS


def is_intact(covered: int) -> bool:
    """Return whether words that are not all zero, with their checksum, are undamaged."""
    return covered % _MODULUS == 0
