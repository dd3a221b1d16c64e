"""One log format: `time LEVEL operator: message` on stderr; trouble that lasts is logged once."""

from __future__ import annotations

import logging
import sys
import time

LEVELS = ("debug", "info", "warning", "error")

# Lines of kopf that come once for each retry, that describe what is done here on purpose, or that
# show with a traceback why kopf ended, which we say in a line.
_KOPF_REPEATS = ("will retry", "will re-authenticate", "OS signals are ignored", "has failed:")


class _Formatter(logging.Formatter):
    """RFC 3339 in UTC with milliseconds, as the speakers log."""

    def formatTime(  # noqa: N802  the standard library's name
        self,
        record: logging.LogRecord,
        datefmt: str | None = None,  # noqa: ARG002
    ) -> str:
        """Return the record's time; `datefmt` is not used."""
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"{seconds}.{int(record.msecs):03d}Z"


def _is_no_repeat_of_kopf(record: logging.LogRecord) -> bool:
    return not (
        record.name.startswith("kopf.")
        and any(words in record.getMessage() for words in _KOPF_REPEATS)
    )


def configure(level: str) -> None:
    """Send everything of this process to stderr.

    Kopf is heard from `warning` on, and what it says once for each retry not at all: the same
    trouble is logged by ourselves, once. With `debug` everything of everybody is shown.

    Raises ValueError for a level that is none of LEVELS.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s operator: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    if level != "debug":
        logging.getLogger("kopf").setLevel(max(logging.WARNING, root.level))
        handler.addFilter(_is_no_repeat_of_kopf)


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
