"""The supervisor's rules: how soon a child comes back, and who holds the node."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from vip_speaker.supervisor import CannotStartError, Child, listen


def test_an_engine_is_restarted_at_once() -> None:
    """The first deaths cost no delay: a resume must stay inside the window of the peers."""
    engine = Child("engine", 0.0)
    engine.started = 100.0
    assert [engine.died(100.1) for _ in range(3)] == [0.0, 0.0, 0.0]


def test_an_engine_that_dies_again_and_again_is_slowed_down() -> None:
    """A crash loop backs off, within a limit."""
    engine = Child("engine", 0.0)
    engine.started = 100.0
    delays = [engine.died(100.1) for _ in range(12)]
    assert delays[3] > 0
    assert delays == sorted(delays)
    assert delays[-1] == 5.0


def test_a_crash_loop_may_last_for_ever() -> None:
    """An agent that cannot start is tried for days, and the engine beside it goes on."""
    agent = Child("agent", 0.2)
    agent.started = 100.0
    assert {agent.died(100.1) for _ in range(3000)} >= {0.2, 5.0}
    assert agent.died(100.1) == 5.0


_NO_PROCESS_AT_FIRST = """
import errno, os, signal, socket
from vip_speaker.settings import Settings
from vip_speaker.supervisor import Supervisor

real, attempts = os.posix_spawn, []

def spawn(_path, _command, environment, **options):
    attempts.append(1)
    if len(attempts) < 4:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    pid = real("/bin/sleep", ["sleep", "60"], environment, **options)
    os.kill(os.getpid(), signal.SIGTERM)
    return pid

os.posix_spawn = spawn
print(Supervisor(Settings(node="n1"), socket.socket(socket.AF_UNIX)).run(), len(attempts))
"""


def test_a_machine_without_a_process_to_spare_is_waited_for() -> None:
    """Where an engine cannot be started, the supervisor tries until it can."""
    command = [sys.executable, "-c", _NO_PROCESS_AT_FIRST]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.split() == ["0", "4"], done.stderr


def test_a_long_life_clears_the_record() -> None:
    """Deaths that lie far apart are not a crash loop."""
    engine = Child("engine", 0.0)
    engine.started = 100.0
    for _ in range(10):
        engine.died(100.1)
    engine.started = 200.0
    assert engine.died(300.0) == 0.0


def test_listen_replaces_a_socket_that_a_killed_speaker_left(tmp_path: Path) -> None:
    """The path is free again after a SIGKILL."""
    path = tmp_path / "run" / "engine.sock"
    listen(path).close()
    listener = listen(path)
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(path))
    client.close()
    listener.close()
    assert path.stat().st_mode & 0o777 == 0o660


def test_listen_names_the_path_and_the_way_out(tmp_path: Path) -> None:
    """A socket that cannot be made is one clear sentence."""
    (tmp_path / "file").touch()
    with pytest.raises(CannotStartError, match=r"file/engine\.sock.*--socket"):
        listen(tmp_path / "file" / "engine.sock")
