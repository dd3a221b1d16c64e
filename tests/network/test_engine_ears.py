"""Receivers that routers and the watch for strangers share."""

from __future__ import annotations

import logging
import selectors
from collections.abc import Iterator

import pytest

from support.linux_adverts import MESSAGE, PEER, sender_on
from support.linux_lan import Lan, lan, until
from vip_speaker.engine.ears import Ears
from vip_speaker.engine.opener import Opener
from vip_speaker.linux.clock import boottime_ns
from vip_speaker.linux.sockets import Packet
from vip_speaker.linux.view import ListeningPlace

VIRTUAL_ROUTER_ID = MESSAGE[1]

TURN_NS = 4_000_000


class Listener:
    """Ears on the node, and what they heard."""

    def __init__(self, wire: Lan) -> None:
        self.selector = selectors.DefaultSelector()
        self.heard: list[tuple[int, Packet]] = []
        self.opener = Opener()
        self.opener.wait_for_all(patient=True)
        self.ears = Ears(
            self.selector, lambda index, packet: self.heard.append((index, packet)), self.opener
        )
        self.eth0 = ListeningPlace(wire.index, "eth0", 4)

    def hold(self) -> None:
        """Hear VRID 51, as a router does."""
        self.ears.hold(self.eth0, VIRTUAL_ROUTER_ID, None)
        self.ears.tick(boottime_ns())

    def release(self) -> None:
        """Hear it no longer."""
        self.ears.release((self.eth0.ifindex, 4), VIRTUAL_ROUTER_ID, None)
        self.ears.tick(boottime_ns())

    @property
    def sockets(self) -> int:
        """How many are open."""
        return len(self.selector.get_map())

    def turn(self) -> bool:
        """Do as the engine's loop does, once; return whether anything was heard so far."""
        events = self.selector.select(0.1)
        self.ears.drain(boottime_ns() + TURN_NS)
        for key, mask in events:
            if key.data is not None:
                key.data(mask)
        self.ears.tick(boottime_ns())
        return bool(self.heard)


@pytest.fixture
def wire() -> Iterator[Lan]:
    """A node and a peer."""
    with lan() as made:
        yield made


@pytest.fixture
def listener(wire: Lan) -> Iterator[Listener]:
    """Ears that hear nothing yet."""
    with wire.node.entered():
        made = Listener(wire)
        yield made
        made.ears.close()
        made.opener.close()
        made.selector.close()


def speak(wire: Lan) -> None:
    """Send one advert from the peer."""
    with sender_on(wire.peer, 4, PEER[4]) as sender:
        sender.send(MESSAGE)


def test_strangers_are_heard_when_there_is_time(wire: Lan, listener: Listener) -> None:
    """What no router waits for is read when the selector says so, never before timers."""
    listener.ears.listen([listener.eth0])
    speak(wire)
    assert until(lambda: listener.selector.select(0.1))
    listener.ears.drain(boottime_ns() + TURN_NS)
    assert listener.heard == []
    assert until(listener.turn)
    assert listener.heard[0][0] == wire.index


def test_a_router_hears_at_once(wire: Lan, listener: Listener) -> None:
    """From its start on, `drain` alone takes what comes in, on the socket that is there."""
    listener.ears.listen([listener.eth0])
    listener.hold()
    assert listener.sockets == 2
    speak(wire)

    def drained() -> bool:
        listener.ears.drain(boottime_ns() + TURN_NS)
        return bool(listener.heard)

    try:
        assert until(drained)
    finally:
        listener.release()


def test_after_the_last_router_strangers_are_heard(wire: Lan, listener: Listener) -> None:
    """Who ends takes nothing from who listens on, and the other way round."""
    listener.hold()
    listener.hold()
    listener.ears.listen([listener.eth0])
    for _ in range(2):
        listener.release()
    speak(wire)
    assert until(listener.turn)
    listener.hold()
    listener.ears.listen([])
    assert listener.sockets == 2
    listener.release()
    assert listener.sockets == 0


def test_what_cannot_be_heard_is_said_once(
    wire: Lan, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    """An interface that is not there is one warning, and stops nobody else from being heard."""
    missing = ListeningPlace(4711, "eth9", 4)
    with caplog.at_level(logging.WARNING, "engine"):
        for _ in range(3):
            listener.ears.listen([missing, listener.eth0])
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "Cannot listen for other virtual routers on eth9 (IPv4): [Err"
    )
    speak(wire)
    assert until(listener.turn)


def test_there_is_a_limit(listener: Listener, caplog: pytest.LogCaptureFixture) -> None:
    """A node with very many interfaces listens to the first 64, and says so of the others."""
    missing = [ListeningPlace(4711 + each, f"eth{each}", 4) for each in range(64)]
    with caplog.at_level(logging.WARNING, "engine"):
        for _ in range(2):
            listener.ears.listen([*missing, listener.eth0])
    assert len(caplog.records) == 65
    assert "64 interfaces and families" in caplog.records[0].getMessage()
    assert listener.sockets == 0
