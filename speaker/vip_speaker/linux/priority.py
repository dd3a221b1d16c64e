"""Real-time priority for the threads of the engine, so that adverts are on time under load.

The loop has one, and so have its helpers, a lower one: a helper without would be kept from the
processor by any busy program, also while it holds the interpreter lock that the loop waits for
(benchmarks/bench_switch.py: 11 to 15 ms). Without CAP_SYS_NICE the engine does without.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading

_LOOP_PRIORITY = 10
_HELPER_PRIORITY = 1
# How long a helper may compute while the loop waits.
_SWITCH_SECONDS = 0.0005


def prefer_loop() -> None:
    """Prefer the calling thread to other programs, and to the helpers that there are."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    _prefer(threading.get_native_id(), _LOOP_PRIORITY)
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.native_id is not None:
            _prefer(thread.native_id, _HELPER_PRIORITY)


def prefer_helper() -> None:
    """Prefer the calling thread, a helper that begins, if the loop is preferred."""
    # The process's own number is that of its main thread.
    if os.sched_getscheduler(os.getpid()) & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO:
        _prefer(threading.get_native_id(), _HELPER_PRIORITY)


def _prefer(thread: int, priority: int) -> None:
    with contextlib.suppress(OSError):
        os.sched_setscheduler(
            thread, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority)
        )
