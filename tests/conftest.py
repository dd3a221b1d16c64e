"""Marks every test with its ring (`-m network`) and skips the rings that cannot run here."""

from __future__ import annotations

import pytest

from support.figures import FIGURES, Figure
from support.rings import (
    RINGS,
    ring_of,
    why_no_api_ring,
    why_no_cluster_ring,
    why_no_network_ring,
)

_REASONS = {
    "api": why_no_api_ring,
    "network": why_no_network_ring,
    "cluster": why_no_cluster_ring,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark by folder; ask whether a ring can run only if a test needs it."""
    rings = {item: ring_of(item.path) for item in items}
    reasons = {ring: why() for ring, why in _REASONS.items() if ring in rings.values()}
    for item, ring in rings.items():
        if ring is None:
            message = f"{item.path} is in no ring; tests live in tests/{{{','.join(RINGS)}}}"
            raise pytest.UsageError(message)
        item.add_marker(ring)
        reason = reasons.get(ring)
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    """Note something measured; all of it is printed at the end of the run."""
    notes = request.config.stash.setdefault(FIGURES, [])

    def note(what: str, value: object) -> None:
        shown = f"{value:.3f} s" if isinstance(value, float) else str(value)
        notes.append(f"{request.node.name}: {what}: {shown}")

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests measured."""
    notes = terminalreporter.config.stash.get(FIGURES, [])
    if notes:
        terminalreporter.section("measured")
    for line in notes:
        terminalreporter.write_line(line)
