"""LANs for the network ring, and what to show of them when a test fails."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from vip_lab.fleet import Fleet
from vip_lab.lan import Lan, ending_on_sigterm

CLIENT = "client"


@pytest.fixture(scope="session", autouse=True)
def clean_end() -> Iterator[None]:
    """A run that is told to end removes its namespaces first."""
    with ending_on_sigterm():
        yield


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    """Three hosts and a client on one switch."""
    with Lan(["n1", "n2", "n3", CLIENT]) as lan:
        yield lan


@pytest.fixture
def fresh_lan() -> Iterator[Lan]:
    """The same for one test alone."""
    with Lan(["n1", "n2", "n3", CLIENT]) as lan:
        yield lan


@pytest.fixture
def cleanup() -> Iterator[ExitStack]:
    """What is pushed here is undone after the test, last first."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def pcap(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A capture file named after the test; pytest keeps those of the last three runs."""
    name = "".join(letter if letter.isalnum() else "_" for letter in request.node.name)
    return tmp_path / f"{name}.pcap"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the speakers' last words to the report of a failure."""
    report = yield
    if report.failed:
        arguments: dict[str, Any] = getattr(item, "funcargs", {})
        for fleet in (one for one in arguments.values() if isinstance(one, Fleet)):
            report.sections.append(("speakers", fleet.last_words()))
    return report
