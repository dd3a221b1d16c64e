"""How far the candidates are with what was decided: who runs a router's newest revision."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vip_operator.core.known.round_inputs import SECOND_NS, Heartbeat

# A candidate that ran the revision before takes over all the same. It counts for so long,
# otherwise every edit would rewrite the status of each VirtualIP of a group twice.
CATCHING_UP_NS = 5 * SECOND_NS
STALLED_AFTER_NS = 30 * SECOND_NS


class Progress(enum.Enum):
    """What a candidate whose heartbeat is fresh runs of a router."""

    CURRENT = enum.auto()  # the newest revision
    CATCHING_UP = enum.auto()  # the one before, since a moment
    BEHIND = enum.auto()  # nothing, or an old one
    STALLED = enum.auto()  # the same, for more than 30 s


@dataclass(frozen=True, slots=True)
class _Lag:
    """A revision that a candidate should run and does not.

    Attributes:
        revision: the one it lags behind; newer ones do not count before it has this one.
        began_ns: when that was first seen.
        ran_before: it ran the revision before.
    """

    revision: int
    began_ns: int
    ran_before: bool


class LagKeeper:
    """Remembers since when each candidate lags behind."""

    def __init__(self) -> None:
        # None is a candidate that is up to date.
        self._lags: dict[tuple[str, str], _Lag | None] = {}
        self._next: dict[tuple[str, str], _Lag | None] = {}
        self._dues: list[int] = []
        self._first = True

    def begin(self) -> None:
        """Begin a round: what is not asked about in it is forgotten at its end."""
        self._next = {}
        self._dues = []

    def end(self) -> int | None:
        """End the round; return when an answer changes by time alone (monotonic, ns)."""
        self._lags = self._next
        self._first = False
        return min(self._dues, default=None)

    def progress(
        self,
        router: str,
        revision: int | None,
        nodes: Iterable[str],
        heartbeats: Mapping[str, Heartbeat],
        now_ns: int,
        *,
        told_stalled: bool = False,
    ) -> dict[str, Progress]:
        """Return how far each of the nodes is whose heartbeat is fresh.

        Args:
            router: name of the VirtualRouter.
            revision: its newest revision; None where it is not written yet.
            nodes: the candidates.
            heartbeats: by node.
            now_ns: now, monotonic.
            told_stalled: users were told that it stalls before this operator began.
        """
        found: dict[str, Progress] = {}
        for node in nodes:
            key = (router, node)
            heartbeat = heartbeats.get(node)
            if heartbeat is None or not heartbeat.fresh:
                if key in self._lags:
                    self._next[key] = self._lags[key]
            elif revision is None:
                found[node] = Progress.BEHIND
            elif heartbeat.applied_revision >= revision:
                self._next[key] = None
                found[node] = Progress.CURRENT
            else:
                lag = self._lag(
                    key, revision, heartbeat.applied_revision, now_ns, told_stalled=told_stalled
                )
                self._next[key] = lag
                found[node] = self._judge(lag, now_ns)
        return found

    def _lag(
        self, key: tuple[str, str], revision: int, applied: int, now_ns: int, *, told_stalled: bool
    ) -> _Lag:
        known = self._lags.get(key)
        if known is not None and applied < known.revision:
            return known
        began_ns = now_ns
        if self._first and told_stalled:
            began_ns -= STALLED_AFTER_NS + 1
        return _Lag(revision, began_ns, ran_before=key in self._lags)

    def _judge(self, lag: _Lag, now_ns: int) -> Progress:
        for limit_ns, progress in (
            (CATCHING_UP_NS if lag.ran_before else None, Progress.CATCHING_UP),
            (STALLED_AFTER_NS, Progress.BEHIND),
        ):
            if limit_ns is not None and now_ns - lag.began_ns <= limit_ns:
                self._dues.append(lag.began_ns + limit_ns + 1)
                return progress
        return Progress.STALLED
