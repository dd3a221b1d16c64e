"""Sockets for adverts and announcements; none of them ever blocks."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple, Self

from vip_speaker.linux import bpf, ip_header
from vip_speaker.linux.capability import MissingCapabilityError, check_capabilities
from vip_speaker.linux.clock import StampClock
from vip_speaker.linux.netlink import force_buffer
from vip_speaker.linux.rtnetlink import Address

__all__ = [
    "IPPROTO_VRRP",
    "IPV4_GROUP",
    "IPV6_GROUP",
    "AdvertReceiver",
    "AdvertSender",
    "AnnouncementSocket",
    "GroupMembership",
    "MissingCapabilityError",
    "Packet",
    "check_capabilities",
]

IPPROTO_VRRP = 112
IPV4_GROUP = IPv4Address("224.0.0.18")
IPV6_GROUP = IPv6Address("ff02::12")

_HOP_LIMIT = 255
_CLASS_SELECTOR_6 = 0xC0
_PRIORITY_CONTROL = 6  # 7 would need CAP_NET_ADMIN and gets the same band
RECEIVE_BUFFER_BYTES = 4 << 20
_SEND_BUFFER_BYTES = 1 << 20
_PACKET_BYTES = 10240  # a jumbo frame and to spare
_ANCILLARY_BYTES = 64
_PACKETS_PER_CALL = 256

_ETH_P_IP, _ETH_P_IPV6 = 0x0800, 0x86DD
_SOL_PACKET = 263
_PACKET_ADD_MEMBERSHIP, _PACKET_STATISTICS, _PACKET_IGNORE_OUTGOING = 1, 6, 23
_PACKET_MR_MULTICAST = 0
_SO_TIMESTAMPNS = 35
_IP_MTU_DISCOVER, _IP_PMTUDISC_DO = 10, 2
_IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_DO = 23, 2

_TIMESPEC = struct.Struct("@ll")
_STATISTICS = struct.Struct("@II")  # packets, of which were dropped
_MEMBERSHIP = struct.Struct("@iHH8s")  # interface, type, length of address, address
_IPV4_MEMBERSHIP = struct.Struct("@4s4si")  # group, address of ours, interface
_ANY_IPV4_ADDRESS = bytes(4)


class Packet(NamedTuple):
    """An advert as it came in.

    Attributes:
        payload: the VRRP message.
        source: sender.
        destination: the group, or our address.
        hop_limit: TTL or Hop Limit; RFC 9568 §7.1 demands 255.
        received_ns: when it arrived, CLOCK_BOOTTIME; when it was read, for the few ms that the
            kernel needs to begin with stamping after the first socket asked for it.
        mac: hardware address that it came from.
    """

    payload: bytes
    source: Address
    destination: Address
    hop_limit: int
    received_ns: int
    mac: bytes = b""


def open_raw(family: int, kind: int, protocol: int) -> socket.socket:
    """Open a raw or packet socket. Raises MissingCapabilityError without CAP_NET_RAW."""
    try:
        return socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
    except PermissionError as error:
        raise MissingCapabilityError("CAP_NET_RAW", "to speak VRRP on the link") from error


_libc = ctypes.CDLL(None, use_errno=True)


def _join(sock: socket.socket, level: int, option: int, value: bytes) -> None:
    """Set an option that waits for the kernel's RTNL lock, without the interpreter's lock.

    `socket.setsockopt` keeps the latter: every thread would wait with this one.
    """
    if _libc.setsockopt(sock.fileno(), level, option, value, len(value)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class _Closing:
    """What all sockets here have in common."""

    _socket: socket.socket

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """Return the file descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class AdvertSender(_Closing):
    """Sends adverts of one family on one interface from one address, and is in the group there.

    Raises MissingCapabilityError without CAP_NET_RAW, and OSError if the interface or the source
    address is not there (ENODEV, EADDRNOTAVAIL).
    """

    def __init__(self, ifindex: int, ifname: str, family: int, source: Address) -> None:
        """Open the socket.

        Args:
            ifindex: index of the interface.
            ifname: its name.
            family: 4 or 6.
            source: our primary IPv4 or IPv6 link-local address on it.
        """
        self.source = source
        domain = socket.AF_INET if family == 4 else socket.AF_INET6
        self._socket = open_raw(domain, socket.SOCK_RAW, IPPROTO_VRRP)
        try:
            # Adverts are received elsewhere: here they would only fill the queue.
            bpf.attach(self._socket, bpf.drop_all())
            self._socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_BINDTODEVICE, ifname.encode() + b"\0"
            )
            if family == 4:
                self._prepare_ipv4(ifindex, source)
            else:
                self._prepare_ipv6(ifindex, source)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _PRIORITY_CONTROL)
        except BaseException:
            self._socket.close()
            raise

    def send(self, message: bytes) -> None:
        """Send one VRRP message to the group.

        Raises OSError: ENETDOWN, ENETUNREACH or ENODEV without the link, EINVAL without the source
        address, EPERM by an output firewall, EAGAIN while the queue is full, EMSGSIZE for a
        message that would have to be fragmented.
        """
        self._socket.sendto(message, self._destination)

    def _prepare_ipv4(self, ifindex: int, source: Address) -> None:
        option = self._socket.setsockopt
        option(socket.IPPROTO_IP, socket.IP_TTL, _HOP_LIMIT)
        option(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, _HOP_LIMIT)
        option(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        option(socket.IPPROTO_IP, socket.IP_TOS, _CLASS_SELECTOR_6)
        option(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DO)
        group = _IPV4_MEMBERSHIP.pack(IPV4_GROUP.packed, source.packed, ifindex)
        option(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, group)
        _join(self._socket, socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        self._socket.bind((str(source), 0))
        self._destination: tuple[str, int] | tuple[str, int, int, int] = (str(IPV4_GROUP), 0)

    def _prepare_ipv6(self, ifindex: int, source: Address) -> None:
        option = self._socket.setsockopt
        option(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, _HOP_LIMIT)
        option(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, _HOP_LIMIT)
        option(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
        option(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _CLASS_SELECTOR_6)
        option(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_DO)
        option(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, ifindex)
        group = IPV6_GROUP.packed + struct.pack("@I", ifindex)
        _join(self._socket, socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        self._socket.bind((str(source), 0, 0, ifindex))
        self._destination = (str(IPV6_GROUP), 0, 0, ifindex)


class GroupMembership(_Closing):
    """Keeps this host in the group on an interface, for switches that look (IGMP, MLD).

    An `AdvertSender` is in the group itself; this is for who only listens. Nothing is received
    here: the socket has no port.
    """

    def __init__(self, ifindex: int, family: int) -> None:
        """Join. Raises OSError if the interface is not there or knows no multicast.

        Args:
            ifindex: index of the interface.
            family: 4 or 6.
        """
        domain = socket.AF_INET if family == 4 else socket.AF_INET6
        self._socket = socket.socket(domain, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            if family == 4:
                group = _IPV4_MEMBERSHIP.pack(IPV4_GROUP.packed, _ANY_IPV4_ADDRESS, ifindex)
                _join(self._socket, socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
            else:
                group = IPV6_GROUP.packed + struct.pack("@I", ifindex)
                _join(self._socket, socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        except BaseException:
            self._socket.close()
            raise


class AdvertReceiver(_Closing):
    """Receives adverts of one family on one interface, whatever a firewall says.

    A packet socket sees packets before the input firewall, which raw sockets are behind.
    Our own packets are not among them.

    Attributes:
        malformed: packets that were dropped since their IP header is cut short, odd, or does not
            match the packet.
        emptied: the last call of `receive` has left nothing behind.
    """

    def __init__(
        self, ifindex: int, ifname: str, family: int, buffer_bytes: int = RECEIVE_BUFFER_BYTES
    ) -> None:
        """Open the socket.

        Args:
            ifindex: index of the interface.
            ifname: its name.
            family: 4 or 6.
            buffer_bytes: how much the kernel keeps until it is read.
        """
        self._ifindex = ifindex
        self._family = family
        self._overflowed = 0
        self.malformed = 0
        self.emptied = True
        # Protocol 0 until the filter is in place: nothing gets in before.
        self._socket = open_raw(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        try:
            bpf.attach(self._socket, bpf.advertisements(family, ifindex))
            ignore_outgoing(self._socket)
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            force_buffer(self._socket, socket.SO_RCVBUF, buffer_bytes)
            self._stamps = StampClock()
            self._socket.bind((ifname, _ETH_P_IP if family == 4 else _ETH_P_IPV6))
            join_group_frames(self._socket, ifindex, IPV4_GROUP if family == 4 else IPV6_GROUP)
        except BaseException:
            self._socket.close()
            raise

    def choose(self, admission: bpf.Admission, *, others: bool = False) -> None:
        """Take only the adverts that are admitted from now on, or only the `others`."""
        program = bpf.chosen_advertisements(self._family, self._ifindex, admission, others=others)
        bpf.attach(self._socket, program)

    def overflowed(self) -> int:
        """Return how many packets were lost so far since nobody read them in time."""
        statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, _STATISTICS.size)
        self._overflowed += _STATISTICS.unpack(statistics)[1]
        return self._overflowed

    def receive(self, limit: int = _PACKETS_PER_CALL) -> list[Packet]:
        """Return what has arrived, oldest first, at most `limit` packets; never waits.

        Call again while there may be more: the selector says so.
        """
        raw: list[tuple[bytes, bytes]] = []
        stamps: list[int | None] = []
        emptied = False
        for _ in range(limit):
            received = self._receive_one()
            if received is None:
                emptied = True
                break
            raw.append(received[:2])
            stamps.append(received[2])
        self.emptied = emptied
        arrivals = self._stamps.convert(stamps, emptied=emptied)
        packets = []
        for (data, mac), received_ns in zip(raw, arrivals, strict=True):
            datagram = ip_header.parse(self._family, data)
            if datagram is None:
                self.malformed += 1
            else:
                packets.append(Packet(*datagram, received_ns, mac))
        return packets

    def _receive_one(self) -> tuple[bytes, bytes, int | None] | None:
        try:
            received = self._socket.recvmsg(_PACKET_BYTES, _ANCILLARY_BYTES)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno != errno.ENETDOWN:
                raise
            # Said once when the interface goes down; what was queued before is still there.
            return self._receive_one()
        data, ancillary, flags, (*_, mac) = received
        return b"" if flags & socket.MSG_TRUNC else data, mac, _stamp(ancillary)


def _stamp(ancillary: Iterable[tuple[int, int, bytes]]) -> int | None:
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack(data)
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return None


def ignore_outgoing(sock: socket.socket) -> None:
    """Do not even look at what this host sends (Linux 4.20; the filter drops it elsewhere)."""
    try:
        sock.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    except OSError as error:
        if error.errno != errno.ENOPROTOOPT:
            raise


def join_group_frames(sock: socket.socket, ifindex: int, group: Address) -> None:
    """Make the network card accept the Ethernet frames of an IP multicast group."""
    packed = group.packed
    if group.version == 4:
        mac = b"\x01\x00\x5e" + bytes([packed[1] & 0x7F]) + packed[2:]
    else:
        mac = b"\x33\x33" + packed[-4:]
    membership = _MEMBERSHIP.pack(ifindex, _PACKET_MR_MULTICAST, len(mac), mac)
    _join(sock, _SOL_PACKET, _PACKET_ADD_MEMBERSHIP, membership)


class AnnouncementSocket(_Closing):
    """Sends ready-made Ethernet frames on one interface."""

    def __init__(self, ifindex: int) -> None:
        """Open the socket on the interface of that index. Raises OSError if there is none."""
        ifname = socket.if_indextoname(ifindex)
        self._socket = open_raw(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            self._socket.bind((ifname, 0))
            force_buffer(self._socket, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _PRIORITY_CONTROL)
        except BaseException:
            self._socket.close()
            raise

    def send(self, frames: Iterable[bytes]) -> int:
        """Send the frames and return how many the interface took.

        A full queue or a link that is down swallows the rest: announcements are repeated.
        """
        return send_frames(self._socket, frames)


_NOT_NOW = (errno.EAGAIN, errno.ENOBUFS, errno.ENETDOWN, errno.ENXIO, errno.ENODEV)


def send_frames(sock: socket.socket, frames: Iterable[bytes]) -> int:
    """Send Ethernet frames until the interface takes no more; return how many it took."""
    sent = 0
    for frame in frames:
        try:
            sock.send(frame)
        except OSError as error:
            if error.errno not in _NOT_NOW:
                raise
            break
        sent += 1
    return sent
