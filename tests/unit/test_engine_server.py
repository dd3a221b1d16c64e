"""The engine's socket: any client may speak, none can harm."""

from __future__ import annotations

import os
import resource
import selectors
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from vip_speaker.engine.server import Connection, Server
from vip_speaker.messages import (
    Status,
    StatusRequest,
    Subscribe,
    ToEngine,
    Transition,
    decode_from_engine,
    encode,
)
from vip_speaker.supervisor import listen

STATUS = Status(node="n1", revision=7, virtual_routers=[])
TRANSITION = Transition(
    router="vip.default.web", previous="Backup", state="Active", reason="ActiveDown", since=""
)


class Harness:
    """A server with its loop, turned by hand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.selector = selectors.DefaultSelector()
        self.received: list[ToEngine] = []
        self.listener = listen(path)
        self.server = Server(self.listener, self.selector, self.handle)

    def handle(self, connection: Connection, message: ToEngine) -> None:
        self.received.append(message)
        if isinstance(message, Subscribe):
            connection.subscribed = True
        if isinstance(message, StatusRequest):
            self.server.send(connection, STATUS)

    def turn(self) -> None:
        """Handle everything that is ready."""
        while events := self.selector.select(0.05):
            for key, mask in events:
                key.data(mask)
            while self.server.has_lines:
                self.server.handle_lines(0)

    def client(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(5)
        client.connect(str(self.path))
        return client


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    """A server on a socket of its own."""
    harness = Harness(tmp_path / "engine.sock")
    yield harness
    harness.server.close()
    harness.listener.close()
    harness.selector.close()


def test_a_status_request_is_answered(harness: Harness) -> None:
    """Anyone who asks for the status gets it."""
    with harness.client() as client:
        client.sendall(encode(StatusRequest()))
        harness.turn()
        assert decode_from_engine(client.recv(65536)) == STATUS


def test_a_message_may_come_in_pieces(harness: Harness) -> None:
    """Lines are put together, however they are cut."""
    with harness.client() as client:
        for byte in encode(StatusRequest()) + encode(Subscribe()):
            client.sendall(bytes([byte]))
            harness.turn()
    assert harness.received == [StatusRequest(), Subscribe()]


def test_only_subscribers_are_told(harness: Harness) -> None:
    """A transition goes to those who asked for it."""
    with harness.client() as subscriber, harness.client() as other:
        subscriber.sendall(encode(Subscribe()))
        harness.turn()
        harness.server.publish(TRANSITION)
        assert decode_from_engine(subscriber.recv(65536)) == TRANSITION
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.recv(1)


@pytest.mark.parametrize(
    "rubbish", [b"\n\nno json\n", b"{}\n", b'{"type":"unknown"}\n', b"\xff\xfe\n", b"[1]\n"]
)
def test_rubbish_ends_the_connection_and_nothing_else(harness: Harness, rubbish: bytes) -> None:
    """A client that sends no message is dropped, the next one is served."""
    with harness.client() as client:
        client.sendall(rubbish)
        harness.turn()
        assert client.recv(1) == b""
    test_a_status_request_is_answered(harness)


def test_a_client_that_does_not_read_is_dropped(harness: Harness) -> None:
    """What a stuck client does not take is bounded."""
    with harness.client() as stuck:
        stuck.sendall(encode(Subscribe()))
        harness.turn()
        big = Transition(router="x" * 2**20, previous="Backup", state="Active", reason="", since="")
        for _ in range(40):
            harness.server.publish(big)
        received = 0
        while chunk := stuck.recv(2**20):
            received += len(chunk)
        assert received < 40 * 2**20


def _subscriber(harness: Harness) -> socket.socket:
    subscriber = harness.client()
    subscriber.sendall(encode(Subscribe()))
    harness.turn()
    return subscriber


def test_clients_that_stay_for_ever_do_not_keep_others_out(harness: Harness) -> None:
    """Of too many clients the oldest is dropped, and none that subscribed."""
    with ExitStack() as stack:
        subscriber = stack.enter_context(_subscriber(harness))
        oldest = stack.enter_context(harness.client())
        for _ in range(10):
            for _ in range(10):
                stack.enter_context(harness.client())
            harness.turn()
        assert oldest.recv(1) == b""
        test_a_status_request_is_answered(harness)
        harness.server.publish(TRANSITION)
        assert decode_from_engine(subscriber.recv(65536)) == TRANSITION


def test_too_many_subscribers_are_refused(harness: Harness) -> None:
    """Where everybody has subscribed, the one that comes last is told no."""
    with ExitStack() as stack:
        subscribers = [stack.enter_context(_subscriber(harness)) for _ in range(64)]
        assert stack.enter_context(_refused(harness)).recv(1) == b""
        harness.server.publish(TRANSITION)
        assert all(decode_from_engine(one.recv(65536)) == TRANSITION for one in subscribers)


def _refused(harness: Harness) -> socket.socket:
    client = harness.client()
    harness.turn()
    return client


@pytest.fixture
def few_files() -> Iterator[None]:
    """A process that may have few more files than it has."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(int(each.name) for each in Path("/proc/self/fd").iterdir()) + 16
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("few_files")
def test_a_client_is_told_no_where_no_file_can_be_opened(harness: Harness) -> None:
    """It does not wait at the door, where it would wake the engine for ever."""
    with ExitStack() as stack:
        subscriber = stack.enter_context(_subscriber(harness))
        client = stack.enter_context(socket.socket(socket.AF_UNIX))
        client.settimeout(5)
        with suppress(OSError):
            while True:
                stack.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        client.connect(str(harness.path))
        harness.turn()
        assert client.recv(1) == b""
        assert harness.selector.select(0) == []
        harness.server.publish(TRANSITION)
        assert decode_from_engine(subscriber.recv(65536)) == TRANSITION


@pytest.mark.usefixtures("few_files")
def test_a_client_takes_the_place_of_the_oldest_where_no_file_is_left(harness: Harness) -> None:
    """A client gets an answer, though others hold what files there are."""
    with ExitStack() as stack:
        oldest = stack.enter_context(harness.client())
        harness.turn()
        client = stack.enter_context(socket.socket(socket.AF_UNIX))
        client.settimeout(5)
        with suppress(OSError):
            while True:
                stack.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        client.connect(str(harness.path))
        client.sendall(encode(StatusRequest()))
        harness.turn()
        assert oldest.recv(1) == b""
        assert decode_from_engine(client.recv(65536)) == STATUS


def test_an_unknown_field_is_ignored(harness: Harness) -> None:
    """A newer agent can talk to an older engine."""
    with harness.client() as client:
        client.sendall(b'{"type":"status","version":9,"colour":"blue"}\n')
        harness.turn()
    assert harness.received == [StatusRequest(version=9)]


def test_clients_take_turns(harness: Harness) -> None:
    """One that says much at once holds up neither the loop nor another, and is heard out."""
    with harness.client() as greedy, harness.client() as modest:
        greedy.sendall(100 * encode(StatusRequest()))
        modest.sendall(encode(Subscribe()))
        while len(harness.received) < 101:
            for key, mask in harness.selector.select(1):
                key.data(mask)
            before = len(harness.received)
            harness.server.handle_lines(0)
            assert len(harness.received) <= before + 1
    assert harness.received.index(Subscribe()) < 10
    assert not harness.server.has_lines
