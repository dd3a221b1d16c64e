"""Sends VRRP adverts by the ten thousand a second, as a process of its own.

    python flood.py INTERFACE SOURCE VRID PRIORITY RATE SECONDS [bad-checksum]

Prints how many it sent and in how long. Frames are prepared once and handed to the kernel by
sendmmsg, a hundred at a time.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
import time
from ipaddress import IPv4Address

from vip_speaker.vrrp.packet import GROUP_IPV4, Advertisement, encode

BATCH = 100
_MAC = bytes.fromhex("020000000f10")
_GROUP_MAC = bytes.fromhex("01005e000012")
_SECOND_NS = 1_000_000_000


class _Buffer(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("buffers", ctypes.POINTER(_Buffer)),
        ("buffer_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("sent", ctypes.c_uint),
    )


def frame(source: str, virtual_router_id: int, priority: int, *, bad_checksum: bool) -> bytes:
    """Return an advert of 192.0.2.100 at 100 ms as an Ethernet frame."""
    sender = socket.inet_aton(source)
    address = IPv4Address("192.0.2.100")
    advertisement = Advertisement(virtual_router_id, priority, 100_000_000, (address,))
    message = bytearray(encode(advertisement, IPv4Address(source), GROUP_IPV4))
    if bad_checksum:
        message[6] ^= 0xFF
    header = struct.pack(
        "!BBHHHBBH4s4s",
        *(0x45, 0xC0, 20 + len(message), 0, 0x4000, 255, 112, 0),
        *(sender, GROUP_IPV4.packed),
    )
    total = sum(struct.unpack("!10H", header))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    header = header[:10] + struct.pack("!H", total ^ 0xFFFF) + header[12:]
    return _GROUP_MAC + _MAC + b"\x08\x00" + header + bytes(message)


def flood(interface: str, data: bytes, rate: int, seconds: float) -> tuple[int, float]:
    """Send so many a second for so long; return how many were sent, and in how long."""
    libc = ctypes.CDLL(None, use_errno=True)
    memory = ctypes.create_string_buffer(data, len(data))
    buffer = _Buffer(ctypes.addressof(memory), len(data))
    messages = (_Message * BATCH)()
    for message in messages:
        message.buffers = ctypes.pointer(buffer)
        message.buffer_count = 1
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as wire:
        wire.bind((interface, 0))
        sent, began = 0, time.monotonic_ns()
        end = began + int(seconds * _SECOND_NS)
        while (now := time.monotonic_ns()) < end:
            if sent > (now - began) * rate // _SECOND_NS:
                time.sleep(0.001)  # the pace itself
                continue
            outcome = libc.sendmmsg(wire.fileno(), messages, BATCH, 0)
            if outcome < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            sent += outcome
    return sent, (time.monotonic_ns() - began) / _SECOND_NS


def main() -> None:
    """Do what the command line says."""
    interface, source, virtual_router_id, priority, rate, seconds, *rest = sys.argv[1:]
    data = frame(source, int(virtual_router_id), int(priority), bad_checksum=bool(rest))
    sent, took = flood(interface, data, int(rate), float(seconds))
    sys.stdout.write(f"{sent} {took:.3f}\n")


if __name__ == "__main__":
    main()
