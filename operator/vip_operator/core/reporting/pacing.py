"""How often users are told of an election: at once, unless its news never ends. Pure.

Each VirtualIP has a status and events of its own, so a group of 256 that moves every two seconds
would have 256 objects written each time. An election may therefore write what its account holds,
which fills slowly. Where that is used up, news waits until the account has enough again, and
statuses at the latest until nothing has changed for three seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from vip_operator.core.known.round_inputs import SECOND_NS

QUIET_NS = 3 * SECOND_NS
# What an election can hold, in rounds in which all its VirtualIPs are written. The last of them is
# kept for when it has come to rest, so that the events that tell of the end are not late.
_ROUNDS = 3
_RESERVED = 1
_NS_PER_ROUND = 15 * SECOND_NS
# Few objects are no burden: an election with fewer has more rounds, and gets them faster.
_FEW = 32


@dataclass(frozen=True, slots=True)
class Pace:
    """What may be written of an election in this round.

    Attributes:
        statuses: the statuses of its VirtualIPs.
        events: events about them.
    """

    statuses: bool = True
    events: bool = True


@dataclass(slots=True)
class _Account:
    """What an election may write.

    Attributes:
        rounds: how many rounds are left, at `at_ns`.
        at_ns: when that was.
        news: what is to be written; None: nothing.
        changed_ns: since when it is that.
        owes_events: events were held back when the statuses were written.
    """

    at_ns: int
    rounds: float
    news: object = None
    changed_ns: int = 0
    owes_events: bool = False


class Pacer:
    """Keeps the accounts, round after round."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}
        self._kept: dict[str, _Account] = {}
        self._dues: list[int] = []
        self._now_ns = 0

    def begin(self, now_ns: int) -> None:
        """Begin a round."""
        self._kept, self._dues, self._now_ns = {}, [], now_ns

    def end(self) -> int | None:
        """End the round; return when more may be written by time alone (monotonic, ns)."""
        self._accounts = self._kept
        return min(self._dues, default=None)

    def pace(self, router: str, size: int, news: object) -> Pace:
        """Return what may be written, to be asked once a round for each election.

        Args:
            router: name of the election.
            size: how many VirtualIPs it has.
            news: what is to be written, to be compared with that of the round before; None where
                the statuses are as they should be.
        """
        now_ns = self._now_ns
        most, per_ns = _limits(size)
        account = self._accounts.get(router) or _Account(now_ns, most)
        account.rounds = min(most, account.rounds + (now_ns - account.at_ns) * per_ns)
        account.at_ns = now_ns
        if news != account.news:
            account.news, account.changed_ns = news, now_ns
        pace = self._decide(account, per_ns)
        if account.rounds < most or account.news is not None or account.owes_events:
            self._kept[router] = account
        return pace

    def _decide(self, account: _Account, per_ns: float) -> Pace:
        if account.news is None and not account.owes_events:
            return Pace()
        has_plenty = account.rounds >= 1 + _RESERVED
        quiet_at_ns = account.changed_ns + QUIET_NS
        is_quiet = self._now_ns >= quiet_at_ns
        statuses = has_plenty or is_quiet
        events = has_plenty or (is_quiet and account.rounds >= 1)
        if (statuses and account.news is not None) or (events and account.owes_events):
            account.rounds = max(0.0, account.rounds - 1)
        account.owes_events = not events
        if not events:
            lacking = (1 if is_quiet else 1 + _RESERVED) - account.rounds
            self._dues.append(self._now_ns + int(max(0.0, lacking) / per_ns) + 1)
            if not is_quiet:
                self._dues.append(quiet_at_ns)
        return Pace(statuses, events)


def _limits(size: int) -> tuple[float, float]:
    """Return how many rounds an election of that size can hold, and gets in a nanosecond."""
    plenty = max(1.0, _FEW / size)
    return _ROUNDS * plenty, plenty / _NS_PER_ROUND
