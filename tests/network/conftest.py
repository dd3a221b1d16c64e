"""LANs for the network ring."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from vip_lab.lan import Lan

CLIENT = "client"


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
