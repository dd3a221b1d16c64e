"""What a service manager hears, over a real datagram socket."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vip_speaker.service import Service

Serve = Callable[[dict[str, str]], Service]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The manager's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "notify"))
        bound.setblocking(False)
        yield bound


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Make the speaker's end, from an environment."""
    with contextlib.ExitStack() as stack:

        def make(environment: dict[str, str]) -> Service:
            return stack.enter_context(contextlib.closing(Service(environment)))

        yield make


def _heard(manager: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(manager.recv(4096).decode())
        except BlockingIOError:
            return found


def test_ready_is_said_once(serve: Serve, manager: socket.socket) -> None:
    """Engines that come later are a status."""
    service = serve({"NOTIFY_SOCKET": manager.getsockname()})
    service.ready("Serving")
    service.ready("Serving again")
    service.stopping("Handing over")
    assert _heard(manager) == [
        "READY=1\nSTATUS=Serving",
        "STATUS=Serving again",
        "STOPPING=1\nSTATUS=Handing over",
    ]


def test_the_watchdog_is_answered_within_half_its_period(
    serve: Serve, manager: socket.socket
) -> None:
    """And not at every look."""
    environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "6000000"}
    service = serve({**environment, "WATCHDOG_PID": str(os.getpid())})
    for look in range(1, 25):
        service.alive(100 + look * 0.5)
    assert _heard(manager) == ["WATCHDOG=1"] * 6


@pytest.mark.parametrize("extra", [{}, {"WATCHDOG_USEC": "6000000", "WATCHDOG_PID": "1"}])
def test_without_a_watchdog_of_ours_it_is_not_answered(
    serve: Serve, manager: socket.socket, extra: dict[str, str]
) -> None:
    """It may be that of another process."""
    serve({"NOTIFY_SOCKET": manager.getsockname(), **extra}).alive(100.0)
    assert _heard(manager) == []


def test_an_abstract_socket_will_do(serve: Serve) -> None:
    """Containers are given such ones."""
    name = f"vip-operator-test/{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(f"\0{name}")
        bound.setblocking(False)
        serve({"NOTIFY_SOCKET": f"@{name}"}).status("Serving")
        assert _heard(bound) == ["STATUS=Serving"]


@pytest.mark.parametrize("address", ["", "/nowhere/notify", "relative"])
def test_a_manager_that_is_not_there_hinders_nobody(serve: Serve, address: str) -> None:
    """Started by hand, or under a manager that is restarted just now."""
    service = serve({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1"})
    service.ready("Serving")
    service.alive(100.0)
