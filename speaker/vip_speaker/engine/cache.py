"""The last desired state on disk, so that a new engine serves before any agent speaks."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from pathlib import Path

import msgspec

from vip_speaker.messages import Desired, decode_to_engine, encode

_log = logging.getLogger("engine")


def load(path: Path) -> Desired | None:
    """Return what was stored, or None; a file that cannot be used is set aside with a warning."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        set_aside(path, error.strerror or str(error))
        return None
    try:
        message = decode_to_engine(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        set_aside(path, str(error))
        return None
    if isinstance(message, Desired):
        return message
    set_aside(path, "it holds no desired state")
    return None


def set_aside(path: Path, why: str) -> None:
    """Rename a cache that cannot be used: a person can look into it, the next start does not.

    Args:
        path: the cache.
        why: what is wrong with it.
    """
    aside = path.with_name(f"{path.name}.unusable")
    try:
        path.replace(aside)
    except OSError as error:
        _log.warning("Ignoring the unusable cache %s: %s (%s)", path, why, error.strerror)
    else:
        _log.warning("Starting without the cache, which is now %s: %s", aside, why)


def store(path: Path, desired: Desired) -> None:
    """Replace the stored state in one step; a full disk is reported, never fatal."""
    scratch = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_bytes(encode(desired))
        scratch.replace(path)
    except OSError as error:
        _log.warning("Could not write the cache %s: %s", path, error.strerror)


class CacheWriter:
    """Stores what is desired without anybody waiting for the disk; only the newest counts.

    A disk can stand still for seconds (a snapshot, a shared storage that moves), and whoever sends
    adverts cannot.

    Args:
        path: file that is replaced.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._newest: deque[Desired] = deque(maxlen=1)
        self._wake = threading.Semaphore(0)
        self._ended = False
        # A daemon: a disk that stands still must not keep a process that ends.
        self._thread = threading.Thread(target=self._run, name="cache", daemon=True)
        self._thread.start()

    def store(self, desired: Desired) -> None:
        """Have it stored soon; never waits."""
        self._newest.append(desired)
        self._wake.release()

    def close(self, timeout_seconds: float = 1.0) -> None:
        """Store what is left to store, if that does not take longer."""
        self._ended = True
        self._wake.release()
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while not self._ended or self._newest:
            self._wake.acquire()
            with contextlib.suppress(IndexError):
                store(self._path, self._newest.popleft())
