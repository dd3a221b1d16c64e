"""What the loop waits for the interpreter while the address worker computes.

    python benchmarks/bench_switch.py

The main thread wakes every 5 ms, with the real-time priority of the engine's loop. Beside it the
worker's computing (255 renewals encoded, again and again) runs in a thread, with several switch
intervals of the interpreter, or in a process of its own; on an idle machine, and beside four busy
processes. A "raised" thread has a real-time priority too, below the loop's: without one a busy
process may keep it from the processor while it holds the interpreter lock, for which the loop
waits. Prints how late the loop woke. Wants root.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from ipaddress import ip_address

from vip_speaker.linux.rtnetlink import AddressOperation, Operation, encode_operation

SECONDS = 2.0
EVERY_SECONDS = 0.005
SWITCH_MILLISECONDS = (5.0, 1.0, 0.5, 0.1)


def main() -> int:
    """Print one line per way, idle and busy."""
    os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(10))
    for load in (0, 4):
        print(f"{load} busy processes beside it")
        hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(load)]
        try:
            _print_ways()
        finally:
            for hog in hogs:
                hog.kill()
                hog.wait()
    return 0


def _print_ways() -> None:
    print(f"  no worker: {_lateness()}")
    for milliseconds in SWITCH_MILLISECONDS:
        for raised in (False, True):
            sys.setswitchinterval(milliseconds / 1000)
            ended = threading.Event()
            thread = threading.Thread(target=_work, args=(ended,), kwargs={"raised": raised})
            thread.start()
            kind = "raised thread" if raised else "thread"
            print(f"  {kind}, switch interval {milliseconds} ms: {_lateness()}", flush=True)
            ended.set()
            thread.join()
    context = multiprocessing.get_context("spawn")
    ended_there = context.Event()
    process = context.Process(target=_work, args=(ended_there,), kwargs={"raised": False})
    process.start()
    time.sleep(0.5)
    print(f"  process: {_lateness()}")
    ended_there.set()
    process.join()


def _work(ended: threading.Event, *, raised: bool) -> None:
    if raised:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    addresses = [ip_address(f"2001:db8::{number:x}") for number in range(1, 256)]
    while not ended.is_set():
        for sequence, address in enumerate(addresses):
            encode_operation(
                AddressOperation(Operation.REPLACE, 1, address, lifetime_seconds=4), sequence
            )


def _lateness() -> str:
    late = []
    end = time.monotonic() + SECONDS
    while (began := time.monotonic()) < end:
        time.sleep(EVERY_SECONDS)
        late.append(1000 * (time.monotonic() - began - EVERY_SECONDS))
    late.sort()
    return f"99 % {late[len(late) * 99 // 100]:.2f} ms, longest {late[-1]:.2f} ms"


if __name__ == "__main__":
    sys.exit(main())
