"""The supervisor: keeps the engine alive, and on bare metal the agent too.

Standard library only. It holds what must outlive an engine: the node lock (one speaker per
network namespace) and the listening socket. The engine is restarted at once, since it resumes
only inside the window of its peers (docs/architecture.md).
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import select
import signal
import socket
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path

from vip_speaker import log
from vip_speaker.settings import LIFELINE_VARIABLE, LISTENER_VARIABLE, Settings, role_command

NODE_LOCK = "\0vip-operator/node"
EXIT_CANNOT_RUN = 3  # an engine that ends so would fail again: the supervisor ends with it

_GRACE_SECONDS = 9.5
_QUICK_DEATH_SECONDS = 5.0
_QUICK_DEATHS_TOLERATED = 3
_AGENT_DELAY_SECONDS = 0.2
_DELAY_LIMIT_SECONDS = 5.0
_FIRST_DELAY_SECONDS = 0.1
_DOUBLINGS = 6  # beyond the limit already
_SOCKET_MODE = 0o660

_log = logging.getLogger("supervisor")


class CannotStartError(Exception):
    """One sentence that says what stands in the way and what to do."""


@dataclass(slots=True)
class Child:
    """One process that is to be there.

    Attributes:
        role: last word of its command line.
        delay_seconds: how long to wait before the first restart.
        pid: its process, or None while it is not running.
        started: when it was started last (monotonic seconds).
        restart_at: when it is to be started again, or None.
        quick_deaths: how often in a row it died soon after its start.
    """

    role: str
    delay_seconds: float
    pid: int | None = None
    started: float = 0.0
    restart_at: float | None = field(default=0.0)
    quick_deaths: int = 0

    def died(self, now: float) -> float:
        """Note its death and return how long to wait: none at first, longer if it repeats."""
        self.pid = None
        quick = now - self.started < _QUICK_DEATH_SECONDS
        self.quick_deaths = self.quick_deaths + 1 if quick else 0
        excess = max(0, self.quick_deaths - _QUICK_DEATHS_TOLERATED)
        longer = _FIRST_DELAY_SECONDS * 2 ** min(excess, _DOUBLINGS) if excess else 0.0
        delay = min(self.delay_seconds + longer, _DELAY_LIMIT_SECONDS)
        self.restart_at = now + delay
        return delay


class Supervisor:
    """Starts the children, restarts them, and ends them in order."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._listener = listener
        self._lifeline_read, self._lifeline_write = os.pipe()
        self._children = [Child("engine", 0.0)]
        if settings.with_agent:
            self._children.append(Child("agent", _AGENT_DELAY_SECONDS))
        self._stopping_until: float | None = None
        self._exit_status = 0
        self._wake_read, wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        wake_write.setblocking(False)
        self._wake_write = wake_write

    def run(self) -> int:
        """Keep the children alive until told to end; return the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        while True:
            self._start_due(time.monotonic())
            if self._stopping_until is not None and not self._alive():
                return self._exit_status
            self._wait()
            self._reap(time.monotonic())
            self._kill_overdue(time.monotonic())

    def _alive(self) -> list[Child]:
        return [child for child in self._children if child.pid is not None]

    def _wait(self) -> None:
        now = time.monotonic()
        due = [child.restart_at for child in self._children if child.restart_at is not None]
        if self._stopping_until is not None:
            due = [self._stopping_until]
        timeout = max(0.0, min(due) - now) if due else None
        if not select.select([self._wake_read], [], [], timeout)[0]:
            return
        with contextlib.suppress(BlockingIOError):
            for number in self._wake_read.recv(64):
                if number in (signal.SIGTERM, signal.SIGINT):
                    self._stop(number)

    def _start_due(self, now: float) -> None:
        if self._stopping_until is not None:
            return
        for child in self._children:
            if child.pid is None and child.restart_at is not None and child.restart_at <= now:
                self._start(child, now)

    def _start(self, child: Child, now: float) -> None:
        environment = dict(os.environ)
        environment.update(self._settings.to_environment())
        inherited = {LIFELINE_VARIABLE: self._lifeline_read}
        if child.role == "engine":
            inherited[LISTENER_VARIABLE] = self._listener.fileno()
        environment.update({name: str(fd) for name, fd in inherited.items()})
        for fd in inherited.values():
            os.set_inheritable(fd, True)
        child.started = now
        child.restart_at = None
        try:
            command = role_command(child.role)
            child.pid = os.posix_spawn(
                command[0],
                command,
                environment,
                setsigdef=[signal.SIGTERM, signal.SIGINT, signal.SIGCHLD],
            )
        except OSError as error:
            # No memory or no process to be had: what runs already must go on.
            delay = child.died(now)
            _log.error("Could not start the %s, trying in %.1f s: %s", child.role, delay, error)
        finally:
            for fd in inherited.values():
                os.set_inheritable(fd, False)

    def _reap(self, now: float) -> None:
        """Collect every process that ended; as PID 1 there may be strangers among them."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for child in self._children:
                if child.pid == pid:
                    self._child_ended(child, os.waitstatus_to_exitcode(status), now)

    def _child_ended(self, child: Child, code: int, now: float) -> None:
        delay = child.died(now)
        if self._stopping_until is not None:
            return
        if child.role == "engine" and code == EXIT_CANNOT_RUN:
            self._exit_status = 1
            self._stop(signal.SIGTERM)
            return
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
        when = "at once" if delay == 0 else f"in {delay:.1f} s"
        _log.warning("The %s ended with %s, restarting it %s", child.role, how, when)

    def _stop(self, number: int) -> None:
        if self._stopping_until is None:
            _log.info("Received %s, stopping", signal.Signals(number).name)
            self._stopping_until = time.monotonic() + _GRACE_SECONDS
        for child in self._alive():
            assert child.pid is not None
            os.kill(child.pid, signal.SIGTERM)

    def _kill_overdue(self, now: float) -> None:
        if self._stopping_until is None or now < self._stopping_until:
            return
        for child in self._alive():
            assert child.pid is not None
            _log.warning("The %s did not end in time, killed it", child.role)
            os.kill(child.pid, signal.SIGKILL)
        self._stopping_until = now + _GRACE_SECONDS


def take_node_lock() -> socket.socket:
    """Return the lock of this network namespace, held until the socket is closed.

    Raises CannotStartError if another speaker holds it, naming its process.
    """
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        lock.bind(NODE_LOCK)
    except OSError as error:
        lock.close()
        if error.errno != errno.EADDRINUSE:
            raise
        raise CannotStartError(
            f"Another speaker{_holder_of_lock()} already serves this node: stop it first, "
            "or run this one in another network namespace"
        ) from error
    lock.listen(1)
    return lock


def _holder_of_lock() -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(1.0)
        try:
            peer.connect(NODE_LOCK)
            credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        except OSError:
            return ""
    pid, _uid, _gid = struct.unpack("=iII", credentials)
    return f" (process {pid})"


def listen(path: Path) -> socket.socket:
    """Return the socket that agents and `vip-speaker status` connect to.

    Raises CannotStartError naming the path if it cannot be made.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        listener.bind(str(path))
        path.chmod(_SOCKET_MODE)
    except OSError as error:
        listener.close()
        raise CannotStartError(
            f"Cannot listen on the socket {path}: {error.strerror or error} "
            "(choose another path with --socket)"
        ) from error
    listener.listen(64)
    return listener


def main(settings: Settings) -> int:
    """Run the supervisor; return its exit status."""
    log.configure(settings.log_level, "supervisor")
    try:
        lock = take_node_lock()
        listener = listen(Path(settings.socket))
    except CannotStartError as error:
        _log.error("%s", error)
        return 1
    _log.info("Started for node %s, socket %s", settings.node, settings.socket)
    try:
        return Supervisor(settings, listener).run()
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(settings.socket).unlink()
        listener.close()
        lock.close()
