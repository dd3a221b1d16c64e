"""The engine process: signals, its supervisor's lifeline, its scheduling."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import logging
import os
import selectors
import signal
import socket
from pathlib import Path

from vip_common import log
from vip_speaker.engine.garbage import overlook_what_lives
from vip_speaker.engine.loop import Engine
from vip_speaker.engine.state_log import StateLog
from vip_speaker.heartbeat import Pulse
from vip_speaker.linux.capability import MissingCapabilityError, check_capabilities
from vip_speaker.linux.priority import prefer_loop
from vip_speaker.node_lock import NodeTakenError, take_node_lock
from vip_speaker.settings import (
    LIFELINE_VARIABLE,
    LISTENER_VARIABLE,
    LOCK_VARIABLE,
    PULSE_VARIABLE,
    Settings,
)
from vip_speaker.supervisor import EXIT_CANNOT_RUN, listen

# For so long an engine serves on without a supervisor: the next one may be about to take over.
_ORPHAN_SECONDS = 2
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)

_log = logging.getLogger("engine")


def main(settings: Settings) -> int:
    """Run the engine until it is told to end; return the exit status."""
    log.configure(settings.log_level, "engine", aside=True)
    try:
        check_capabilities()
        lock = _lock()
    except (MissingCapabilityError, NodeTakenError) as error:
        _log.error("%s", error)
        return EXIT_CANNOT_RUN
    try:
        engine = Engine(settings, _listener(settings))
    except OSError as error:
        _log.error("The engine cannot run: %s", error)
        return EXIT_CANNOT_RUN
    _act_on_signals(engine)
    _stop_without_supervisor(engine)
    passed = os.environ.get(PULSE_VARIABLE)
    engine.pulse = Pulse(None if passed is None else int(passed))
    with lock:
        engine.start()
        _prefer_this_process()
        _log.info("Started")
        engine.run()
        # Only after an orderly end: one by an exception leaves the addresses to the next life,
        # which goes on with them, or to their lifetime.
        engine.close()
    _log.info("Ended")
    return 0


def _lock() -> socket.socket:
    """Return the node lock that the supervisor took, or take it without a supervisor."""
    passed = os.environ.get(LOCK_VARIABLE)
    if passed is None:
        return take_node_lock()
    return socket.socket(fileno=int(passed))


def _listener(settings: Settings) -> socket.socket:
    """Return the socket that the supervisor holds, or one of our own without a supervisor."""
    passed = os.environ.get(LISTENER_VARIABLE)
    if passed is None:
        return listen(Path(settings.socket))
    return socket.socket(fileno=int(passed))


def _act_on_signals(engine: Engine) -> None:
    faulthandler.enable()  # a supervisor that finds the engine hanging asks where (SIGABRT)
    read, write = socket.socketpair()
    read.setblocking(False)
    write.setblocking(False)

    state_log = StateLog(engine.status_to)

    def received(_mask: int) -> None:
        with contextlib.suppress(BlockingIOError):
            for number in read.recv(64):
                if number in _ENDING:
                    engine.stop()
                elif number == signal.SIGUSR1:
                    state_log.request()

    engine.selector.register(read, selectors.EVENT_READ, received)
    signal.set_wakeup_fd(write.detach(), warn_on_full_buffer=False)
    # SIGHUP is the agent's business; a terminal that goes is none of the engine's.
    for number in (*_ENDING, signal.SIGUSR1, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGUSR1, signal.SIGHUP))


def _stop_without_supervisor(engine: Engine) -> None:
    """Leave in an orderly way some time after the supervisor is gone.

    Nobody would restart this engine; but a new supervisor may come, which replaces it.
    """
    passed = os.environ.get(LIFELINE_VARIABLE)
    if passed is None:
        return
    lifeline = int(passed)

    def closed(_mask: int) -> None:
        _log.error("The supervisor is gone; handing over unless another comes soon")
        engine.selector.unregister(lifeline)
        signal.alarm(_ORPHAN_SECONDS)

    engine.selector.register(lifeline, selectors.EVENT_READ, closed)


def _prefer_this_process() -> None:
    """Keep adverts on time under load."""
    prefer_loop()
    # What was loaded so far lives as long as the process: the collector need not look at it.
    gc.collect()
    overlook_what_lives()
