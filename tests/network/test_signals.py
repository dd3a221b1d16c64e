"""What a speaker with an agent does on SIGHUP and SIGUSR1, and what systemd is told."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from support.bare_engine import BareEngine, router
from support.network_manifests import ROUTER, VIP, manifest, virtual_ip
from vip_lab.lan import Lan
from vip_lab.speaker import Speaker
from vip_lab.wait import until

GATE = {"name": "answers", "tcpSocket": {"port": 9}, "periodMilliseconds": 200}
OTHER = "192.0.2.101"
FOLLOW_SECONDS = 10.0
_OLD_NS = 1_700_000_000 * 1_000_000_000
_WATCHDOG_SECONDS = 6.0


@pytest.fixture
def speaker(lan: Lan) -> Iterator[Speaker]:
    """A speaker on n1 that follows a manifest and is Active."""
    speaker = Speaker(lan["n1"])
    shutil.rmtree(speaker.state_directory, ignore_errors=True)
    speaker.write(manifest(virtual_ip()))
    os.utime(speaker.manifest, ns=(_OLD_NS, _OLD_NS))
    speaker.start_and_wait()
    until("it to be Active", lambda: speaker.state(ROUTER) == "Active", 15.0)
    yield speaker
    speaker.end()


def _send(speaker: Speaker, number: int, role: str = "supervisor") -> None:
    pid = speaker.pid(role)
    assert pid is not None
    os.kill(pid, number)


def _pids(speaker: Speaker) -> list[int | None]:
    return [speaker.pid(role) for role in ("supervisor", "engine", "agent")]


def _addresses(speaker: Speaker) -> list[str]:
    found = speaker.router(ROUTER)
    return [] if found is None else list(found["addresses"])


def test_sighup_reads_the_manifests_again(speaker: Speaker) -> None:
    """Also what polling does not see: as many other bytes, in a file with the same time."""
    pids = _pids(speaker)
    text = speaker.manifest.read_text().replace(VIP, OTHER)
    with speaker.manifest.open("r+") as file:
        file.write(text)
    os.utime(speaker.manifest, ns=(_OLD_NS, _OLD_NS))
    _send(speaker, signal.SIGHUP)
    until("the new address", lambda: _addresses(speaker) == [OTHER], FOLLOW_SECONDS)
    assert _pids(speaker) == pids


def test_sighup_moves_nothing_that_did_not_change(speaker: Speaker) -> None:
    """And a manifest that became invalid leaves what is served alone."""
    before = speaker.router(ROUTER)
    assert before is not None
    revision = speaker.status()["revision"]
    _send(speaker, signal.SIGHUP)
    until("a new revision", lambda: speaker.status()["revision"] > revision, FOLLOW_SECONDS)
    speaker.write("kind: [")
    _await_refusal(speaker)
    _send(speaker, signal.SIGHUP)
    _await_refusal(speaker, count=2)
    after = speaker.router(ROUTER)
    assert after is not None
    assert (after["state"], after["since"]) == ("Active", before["since"])
    assert speaker.host.holds(VIP)


def test_sigusr1_prints_the_state_of_engine_and_agent(speaker: Speaker) -> None:
    """Routers, manifest, gates, and what is wrong with the newest version."""
    pids = _pids(speaker)
    speaker.write(manifest(virtual_ip(gates=[GATE])))
    until("the gate to fail", lambda: _failing(speaker) == ["answers"], FOLLOW_SECONDS)
    speaker.write("kind: [")
    _await_refusal(speaker)
    before = len(speaker.log())
    _send(speaker, signal.SIGUSR1)
    patterns = [
        rf"engine: {ROUTER} +{VIP}",
        rf"agent: Following {speaker.manifest}, revision \d+",
        rf"agent: Problem: .*{speaker.manifest}",
        r"agent: .*\"answers\".*\"Failing\"",
    ]
    until(
        "all of it in the log",
        lambda: all(re.search(each, speaker.log()[before:]) for each in patterns),
        FOLLOW_SECONDS,
        show=lambda: speaker.log()[before:],
    )
    assert _pids(speaker) == pids


def _await_refusal(speaker: Speaker, count: int = 1) -> None:
    """Wait until the speaker, in this life, has refused so many versions."""

    def refused() -> bool:
        log = speaker.log().rpartition("agent: Started for node")[2]
        return log.count("keeping the last valid set") >= count

    until(f"{count} to be refused", refused, FOLLOW_SECONDS, show=speaker.log)


def _failing(speaker: Speaker) -> list[str]:
    found = speaker.router(ROUTER) or {}
    return [gate["name"] for gate in found.get("gates", []) if gate["state"] == "Failing"]


@pytest.mark.parametrize("role", ["engine", "agent"])
def test_signals_hurt_no_process_that_is_starting(speaker: Speaker, role: str) -> None:
    """They come all the time from the moment on when one is replaced."""
    old = speaker.kill_role(role)
    lives = set()
    until_seconds = time.monotonic() + 3.0
    while time.monotonic() < until_seconds:
        for number in (signal.SIGHUP, signal.SIGUSR1):
            _send(speaker, number)
        lives.add(speaker.pid(role))
        time.sleep(0.02)  # the pace
    assert len(lives - {None, old}) == 1
    until("it to serve", lambda: speaker.state(ROUTER) == "Active", FOLLOW_SECONDS)


class Manager:
    """The end of a service manager, which notes when it heard what."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        self.heard: list[tuple[float, str]] = []

    def lines(self) -> list[str]:
        """Return every line so far."""
        while True:
            try:
                text = self._socket.recv(4096).decode()
            except BlockingIOError:
                return [line for _, line in self.heard]
            self.heard += [(time.monotonic(), line) for line in text.splitlines()]

    def await_line(self, line: str, count: int = 1, seconds: float = 20.0) -> None:
        """Wait until it was heard so many times."""
        until(line, lambda: self.lines().count(line) >= count, seconds, show=self.lines)

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()


@pytest.fixture
def manager(lan: Lan) -> Iterator[Manager]:
    """Where NOTIFY_SOCKET leads."""
    path = lan["n1"].directory / "notify"
    manager = Manager(path)
    yield manager
    manager.close()
    path.unlink()


@pytest.fixture
def notifying(lan: Lan, manager: Manager) -> Iterator[BareEngine]:
    """An engine under that manager, not started yet."""
    engine = BareEngine(lan["n1"])
    shutil.rmtree(engine.state_directory, ignore_errors=True)
    yield engine
    engine.end()


def _start(engine: BareEngine, *prefix: str) -> None:
    path = engine.host.directory / "notify"
    microseconds = int(_WATCHDOG_SECONDS * 1_000_000)
    engine.start(
        ["env", f"NOTIFY_SOCKET={path}", f"WATCHDOG_USEC={microseconds}", *prefix],
    )


def test_an_engine_that_hangs_is_no_reason_to_restart_the_speaker(
    notifying: BareEngine, manager: Manager
) -> None:
    """The supervisor replaces it, goes on answering the watchdog, and says what it does."""
    _start(notifying)
    manager.await_line("READY=1")
    notifying.desire(router(VIP))
    old = notifying.pid("engine")
    assert old is not None
    os.kill(old, signal.SIGSTOP)
    manager.await_line("STATUS=The engine hung and is being replaced")
    manager.await_line("STATUS=Serving node n1", count=2)
    assert manager.lines().count("READY=1") == 1
    times = [at for at, line in manager.heard if line == "WATCHDOG=1"]
    assert len(times) >= 3
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert max(gaps) < _WATCHDOG_SECONDS


def test_ready_is_not_said_for_an_engine_that_cannot_run(
    notifying: BareEngine, manager: Manager
) -> None:
    """Without the right to send adverts nothing serves, and nobody says so."""
    _start(notifying, "setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")
    assert notifying.wait(20) != 0
    assert "READY=1" not in manager.lines()


def test_only_the_supervisor_speaks_to_the_manager(notifying: BareEngine, manager: Manager) -> None:
    """NotifyAccess=main: what a child says is noise, and a child that runs on answers nothing."""
    _start(notifying)
    manager.await_line("READY=1")
    pid = notifying.pid("engine")
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"NOTIFY_SOCKET" not in environment
    assert b"WATCHDOG_" not in environment
    supervisor = notifying.pid("supervisor")
    assert supervisor is not None
    os.kill(supervisor, signal.SIGSTOP)
    answers = manager.lines().count("WATCHDOG=1")
    time.sleep(_WATCHDOG_SECONDS / 2)  # the silence itself
    assert manager.lines().count("WATCHDOG=1") == answers
    assert notifying.pid("engine") == pid
    os.kill(supervisor, signal.SIGCONT)
    manager.await_line("WATCHDOG=1", count=answers + 1)
