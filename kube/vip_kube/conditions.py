"""Conditions in the status of objects, as the API server writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

READY = "Ready"


def is_true(content: Mapping[str, Any], type_: str) -> bool:
    """Return whether an object has a condition of that type whose status is True."""
    conditions = (content.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == type_ and each.get("status") == "True" for each in conditions)
