"""Fixtures that several unit test modules use; a module may have a `scene` of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.paper_node import Scene, paper_node


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A node with eth0 that holds no virtual address."""
    with paper_node(tmp_path) as scene:
        yield scene
