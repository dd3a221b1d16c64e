"""Classic BPF programs (socket filters) that choose packets in the kernel."""

from __future__ import annotations

import array
import socket
import struct
from collections.abc import Iterable
from typing import NamedTuple

from vip_speaker.linux.rtnetlink import Address

_SO_ATTACH_FILTER = 26
_INSTRUCTION = struct.Struct("=HBBI")  # code, jump if true, jump if false, operand
_PROGRAM = struct.Struct("@HP")  # number of instructions, their address

_LOAD_BYTE, _LOAD_HALF, _LOAD_WORD = 0x30, 0x28, 0x20
_LOAD_BYTE_INDIRECT, _LOAD_X_HEADER_LENGTH = 0x50, 0xB1
_LOAD_LENGTH, _LOAD_IMMEDIATE, _LOAD_MEMORY, _STORE = 0x80, 0x00, 0x60, 0x02
_AND, _SHIFT_RIGHT, _SHIFT_RIGHT_X, _TO_X = 0x54, 0x74, 0x7C, 0x07
_JUMP, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_SET = 0x05, 0x15, 0x35, 0x45
_RETURN = 0x06
_WHOLE_PACKET = 0x40000
# Loads from here on ask for what the kernel knows of the packet.
_ANCILLARY = 0xFFFFF000
_PACKET_TYPE = _ANCILLARY + 4
_INTERFACE = _ANCILLARY + 8
_RANDOM = _ANCILLARY + 56
_PACKET_OTHERHOST = 3
_PACKET_OUTGOING = 4

_IPPROTO_VRRP = 112
_ETHERNET_BYTES = 14
# A program has room for 4096 instructions; more sources than these are judged by who receives.
_SOURCES_MAX = 256
_THINNING_MASK = 63


class Admission(NamedTuple):
    """Which adverts are for routers of ours.

    Attributes:
        virtual_router_ids: their VRIDs.
        sources: where they may come from; None: from anywhere.
        thinned: senders (VRID, source) that send far too many.
    """

    virtual_router_ids: frozenset[int] = frozenset()
    sources: frozenset[Address] | None = None
    thinned: frozenset[tuple[int, Address]] = frozenset()


class _Check(NamedTuple):
    """Load a value, test it, and drop the packet unless the outcome is as wanted."""

    load: int
    offset: int
    test: int
    operand: int
    wanted: bool = True


def _instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return _INSTRUCTION.pack(code, if_true, if_false, operand)


def _demand(checks: list[_Check]) -> bytes:
    """Return the instructions that drop a packet unless it passes; the next ones may go on."""
    program = b""
    for check in checks:
        jumps = (1, 0) if check.wanted else (0, 1)
        program += _instruction(check.load, check.offset)
        program += _instruction(check.test, check.operand, *jumps)
        program += _instruction(_RETURN, 0)
    return program


def _assemble(checks: list[_Check]) -> bytes:
    return _demand(checks) + _instruction(_RETURN, _WHOLE_PACKET)


def _received_on(index: int) -> list[_Check]:
    """Demand packets that came in on this very interface, for this host or a group.

    A packet socket of a parent interface also gets the packets of its VLAN and macvlan children,
    without their tag: the same VRID on another VLAN is another virtual router.
    """
    return [
        _Check(_LOAD_WORD, _INTERFACE, _JUMP_EQUAL, index),
        _Check(_LOAD_WORD, _PACKET_TYPE, _JUMP_EQUAL, _PACKET_OTHERHOST, wanted=False),
        _Check(_LOAD_WORD, _PACKET_TYPE, _JUMP_EQUAL, _PACKET_OUTGOING, wanted=False),
    ]


def drop_all() -> bytes:
    """Return a program that lets nothing through."""
    return _INSTRUCTION.pack(_RETURN, 0, 0, 0)


def advertisements(version: int, index: int) -> bytes:
    """Return a program for adverts of one IP version, for a packet that starts with its IP header.

    Fragments are dropped: nobody needs to fragment an advert, and a fragment without its first
    bytes would be read as one.
    """
    return _assemble(_advertisement(version, index))


def chosen_advertisements(
    version: int, index: int, admission: Admission, *, others: bool = False
) -> bytes:
    """Return a program for adverts that are admitted, or for all the `others`."""
    verdict = (0, _WHOLE_PACKET) if others else (_WHOLE_PACKET, 0)
    return (
        _demand(_advertisement(version, index))
        + _enough_to_read(version, verdict[1])
        + _keep_virtual_router_id(version)
        + _thin(version, admission.thinned)
        + _test_virtual_router_id(admission.virtual_router_ids, verdict[1])
        + _test_source(version, admission.sources, *verdict)
    )


def _advertisement(version: int, index: int) -> list[_Check]:
    if version == 4:
        return [
            *_received_on(index),
            _Check(_LOAD_BYTE, 9, _JUMP_EQUAL, _IPPROTO_VRRP),
            _Check(_LOAD_HALF, 6, _JUMP_SET, 0x3FFF, wanted=False),
        ]
    return [*_received_on(index), _Check(_LOAD_BYTE, 6, _JUMP_EQUAL, _IPPROTO_VRRP)]


def _enough_to_read(version: int, verdict: int) -> bytes:
    """Decide at once about a packet that ends before its VRID."""
    shortest = 22 if version == 4 else 42
    return (
        _instruction(_LOAD_LENGTH, 0)
        + _instruction(_JUMP_GREATER_EQUAL, shortest, 1, 0)
        + _instruction(_RETURN, verdict)
    )


def _keep_virtual_router_id(version: int) -> bytes:
    """Put the VRID into the first cell of memory."""
    if version == 4:
        load = _instruction(_LOAD_X_HEADER_LENGTH, 0) + _instruction(_LOAD_BYTE_INDIRECT, 1)
    else:
        load = _instruction(_LOAD_BYTE, 41)
    return load + _instruction(_STORE, 0)


def _thin(version: int, thinned: Iterable[tuple[int, Address]]) -> bytes:
    """Drop all but one of 64 adverts of these senders."""
    program = b""
    for virtual_router_id, source in thinned:
        sampling = (
            _instruction(_LOAD_MEMORY, 0)
            + _instruction(_JUMP_EQUAL, virtual_router_id, 0, 3)
            + _instruction(_LOAD_WORD, _RANDOM)
            + _instruction(_JUMP_SET, _THINNING_MASK, 0, 1)
            + _instruction(_RETURN, 0)
        )
        program += _if_source(version, source, sampling)
    return program


def _test_virtual_router_id(admitted: Iterable[int], verdict: int) -> bytes:
    """Return the verdict for a VRID that is not admitted: one bit of eight words decides."""
    words = [0] * 8
    for virtual_router_id in admitted:
        words[virtual_router_id >> 5] |= 1 << (virtual_router_id & 31)
    program = _instruction(_LOAD_MEMORY, 0) + _instruction(_SHIFT_RIGHT, 5)
    for at, word in enumerate(words):
        program += _instruction(_JUMP_EQUAL, at, 0, 2)
        program += _instruction(_LOAD_IMMEDIATE, word)
        program += _instruction(_JUMP, 3 * (len(words) - 1 - at))
    return (
        program
        + _instruction(_STORE, 1)
        + _instruction(_LOAD_MEMORY, 0)
        + _instruction(_AND, 31)
        + _instruction(_TO_X, 0)
        + _instruction(_LOAD_MEMORY, 1)
        + _instruction(_SHIFT_RIGHT_X, 0)
        + _instruction(_JUMP_SET, 1, 1, 0)
        + _instruction(_RETURN, verdict)
    )


def _test_source(
    version: int, sources: frozenset[Address] | None, verdict_in: int, verdict_out: int
) -> bytes:
    if sources is None or len(sources) > _SOURCES_MAX:
        return _instruction(_RETURN, verdict_in)
    accept = _instruction(_RETURN, verdict_in)
    tests = b"".join(_if_source(version, source, accept) for source in sorted(sources, key=int))
    return tests + _instruction(_RETURN, verdict_out)


def _if_source(version: int, source: Address, then: bytes) -> bytes:
    """Do something if that is the source; of an IPv6 address the last 64 bits are compared."""
    length = len(then) // _INSTRUCTION.size
    last = int(source) & 0xFFFFFFFF
    if version == 4:
        return _instruction(_LOAD_WORD, 12) + _instruction(_JUMP_EQUAL, last, 0, length) + then
    before_last = int(source) >> 32 & 0xFFFFFFFF
    return (
        _instruction(_LOAD_WORD, 20)
        + _instruction(_JUMP_EQUAL, last, 0, length + 2)
        + _instruction(_LOAD_WORD, 16)
        + _instruction(_JUMP_EQUAL, before_last, 0, length)
        + then
    )


def probe_answers(version: int, index: int) -> bytes:
    """Return a program for ARP, or for neighbor advertisements, in Ethernet frames."""
    if version == 4:
        return _assemble([*_received_on(index), _Check(_LOAD_HALF, 12, _JUMP_EQUAL, 0x0806)])
    ip = _ETHERNET_BYTES
    return _assemble(
        [
            *_received_on(index),
            _Check(_LOAD_HALF, 12, _JUMP_EQUAL, 0x86DD),
            _Check(_LOAD_BYTE, ip + 6, _JUMP_EQUAL, 58),
            _Check(_LOAD_BYTE, ip + 40, _JUMP_EQUAL, 136),
        ]
    )


def echo_answers(version: int, index: int) -> bytes:
    """Return a program for ICMP echo replies, in packets that start with their IP header.

    IPv4 options are only in answers to questions that have them.
    """
    if version == 4:
        return _assemble(
            [
                *_received_on(index),
                _Check(_LOAD_BYTE, 0, _JUMP_EQUAL, 0x45),
                _Check(_LOAD_HALF, 6, _JUMP_SET, 0x3FFF, wanted=False),
                _Check(_LOAD_BYTE, 9, _JUMP_EQUAL, 1),
                _Check(_LOAD_BYTE, 20, _JUMP_EQUAL, 0),
            ]
        )
    return _assemble(
        [
            *_received_on(index),
            _Check(_LOAD_BYTE, 6, _JUMP_EQUAL, 58),
            _Check(_LOAD_BYTE, 40, _JUMP_EQUAL, 129),
        ]
    )


def attach(sock: socket.socket, program: bytes) -> None:
    """Make the kernel run this program on every packet before it is queued."""
    memory = array.array("B", program)
    address, size = memory.buffer_info()
    sock.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, _PROGRAM.pack(size // _INSTRUCTION.size, address)
    )
