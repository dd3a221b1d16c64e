"""The stage for tests with a real API server on the LAN."""

from __future__ import annotations

from collections.abc import Iterator

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
