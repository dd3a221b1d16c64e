"""What the loop waits for the interpreter while the address worker computes.

    python benchmarks/bench_switch.py

A thread wakes every 5 ms as the loop does; beside it the worker's computing (255 renewals encoded
and their addresses decoded, again and again) runs in a thread, with several switch intervals of
the interpreter, or in a process of its own. Prints how late the wake-ups were.
"""

from __future__ import annotations

import multiprocessing
import sys
import threading
import time
from ipaddress import ip_address

from vip_speaker.linux.rtnetlink import AddressOperation, Operation, encode_operation

SECONDS = 2.0
EVERY_SECONDS = 0.005
SWITCH_MILLISECONDS = (5.0, 1.0, 0.5, 0.1)


def main() -> int:
    """Print one line per way."""
    print(f"nothing beside it: {_lateness()}")
    for milliseconds in SWITCH_MILLISECONDS:
        sys.setswitchinterval(milliseconds / 1000)
        ended = threading.Event()
        thread = threading.Thread(target=_work, args=(ended,))
        thread.start()
        print(f"thread, switch interval {milliseconds} ms: {_lateness()}", flush=True)
        ended.set()
        thread.join()
    context = multiprocessing.get_context("spawn")
    ended_there = context.Event()
    process = context.Process(target=_work, args=(ended_there,))
    process.start()
    time.sleep(0.5)
    print(f"process: {_lateness()}")
    ended_there.set()
    process.join()
    return 0


def _work(ended: threading.Event) -> None:
    addresses = [ip_address(f"2001:db8::{number:x}") for number in range(1, 256)]
    while not ended.is_set():
        for sequence, address in enumerate(addresses):
            encode_operation(
                AddressOperation(Operation.REPLACE, 1, address, 128, lifetime_seconds=4), sequence
            )


def _lateness() -> str:
    late = []
    end = time.monotonic() + SECONDS
    while (began := time.monotonic()) < end:
        time.sleep(EVERY_SECONDS)
        late.append(1000 * (time.monotonic() - began - EVERY_SECONDS))
    late.sort()
    return f"median {late[len(late) // 2]:.2f} ms, 99 % {late[len(late) * 99 // 100]:.2f} ms"


if __name__ == "__main__":
    sys.exit(main())
