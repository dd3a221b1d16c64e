"""The supervisor: keeps the engine alive, and on bare metal the agent too.

Standard library only. It holds what must outlive an engine: the node lock (one speaker per
network namespace) and the listening socket. An engine that ends or hangs is replaced at once,
since it resumes only inside the window of its peers (docs/architecture.md).
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

from vip_common import log
from vip_speaker.heartbeat import LOOK_SECONDS, Watch
from vip_speaker.linux.capability import MissingCapabilityError, check_capabilities
from vip_speaker.node_lock import NodeTakenError, take_node_lock
from vip_speaker.service import NOTIFY_VARIABLES, Service
from vip_speaker.settings import (
    LIFELINE_VARIABLE,
    LISTENER_VARIABLE,
    LOCK_VARIABLE,
    PULSE_VARIABLE,
    Settings,
    role_command,
)

EXIT_CANNOT_RUN = 3  # an engine that ends so would fail again: the supervisor ends with it

_GRACE_SECONDS = 9.5
_QUICK_DEATH_SECONDS = 5.0
_QUICK_DEATHS_TOLERATED = 3
_AGENT_DELAY_SECONDS = 0.2
_DELAY_LIMIT_SECONDS = 5.0
_FIRST_DELAY_SECONDS = 0.1
_DOUBLINGS = 6  # beyond the limit already
_SOCKET_MODE = 0o660
_ENDING = (signal.SIGTERM, signal.SIGINT)
# Passed on. A child has them blocked until it is ready for them: they would end it before.
_PASSED_ON = (signal.SIGHUP, signal.SIGUSR1)

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
        watch: counts for how long it has been silent; None for one that gives no sign of life.
        aborted: it hung, and was asked to say where.
    """

    role: str
    delay_seconds: float
    pid: int | None = None
    started: float = 0.0
    restart_at: float | None = field(default=0.0)
    quick_deaths: int = 0
    watch: Watch | None = None
    aborted: bool = False

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

    def __init__(
        self, settings: Settings, listener: socket.socket, lock: socket.socket | None = None
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._lock = lock
        self._service = Service()
        self._pulse: int | None = None
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
        for number in (*_ENDING, *_PASSED_ON, signal.SIGCHLD):
            signal.signal(number, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        while True:
            self._start_due(time.monotonic())
            if self._stopping_until is not None and not self._alive():
                self._service.close()
                return self._exit_status
            self._wait()
            self._reap(time.monotonic())
            self._kill_overdue(time.monotonic())
            self._replace_hanging(time.monotonic())
            self._service.alive(time.monotonic())

    def _alive(self) -> list[Child]:
        return [child for child in self._children if child.pid is not None]

    def _wait(self) -> None:
        now = time.monotonic()
        due = [child.restart_at for child in self._children if child.restart_at is not None]
        if self._stopping_until is not None:
            due = [self._stopping_until]
        timeout = min(LOOK_SECONDS, max(0.0, min(due) - now) if due else LOOK_SECONDS)
        wake = self._wake_read.fileno()
        watched = [wake] if self._pulse is None else [wake, self._pulse]
        ready, _, _ = select.select(watched, [], [], timeout)
        if self._pulse in ready:
            self._feel_pulse()
        if wake in ready:
            self._hear_signals()

    def _hear_signals(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for number in self._wake_read.recv(64):
                if number in _ENDING:
                    self._stop(number)
                elif number in _PASSED_ON:
                    self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        """Have the manifests read again (SIGHUP), or the state printed to the log (SIGUSR1)."""
        for child in self._alive():
            if child.role == "agent" or number == signal.SIGUSR1:
                assert child.pid is not None
                os.kill(child.pid, number)

    def _feel_pulse(self) -> None:
        assert self._pulse is not None
        if not os.read(self._pulse, 4096):
            os.close(self._pulse)
            self._pulse = None
            return
        engine = self._children[0]
        if engine.watch is None:
            return
        if not engine.watch.began and self._stopping_until is None:
            self._service.ready(f"Serving node {self._settings.node}")
        engine.watch.beat()

    def _replace_hanging(self, now: float) -> None:
        engine = self._children[0]
        if engine.pid is None or engine.watch is None or self._stopping_until is not None:
            return
        if engine.aborted:
            # It had the time of one look to say where it hung.
            os.kill(engine.pid, signal.SIGKILL)
        elif engine.watch.hangs(now):
            _log.error("The engine hangs, replacing it; where it hung follows if it can say so")
            self._service.status("The engine hung and is being replaced")
            engine.aborted = True
            os.kill(engine.pid, signal.SIGABRT)

    def _start_due(self, now: float) -> None:
        if self._stopping_until is not None:
            return
        for child in self._children:
            if child.pid is None and child.restart_at is not None and child.restart_at <= now:
                self._start(child, now)

    def _start(self, child: Child, now: float) -> None:
        environment = dict(os.environ)
        environment.update(self._settings.to_environment())
        for name in NOTIFY_VARIABLES:
            environment.pop(name, None)
        inherited = {LIFELINE_VARIABLE: self._lifeline_read}
        pulse_write: int | None = None
        if child.role == "engine":
            inherited[LISTENER_VARIABLE] = self._listener.fileno()
            if self._lock is not None:
                inherited[LOCK_VARIABLE] = self._lock.fileno()
            pulse_write = inherited[PULSE_VARIABLE] = self._new_pulse()
            child.watch, child.aborted = Watch(now), False
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
                setsigmask=_PASSED_ON,
                setsigdef=[*_ENDING, *_PASSED_ON, signal.SIGCHLD],
            )
        except OSError as error:
            # No memory or no process to be had: what runs already must go on.
            delay = child.died(now)
            _log.error("Could not start the %s, trying in %.1f s: %s", child.role, delay, error)
        finally:
            for fd in inherited.values():
                os.set_inheritable(fd, False)
            if pulse_write is not None:
                os.close(pulse_write)

    def _new_pulse(self) -> int:
        """Return the write end of a new pipe: what an earlier engine wrote does not count."""
        if self._pulse is not None:
            os.close(self._pulse)
        self._pulse, write = os.pipe()
        return write

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
            self._service.stopping("Handing over")
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
    log.configure(settings.log_level, "supervisor", aside=True)
    try:
        check_capabilities()
        lock = take_node_lock()
        listener = listen(Path(settings.socket))
    except (CannotStartError, NodeTakenError, MissingCapabilityError) as error:
        _log.error("%s", error)
        return 1
    _log.info("Started for node %s, socket %s", settings.node, settings.socket)
    try:
        return Supervisor(settings, listener, lock).run()
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(settings.socket).unlink()
        listener.close()
        lock.close()
