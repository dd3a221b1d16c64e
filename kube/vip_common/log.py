"""One log format for every process: `time LEVEL component: message` on stderr.

Under systemd, where stderr is the journal, it is `<priority>component: message` instead: the
journal has a time of its own, and takes the level from the number.
Trouble that lasts is logged once when it begins and once when it ends. Standard library only: the
supervisor and the engine log as operator and agent do.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Mapping

LEVELS = ("debug", "info", "warning", "error")

_MOST_LINES = 4096
_FLUSH_SECONDS = 1.0

_JOURNAL_VARIABLE = "JOURNAL_STREAM"
# Levels of syslog by those of Python.
_PRIORITIES = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}
_NOTICE = 5


class _Formatter(logging.Formatter):
    """RFC 3339 in UTC with milliseconds, so that the logs of several hosts can be merged."""

    def formatTime(  # noqa: N802  the standard library's name
        self,
        record: logging.LogRecord,
        datefmt: str | None = None,  # noqa: ARG002
    ) -> str:
        """Return the record's time; `datefmt` is not used."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"{seconds}.{int(record.msecs):03d}Z"


class _JournalFormatter(logging.Formatter):
    """Each line with its priority, those of a traceback too."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as lines for the journal."""
        prefix = f"<{_PRIORITIES.get(record.levelno, _NOTICE)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


def is_journal(fd: int, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether what is written to a file descriptor goes to the journal by itself.

    The variable is inherited by whatever a service starts, with its output sent elsewhere or not:
    so it names the socket by device and inode.
    """
    stream = environment.get(_JOURNAL_VARIABLE)
    if not stream:
        return False
    try:
        status = os.fstat(fd)
    except OSError:
        return False
    return stream == f"{status.st_dev}:{status.st_ino}"


class _AsideHandler(logging.Handler):
    """Writes to stderr in a thread of its own, so that nobody waits for whoever reads it.

    What finds no room is lost, and counted in the log once there is room again.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines: queue.Queue[str] = queue.Queue(_MOST_LINES)
        self._lost = 0
        threading.Thread(target=self._write, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record, at once."""
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self._lost += 1
        except Exception:  # noqa: BLE001  as in the standard library's handlers
            self.handleError(record)

    def flush(self) -> None:
        """Wait until everything is written, for a second at most: nobody may be reading."""
        lines = self._lines
        with lines.all_tasks_done:
            lines.all_tasks_done.wait_for(lambda: not lines.unfinished_tasks, _FLUSH_SECONDS)

    def _write(self) -> None:
        counted = 0
        while True:
            _write_line(self._lines.get())
            self._lines.task_done()
            lost = self._lost
            if lost > counted:
                text = f"Lost {lost - counted} lines of the log: they came faster than it was read"
                record = logging.LogRecord("log", logging.WARNING, "", 0, text, None, None)
                _write_line(self.format(record))
                counted = lost


def _write_line(line: str) -> None:
    with contextlib.suppress(OSError):  # who read it may be gone
        os.write(2, f"{line}\n".encode(errors="backslashreplace"))


def configure(level: str, component: str, *, aside: bool = False) -> logging.Handler:
    """Send everything of this process to stderr, and return what does it.

    Args:
        level: one of LEVELS, in any case.
        component: who logs.
        aside: never wait for whoever reads stderr, and rather lose lines.

    Raises ValueError for a level that is none of LEVELS.
    """
    handler = _AsideHandler() if aside else logging.StreamHandler(sys.stderr)
    if is_journal(2):
        handler.setFormatter(_JournalFormatter(f"{component}: %(message)s"))
    else:
        handler.setFormatter(_Formatter(f"%(asctime)s %(levelname)s {component}: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    return handler


class Trouble:
    """Something that does not work for a while: logged when it begins and when it ends.

    Args:
        log: where.
        what: does not work, in words that complete "Could not …".
    """

    def __init__(self, log: logging.Logger, what: str) -> None:
        self._log = log
        self._what = what
        self._why = ""

    @property
    def why(self) -> str:
        """The first reason of the present trouble; empty while all is well."""
        return self._why

    def __str__(self) -> str:
        return f"could not {self._what}: {self._why}" if self._why else ""

    def begins(self, why: object) -> None:
        """It does not work, perhaps still."""
        if not self._why:
            self._why = str(why) or type(why).__name__
            self._log.warning("Could not %s, trying again: %s", self._what, self._why)
        else:
            self._log.debug("Still could not %s: %s", self._what, why)

    def ends(self) -> None:
        """It works, perhaps as before."""
        if self._why:
            self._why = ""
            self._log.info("Could %s again", self._what)
