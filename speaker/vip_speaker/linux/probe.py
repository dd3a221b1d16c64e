"""Asking the link whether anybody has an address: frames, answers, schedule and socket."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from vip_speaker.linux import bpf, frames, sockets
from vip_speaker.linux.rtnetlink import Address

_MILLISECOND_NS = 1_000_000
PROBES = 3
PROBE_GAP_NS = 50 * _MILLISECOND_NS
_NOBODY = IPv4Address(0)
_UNKNOWN_MAC = bytes(6)
_SOLICITED_NODE = int(IPv6Address("ff02::1:ff00:0"))

_ETHERNET_BYTES = 14
_IPV6_BYTES = 40
_ARP_FOR_IPV4_ON_ETHERNET = (1, 0x0800, 6, 4)
_ADVERTISEMENT_BYTES = 24
_FRAME_BYTES = 2048
_ANSWERS_PER_CALL = 256


class Answer(NamedTuple):
    """Somebody who has an address."""

    address: Address
    mac: bytes


def arp_request(mac: bytes, address: IPv4Address, source: IPv4Address = _NOBODY) -> bytes:
    """Return the frame that asks who has an IPv4 address.

    Without a source it is a probe (RFC 5227 §2.1.1): it leaves no trace in anybody's cache.
    """
    return frames.arp_frame(
        frames.ARP_REQUEST,
        source_mac=mac,
        source=source,
        target_mac=_UNKNOWN_MAC,
        target=address,
    )


def neighbor_solicitation(
    mac: bytes, link_local_source: IPv6Address, address: IPv6Address
) -> bytes:
    """Return the frame that asks who has an IPv6 address (RFC 4861 §4.3); the answer is unicast."""
    group = IPv6Address(_SOLICITED_NODE | int(address) & 0xFFFFFF)
    return frames.icmpv6_frame(
        destination_mac=b"\x33\x33" + group.packed[-4:],
        source_mac=mac,
        source=link_local_source,
        destination=group,
        kind=frames.NEIGHBOR_SOLICITATION,
        body=bytes(4) + address.packed + bytes([frames.SOURCE_LINK_LAYER_ADDRESS, 1]) + mac,
    )


def answer_to_probe(frame: bytes) -> Answer | None:
    """Return who has which address, if that is what an Ethernet frame says.

    An ARP packet of any kind speaks for its sender address (RFC 5227 §2.1.1), a neighbor
    advertisement for its target. Anything else, malformed ones included, says nothing.
    """
    if len(frame) < _ETHERNET_BYTES:
        return None
    (ethertype,) = struct.unpack_from("!H", frame, 12)
    if ethertype == frames.ETH_P_ARP:
        return _from_arp(frame[_ETHERNET_BYTES:])
    if ethertype == frames.ETH_P_IPV6:
        return _from_advertisement(frame[_ETHERNET_BYTES:], frame[6:12])
    return None


def _from_arp(packet: bytes) -> Answer | None:
    if len(packet) < frames.ARP.size:
        return None
    *kind, operation, mac, source, _, _ = frames.ARP.unpack_from(packet)
    if tuple(kind) != _ARP_FOR_IPV4_ON_ETHERNET or source == bytes(4):
        return None
    if operation not in (frames.ARP_REQUEST, frames.ARP_REPLY):
        return None
    return Answer(IPv4Address(source), mac)


def _from_advertisement(packet: bytes, sender: bytes) -> Answer | None:
    """The link-layer address is an option, and an unchecked one: the frame's sender will do."""
    if len(packet) < _IPV6_BYTES + _ADVERTISEMENT_BYTES or packet[0] >> 4 != 6:
        return None
    (length,) = struct.unpack_from("!H", packet, 4)
    message = packet[_IPV6_BYTES : _IPV6_BYTES + length]
    if packet[6] != frames.IPPROTO_ICMPV6 or packet[7] != frames.HOP_LIMIT:
        return None
    if len(message) != length or length < _ADVERTISEMENT_BYTES:
        return None
    if message[0] != frames.NEIGHBOR_ADVERTISEMENT or message[1] != 0:
        return None
    if frames.icmpv6_checksum(packet[8:24], packet[24:40], message) != 0:
        return None
    return Answer(IPv6Address(message[8:24]), sender)


class ProbeSchedule:
    """When to ask: three times, 50 ms apart; the link has had its say 50 ms after the last."""

    def __init__(self) -> None:
        self._asked = 0
        self._deadline_ns: int | None = None

    def start(self, now: int) -> None:
        """Ask from now on."""
        self._asked = 0
        self._deadline_ns = now

    def stop(self) -> None:
        """Ask no more."""
        self._deadline_ns = None

    def deadline(self) -> int | None:
        """Return when `due` is to be called next, None when it is over or was never begun."""
        return self._deadline_ns

    def due(self, now: int) -> bool:
        """Tell whether to ask now. The call after the last question ends it."""
        if self._deadline_ns is None or now < self._deadline_ns:
            return False
        if self._asked == PROBES:
            self._deadline_ns = None
            return False
        self._asked += 1
        self._deadline_ns = now + PROBE_GAP_NS
        return True


class ProbeSocket:
    """Asks on one interface and hears the answers of one family.

    Raises MissingCapabilityError without CAP_NET_RAW and OSError if there is no such interface.
    """

    def __init__(self, ifindex: int, family: int) -> None:
        """Open the socket.

        Args:
            ifindex: index of the interface.
            family: 4 or 6.
        """
        ifname = socket.if_indextoname(ifindex)
        protocol = frames.ETH_P_ARP if family == 4 else frames.ETH_P_IPV6
        self._socket = sockets.open_raw(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            bpf.attach(self._socket, bpf.probe_answers(family, ifindex))
            sockets.ignore_outgoing(self._socket)
            self._socket.bind((ifname, protocol))
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Return the file descriptor, readable when an answer is there."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def send(self, questions: Iterable[bytes]) -> int:
        """Send questions and return how many the interface took; the rest is lost."""
        return sockets.send_frames(self._socket, questions)

    def answers(self) -> list[Answer]:
        """Return who has said to have an address since the last call; never waits."""
        found = []
        for _ in range(_ANSWERS_PER_CALL):
            try:
                frame = self._socket.recv(_FRAME_BYTES)
            except OSError:  # nothing more, or the link is gone
                break
            answer = answer_to_probe(frame)
            if answer is not None:
                found.append(answer)
        return found
