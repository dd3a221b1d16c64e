"""Times as text: RFC 3339 in UTC, with Z. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal


def rfc3339(
    moment: datetime, timespec: Literal["seconds", "milliseconds", "microseconds"] = "milliseconds"
) -> str:
    """Return a moment as text; it must know its time zone."""
    assert moment.tzinfo is not None
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def parsed(text: str) -> datetime | None:
    """Return the moment that a text stands for, None if it is none; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
