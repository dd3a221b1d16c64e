"""What a test measured, noted while it runs and printed at the end of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

# What was measured, and its value; a float is in seconds.
Figure = Callable[[str, object], None]

_MEASURED = "measured"


def note(item: pytest.Item, what: str, value: object) -> None:
    """Note a figure in the test's report, which also reaches us from another process."""
    shown = f"{value:.3f} s" if isinstance(value, float) else str(value)
    item.user_properties.append((_MEASURED, f"{item.name}: {what}: {shown}"))


def notes(reporter: pytest.TerminalReporter) -> Iterator[str]:
    """Yield everything that was noted in the run, a line each."""
    for reports in reporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                yield from (value for name, value in report.user_properties if name == _MEASURED)
