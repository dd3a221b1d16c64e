"""Hypothesis strategies for VRRP messages, shared by every ring that speaks VRRP."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import settings
from hypothesis import strategies as st

from vip_model.vocabulary import Checksum
from vip_speaker.vrrp.config import Address
from vip_speaker.vrrp.packet import GROUP_IPV4, GROUP_IPV6, Advertisement

# The same examples in every run: a gate must not be red by chance. The simulation ring is the
# place for new seeds. No deadline, since the machine may be busy.
repeatable = settings(derandomize=True, deadline=None, max_examples=200)

ipv4_addresses = st.integers(0, 2**32 - 1).map(IPv4Address)
ipv6_addresses = st.integers(0, 2**128 - 1).map(IPv6Address)
checksum_forms = st.sampled_from(Checksum)


def group_of(source: Address) -> Address:
    """Return the multicast group of the source's family."""
    return GROUP_IPV4 if source.version == 4 else GROUP_IPV6


def _advertisements(
    addresses: st.SearchStrategy[Address], most: int
) -> st.SearchStrategy[Advertisement]:
    return st.builds(
        Advertisement,
        virtual_router_id=st.integers(1, 255),
        priority=st.integers(0, 255),
        interval_ns=st.integers(1, 4095).map(lambda centiseconds: centiseconds * 10_000_000),
        addresses=st.lists(addresses, min_size=1, max_size=most).map(tuple),
    )


def sourced_advertisements(most: int = 20) -> st.SearchStrategy[tuple[Address, Advertisement]]:
    """Return pairs of a source address and an advertisement of its family."""
    ipv4 = st.tuples(ipv4_addresses, _advertisements(ipv4_addresses, most))
    ipv6 = st.tuples(ipv6_addresses, _advertisements(ipv6_addresses, most))
    return ipv4 | ipv6
