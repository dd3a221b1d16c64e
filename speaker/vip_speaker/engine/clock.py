"""The engine's clock (CLOCK_BOOTTIME, which goes on in suspend) and how a person reads it."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from vip_speaker.linux.clock import boottime_ns

__all__ = ["boottime_ns", "rfc3339"]


def rfc3339(at_ns: int) -> str:
    """Return a time of CLOCK_BOOTTIME as RFC 3339 in UTC with milliseconds."""
    wall_ns = time.time_ns() - (boottime_ns() - at_ns)
    moment = datetime.fromtimestamp(wall_ns / 1e9, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
