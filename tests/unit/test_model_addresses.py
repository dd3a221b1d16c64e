"""Which texts are addresses that a node could hold."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vip_model.schema.addresses import AddressError, is_valid, parse_address


@pytest.mark.parametrize(
    "text",
    ["192.0.2.100", "10.0.0.0", "169.254.1.1", "100.64.0.1", "2001:db8::100", "fd00::1", "fe80::1"],
)
def test_unicast_addresses_are_accepted(text: str) -> None:
    """Addresses that a node could have are accepted; the subnet is not known here."""
    assert parse_address(text) == ip_address(text)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("192.0.2.100/24", "has a prefix length: write 192.0.2.100"),
        ("2001:db8::1/64", "has a prefix length: write 2001:db8::1"),
        ("fe80::1%eth0", "has a zone: write fe80::1 and name it in vrrp.interfaces"),
        ("::ffff:192.0.2.1", "is an IPv4-mapped address: write 192.0.2.1"),
        ("::192.0.2.1", "is in ::/96"),
        ("224.0.0.18", "is a multicast address"),
        ("ff02::12", "is a multicast address"),
        ("127.0.0.1", "is a loopback address"),
        ("127.9.9.9", "is a loopback address"),
        ("::1", "is a loopback address"),
        ("0.0.0.0", "is the unspecified address"),
        ("::", "is the unspecified address"),
        ("0.1.2.3", "is in 0.0.0.0/8"),
        ("240.0.0.1", "(class E)"),
        ("255.255.255.254", "(class E)"),
        ("255.255.255.255", "is the limited broadcast address"),
        ("192.0.2.010", "write 192.0.2.10, leading zeros are ambiguous"),
        ("192.0.2.256", "each of its numbers is at most 255"),
        ("192.0.2", "is not an IPv4 or IPv6 address"),
        (" 192.0.2.1", "remove the blanks"),
        ("", "write one such as 192.0.2.100"),
        ("web.example", "names are not resolved"),
        ("2001:db8:::1", "is not an IPv4 or IPv6 address"),
    ],
)
def test_others_are_refused_with_a_way_out(text: str, part: str) -> None:
    """An address that no node could hold is refused in words that say what would be right."""
    with pytest.raises(AddressError, match=r".") as caught:
        parse_address(text)
    assert part in str(caught.value)
    assert not is_valid(text)


@given(st.text(max_size=60))
def test_any_text_is_judged(text: str) -> None:
    """Whatever is written, it is either an address or an AddressError, nothing else."""
    if is_valid(text):
        assert not parse_address(text).is_multicast
