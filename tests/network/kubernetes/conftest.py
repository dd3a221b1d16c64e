"""The stage for tests with a real API server on the LAN."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import pytest

from support.rings import why_no_api_ring
from support.stage import Stage, tidy


@pytest.fixture(scope="module")
def running_stage() -> Iterator[Stage]:
    """Control plane, operator and three speakers, for all tests of a file."""
    reason = why_no_api_ring()
    if reason is not None:
        pytest.skip(reason)
    with Stage() as stage:
        yield stage


@pytest.fixture
def stage(running_stage: Stage) -> Iterator[Stage]:
    """The stage, with every VirtualIP removed afterwards."""
    yield running_stage
    tidy(running_stage)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the last words of speakers and operator to the report of a failure."""
    report = yield
    if report.failed:
        arguments: dict[str, Any] = getattr(item, "funcargs", {})
        for stage in (one for one in arguments.values() if isinstance(one, Stage)):
            report.sections.append(("speakers", stage.fleet.last_words()))
            report.sections.append(("operator", stage.operator.log()[-5000:]))
            break
    return report
