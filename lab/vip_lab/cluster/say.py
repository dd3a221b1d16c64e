"""What the cluster tells the person who waits for it: one line per slow step, on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


def say(text: str) -> None:
    """Print one line."""
    print(f"cluster: {text}", file=sys.stderr, flush=True)


@contextmanager
def step(what: str, usual: str) -> Iterator[None]:
    """Say what is done and how long that usually takes, and how long it took."""
    say(f"{what} (usually {usual})")
    began = time.monotonic()
    yield
    say(f"  done in {time.monotonic() - began:.1f} s")
