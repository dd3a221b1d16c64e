"""VirtualIPs whose values are judged."""

from __future__ import annotations

from typing import Any


def gate(name: str = "web", **changes: Any) -> dict[str, Any]:
    """Return a gate as it is written."""
    return {"name": name, "httpGet": {"port": 80}, **changes}
