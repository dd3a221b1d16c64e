"""The engine process: signals, its supervisor's lifeline, its scheduling."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import selectors
import signal
import socket
from pathlib import Path

from vip_speaker import log
from vip_speaker.engine.loop import Engine
from vip_speaker.linux.capability import MissingCapabilityError, check_capabilities
from vip_speaker.settings import LIFELINE_VARIABLE, LISTENER_VARIABLE, Settings
from vip_speaker.supervisor import EXIT_CANNOT_RUN, listen

_REAL_TIME_PRIORITY = 10

_log = logging.getLogger("engine")


def main(settings: Settings) -> int:
    """Run the engine until it is told to end; return the exit status."""
    log.configure(settings.log_level, "engine")
    try:
        check_capabilities()
    except MissingCapabilityError as error:
        _log.error("%s", error)
        return EXIT_CANNOT_RUN
    try:
        engine = Engine(settings, _listener(settings))
    except OSError as error:
        _log.error("The engine cannot run: %s", error)
        return EXIT_CANNOT_RUN
    _stop_on_signal(engine)
    _stop_without_supervisor(engine)
    engine.start()
    _prefer_this_process()
    _log.info("Started")
    engine.run()
    # Only after an orderly end: one by an exception leaves the addresses to the next life, which
    # goes on with them, or to their lifetime.
    engine.close()
    _log.info("Ended")
    return 0


def _listener(settings: Settings) -> socket.socket:
    """Return the socket that the supervisor holds, or one of our own without a supervisor."""
    passed = os.environ.get(LISTENER_VARIABLE)
    if passed is None:
        return listen(Path(settings.socket))
    return socket.socket(fileno=int(passed))


def _stop_on_signal(engine: Engine) -> None:
    read, write = socket.socketpair()
    read.setblocking(False)
    write.setblocking(False)

    def received(_mask: int) -> None:
        with contextlib.suppress(BlockingIOError):
            read.recv(64)
        engine.stop()

    engine.selector.register(read, selectors.EVENT_READ, received)
    signal.set_wakeup_fd(write.detach(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)


def _stop_without_supervisor(engine: Engine) -> None:
    """Leave in an orderly way when the supervisor is gone: nobody would restart this engine."""
    passed = os.environ.get(LIFELINE_VARIABLE)
    if passed is None:
        return
    lifeline = int(passed)

    def closed(_mask: int) -> None:
        _log.error("The supervisor is gone, leaving in an orderly way")
        engine.selector.unregister(lifeline)
        engine.stop()

    engine.selector.register(lifeline, selectors.EVENT_READ, closed)


def _prefer_this_process() -> None:
    """Keep adverts on time under load; without CAP_SYS_NICE it does without."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(
            0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(_REAL_TIME_PRIORITY)
        )
    # What was loaded so far lives as long as the process: the collector need not look at it.
    gc.collect()
    gc.freeze()
