"""Announcement frames byte for byte as scapy builds them, and the schedule they follow."""

from __future__ import annotations

import itertools
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether

from vip_speaker.linux.announce import (
    MAX_JITTER_NS,
    AnnouncementSchedule,
    gratuitous_arp,
    unsolicited_neighbor_advertisement,
)

MS = 1_000_000
SECOND = 1000 * MS
MAC = bytes.fromhex("020000000001")
V4 = [IPv4Address("198.51.100.0") + n for n in range(255)]
V6 = [IPv6Address("2001:db8::") + n for n in range(255)]

macs = st.binary(min_size=6, max_size=6)
ipv4 = st.ip_addresses(v=4)
ipv6 = st.ip_addresses(v=6)


@given(mac=macs, address=ipv4)
def test_gratuitous_arp(mac: bytes, address: IPv4Address) -> None:
    """Request and reply are the ones scapy builds, with our hardware address as target too."""
    text, ip = mac.hex(":"), str(address)
    ether = Ether(src=text, dst="ff:ff:ff:ff:ff:ff")
    oracle = [bytes(ether / ARP(op=op, hwsrc=text, psrc=ip, hwdst=text, pdst=ip)) for op in (1, 2)]

    assert oracle == list(gratuitous_arp(mac, address))


@given(mac=macs, source=ipv6, address=ipv6)
def test_unsolicited_neighbor_advertisement(
    mac: bytes, source: IPv6Address, address: IPv6Address
) -> None:
    """The advertisement is the one scapy builds, checksum included: R=1 S=0 O=1, to all nodes."""
    text = mac.hex(":")
    oracle = (
        Ether(src=text, dst="33:33:00:00:00:01")
        / IPv6(src=str(source), dst="ff02::1", hlim=255)
        / ICMPv6ND_NA(R=1, S=0, O=1, tgt=str(address))
        / ICMPv6NDOptDstLLAddr(lladdr=text)
    )

    assert bytes(oracle) == unsolicited_neighbor_advertisement(mac, source, address)


def moments(schedule: AnnouncementSchedule, until_ns: int) -> list[int]:
    """Return when something was due, for a caller that is never late."""
    found = []
    while (deadline := schedule.deadline()) is not None and deadline <= until_ns:
        if schedule.due(deadline):
            found.append(deadline)
    return found


def test_rounds() -> None:
    """One address is announced at 0, 50 ms plus jitter, 1 s, 5 s, then every 30 s for ever."""
    schedule = AnnouncementSchedule(V4[:1])
    schedule.start(7 * SECOND, jitter_ns=20 * MS)

    found = [at - 7 * SECOND for at in moments(schedule, 1000 * SECOND)]

    assert found[:6] == [0, 70 * MS, 1 * SECOND, 5 * SECOND, 35 * SECOND, 65 * SECOND]
    assert {30 * SECOND} == {b - a for a, b in itertools.pairwise(found[3:])}
    assert found[-1] > 960 * SECOND


@pytest.mark.parametrize("addresses", [V4, V6, V4 + V6], ids=["IPv4", "IPv6", "both"])
def test_all_addresses_within_50_ms(addresses: list[IPv4Address] | list[IPv6Address]) -> None:
    """With default pacing every address of a full router is out before the second round."""
    schedule = AnnouncementSchedule(addresses)
    schedule.start(0, jitter_ns=MAX_JITTER_NS)
    out: list[object] = []
    while (deadline := schedule.deadline()) is not None and deadline < 50 * MS:
        out += schedule.due(deadline)

    assert list(addresses) == out


@given(
    addresses=st.lists(st.sampled_from(V4 + V6), max_size=40),
    frames=st.integers(1, 20),
    gap_ns=st.integers(0, 5 * MS),
)
def test_pacing(addresses: list[IPv4Address | IPv6Address], frames: int, gap_ns: int) -> None:
    """No burst has more frames than allowed, pauses are kept, and a round misses no address."""
    schedule = AnnouncementSchedule(addresses, frames_per_burst=frames, gap_ns=gap_ns)
    schedule.start(0)
    out: list[IPv4Address | IPv6Address] = []
    last = None
    while len(out) < len(addresses):
        deadline = schedule.deadline()
        assert deadline is not None
        if last is not None:
            assert deadline == last + gap_ns
        burst = schedule.due(deadline)
        assert sum(2 if one.version == 4 else 1 for one in burst) <= max(frames, 2)
        out += burst
        last = deadline

    assert addresses == out


def test_nothing_before_the_deadline() -> None:
    """A call that comes early gets nothing and changes nothing."""
    schedule = AnnouncementSchedule(V4[:1])
    schedule.start(0)
    schedule.due(0)

    assert schedule.due(50 * MS - 1) == ()
    assert schedule.due(50 * MS) == (V4[0],)


def test_rounds_do_not_pile_up() -> None:
    """After a freeze of 10 minutes one round is sent, then the schedule goes on where it would be.

    Refreshes are every 30 s from the fifth second, so the next after 600 s is at 605 s.
    """
    schedule = AnnouncementSchedule(V4[:1])
    schedule.start(0)
    schedule.due(0)

    assert schedule.due(600 * SECOND) == (V4[0],)
    assert schedule.due(600 * SECOND) == ()
    assert schedule.deadline() == 605 * SECOND


def test_stop() -> None:
    """After stop, nothing is ever due."""
    schedule = AnnouncementSchedule(V4)
    schedule.start(0)
    schedule.due(0)
    schedule.stop()

    assert schedule.deadline() is None
    assert schedule.due(600 * SECOND) == ()


def test_start_again_begins_anew() -> None:
    """A start in the middle of a round announces every address again, at once."""
    schedule = AnnouncementSchedule(V4, frames_per_burst=2)
    schedule.start(0)
    schedule.due(0)
    schedule.start(40 * MS)

    assert schedule.deadline() == 40 * MS
    assert schedule.due(40 * MS) == (V4[0],)


def test_no_address() -> None:
    """A schedule without addresses is never due."""
    schedule = AnnouncementSchedule([])
    schedule.start(0)

    assert schedule.deadline() is None
