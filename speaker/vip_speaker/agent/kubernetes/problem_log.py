"""Logs standing problems: each once when it begins and once when it ends."""

from __future__ import annotations

import logging
from collections.abc import Iterable

_log = logging.getLogger("agent")


class ProblemLog:
    """Remembers what was logged."""

    def __init__(self) -> None:
        self._shown: frozenset[str] = frozenset()

    def show(self, problems: Iterable[str]) -> None:
        """Log what is new and what is over."""
        now = frozenset(problems)
        for problem in sorted(now - self._shown):
            _log.error("%s", problem)
        for problem in sorted(self._shown - now):
            _log.info("Resolved: %s", problem)
        self._shown = now
