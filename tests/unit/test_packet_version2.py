"""What is read of the adverts of VRRP version 2, which scapy makes here."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from scapy.layers.vrrp import VRRP

from vip_speaker.vrrp import version2
from vip_speaker.vrrp.timers import SECOND_NS

# Recorded from keepalived 2.2.7 with `vrrp_version 2`.
KEEPALIVED = {
    "no authentication": "214d64010001b7fec00002b10000000000000000",
    "password": "214d640101017ab2c00002b17365637265740000",
}


KEEPALIVED_ADDRESSES = (IPv4Address("192.0.2.177"),)


def _numbers(message: bytes) -> tuple[int, int] | None:
    found = version2.read(message)
    return found and (found.virtual_router_id, found.interval_ns)


def advert(**fields: object) -> bytes:
    """Return an advert of VRID 77 for 192.0.2.100 every 3 s, with these fields."""
    return bytes(VRRP(**{"vrid": 77, "adv": 3, "addrlist": ["192.0.2.100"], **fields}))


@pytest.mark.parametrize("addresses", [1, 3, 255])
def test_an_advert_is_read(addresses: int) -> None:
    """VRID and interval are what the sender said, however many addresses it lists."""
    listed = [f"198.51.100.{number % 256}" for number in range(addresses)]
    found = version2.read(advert(addrlist=listed))
    assert found == (77, 3 * SECOND_NS, tuple(map(IPv4Address, listed)))


@pytest.mark.parametrize("message", KEEPALIVED.values(), ids=KEEPALIVED)
def test_keepalived(message: str) -> None:
    """What keepalived sends every second for VRID 77 is read, with a password and without."""
    assert version2.read(bytes.fromhex(message)) == (77, SECOND_NS, KEEPALIVED_ADDRESSES)


def test_without_authentication_data() -> None:
    """RFC 3768 keeps eight bytes for it; some senders leave them out."""
    whole = advert(auth1=0, auth2=0)
    assert version2.read(whole) == version2.read(whole[:-8])
    assert _numbers(whole) == (77, 3 * SECOND_NS)


def test_carp_is_read_the_same_way() -> None:
    """CARP (36 bytes, its length in the place of the count) uses the same group and numbers."""
    carp = bytes.fromhex("214d0007000100000000000000000000") + bytes(range(20))
    total = sum(int.from_bytes(carp[at : at + 2]) for at in range(0, len(carp), 2))
    checksum = ~(total % 0xFFFF) & 0xFFFF
    carp = carp[:6] + checksum.to_bytes(2) + carp[8:]
    assert _numbers(carp) == (77, SECOND_NS)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x21",
        advert()[:-1],
        advert() + b"\0",
        advert()[:-4],
        advert(chksum=0x1234),
        advert(vrid=0),
        advert(addrlist=[], ipcount=0),
        b"\x31" + advert()[1:],
        b"\x22" + advert()[1:],
    ],
    ids=["nothing", "1 byte", "short", "long", "between", "sum", "VRID 0", "0", "v3", "type 2"],
)
def test_anything_else_is_not(message: bytes) -> None:
    """What is cut, damaged or another protocol says nothing of anybody."""
    assert version2.read(message) is None


def test_every_length_is_survived() -> None:
    """No payload raises anything."""
    for length in range(300):
        version2.read(b"\x21" + bytes(length * 31 % 256 for _ in range(length)))
