"""The engine's clock (CLOCK_BOOTTIME, which goes on in suspend) and how a person reads it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from vip_speaker.linux.clock import boottime_ns, realtime_offset_ns

__all__ = ["WallClock", "boottime_ns"]

_SECOND_NS = 1_000_000_000
_MICROSECOND_NS = 1_000
# Below this it is the noise of reading two clocks, or not worth telling the same moment anew.
_STEP_NS = 100_000_000


class WallClock:
    """Tells moments of CLOCK_BOOTTIME in UTC: each in the same words until the clock is set.

    Args:
        offset: CLOCK_REALTIME minus CLOCK_BOOTTIME in ns.
    """

    def __init__(self, offset: Callable[[], int] = realtime_offset_ns) -> None:
        self._offset = offset
        self._offset_ns = offset()

    def rfc3339(self, at_ns: int) -> str:
        """Return a moment as RFC 3339 in UTC with milliseconds."""
        offset_ns = self._offset()
        if abs(offset_ns - self._offset_ns) >= _STEP_NS:
            self._offset_ns = offset_ns
        seconds, rest_ns = divmod(at_ns + self._offset_ns, _SECOND_NS)
        moment = datetime.fromtimestamp(seconds, tz=UTC)
        moment = moment.replace(microsecond=rest_ns // _MICROSECOND_NS)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
