"""The part of rtnetlink(7) that we speak, as bytes: links and addresses. Pure.

Written by hand because the engine must be back within a fraction of a second after a crash, and
because many messages in one system call are 30 times faster than one request at a time.
"""

from __future__ import annotations

import enum
import errno
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

Address = IPv4Address | IPv6Address

NLMSG_ERROR = 2
NLMSG_DONE = 3
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22

_NLM_F_REQUEST = 0x001
_NLM_F_ACK = 0x004
_NLM_F_REPLACE, _NLM_F_EXCL, _NLM_F_CREATE = 0x100, 0x200, 0x400
_NLM_F_DUMP = 0x300
NLM_F_DUMP_INTERRUPTED = 0x010
_NLM_F_CAPPED, _NLM_F_ACK_TLVS = 0x100, 0x200

IFA_F_SECONDARY = 0x01
IFA_F_NODAD = 0x02
IFA_F_DADFAILED = 0x08
IFA_F_DEPRECATED = 0x20
IFA_F_TENTATIVE = 0x40
IFA_F_NOPREFIXROUTE = 0x200

_IFF_UP = 0x1
_IFF_LOOPBACK = 0x8
_IFF_LOWER_UP = 0x10000

_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER = 1, 3, 4, 10
_IFLA_WIRELESS, _IFLA_LINKINFO, _IFLA_EXT_MASK = 11, 18, 29
_IFLA_INFO_KIND = 1
_RTEXT_FILTER_SKIP_STATS = 8
_IFA_ADDRESS, _IFA_LOCAL, _IFA_LABEL, _IFA_CACHEINFO, _IFA_FLAGS, _IFA_PROTO = 1, 2, 3, 6, 8, 11
_NLMSGERR_ATTR_MSG = 1

_AF_INET, _AF_INET6 = 2, 10
_ATTRIBUTE_TYPE_MASK = 0x3FFF
_FOREVER = 0xFFFFFFFF

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_LINK = struct.Struct("=BxHiII")  # family, type, index, flags, change
_ADDRESS = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, index
_LIFETIMES = struct.Struct("=IIII")  # preferred, valid, created, updated
_U32 = struct.Struct("=I")
_S32 = struct.Struct("=i")


class NetlinkError(OSError):
    """The kernel refused, or answered with something that cannot be read.

    Attributes:
        errno: the kernel's error number.
        what: what was tried, with the kernel's own explanation if it gave one.
    """

    def __init__(self, number: int, what: str) -> None:
        super().__init__(number, what)
        self.what = what

    def __str__(self) -> str:
        return f"{self.what}: {os.strerror(self.errno or 0)}"


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface. `mac` is empty where the interface has none."""

    index: int
    name: str
    mac: bytes
    up: bool
    carrier: bool
    loopback: bool
    kind: str  # "" for hardware, else the driver's name: veth, vlan, bridge, dummy
    master: int  # index of the bridge or bond it belongs to, 0 for none
    mtu: int


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """An address on an interface. Two that differ only in what is left of their life are equal."""

    index: int
    family: int  # 4 or 6
    address: Address
    prefix_length: int
    protocol: int | None  # IFA_PROTO: who added it; None if nobody said
    label: str
    flags: int
    scope: int
    valid_seconds: int | None = field(compare=False)  # None is for ever


class Operation(enum.Enum):
    """What to do with an address."""

    ADD = enum.auto()  # fails with EEXIST if it is there
    REPLACE = enum.auto()  # renews the lifetime of the one that is there
    DELETE = enum.auto()


@dataclass(frozen=True, slots=True)
class AddressOperation:
    """One change of one host address (/32 or /128).

    Attributes:
        operation: what to do.
        index: of the interface.
        address: the address.
        lifetime_seconds: how long the kernel keeps it; not for DELETE.
        protocol: IFA_PROTO, dropped silently by kernels before 5.18; None for none.
        label: IPv4 label; empty for the interface's name.
    """

    operation: Operation
    index: int
    address: Address
    lifetime_seconds: int = 0
    protocol: int | None = None
    label: str = ""


class Message(NamedTuple):
    """A netlink message without its header."""

    type: int
    flags: int
    sequence: int
    body: bytes


def messages(data: bytes) -> Iterator[Message]:
    """Yield the messages of one datagram. Raises NetlinkError (EBADMSG) if it is cut short."""
    offset, end = 0, len(data)
    while offset < end:
        if end - offset < _HEADER.size:
            raise NetlinkError(errno.EBADMSG, "Reading a netlink message")
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size or offset + length > end:
            raise NetlinkError(errno.EBADMSG, "Reading a netlink message")
        yield Message(kind, flags, sequence, data[offset + _HEADER.size : offset + length])
        offset += (length + 3) & ~3


def _attributes(data: bytes, offset: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    end = len(data)
    while offset + _ATTRIBUTE.size <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size or offset + length > end:
            raise NetlinkError(errno.EBADMSG, "Reading a netlink attribute")
        found[kind & _ATTRIBUTE_TYPE_MASK] = data[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
    return found


def _text(raw: bytes) -> str:
    return raw.rstrip(b"\0").decode(errors="replace")


def decode_link(body: bytes) -> Link | None:
    """Return the link of an RTM_NEWLINK or RTM_DELLINK message.

    None for messages that describe something else under that number: what a bridge says of its
    port (a DELLINK there only means that it left the bridge) and events of a wireless driver.
    """
    if len(body) < _LINK.size:
        raise NetlinkError(errno.EBADMSG, "Reading a link")
    family, _, index, flags, _ = _LINK.unpack_from(body)
    found = _attributes(body, _LINK.size)
    if family != 0 or _IFLA_WIRELESS in found or _IFLA_IFNAME not in found:
        return None
    info = _attributes(found.get(_IFLA_LINKINFO, b""), 0)
    master, mtu = found.get(_IFLA_MASTER), found.get(_IFLA_MTU)
    return Link(
        index=index,
        name=_text(found[_IFLA_IFNAME]),
        mac=found.get(_IFLA_ADDRESS, b""),
        up=bool(flags & _IFF_UP),
        carrier=bool(flags & _IFF_LOWER_UP),
        loopback=bool(flags & _IFF_LOOPBACK),
        kind=_text(info.get(_IFLA_INFO_KIND, b"")),
        master=_U32.unpack(master)[0] if master else 0,
        mtu=_U32.unpack(mtu)[0] if mtu else 0,
    )


def decode_address(body: bytes) -> InterfaceAddress | None:
    """Return the address of an RTM_NEWADDR or RTM_DELADDR message; None for other families."""
    if len(body) < _ADDRESS.size:
        raise NetlinkError(errno.EBADMSG, "Reading an address")
    family, prefix_length, short_flags, scope, index = _ADDRESS.unpack_from(body)
    found = _attributes(body, _ADDRESS.size)
    # On a point-to-point link IFA_ADDRESS is the other end; IFA_LOCAL is always this one.
    raw = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS, b"")
    address: Address
    if family == _AF_INET and len(raw) == 4:
        address = IPv4Address(raw)
    elif family == _AF_INET6 and len(raw) == 16:
        address = IPv6Address(raw)
    else:
        return None
    flags, lifetimes = found.get(_IFA_FLAGS), found.get(_IFA_CACHEINFO)
    protocol = found.get(_IFA_PROTO)
    valid = _LIFETIMES.unpack(lifetimes)[1] if lifetimes else _FOREVER
    return InterfaceAddress(
        index=index,
        family=address.version,
        address=address,
        prefix_length=prefix_length,
        protocol=protocol[0] if protocol else None,
        label=_text(found.get(_IFA_LABEL, b"")),
        flags=_U32.unpack(flags)[0] if flags else short_flags,
        scope=scope,
        valid_seconds=None if valid == _FOREVER else valid,
    )


def decode_acknowledgement(message: Message) -> tuple[int, str]:
    """Return error number (0 for success) and the kernel's explanation of an NLMSG_ERROR."""
    if len(message.body) < _S32.size + _HEADER.size:
        raise NetlinkError(errno.EBADMSG, "Reading an acknowledgement")
    number = -_S32.unpack_from(message.body)[0]
    if not message.flags & _NLM_F_ACK_TLVS:
        return number, ""
    start = _S32.size + _HEADER.size
    if not message.flags & _NLM_F_CAPPED:
        start = _S32.size + ((_HEADER.unpack_from(message.body, _S32.size)[0] + 3) & ~3)
    return number, _text(_attributes(message.body, start).get(_NLMSGERR_ATTR_MSG, b""))


def decode_done(message: Message) -> int:
    """Return the error number that a dump ended with, 0 for success."""
    if len(message.body) < _S32.size:
        return 0
    return -int(_S32.unpack_from(message.body)[0])


def _message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    length = _HEADER.size + len(body)
    return _HEADER.pack(length, kind, _NLM_F_REQUEST | flags, sequence, 0) + body


def _attribute(kind: int, payload: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(payload)
    return _ATTRIBUTE.pack(length, kind) + payload + bytes(-length & 3)


def encode_link_dump(sequence: int) -> bytes:
    """Return the request for all links, without their counters."""
    body = _LINK.pack(0, 0, 0, 0, 0)
    body += _attribute(_IFLA_EXT_MASK, _U32.pack(_RTEXT_FILTER_SKIP_STATS))
    return _message(RTM_GETLINK, _NLM_F_DUMP, sequence, body)


def encode_address_dump(sequence: int, index: int = 0) -> bytes:
    """Return the request for the addresses of one interface, or of all (index 0)."""
    return _message(RTM_GETADDR, _NLM_F_DUMP, sequence, _ADDRESS.pack(0, 0, 0, 0, index))


_FLAGS = {
    Operation.ADD: _NLM_F_ACK | _NLM_F_CREATE | _NLM_F_EXCL,
    Operation.REPLACE: _NLM_F_ACK | _NLM_F_CREATE | _NLM_F_REPLACE,
    Operation.DELETE: _NLM_F_ACK,
}


def encode_operation(wanted: AddressOperation, sequence: int) -> bytes:
    """Return the message that adds, renews or deletes a host address.

    IPv6 addresses skip duplicate address detection, which would keep them out of service for
    more than a second (the engine probes by its own means), and are deprecated from the start, so
    that they are not chosen as source of the node's own connections.
    """
    version, packed = wanted.address.version, wanted.address.packed
    family = _AF_INET if version == 4 else _AF_INET6
    body = _ADDRESS.pack(family, 8 * len(packed), 0, 0, wanted.index)
    body += _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed)
    if wanted.operation is Operation.DELETE:
        return _message(RTM_DELADDR, _FLAGS[wanted.operation], sequence, body)
    seconds = wanted.lifetime_seconds
    preferred = seconds if version == 4 else 0
    flags = IFA_F_NOPREFIXROUTE | (0 if version == 4 else IFA_F_NODAD)
    body += _attribute(_IFA_FLAGS, _U32.pack(flags))
    body += _attribute(_IFA_CACHEINFO, _LIFETIMES.pack(preferred, seconds, 0, 0))
    if wanted.protocol is not None:
        body += _attribute(_IFA_PROTO, bytes([wanted.protocol]))
    if wanted.label and version == 4:
        body += _attribute(_IFA_LABEL, wanted.label.encode() + b"\0")
    return _message(RTM_NEWADDR, _FLAGS[wanted.operation], sequence, body)
