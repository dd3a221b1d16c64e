"""Asking one machine whether it is there: ICMP echo, to a hardware address where one is known."""

from __future__ import annotations

import os
import socket
import struct
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from vip_speaker.linux import bpf, frames, ip_header, sockets
from vip_speaker.linux.rtnetlink import Address

TOKEN_BYTES = 16

_ETH_P_IP, _ETH_P_IPV6 = 0x0800, 0x86DD
_IPPROTO_ICMP = 1
_REQUEST = {4: 8, 6: 128}
_REPLY = {4: 0, 6: 129}
_ECHO = struct.Struct("!BBH4s")  # type, code, checksum, identifier and sequence number
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_VERSION_AND_LENGTH = 0x45
_DO_NOT_FRAGMENT = 0x4000
_HOP_LIMIT = 64
_PACKET_BYTES = 2048
_ANSWERS_PER_CALL = 256


class EchoAnswer(NamedTuple):
    """Somebody answered.

    Attributes:
        address: who.
        token: what was asked with.
    """

    address: Address
    token: bytes


def new_token() -> bytes:
    """Return what makes a question known again by its answer, and by nothing else."""
    return os.urandom(TOKEN_BYTES)


def echo_request(source: Address, destination: Address, token: bytes) -> bytes:
    """Return an ICMP or ICMPv6 message; the first bytes of its token are its numbers."""
    kind = _REQUEST[destination.version]
    body = token[:4], token
    message = _ECHO.pack(kind, 0, 0, body[0]) + body[1]
    if destination.version == 4:
        checksum = ~ip_header.ones_complement_sum(message) & 0xFFFF
    else:
        checksum = frames.icmpv6_checksum(source.packed, destination.packed, message)
    return _ECHO.pack(kind, 0, checksum, body[0]) + body[1]


def ip_packet(source: Address, destination: Address, message: bytes) -> bytes:
    """Return an ICMP message in its IP packet."""
    if isinstance(source, IPv6Address):
        return (
            _IPV6.pack(
                6 << 28,
                len(message),
                frames.IPPROTO_ICMPV6,
                _HOP_LIMIT,
                source.packed,
                destination.packed,
            )
            + message
        )
    return _ipv4_header(source, destination, len(message)) + message


def _ipv4_header(source: IPv4Address, destination: Address, length: int) -> bytes:
    def header(checksum: int) -> bytes:
        return _IPV4.pack(
            _VERSION_AND_LENGTH,
            0,
            _IPV4.size + length,
            0,
            _DO_NOT_FRAGMENT,
            _HOP_LIMIT,
            _IPPROTO_ICMP,
            checksum,
            source.packed,
            destination.packed,
        )

    return header(~ip_header.ones_complement_sum(header(0)) & 0xFFFF)


def echo_answer(version: int, packet: bytes) -> EchoAnswer | None:
    """Return who answers what, if that is what an IP packet says; anything else says nothing."""
    datagram = ip_header.parse(version, packet)
    if datagram is None or len(datagram.payload) != _ECHO.size + TOKEN_BYTES:
        return None
    message = datagram.payload
    kind, code, _, numbers = _ECHO.unpack_from(message)
    token = message[_ECHO.size :]
    if (kind, code, numbers) != (_REPLY[version], 0, token[:4]):
        return None
    if version == 4:
        is_whole = ip_header.ones_complement_sum(message) == 0xFFFF
    else:
        ends = datagram.source.packed, datagram.destination.packed
        is_whole = frames.icmpv6_checksum(*ends, message) == 0
    return EchoAnswer(datagram.source, token) if is_whole else None


class EchoSocket:
    """Asks on one interface and hears the answers of one family, ahead of the host's firewall.

    Raises MissingCapabilityError without CAP_NET_RAW and OSError if there is no such interface.
    """

    def __init__(self, ifindex: int, version: int) -> None:
        """Open it.

        Args:
            ifindex: index of the interface.
            version: IP version, 4 or 6.
        """
        self._version = version
        self._ifindex = ifindex
        self._ifname = socket.if_indextoname(ifindex)
        self._protocol = _ETH_P_IP if version == 4 else _ETH_P_IPV6
        self._packets = sockets.open_raw(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        try:
            bpf.attach(self._packets, bpf.echo_answers(version, ifindex))
            sockets.ignore_outgoing(self._packets)
            self._packets.bind((self._ifname, self._protocol))
            self._routed = self._open_routed()
        except BaseException:
            self._packets.close()
            raise

    def _open_routed(self) -> socket.socket:
        """Return a socket that sends by way of the kernel's neighbour table, and hears nothing."""
        if self._version == 4:
            routed = sockets.open_raw(socket.AF_INET, socket.SOCK_RAW, _IPPROTO_ICMP)
        else:
            routed = sockets.open_raw(socket.AF_INET6, socket.SOCK_RAW, frames.IPPROTO_ICMPV6)
        try:
            bpf.attach(routed, bpf.drop_all())
            device = self._ifname.encode() + b"\0"
            routed.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device)
        except BaseException:
            routed.close()
            raise
        return routed

    def fileno(self) -> int:
        """Return the file descriptor, readable when an answer is there."""
        return self._packets.fileno()

    def close(self) -> None:
        """Close it."""
        self._packets.close()
        self._routed.close()

    def ask(self, source: Address, destination: Address, mac: bytes | None, token: bytes) -> None:
        """Ask whether somebody is there.

        Args:
            source: our address.
            destination: theirs.
            mac: their hardware address; None: the kernel asks the link for it.
            token: known again by its answer.

        Raises OSError if the link does not take it.
        """
        message = echo_request(source, destination, token)
        if mac is not None:
            packet = ip_packet(source, destination, message)
            self._packets.sendto(packet, (self._ifname, self._protocol, 0, 0, mac))
        elif self._version == 4:
            # Never by way of a router: who answers is to be on this link.
            self._routed.sendto(message, socket.MSG_DONTROUTE, (str(destination), 0))
        else:
            self._routed.sendto(message, (str(destination), 0, 0, self._ifindex))

    def answers(self) -> list[EchoAnswer]:
        """Return who has answered since the last call; never waits.

        Raises OSError, once, after the link went down; if it was removed, nothing is heard any
        more.
        """
        found = []
        for _ in range(_ANSWERS_PER_CALL):
            try:
                packet = self._packets.recv(_PACKET_BYTES)
            except BlockingIOError:
                break
            answer = echo_answer(self._version, packet)
            if answer is not None:
                found.append(answer)
        return found
