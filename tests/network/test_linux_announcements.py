"""Announcements change what a Linux neighbour believes, and questions are answered by one."""

from __future__ import annotations

import select
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from support.linux_lan import Lan, frames_on, lan, until
from vip_speaker.linux.announce import (
    AnnouncementSchedule,
    gratuitous_arp,
    unsolicited_neighbor_advertisement,
)
from vip_speaker.linux.probe import (
    Answer,
    ProbeSocket,
    arp_request,
    neighbor_solicitation,
)
from vip_speaker.linux.sockets import AnnouncementSocket

VIP4, VIP6 = IPv4Address("192.0.2.100"), IPv6Address("2001:db8::100")
NODE_LINK_LOCAL = IPv6Address("fe80::11")
OTHER_MAC = "02:00:00:00:00:99"


@pytest.fixture
def wire() -> Iterator[Lan]:
    """A node and a peer."""
    with lan() as made:
        yield made


def frames_for(wire: Lan) -> dict[str, bytes]:
    """Return every announcement of the node."""
    mac = wire.node.link("eth0").mac
    request, reply = gratuitous_arp(mac, VIP4)
    advertisement = unsolicited_neighbor_advertisement(mac, NODE_LINK_LOCAL, VIP6)
    return {"ARP request": request, "ARP reply": reply, "NA": advertisement}


@pytest.mark.parametrize("kind", ["ARP request", "ARP reply", "NA"])
def test_a_neighbour_believes_it(wire: Lan, kind: str) -> None:
    """Each frame alone makes a Linux host that knew another MAC use the node's."""
    vip = VIP6 if kind == "NA" else VIP4
    wire.peer.ip(
        *("neigh", "replace", str(vip), "lladdr", OTHER_MAC, "dev", "eth0", "nud", "stale")
    )
    # A Linux host ignores ARP news about an entry that is younger than this.
    wire.peer.sysctl("ipv4/neigh/eth0/locktime", "0")
    mac = wire.node.link("eth0").mac.hex(":")
    with wire.node.entered():
        announcements = AnnouncementSocket(wire.index)
    with announcements:
        assert announcements.send([frames_for(wire)[kind]]) == 1

    until(lambda: mac in wire.peer.ip("neigh", "show", str(vip)))


def test_frames_arrive_as_built(wire: Lan) -> None:
    """All frames of a full router arrive, unchanged and in order."""
    mac = wire.node.link("eth0").mac
    vips = [IPv4Address("198.51.100.0") + n for n in range(255)]
    schedule = AnnouncementSchedule(vips, frames_per_burst=1000)
    schedule.start(0)
    frames = [frame for vip in schedule.due(0) for frame in gratuitous_arp(mac, IPv4Address(vip))]
    with wire.node.entered():
        announcements = AnnouncementSocket(wire.index)
    with announcements, frames_on(wire.peer) as captured:
        assert announcements.send(frames) == 510
        arrived = [frame for frame in captured() if frame[:6] == b"\xff" * 6]

    assert arrived == frames


def question(wire: Lan, version: int) -> bytes:
    """Return the node's question for the address of that version."""
    mac = wire.node.link("eth0").mac
    if version == 4:
        return arp_request(mac, VIP4)
    return neighbor_solicitation(mac, NODE_LINK_LOCAL, VIP6)


@pytest.mark.parametrize("version", [4, 6])
def test_who_has_it_answers(wire: Lan, version: int) -> None:
    """A Linux host that has the address answers the question with its MAC."""
    vip = VIP4 if version == 4 else VIP6
    wire.peer.ip("address", "add", f"{vip}/{vip.max_prefixlen}", "dev", "eth0")
    # Even without duplicate detection it takes a moment until an IPv6 address is in use.
    until(lambda: "tentative" not in wire.peer.ip("address", "show", "dev", "eth0"))
    with wire.node.entered():
        probe = ProbeSocket(wire.index, version)
    try:
        assert probe.send([question(wire, version)]) == 1
        assert select.select([probe], [], [], 5)[0]
        answers = probe.answers()
    finally:
        probe.close()

    assert answers == [Answer(ip_address(str(vip)), wire.peer.link("eth0").mac)]


@pytest.mark.parametrize("version", [4, 6])
def test_nobody_answers_for_nobody(wire: Lan, version: int) -> None:
    """Nobody has the address: nothing comes, not even our own question or other traffic.

    The peer's ping and its own resolution of our address go by unheard.
    """
    node = {4: "192.0.2.11", 6: "fe80::11%eth0"}[version]
    with wire.node.entered():
        probe = ProbeSocket(wire.index, version)
    try:
        with frames_on(wire.peer) as captured:
            probe.send([question(wire, version)] * 3)
            asked = captured().count(question(wire, version))
        wire.peer.run("ping", "-c", "1", "-W", "5", node)
        answers = probe.answers()
    finally:
        probe.close()

    assert asked == 3
    vip = VIP4 if version == 4 else VIP6
    assert [answer for answer in answers if answer.address == vip] == []


@pytest.mark.parametrize("version", [4, 6])
def test_other_traffic_does_not_wake(wire: Lan, version: int) -> None:
    """Who waits for answers is not woken by questions, scraps, or the other family."""
    mac = wire.peer.link("eth0").mac
    source = IPv6Address("fe80::12")
    with wire.node.entered():
        probe = ProbeSocket(wire.index, version)
    with wire.peer.entered():
        other = AnnouncementSocket(wire.peer.link("eth0").index)
    scrap = bytes.fromhex("333300000012") + mac + b"\x86\xdd" + bytes(46)
    noise = [neighbor_solicitation(mac, source, VIP6), scrap]
    if version == 4:
        noise.append(unsolicited_neighbor_advertisement(mac, source, VIP6))
    else:
        noise += gratuitous_arp(mac, VIP4)
    answer = {
        4: gratuitous_arp(mac, VIP4)[1],
        6: unsolicited_neighbor_advertisement(mac, source, VIP6),
    }[version]
    try:
        with other:
            other.send(noise)
            assert select.select([probe], [], [], 0.1)[0] == []
            other.send([answer])
            assert select.select([probe], [], [], 5)[0]
    finally:
        probe.close()


def test_a_probe_leaves_no_trace(wire: Lan) -> None:
    """A probe without sender address puts nothing into a neighbour's cache."""
    wire.peer.ip("address", "add", f"{VIP4}/32", "dev", "eth0")
    with wire.node.entered():
        probe = ProbeSocket(wire.index, 4)
    try:
        probe.send([question(wire, 4)])
        assert select.select([probe], [], [], 5)[0]
    finally:
        probe.close()

    assert wire.peer.ip("-4", "neigh", "show") == ""
