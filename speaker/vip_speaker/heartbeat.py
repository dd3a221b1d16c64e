"""How a supervisor notices that its engine hangs: the engine writes into a pipe, again and again.

Pure but for `Pulse`. Standard library only.
"""

from __future__ import annotations

import contextlib
import os

BEAT_NS = 500_000_000
LOOK_SECONDS = 0.5
_LATE_SECONDS = 1.0
HANG_SECONDS = 5.0
# Until the first beat: importing, opening sockets, placing hundreds of routers on a slow machine.
START_SECONDS = 30.0


class Watch:
    """Counts for how long an engine has been silent while its supervisor was awake.

    A machine that stood still, or had no time for anybody, is no engine that hangs: then the
    supervisor looks late too, and counts from the start.
    """

    def __init__(self, now: float) -> None:
        self._looked = now
        self._silent = 0.0
        self.began = False

    def beat(self) -> None:
        """The engine gave a sign of life."""
        self.began = True
        self._silent = 0.0

    def hangs(self, now: float) -> bool:
        """Whether it has been silent for too long; asked every `LOOK_SECONDS`."""
        passed, self._looked = now - self._looked, now
        self._silent = 0.0 if passed > _LATE_SECONDS else self._silent + passed
        return self._silent >= (HANG_SECONDS if self.began else START_SECONDS)


class Pulse:
    """The engine's end.

    Args:
        fd: the pipe; None without a supervisor.
    """

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        self.due_ns: int | None = 0 if fd is not None else None
        if fd is not None:
            os.set_blocking(fd, False)

    def beat(self, now: int) -> None:
        """Give a sign of life if one is due."""
        if self._fd is None or self.due_ns is None or now < self.due_ns:
            return
        self.due_ns = now + BEAT_NS
        # A pipe that is full is one that nobody reads: the lifeline tells if he is gone.
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._fd, b".")
