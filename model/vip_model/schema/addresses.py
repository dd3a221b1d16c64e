"""Which addresses can be virtual ones, as far as the address alone tells. Pure."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from vip_model.vocabulary import Family

Address = IPv4Address | IPv6Address

_LIMITED_BROADCAST = IPv4Address("255.255.255.255")
_THIS_NETWORK = IPv4Network("0.0.0.0/8")
_CLASS_E = IPv4Network("240.0.0.0/4")
_IPV4_COMPATIBLE = IPv6Network("::/96")


class AddressError(ValueError):
    """The text is no address that a node could hold; it says why and what would be right."""


@functools.lru_cache(maxsize=32768)
def parse_address(text: str) -> Address:
    """Return the unicast address that a text is.

    Raises:
        AddressError: it is none, or one that no node can hold.
    """
    address = _parse(text)
    why = _unusable(address)
    if why is not None:
        raise AddressError(f"{text} {why}")
    return address


def is_valid(text: str) -> bool:
    """Return whether `parse_address` accepts the text."""
    try:
        parse_address(text)
    except AddressError:
        return False
    return True


def family_of(address: Address) -> Family:
    """Return the family of an address."""
    return Family.IPV4 if address.version == 4 else Family.IPV6


def normalised(addresses: Sequence[str]) -> tuple[Address, ...]:
    """Return the addresses of a list that are valid: ::1:0 and 0:0::1:0 are one."""
    return tuple(parse_address(text) for text in addresses if is_valid(text))


def canonical(text: str) -> str:
    """Return an address as it is compared, in normal form; any other text as it is."""
    return str(parse_address(text)) if is_valid(text) else text


def _parse(text: str) -> Address:
    bare, slash, _length = text.partition("/")
    if slash:
        raise AddressError(f"{text!r} has a prefix length: write {bare}")
    bare, percent, _zone = text.partition("%")
    if percent:
        raise AddressError(f"{text!r} has a zone: write {bare} and name it in vrrp.interfaces")
    try:
        return ip_address(text)
    except ValueError:
        raise AddressError(f"{text!r} is not an IPv4 or IPv6 address{_hint(text)}") from None


def _hint(text: str) -> str:
    if not text.strip():
        return ": write one such as 192.0.2.100"
    if text != text.strip():
        return ": remove the blanks around it"
    parts = text.split(".")
    if len(parts) == 4 and all(part.isdecimal() for part in parts):
        without_zeros = ".".join(str(int(part)) for part in parts)
        if without_zeros != text:
            return f": write {without_zeros}, leading zeros are ambiguous"
        return ": each of its numbers is at most 255"
    if any(letter.isalpha() for letter in text) and ":" not in text:
        return ": names are not resolved, write the address"
    return ""


def _unusable(address: Address) -> str | None:
    """Return why no node can hold an address, None if one can."""
    if address.is_multicast:
        return "is a multicast address: choose a unicast one"
    if address.is_unspecified:
        return "is the unspecified address: choose one of the subnet"
    if address.is_loopback:
        return "is a loopback address, which no other host can reach: choose one of the subnet"
    if isinstance(address, IPv6Address):
        return _unusable_ipv6(address)
    if address == _LIMITED_BROADCAST:
        return "is the limited broadcast address: choose one of the subnet"
    if address in _CLASS_E:
        return "is in 240.0.0.0/4, which is reserved (class E): choose one of the subnet"
    if address in _THIS_NETWORK:
        return "is in 0.0.0.0/8, which no host can have: choose one of the subnet"
    return None


def _unusable_ipv6(address: IPv6Address) -> str | None:
    if address.ipv4_mapped is not None:
        return f"is an IPv4-mapped address: write {address.ipv4_mapped}"
    if address in _IPV4_COMPATIBLE:
        return "is in ::/96, which no host can have: choose one of the subnet"
    return None
