"""A higher limit of inotify instances while clusters run; three kubelets need more than usual.

Clusters share the limit, so the last one to end restores it. Whoever was killed no longer holds the
lock, so the next to start or to end restores it for them.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TextIO

_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
_BEFORE = Path("/run/viplab-inotify-instances")
_WANTED = 1024


class InotifyLimit:
    """Raises the limit until `restore`; several may do so at a time."""

    def __init__(self) -> None:
        restore_for_the_dead()
        self._file = _lock_shared()
        if not self._file.read():
            self._file.write(_LIMIT.read_text())
            self._file.flush()
        if int(_LIMIT.read_text()) < _WANTED:
            _LIMIT.write_text(f"{_WANTED}\n")

    def restore(self) -> None:
        """Let go; the last one puts the limit back to what it was."""
        self._file.close()
        restore_for_the_dead()


def restore_for_the_dead() -> None:
    """Put the limit back if it was raised and nobody needs that any more."""
    try:
        file = _BEFORE.open("r+")
    except FileNotFoundError:
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        before = file.read()
        if before:
            _LIMIT.write_text(before)
        _BEFORE.unlink(missing_ok=True)


def _lock_shared() -> TextIO:
    """Return the file, locked; one that its last holder removed meanwhile is made anew."""
    while True:
        file = _BEFORE.open("a+")
        fcntl.flock(file, fcntl.LOCK_SH)
        file.seek(0)
        if _is_still_there(file):
            return file
        file.close()


def _is_still_there(file: TextIO) -> bool:
    try:
        return _BEFORE.stat().st_ino == os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False
