"""When something that failed is tried again, although nothing else may ever happen. Pure."""

from __future__ import annotations

from vip_speaker.vrrp.timers import SECOND_NS

_FIRST_NS = SECOND_NS // 4
_LONGEST_NS = 4 * SECOND_NS
_SOON_NS = SECOND_NS // 100


class Retry:
    """Doubles the waits between failures, up to 4 s; a success begins anew.

    Attributes:
        due_ns: when to try again; None if the last try went well.
    """

    def __init__(self) -> None:
        self.due_ns: int | None = None
        self._wait_ns = _FIRST_NS

    def note(self, now: int, *, failed: bool) -> None:
        """Take the outcome of a try."""
        if failed:
            self.due_ns = now + self._wait_ns
            self._wait_ns = min(2 * self._wait_ns, _LONGEST_NS)
        else:
            self.due_ns = None
            self._wait_ns = _FIRST_NS

    def note_begun(self, now: int) -> None:
        """It is on its way, which takes milliseconds: that is no failure."""
        self.due_ns = now + _SOON_NS

    def is_due(self, now: int) -> bool:
        """Whether it is time to try again."""
        return self.due_ns is not None and now >= self.due_ns
