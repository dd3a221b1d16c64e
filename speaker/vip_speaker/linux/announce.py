"""Telling the link who has an address: frames and the schedule they are sent by. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

from vip_speaker.linux import frames
from vip_speaker.linux.rtnetlink import Address

_MILLISECOND_NS = 1_000_000
_SECOND_NS = 1000 * _MILLISECOND_NS

_ALL_NODES = IPv6Address("ff02::1")
_ALL_NODES_MAC = bytes.fromhex("333300000001")
_ROUTER, _OVERRIDE = 0x80000000, 0x20000000


def gratuitous_arp(mac: bytes, address: IPv4Address) -> tuple[bytes, bytes]:
    """Return the two frames that tell who has an IPv4 address: a request and a reply.

    Some hosts listen to the one, some only to the other. The target hardware address is ours
    (RFC 9568 §8.1.2 as corrected by its errata); Linux ignores a gratuitous reply without it.
    """
    request, reply = (
        frames.arp_frame(operation, source_mac=mac, source=address, target_mac=mac, target=address)
        for operation in (frames.ARP_REQUEST, frames.ARP_REPLY)
    )
    return request, reply


def unsolicited_neighbor_advertisement(
    mac: bytes, link_local_source: IPv6Address, address: IPv6Address
) -> bytes:
    """Return the frame that tells all nodes who has an IPv6 address.

    Flags are R=1, S=0, O=1 (RFC 9568 §8.2.2): the O makes them replace what they knew.
    """
    return frames.icmpv6_frame(
        destination_mac=_ALL_NODES_MAC,
        source_mac=mac,
        source=link_local_source,
        destination=_ALL_NODES,
        kind=frames.NEIGHBOR_ADVERTISEMENT,
        body=struct.pack("!I", _ROUTER | _OVERRIDE)
        + address.packed
        + bytes([frames.TARGET_LINK_LAYER_ADDRESS, 1])
        + mac,
    )


# When the rounds begin; the second one waits for the jitter on top.
_ROUNDS_NS: tuple[int, ...] = (0, 50 * _MILLISECOND_NS, 1 * _SECOND_NS, 5 * _SECOND_NS)
_REFRESH_NS = 30 * _SECOND_NS
MAX_JITTER_NS = 50 * _MILLISECOND_NS
_FRAMES = {4: 2, 6: 1}  # per address and round


class AnnouncementSchedule:
    """When which address is to be announced: at once, 50-100 ms, 1 s, 5 s, then every 30 s.

    A round is sent in bursts, so that storm control of a switch or a short queue of a network card
    does not swallow the end of it. A round whose time passes while an earlier one is being sent,
    or while nobody asks, is left out: announcements do not pile up.
    """

    def __init__(
        self,
        addresses: Iterable[Address],
        *,
        frames_per_burst: int = 128,
        gap_ns: int = 2 * _MILLISECOND_NS,
    ) -> None:
        """Prepare; nothing is due before `start`.

        Args:
            addresses: what is announced.
            frames_per_burst: at most so many frames at a time; an IPv4 address takes two. An
                address is always sent whole.
            gap_ns: pause between two bursts.
        """
        self._bursts = _bursts(addresses, frames_per_burst)
        self._gap_ns = gap_ns
        self._rounds_ns = _ROUNDS_NS
        self._started_ns = 0
        self._burst = 0
        self._deadline_ns: int | None = None

    def start(self, now: int, *, jitter_ns: int = 0) -> None:
        """Begin with the first round, now.

        Args:
            now: current time in ns.
            jitter_ns: 0 to MAX_JITTER_NS, drawn by the caller: spreads the second rounds of
                routers that move together.
        """
        self._started_ns = now
        first, second, *others = _ROUNDS_NS
        self._rounds_ns = (first, second + jitter_ns, *others)
        self._burst = 0
        self._deadline_ns = now if self._bursts else None

    def stop(self) -> None:
        """Announce nothing any more."""
        self._deadline_ns = None

    def deadline(self) -> int | None:
        """Return when `due` is to be called next, None while stopped."""
        return self._deadline_ns

    def due(self, now: int) -> tuple[Address, ...]:
        """Return the addresses to announce now; none before the deadline."""
        if self._deadline_ns is None or now < self._deadline_ns:
            return ()
        burst = self._bursts[self._burst]
        self._burst += 1
        if self._burst < len(self._bursts):
            self._deadline_ns = now + self._gap_ns
        else:
            self._burst = 0
            self._deadline_ns = self._next_round(now)
        return burst

    def _next_round(self, now: int) -> int:
        elapsed = now - self._started_ns
        for offset in self._rounds_ns:
            if offset > elapsed:
                return self._started_ns + offset
        last = self._rounds_ns[-1]
        refreshes = (elapsed - last) // _REFRESH_NS + 1
        return self._started_ns + last + refreshes * _REFRESH_NS


def _bursts(addresses: Iterable[Address], frames_per_burst: int) -> list[tuple[Address, ...]]:
    bursts: list[tuple[Address, ...]] = []
    burst: list[Address] = []
    taken = 0
    for address in addresses:
        more = _FRAMES[address.version]
        if burst and taken + more > frames_per_burst:
            bursts.append(tuple(burst))
            burst, taken = [], 0
        burst.append(address)
        taken += more
    if burst:
        bursts.append(tuple(burst))
    return bursts
