"""What the cluster tells the person who waits for it: a line per slow step, and how far it is."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_SECONDS_BETWEEN_WORDS = 20.0


def say(text: str) -> None:
    """Print one line."""
    print(f"cluster: {text}", file=sys.stderr, flush=True)


@contextmanager
def step(what: str, usual: str) -> Iterator[None]:
    """Say what is done, how long that usually takes, has been taking, and took."""
    say(f"{what} (usually {usual})")
    began = time.monotonic()
    done = threading.Event()

    def follow() -> None:
        while not done.wait(_SECONDS_BETWEEN_WORDS):
            say(f"  {what}: {time.monotonic() - began:.0f} s of usually {usual}")

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    try:
        yield
    finally:
        done.set()
        follower.join()
    say(f"  done in {time.monotonic() - began:.1f} s")
