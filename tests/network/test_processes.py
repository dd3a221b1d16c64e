"""The processes of a speaker: who holds the node, who replaces whom, what signals do."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from support.bare_engine import SHOWN, BareEngine, router
from support.network_manifests import VIP
from vip_lab.lan import Lan
from vip_lab.namespaces import inside
from vip_lab.wait import until


@pytest.fixture
def one(lan: Lan) -> Iterator[BareEngine]:
    """A running engine on n1 that is Active."""
    engine = BareEngine(lan["n1"])
    shutil.rmtree(engine.state_directory, ignore_errors=True)
    engine.start_and_wait()
    engine.desire(router(VIP, advertisement_interval_milliseconds=1000))
    engine.await_state("Active")
    yield engine
    if engine.running:
        engine.stop()
    engine.end()


@pytest.fixture
def second(lan: Lan) -> Iterator[BareEngine]:
    """Another speaker of the same host."""
    engine = BareEngine(lan["n1"])
    yield engine
    engine.end()


def _shown(engine: BareEngine) -> tuple[str, str]:
    found = engine.router(SHOWN) or {}
    return found.get("reason", ""), found.get("since", "")


def test_a_new_supervisor_goes_on_where_a_killed_one_was(
    one: BareEngine, second: BareEngine
) -> None:
    """The engine that was left is killed, not told to leave: nothing is released or resigned."""
    since = _shown(one)[1]
    old = one.pid("engine")
    assert old is not None
    one.kill_role("supervisor")
    second.start()
    until("it to resume", lambda: _shown(second) == ("Resumed", since), 5)
    assert not os.path.exists(f"/proc/{old}") or _is_zombie(old)  # noqa: PTH110
    assert second.host.holds(VIP)
    counters = second.router(SHOWN)["counters"]  # type: ignore[index]
    assert counters["priorityZeroSent"] == 0
    assert "whose supervisor is gone" in second.log()
    second.stop()


def _is_zombie(pid: int) -> bool:
    with open(f"/proc/{pid}/stat") as text:  # noqa: PTH123
        return text.read().rpartition(")")[2].split()[0] == "Z"


def test_an_engine_that_nobody_takes_over_hands_over(one: BareEngine) -> None:
    """It waits for a new supervisor for two seconds, and then leaves in an orderly way."""
    engine = one.pid("engine")
    assert engine is not None
    one.kill_role("supervisor")
    began = time.monotonic()
    until("the address to go", lambda: not one.host.holds(VIP), 10)
    assert time.monotonic() - began > 1.5


def test_a_second_speaker_is_refused_with_the_process(one: BareEngine, second: BareEngine) -> None:
    """The first goes on."""
    second.start()
    assert second.wait(10) == 1
    assert f"process {one.pid('supervisor')}" in second.log() or str(one.pid("engine")) in (
        second.log()
    )
    assert one.state(SHOWN) == "Active"


_SQUAT = """
import socket, sys
for family, address in (
    (socket.AF_UNIX, "\\0vip-operator/node"), (socket.AF_PACKET, ("lo", 0x88B6))
):
    try:
        held = socket.socket(family, socket.SOCK_DGRAM)
        held.bind(address)
    except PermissionError:
        pass
print("ready", flush=True)
sys.stdin.read()
"""


def test_nobody_without_privilege_can_keep_a_speaker_out(lan: Lan) -> None:
    """A user of the host takes every name that he may, and the speaker starts all the same."""
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable]
    squatter = subprocess.Popen(
        [*inside(lan["n1"].namespace), *command, "-c", _SQUAT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    engine = BareEngine(lan["n1"])
    try:
        assert squatter.stdout is not None
        assert squatter.stdout.readline() == b"ready\n"
        engine.start_and_wait()
        engine.stop()
    finally:
        engine.end()
        squatter.kill()
        squatter.communicate()


def test_an_engine_that_hangs_is_replaced(one: BareEngine) -> None:
    """The next one serves, without any help."""
    old = one.pid("engine")
    assert old is not None
    os.kill(old, signal.SIGSTOP)
    one.await_new("engine", old, 20)
    one.await_state("Active", 10)
    assert "The engine hangs" in one.log()


def test_a_machine_that_stood_still_replaces_nobody(one: BareEngine) -> None:
    """Frozen for longer than a hang takes, as a paused virtual machine is."""
    old = one.pid("engine")
    one.freeze()
    time.sleep(6.5)  # the pause itself
    one.thaw()
    one.await_state("Active", 10)
    assert one.pid("engine") == old


def test_signals_that_ask_end_nobody(one: BareEngine) -> None:
    """SIGUSR1 prints the state to the log; SIGHUP finds nothing to read here."""
    pids = one.pid("supervisor"), one.pid("engine")
    assert pids[0] is not None
    os.kill(pids[0], signal.SIGHUP)
    os.kill(pids[0], signal.SIGUSR1)
    until("the state in the log", lambda: f"{SHOWN}  {VIP}" in one.log(), 5)
    assert (one.pid("supervisor"), one.pid("engine")) == pids


def test_a_service_manager_hears_that_it_serves(lan: Lan) -> None:
    """READY once the engine runs, then signs of life, and STOPPING."""
    engine = BareEngine(lan["n1"])
    path = lan["n1"].directory / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(10)
        engine.start(["env", f"NOTIFY_SOCKET={path}", "WATCHDOG_USEC=3000000"])
        try:
            heard = ""
            while "READY=1" not in heard or "WATCHDOG=1" not in heard:
                heard += manager.recv(4096).decode() + "\n"
            engine.begin_stop()
            while "STOPPING=1" not in heard:
                heard += manager.recv(4096).decode() + "\n"
        finally:
            engine.end()
            path.unlink()
