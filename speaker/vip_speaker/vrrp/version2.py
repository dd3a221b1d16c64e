"""What of a VRRP version 2 advertisement (RFC 3768 §5.1) tells who else is on the link. Pure.

Version 2 is never obeyed; but two routers that use one VRID disturb each other whatever they
speak. CARP, which borrows the protocol number, is read the same way: it has the same first bytes.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import NamedTuple

from vip_speaker.vrrp.checksum import is_intact
from vip_speaker.vrrp.timers import SECOND_NS

_FIRST_BYTE = 0x21  # version 2, type 1
_HEADER_BYTES, _ADDRESS_BYTES, _PASSWORD_BYTES = 8, 4, 8


class Version2Advertisement(NamedTuple):
    """Who speaks, and how often.

    Attributes:
        virtual_router_id: VRID, 1-255.
        interval_ns: Advertisement Interval, 1 to 255 s.
        addresses: what it announces.
    """

    virtual_router_id: int
    interval_ns: int
    addresses: tuple[IPv4Address, ...] = ()


def read(message: bytes) -> Version2Advertisement | None:
    """Return what a message says if it is a whole version 2 advertisement, else None."""
    if len(message) < _HEADER_BYTES or message[0] != _FIRST_BYTE:
        return None
    virtual_router_id, count, interval_seconds = message[1], message[3], message[5]
    length = _HEADER_BYTES + count * _ADDRESS_BYTES
    # Without authentication its field is sent as zeros, or not at all.
    if count == 0 or len(message) not in (length, length + _PASSWORD_BYTES):
        return None
    if virtual_router_id == 0 or not is_intact(int.from_bytes(message)):
        return None
    places = range(_HEADER_BYTES, length, _ADDRESS_BYTES)
    addresses = tuple(IPv4Address(message[at : at + _ADDRESS_BYTES]) for at in places)
    return Version2Advertisement(virtual_router_id, max(1, interval_seconds) * SECOND_NS, addresses)
