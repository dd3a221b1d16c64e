"""Who has which address in a simulated world."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from vip_speaker.vrrp.config import Address, Instance

_FIRST_VIRTUAL_ROUTER_ID = 51
_VIRTUAL: tuple[Address, ...] = (IPv4Address("192.0.2.100"), IPv6Address("2001:db8::100"))


def own_address(host: int, family: int) -> Address:
    """Return a host's own address of one family: 0 for IPv4, 1 for IPv6."""
    return IPv4Address(f"192.0.2.{host}") if family == 0 else IPv6Address(f"fe80::{host:x}")


def family_of(address: Address) -> int:
    """Return 0 for IPv4, 1 for IPv6."""
    return 0 if address.version == 4 else 1


def make_instance(host: int, family: int, wire: int = 0) -> Instance:
    """Return an instance; `wire` chooses among VRIDs."""
    virtual_router_id = _FIRST_VIRTUAL_ROUTER_ID + 10 * wire + family
    return Instance(virtual_router_id, own_address(host, family), (_VIRTUAL[family],))
