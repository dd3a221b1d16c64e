"""One log format for supervisor, engine and agent: `time LEVEL component: message` on stderr."""

from __future__ import annotations

import logging
import sys
import time


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


def configure(level: str, component: str) -> logging.Logger:
    """Send everything of this process to stderr and return the component's logger.

    Raises ValueError for a level that is none of debug, info, warning, error.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(f"%(asctime)s %(levelname)s {component}: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    return logging.getLogger(component)
