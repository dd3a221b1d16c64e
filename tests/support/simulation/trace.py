"""What happened, for a person to read: the last lines before a violation."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from vip_speaker.vrrp.actions import (
    Action,
    Announce,
    BindAddresses,
    ProbeAddresses,
    ReleaseAddresses,
    SendAdvertisement,
    StateChanged,
    StopAnnouncing,
)
from vip_speaker.vrrp.timers import SECOND_NS

LINES = 50
_WORDS: dict[type, str] = {
    BindAddresses: "bind",
    ReleaseAddresses: "release",
    Announce: "announce",
    StopAnnouncing: "stop-announcing",
    ProbeAddresses: "probe",
}


class ViolationError(AssertionError):
    """An invariant does not hold.

    Attributes:
        rule: which one, by its name in docs/protocol.md.
        text: what was seen instead.
    """

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(f"{rule}: {text}")
        self.rule = rule
        self.text = text


@dataclass(frozen=True, slots=True)
class Line:
    """One event at one node, or of the whole world."""

    time_ns: int
    node: str
    state: str
    event: str
    actions: tuple[Action, ...] = ()

    def __str__(self) -> str:
        actions = ", ".join(in_words(action) for action in self.actions)
        arrow = f" -> {actions}" if actions else ""
        head = f"{self.time_ns / SECOND_NS:12.6f} {self.node:<6} {self.state:<10}"
        return f"{head} {self.event}{arrow}"


def in_words(action: Action) -> str:
    """Return an action as the trace shows it."""
    match action:
        case SendAdvertisement(priority):
            return f"send({priority})"
        case StateChanged(previous, state, reason):
            return f"{previous.value}->{state.value}({reason})"
        case _:
            return _WORDS[type(action)]


class Trace:
    """Keeps the last lines; with `digest` a fingerprint of all of them."""

    def __init__(self, *, lines: int | None = LINES, fingerprinted: bool = False) -> None:
        self._lines: deque[Line] = deque(maxlen=lines)
        self._fingerprinted = fingerprinted
        self.fingerprint = 0

    def add(
        self, time_ns: int, node: str, state: str, event: str, actions: Sequence[Action] = ()
    ) -> None:
        """Take note of an event."""
        line = Line(time_ns, node, state, event, tuple(actions))
        self._lines.append(line)
        if self._fingerprinted:
            self.fingerprint = zlib.crc32(str(line).encode(), self.fingerprint)

    def lines(self) -> list[Line]:
        """Return what is kept, oldest first."""
        return list(self._lines)

    def __str__(self) -> str:
        return "\n".join(str(line) for line in self._lines)
