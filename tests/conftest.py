"""What every ring has.

Each test is marked with its ring (`-m network`), and skipped if that cannot run here. A failure's
report has the last words of what its fixtures started. A run that is told to end cleans up first.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import Any, Protocol, runtime_checkable

import pytest
from hypothesis import HealthCheck, settings

from support import figures
from support.figures import Figure
from support.lanes import report
from support.quick_time import quick_time
from support.rings import (
    RINGS,
    ring_of,
    why_no_api_ring,
    why_no_cluster_ring,
    why_no_network_ring,
)
from vip_lab.lan import ending_on_sigterm

__all__ = ["quick_time"]  # a fixture for every ring

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


def pytest_configure(config: pytest.Config) -> None:
    """Let a run that is told to end remove its processes and namespaces first."""
    stack = ExitStack()
    stack.enter_context(ending_on_sigterm())
    config.add_cleanup(stack.close)
    report.register(config)
    # How long an example takes says more of the machine than of what is tested.
    settings.register_profile(
        "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Remove the handlers of a program that ran inside a test: their streams end with it."""
    root = logging.getLogger()
    level, before = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    for each in set(root.handlers).difference(before):
        root.removeHandler(each)


@runtime_checkable
class Talkative(Protocol):
    """What can say what happened to it: a fleet of speakers, a control plane, a cluster."""

    def last_words(self) -> str:
        """Return the last lines of its logs."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the last words of what the test used to the report of a failure."""
    report = yield
    if report.failed:
        arguments: dict[str, Any] = getattr(item, "funcargs", {})
        # A class that is a parameter of the test has the method too, and nothing to tell.
        used = (one for one in arguments.values() if not isinstance(one, type))
        for one in {id(one): one for one in used if isinstance(one, Talkative)}.values():
            report.sections.append((type(one).__name__, one.last_words()))
    return report


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    """Note something measured; all of it is printed at the end of the run."""
    return functools.partial(figures.note, request.node)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests measured."""
    notes = list(figures.notes(terminalreporter))
    if notes:
        terminalreporter.section("measured")
    for line in notes:
        terminalreporter.write_line(line)
