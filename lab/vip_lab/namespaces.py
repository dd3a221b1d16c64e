"""Network namespaces: make, enter, remove, and sweep up after a run that was killed.

A namespace's name begins with the process that made it and when that process started, so that
two runs never collide and a later run knows what nobody owns any more.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

PREFIX = "viplab"

_NAMED_NAMESPACES = Path("/run/netns")
_OWNED = re.compile(rf"{PREFIX}-(?P<pid>\d+)-(?P<started>\d+)-")
_CLONE_NEWNET = 0x40000000
_SECONDS_TO_DIE = 10.0
_numbers = itertools.count(1)


class LabError(Exception):
    """The lab could not do what it was asked to; the text says what the system answered."""


def run(*command: str, input_text: str | None = None) -> str:
    """Run a command and return its output. Raises LabError with its own words if it fails."""
    done = subprocess.run(command, input=input_text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"`{' '.join(command)}` failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def unique_name() -> str:
    """Return a name that no other lab has, in this process or in another."""
    pid = os.getpid()
    return f"{PREFIX}-{pid}-{_start_time(pid)}-{next(_numbers)}"


def inside(namespace: str) -> list[str]:
    """Return the words to put before a command that is to run in the namespace."""
    return ["nsenter", f"--net={_NAMED_NAMESPACES / namespace}"]


def add(namespace: str) -> None:
    """Make a namespace."""
    run("ip", "netns", "add", namespace)


def remove(namespace: str) -> None:
    """Kill whatever still runs in the namespace and remove it; one that is gone is no error."""
    if not (_NAMED_NAMESPACES / namespace).exists():
        return
    _kill_all(namespace)
    with contextlib.suppress(LabError):
        run("ip", "netns", "delete", namespace)


def sweep() -> None:
    """Remove the namespaces and directories of labs whose process is gone."""
    if _NAMED_NAMESPACES.is_dir():
        for entry in list(_NAMED_NAMESPACES.iterdir()):
            if _is_orphan(entry.name):
                remove(entry.name)
    for entry in list(Path(tempfile.gettempdir()).glob(f"{PREFIX}-*")):
        if _is_orphan(entry.name):
            shutil.rmtree(entry, ignore_errors=True)


def open_socket(namespace: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
    """Return a socket that lives in the namespace, opened from this process.

    A thread of its own enters the namespace: the rest of the process stays where it is.
    Raises LabError if the namespace is gone, OSError as `socket.socket` does.
    """
    made: list[socket.socket] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            _enter(namespace)
            made.append(socket.socket(family, kind, protocol))
        except (OSError, LabError) as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]


def _enter(namespace: str) -> None:
    try:
        descriptor = os.open(_NAMED_NAMESPACES / namespace, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise LabError(f"namespace {namespace} is gone") from error
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise LabError(f"cannot enter namespace {namespace}: {os.strerror(number)}")
    finally:
        os.close(descriptor)


def _is_orphan(name: str) -> bool:
    owned = _OWNED.match(name)
    return owned is not None and _start_time(int(owned["pid"])) != int(owned["started"])


def _start_time(pid: int) -> int:
    """Return when a process started, in clock ticks since boot; 0 if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    # The second field is a name in brackets that may itself hold spaces and brackets.
    return int(stat.rpartition(")")[2].split()[19])


def _pids(namespace: str) -> list[int]:
    return [int(word) for word in run("ip", "netns", "pids", namespace).split()]


def _kill_all(namespace: str) -> None:
    deadline = time.monotonic() + _SECONDS_TO_DIE
    while (pids := _pids(namespace)) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
