"""How the operator logs: as all our processes do, and kopf only where it says something new."""

from __future__ import annotations

import logging

from vip_common import log

# Lines of kopf that come once for each retry, that describe what is done here on purpose, or that
# show with a traceback why kopf ended, which we say in a line.
_KOPF_REPEATS = ("will retry", "will re-authenticate", "OS signals are ignored", "has failed:")


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
    handler = log.configure(level, "operator")
    if level != "debug":
        logging.getLogger("kopf").setLevel(max(logging.WARNING, logging.getLogger().level))
        handler.addFilter(_is_no_repeat_of_kopf)
