"""One of many that want the node lock at the same instant, as a process of its own.

    python lock_contest.py FD_OF_START supervisor

It opens its lock and looks for others only when the writing end of a pipe, which it has
inherited, is closed: so that all have opened theirs before any of them looks. The winner writes
`runs` and starts what looks like its engine; the others write why they do not. The winner stays
until it is killed.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from vip_speaker import node_lock

_ENGINE = "import sys; sys.stdin.read()"
_open = node_lock._open
_opened: list[int] = []


def _open_and_wait() -> socket.socket:
    lock = _open()
    if not _opened:
        _opened.append(lock.fileno())
        _say("open")
        os.read(int(sys.argv[1]), 1)
    return lock


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Wait for the start, and try."""
    node_lock._open = _open_and_wait
    try:
        lock = node_lock.take_node_lock()
    except node_lock.NodeTakenError as error:
        _say(str(error))
        return
    with subprocess.Popen(
        [sys.executable, "-c", _ENGINE, "engine"],
        stdin=subprocess.PIPE,
        pass_fds=[lock.fileno()],
    ) as engine:
        _say("runs")
        engine.wait()


if __name__ == "__main__":
    main()
