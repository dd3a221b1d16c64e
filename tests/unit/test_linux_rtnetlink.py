"""The rtnetlink codec, with pyroute2 as the other side."""

from __future__ import annotations

import errno
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg  # type: ignore[import-untyped]
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg  # type: ignore[import-untyped]

from vip_speaker.linux.rtnetlink import (
    RTM_DELADDR,
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_NEWADDR,
    AddressOperation,
    InterfaceAddress,
    Link,
    NetlinkError,
    Operation,
    decode_acknowledgement,
    decode_address,
    decode_link,
    encode_address_dump,
    encode_link_dump,
    encode_operation,
    messages,
)

REQUEST, ACK, REPLACE, EXCL, CREATE = 0x1, 0x4, 0x100, 0x200, 0x400
NODAD, NOPREFIXROUTE = 0x02, 0x200
AF_BRIDGE = 7


def oracle(data: bytes) -> ifaddrmsg:
    """Return the message as pyroute2 reads it."""
    message = ifaddrmsg(data)
    message.decode()
    return message


def link_message(**changes: object) -> bytes:
    """Return the body of a link message that pyroute2 has built."""
    message = ifinfmsg()
    message["index"] = 3
    message["flags"] = changes.pop("flags", 0x10041)
    message["family"] = changes.pop("family", 0)
    attributes = {
        "IFLA_IFNAME": "eth0",
        "IFLA_ADDRESS": "02:00:00:00:00:01",
        "IFLA_MTU": 1500,
        "IFLA_LINKINFO": {"attrs": [("IFLA_INFO_KIND", "veth")]},
    } | changes
    message["attrs"] = list(attributes.items())
    message.encode()
    return next(messages(bytes(message.data))).body


@pytest.mark.parametrize(
    ("operation", "kind", "flags"),
    [
        (Operation.ADD, RTM_NEWADDR, REQUEST | ACK | CREATE | EXCL),
        (Operation.REPLACE, RTM_NEWADDR, REQUEST | ACK | CREATE | REPLACE),
        (Operation.DELETE, RTM_DELADDR, REQUEST | ACK),
    ],
)
def test_operation_headers(operation: Operation, kind: int, flags: int) -> None:
    """The first bind refuses what is there, a renewal replaces it, and each is acknowledged."""
    wanted = AddressOperation(operation, 7, ip_address("192.0.2.100"), 3, 112)

    header = oracle(encode_operation(wanted, 5))["header"]

    assert (header["type"], header["flags"], header["sequence_number"]) == (kind, flags, 5)


@given(
    address=st.ip_addresses(), index=st.integers(1, 2**31 - 1), lifetime=st.integers(1, 2**31 - 1)
)
def test_bound_addresses(address: object, index: int, lifetime: int) -> None:
    """An address is bound as /32 or /128 with its lifetime, our tag and without a prefix route.

    IPv6 skips duplicate address detection and is deprecated (preferred for 0 s) from the start.
    """
    ip = ip_address(str(address))
    message = oracle(encode_operation(AddressOperation(Operation.ADD, index, ip, lifetime, 112), 1))

    lifetimes = message.get_attr("IFA_CACHEINFO")
    assert message["index"] == index
    assert message["prefixlen"] == ip.max_prefixlen
    assert ip_address(message.get_attr("IFA_LOCAL")) == ip
    assert ip_address(message.get_attr("IFA_ADDRESS")) == ip
    assert message.get_attr("IFA_PROTO") == 112
    assert message.get_attr("IFA_LABEL") is None
    assert lifetimes["ifa_valid"] == lifetime
    if ip.version == 4:
        assert message.get_attr("IFA_FLAGS") == NOPREFIXROUTE
        assert lifetimes["ifa_preferred"] == lifetime
    else:
        assert message.get_attr("IFA_FLAGS") == NOPREFIXROUTE | NODAD
        assert lifetimes["ifa_preferred"] == 0


@pytest.mark.parametrize("address", ["192.0.2.100", "2001:db8::100"])
def test_deletion_names_the_whole_address(address: str) -> None:
    """A deletion carries prefix length and address, so the node's own /24 can never match it."""
    ip = ip_address(address)
    message = oracle(encode_operation(AddressOperation(Operation.DELETE, 7, ip), 1))

    assert message["prefixlen"] == ip.max_prefixlen
    assert ip_address(message.get_attr("IFA_ADDRESS")) == ip
    assert ip_address(message.get_attr("IFA_LOCAL")) == ip


def test_label_without_protocol() -> None:
    """For a kernel without IFA_PROTO the label is sent instead, and only for IPv4."""

    def encoded(address: str) -> ifaddrmsg:
        wanted = AddressOperation(Operation.ADD, 7, ip_address(address), 3, None, "eth0:vip112")
        return oracle(encode_operation(wanted, 1))

    assert encoded("192.0.2.100").get_attr("IFA_LABEL") == "eth0:vip112"
    assert encoded("192.0.2.100").get_attr("IFA_PROTO") is None
    assert encoded("2001:db8::100").get_attr("IFA_LABEL") is None


def test_dump_requests() -> None:
    """Both lists are asked for with the dump flags, addresses by interface if wanted."""
    links = next(messages(encode_link_dump(8)))
    addresses = oracle(encode_address_dump(9, 7))

    assert (links.type, links.flags, links.sequence) == (RTM_GETLINK, 0x301, 8)
    assert addresses["header"]["type"] == RTM_GETADDR
    assert addresses["header"]["flags"] == 0x301
    assert addresses["index"] == 7


def test_address_with_everything() -> None:
    """Every attribute of an address comes out as pyroute2 put it in; the local end counts."""
    message = ifaddrmsg()
    message["family"], message["prefixlen"], message["scope"], message["index"] = 2, 24, 253, 7
    lifetimes = {"ifa_preferred": 1, "ifa_valid": 2, "cstamp": 0, "tstamp": 0}
    message["attrs"] = [
        ("IFA_ADDRESS", "192.0.2.1"),
        ("IFA_LOCAL", "192.0.2.2"),
        ("IFA_LABEL", "eth0"),
        ("IFA_FLAGS", 0x280),
        ("IFA_CACHEINFO", lifetimes),
        ("IFA_PROTO", 112),
    ]
    message.encode()
    found = decode_address(next(messages(bytes(message.data))).body)

    expected = InterfaceAddress(7, 4, ip_address("192.0.2.2"), 24, 112, "eth0", 0x280, 253, 2)
    assert found == expected
    assert found is not None
    assert found.valid_seconds == 2


def test_address_with_little() -> None:
    """Without lifetimes an address is for ever, without IFA_PROTO nobody's, flags are the short."""
    message = ifaddrmsg()
    message["family"], message["prefixlen"], message["flags"], message["index"] = 10, 64, 0x80, 2
    message["attrs"] = [("IFA_ADDRESS", "fe80::1")]
    message.encode()

    found = decode_address(next(messages(bytes(message.data))).body)

    assert found == InterfaceAddress(2, 6, ip_address("fe80::1"), 64, None, "", 0x80, 0, None)
    assert found is not None
    assert found.valid_seconds is None


def test_addresses_of_other_families_are_nothing() -> None:
    """An address of a family that is neither IPv4 nor IPv6 is left out."""
    assert decode_address(bytes([18, 32, 0, 0, 1, 0, 0, 0])) is None


def test_renewal_is_no_difference() -> None:
    """Two addresses that differ only in what is left of their life are equal."""
    one = InterfaceAddress(2, 4, ip_address("192.0.2.1"), 32, 112, "", 0, 0, 3)
    other = InterfaceAddress(2, 4, ip_address("192.0.2.1"), 32, 112, "", 0, 0, 2)

    assert one == other


def test_link_with_everything() -> None:
    """Every attribute of a link comes out as pyroute2 put it in."""
    expected = Link(
        index=3,
        name="eth0",
        mac=bytes.fromhex("020000000001"),
        up=True,
        carrier=True,
        loopback=False,
        kind="veth",
        master=4,
        mtu=1500,
    )

    assert decode_link(link_message(IFLA_MASTER=4)) == expected


@pytest.mark.parametrize(
    ("flags", "up", "carrier", "loopback"),
    [
        (0x0, False, False, False),
        (0x1, True, False, False),
        (0x10041, True, True, False),
        (0x10049, True, True, True),
    ],
)
def test_link_flags(flags: int, up: bool, carrier: bool, loopback: bool) -> None:
    """Up, carrier and loopback are IFF_UP, IFF_LOWER_UP and IFF_LOOPBACK."""
    link = decode_link(link_message(flags=flags))

    assert link is not None
    assert (link.up, link.carrier, link.loopback) == (up, carrier, loopback)


def test_what_a_bridge_says_of_its_port_is_no_link() -> None:
    """A bridge's message about a port is left out: its DELLINK does not remove the interface."""
    assert decode_link(link_message(family=AF_BRIDGE)) is None


def test_errors_carry_the_kernels_words() -> None:
    """Number and explanation of a refusal are read, with the request echoed or left out."""
    text = b"ipv4: Address already assigned\0"
    attribute = (4 + len(text)).to_bytes(2, "little") + b"\x01\x00" + text
    attribute += bytes(-len(attribute) & 3)
    refused = (-errno.EEXIST).to_bytes(4, "little", signed=True)
    request = encode_operation(AddressOperation(Operation.ADD, 1, ip_address("192.0.2.1"), 3), 5)

    def answer(flags: int, body: bytes) -> tuple[int, str]:
        header = (16 + len(body)).to_bytes(4, "little") + b"\x02\x00"
        header += flags.to_bytes(2, "little") + bytes(8)
        return decode_acknowledgement(next(messages(header + body)))

    expected = (errno.EEXIST, "ipv4: Address already assigned")
    assert answer(0x300, refused + request[:16] + attribute) == expected
    assert answer(0x200, refused + request + attribute) == expected
    assert answer(0x000, refused + request) == (errno.EEXIST, "")
    assert answer(0x100, bytes(4) + request[:16]) == (0, "")


def test_error_text_says_what_and_why() -> None:
    """The error reads as what was tried and the system's words, and keeps the number."""
    error = NetlinkError(errno.ENODEV, "Adding 192.0.2.1")

    assert str(error) == "Adding 192.0.2.1: No such device"
    assert error.errno == errno.ENODEV


@given(data=st.binary(max_size=200))
def test_noise_raises_nothing_else(data: bytes) -> None:
    """Bytes that are no netlink messages give NetlinkError, never another exception."""
    try:
        for message in messages(data):
            decode_acknowledgement(message)
            decode_address(message.body)
            decode_link(message.body)
    except NetlinkError as error:
        assert error.errno == errno.EBADMSG  # noqa: PT017


@given(length=st.integers(0, len(link_message()) - 1))
def test_truncated_links(length: int) -> None:
    """A link message that is cut anywhere is refused or lacks attributes, but never misread."""
    whole = link_message()
    try:
        link = decode_link(whole[:length])
    except NetlinkError:
        return

    assert link is None or link.name == "eth0"
