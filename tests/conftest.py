"""Marks every test with its ring (`-m network`) and skips the network ring where it cannot run."""

from __future__ import annotations

import pytest

from support.rings import RINGS, ring_of, why_no_network_ring


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark by folder; ask whether network namespaces can be had only if a test needs one."""
    rings = {item: ring_of(item.path) for item in items}
    reason = why_no_network_ring() if "network" in rings.values() else None
    for item, ring in rings.items():
        if ring is None:
            message = f"{item.path} is in no ring; tests live in tests/{{{','.join(RINGS)}}}"
            raise pytest.UsageError(message)
        item.add_marker(ring)
        if ring == "network" and reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))
