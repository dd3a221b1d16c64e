"""Adverts as they arrive: all of them, only them, and with the time of their arrival."""

from __future__ import annotations

import select
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from scapy.layers.l2 import Dot1Q, Ether

from support.linux_adverts import (
    FAMILIES,
    GROUP,
    MESSAGE,
    NODE,
    PEER,
    advert,
    injected_by,
    next_packets,
    receiver_on,
    sender_on,
)
from support.linux_lan import Lan, lan, until
from vip_speaker.linux.clock import boottime_ns
from vip_speaker.linux.sockets import AdvertReceiver

MS = 1_000_000


@pytest.fixture
def wire() -> Iterator[Lan]:
    """A node and a peer."""
    with lan() as made:
        yield made


@FAMILIES
def test_a_receiver_alone_opens_the_card(wire: Lan, family: int) -> None:
    """Without any sender the network card is told to accept the frames of the group."""
    mac = advert(family).dst

    def frames() -> str:
        return wire.node.ip("maddress", "show", "dev", "eth0")

    assert mac not in frames()
    with receiver_on(wire.node, family):
        assert mac in frames()
    until(lambda: mac not in frames())


@FAMILIES
def test_from_peer_to_node(wire: Lan, family: int) -> None:
    """An advert arrives with its message, addresses, hop limit, and time of arrival."""
    with (
        receiver_on(wire.node, family) as receiver,
        sender_on(wire.peer, family, PEER[family]) as sender,
    ):
        before = boottime_ns()
        sender.send(MESSAGE)
        [packet] = next_packets(receiver)

    source, group = ip_address(PEER[family]), ip_address(GROUP[family])
    assert packet[:4] == (MESSAGE, source, group, 255)
    assert before - MS <= packet.received_ns <= boottime_ns()


@FAMILIES
def test_time_of_arrival_is_not_time_of_reading(wire: Lan, family: int) -> None:
    """A packet that waited 100 ms in the queue tells when it arrived.

    The kernel begins to stamp a moment after the first socket of the machine has asked for it, so
    the first packets may count as arriving when they are read.
    """
    with (
        receiver_on(wire.node, family) as receiver,
        sender_on(wire.peer, family, PEER[family]) as sender,
    ):

        def stamped_on_arrival() -> bool:
            sent = boottime_ns()
            sender.send(MESSAGE)
            assert select.select([receiver], [], [], 5)[0]
            arrived = boottime_ns()
            until(lambda: boottime_ns() > arrived + 100 * MS)
            [packet] = receiver.receive()
            return sent - MS <= packet.received_ns <= arrived + MS

        until(stamped_on_arrival)


@FAMILIES
def test_our_own_packets_are_not_received(wire: Lan, family: int) -> None:
    """The node's own adverts do not come back; the peer's one behind them comes alone."""
    with (
        receiver_on(wire.node, family) as receiver,
        sender_on(wire.node, family, NODE[family]) as own,
        sender_on(wire.peer, family, PEER[family]) as other,
    ):
        for _ in range(10):
            own.send(MESSAGE)
        other.send(MESSAGE)
        packets = next_packets(receiver)

    assert [str(packet.source) for packet in packets] == [PEER[family]]


@FAMILIES
def test_an_input_firewall_does_not_stop_it(wire: Lan, family: int) -> None:
    """With nftables dropping protocol 112 on input, adverts still arrive."""
    wire.node.run("nft", "add table inet filter")
    wire.node.run("nft", "add chain inet filter input { type filter hook input priority 0; }")
    wire.node.run("nft", "add rule inet filter input meta l4proto 112 counter drop")
    with (
        receiver_on(wire.node, family) as receiver,
        sender_on(wire.node, family, NODE[family]),  # in the group, as on a real node
        sender_on(wire.peer, family, PEER[family]) as sender,
    ):
        sender.send(MESSAGE)
        [packet] = next_packets(receiver)
        until(lambda: "counter packets 1 " in wire.node.run("nft", "list ruleset"))

    assert packet.payload == MESSAGE


@FAMILIES
@pytest.mark.parametrize("hop_limit", [1, 254])
def test_routed_packets_are_handed_over_as_such(wire: Lan, family: int, hop_limit: int) -> None:
    """A hop limit other than 255 is reported, for the codec to count and drop it."""
    field = "ttl" if family == 4 else "hlim"
    with receiver_on(wire.node, family) as receiver, injected_by(wire.peer) as inject:
        inject(advert(family, **{field: hop_limit}))
        [packet] = next_packets(receiver)

    assert packet.hop_limit == hop_limit


@FAMILIES
def test_padding_is_not_payload(wire: Lan, family: int) -> None:
    """A short frame is padded by Ethernet; the message is as long as the IP header says."""
    with receiver_on(wire.node, family) as receiver, injected_by(wire.peer) as inject:
        inject(bytes(advert(family)) + bytes(18))
        [packet] = next_packets(receiver)

    assert packet.payload == MESSAGE


ODD = {
    4: [
        advert(4, len=200),
        advert(4, len=19),
        advert(4, ihl=4),
        advert(4, ihl=15),
        advert(4, version=5),
        advert(4, chksum=0x1234),
    ],
    6: [advert(6, plen=200), advert(6, version=5)],
}


@FAMILIES
def test_odd_headers_are_counted(wire: Lan, family: int) -> None:
    """Packets whose IP header lies are counted as malformed, and the next good one is received."""
    with receiver_on(wire.node, family) as receiver, injected_by(wire.peer) as inject:
        for frame in ODD[family]:
            inject(frame)
        inject(advert(family))

        assert [packet.payload for packet in until(receiver.receive)] == [MESSAGE]
        assert receiver.malformed == len(ODD[family])


def test_fragments_and_other_protocols_stay_outside(wire: Lan) -> None:
    """First and later fragments and other protocols do not get past the filter."""
    with receiver_on(wire.node, 4) as receiver, injected_by(wire.peer) as inject:
        for changes in ({"flags": "MF"}, {"frag": 1}, {"flags": "MF", "frag": 7}, {"proto": 17}):
            inject(advert(4, **changes))
        inject(advert(6))
        inject(advert(4, ttl=77))
        packets = next_packets(receiver)

    assert [packet.hop_limit for packet in packets] == [77]
    assert receiver.malformed == 0


@FAMILIES
def test_another_vlan_is_another_link(wire: Lan, family: int) -> None:
    """Adverts of a VLAN are not heard on the card that carries it, nor the other way."""
    try:
        wire.node.ip("link", "add", "link", "eth0", "name", "eth0.5", "type", "vlan", "id", "5")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this kernel has no VLANs: {error.stderr.strip()}")
    wire.node.ip("link", "set", "eth0.5", "up")
    with wire.node.entered():
        tagged = AdvertReceiver(wire.node.link("eth0.5").index, "eth0.5", family)
    hop_limit = "ttl" if family == 4 else "hlim"
    inside = advert(family, **{hop_limit: 5})
    inside = Ether(src=inside.src, dst=inside.dst) / Dot1Q(vlan=5) / inside.payload
    with tagged, receiver_on(wire.node, family) as plain, injected_by(wire.peer) as inject:
        inject(inside)
        inject(advert(family, **{hop_limit: 7}))

        assert [packet.hop_limit for packet in next_packets(plain)] == [7]
        assert [packet.hop_limit for packet in next_packets(tagged)] == [5]


@FAMILIES
def test_another_mac_is_another_link(wire: Lan, family: int) -> None:
    """What is sent to a macvlan's own address is heard there and not on the card below it."""
    wire.node.ip("link", "add", "link", "eth0", "name", "mv0", "type", "macvlan", "mode", "bridge")
    wire.node.ip("link", "set", "mv0", "up")
    child = wire.node.link("mv0")
    with wire.node.entered():
        above = AdvertReceiver(child.index, "mv0", family)
    hop_limit = "ttl" if family == 4 else "hlim"
    to_child = advert(family, **{hop_limit: 5})
    to_child.dst = child.mac.hex(":")
    to_card = advert(family, **{hop_limit: 7})
    to_card.dst = wire.node.link("eth0").mac.hex(":")
    with above, receiver_on(wire.node, family) as below, injected_by(wire.peer) as inject:
        inject(to_child)
        inject(to_card)

        assert [packet.hop_limit for packet in next_packets(above)] == [5]
        assert [packet.hop_limit for packet in next_packets(below)] == [7]


@FAMILIES
def test_a_call_is_bounded(wire: Lan, family: int) -> None:
    """A call returns at most as many packets as asked for, in order, and the rest waits."""
    with (
        receiver_on(wire.node, family) as receiver,
        sender_on(wire.peer, family, PEER[family]) as sender,
    ):
        for number in range(10):
            sender.send(MESSAGE + bytes([number]))

        first = receiver.receive(limit=4)
        rest = receiver.receive()
        assert receiver.receive() == []

    assert [packet.payload[-1] for packet in first] == [0, 1, 2, 3]
    assert [packet.payload[-1] for packet in rest] == [4, 5, 6, 7, 8, 9]
    # Each call measures anew how the kernel's clock of arrivals goes, to some microseconds.
    for packets in (first, rest):
        arrivals = [packet.received_ns for packet in packets]
        assert arrivals == sorted(arrivals)


def test_the_queue_holds_a_long_freeze(wire: Lan) -> None:
    """3000 adverts that nobody read, more than 10 s of 255 routers, are all still there."""
    with receiver_on(wire.node, 4) as receiver, sender_on(wire.peer, 4, PEER[4]) as sender:
        for _ in range(3000):
            sender.send(MESSAGE)
        count = 0
        while packets := receiver.receive():
            count += len(packets)

    assert count == 3000


@FAMILIES
def test_link_down_and_up(wire: Lan, family: int) -> None:
    """A receiver survives its link going down and coming back; what it had is still read."""
    with receiver_on(wire.node, family) as receiver, injected_by(wire.peer) as inject:
        inject(advert(family))
        assert select.select([receiver], [], [], 5)[0]
        wire.node.ip("link", "set", "eth0", "down")
        assert len(receiver.receive()) == 1
        wire.node.ip("link", "set", "eth0", "up")
        until(lambda: wire.node.link("eth0").carrier)
        inject(advert(family))

        assert len(next_packets(receiver)) == 1
