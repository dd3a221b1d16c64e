"""One log format for supervisor, engine and agent: `time LEVEL component: message` on stderr.

Under systemd, where stderr is the journal, it is `<priority>component: message` instead: the
journal has a time of its own, and takes the level from the number.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping

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
    """RFC 3339 in UTC with milliseconds, so that the logs of three hosts can be merged."""

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


def configure(level: str, component: str) -> logging.Logger:
    """Send everything of this process to stderr and return the component's logger.

    Raises ValueError for a level that is none of debug, info, warning, error.
    """
    handler = logging.StreamHandler(sys.stderr)
    if is_journal(2):
        handler.setFormatter(_JournalFormatter(f"{component}: %(message)s"))
    else:
        handler.setFormatter(_Formatter(f"%(asctime)s %(levelname)s {component}: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    return logging.getLogger(component)
