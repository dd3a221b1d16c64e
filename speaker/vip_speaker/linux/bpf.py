"""Classic BPF programs (socket filters) that choose packets in the kernel."""

from __future__ import annotations

import array
import socket
import struct
from typing import NamedTuple

_SO_ATTACH_FILTER = 26
_INSTRUCTION = struct.Struct("=HBBI")  # code, jump if true, jump if false, operand
_PROGRAM = struct.Struct("@HP")  # number of instructions, their address

_LOAD_BYTE, _LOAD_HALF, _LOAD_WORD = 0x30, 0x28, 0x20
_JUMP_EQUAL, _JUMP_SET = 0x15, 0x45
_RETURN = 0x06
_WHOLE_PACKET = 0x40000
# Loads from here on ask for what the kernel knows of the packet.
_ANCILLARY = 0xFFFFF000
_PACKET_TYPE = _ANCILLARY + 4
_INTERFACE = _ANCILLARY + 8
_PACKET_OTHERHOST = 3
_PACKET_OUTGOING = 4

_IPPROTO_VRRP = 112
_ETHERNET_BYTES = 14


class _Check(NamedTuple):
    """Load a value, test it, and drop the packet unless the outcome is as wanted."""

    load: int
    offset: int
    test: int
    operand: int
    wanted: bool = True


def _assemble(checks: list[_Check]) -> bytes:
    program = b""
    for at, check in enumerate(checks):
        to_drop = 2 * (len(checks) - at - 1) + 1
        jumps = (0, to_drop) if check.wanted else (to_drop, 0)
        program += _INSTRUCTION.pack(check.load, 0, 0, check.offset)
        program += _INSTRUCTION.pack(check.test, *jumps, check.operand)
    return (
        program
        + _INSTRUCTION.pack(_RETURN, 0, 0, _WHOLE_PACKET)
        + _INSTRUCTION.pack(_RETURN, 0, 0, 0)
    )


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
    if version == 4:
        return _assemble(
            [
                *_received_on(index),
                _Check(_LOAD_BYTE, 9, _JUMP_EQUAL, _IPPROTO_VRRP),
                _Check(_LOAD_HALF, 6, _JUMP_SET, 0x3FFF, wanted=False),
            ]
        )
    return _assemble([*_received_on(index), _Check(_LOAD_BYTE, 6, _JUMP_EQUAL, _IPPROTO_VRRP)])


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


def attach(sock: socket.socket, program: bytes) -> None:
    """Make the kernel run this program on every packet before it is queued."""
    memory = array.array("B", program)
    address, size = memory.buffer_info()
    sock.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, _PROGRAM.pack(size // _INSTRUCTION.size, address)
    )
