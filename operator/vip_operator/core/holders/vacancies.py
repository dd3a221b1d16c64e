"""Whether nobody holds a router, or whoever does has only not been able to say so yet.

After trouble with the API server each speaker gets through at a time of its own: the report of the
old holder's end may come many seconds before the claim of the new one. So the end of the last
claim says that nobody holds the router only once every other candidate has said something since.
Only what we saw counts, on our monotonic clock. Pure but for what is remembered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from vip_model.resources.virtual_router import VirtualRouter
from vip_operator.core.holders.holder import UNREPORTED, Holding, Standing
from vip_operator.core.known.round_inputs import SECOND_NS, STALE_AFTER_NS, Heartbeat

# Lease and report are written one without the other: after trouble, the report may come so much
# later, which is the longest that a speaker waits between two attempts.
REPORT_LAG_NS = 5 * SECOND_NS


@dataclass(frozen=True, slots=True)
class _Vacancy:
    """A router on which there was a claim, and is none any more.

    Attributes:
        since_ns: when that was first seen.
        ended: nodes that took their claims back then, which is a word of theirs.
        lost: nodes that were lost then.
    """

    since_ns: int
    ended: frozenset[str]
    lost: frozenset[str]


class VacancyKeeper:
    """Judges routers without a claim; remembers who claimed them in the round before."""

    def __init__(self) -> None:
        self._claimants: dict[str, frozenset[str]] = {}
        self._vacancies: dict[str, _Vacancy] = {}
        self._began = False

    @property
    def due_ns(self) -> int | None:
        """Monotonic time at which a vacancy is certain whatever is heard.

        As of the last call of `judge`; None while there is no doubt.
        """
        ends = (each.since_ns + STALE_AFTER_NS + 1 for each in self._vacancies.values())
        return min(ends, default=None)

    def begin(self, told_claimed: Iterable[str]) -> None:
        """Go on from what an earlier operator told; only the first call has an effect.

        Args:
            told_claimed: routers that a node claimed, or of which it was not certain.
        """
        if not self._began:
            self._began = True
            self._claimants = dict.fromkeys(told_claimed, frozenset())

    def judge(
        self,
        routers: Iterable[VirtualRouter],
        holdings: Mapping[str, Holding],
        reporting: Collection[str],
        heartbeats: Mapping[str, Heartbeat],
        now_ns: int,
    ) -> dict[str, Holding]:
        """Return who holds each router, by its name; what is known of others is forgotten.

        Args:
            routers: the routers.
            holdings: by router, what the claims say.
            reporting: nodes that have a Speaker.
            heartbeats: by node.
            now_ns: now, monotonic.
        """
        before, self._vacancies = self._vacancies, {}
        found = {}
        for router in routers:
            name, holding = router.name, holdings[router.name]
            if holding.standing is Standing.NOBODY:
                vacancy = before.get(name) or self._new(name, reporting, heartbeats, now_ns)
                if vacancy is not None and _is_in_doubt(vacancy, router, heartbeats, now_ns):
                    self._vacancies[name] = vacancy
                    holding = UNREPORTED
            found[name] = holding
        self._claimants = {
            name: frozenset(claim.node for claim in holding.claims)
            for name, holding in found.items()
            if holding.claims
        }
        return found

    def _new(
        self,
        router: str,
        reporting: Collection[str],
        heartbeats: Mapping[str, Heartbeat],
        now_ns: int,
    ) -> _Vacancy | None:
        """Return the vacancy that begins; None where there was no claim in the round before."""
        claimants = self._claimants.get(router)
        if claimants is None:
            return None
        # A claim whose Speaker was deleted was not taken back by anybody.
        ended = claimants.intersection(reporting)
        lost = frozenset(node for node, heartbeat in heartbeats.items() if heartbeat.lost)
        return _Vacancy(now_ns, ended, lost)


def _is_in_doubt(
    vacancy: _Vacancy, router: VirtualRouter, heartbeats: Mapping[str, Heartbeat], now_ns: int
) -> bool:
    """Return whether there is a candidate that may hold it and has said nothing since."""
    if now_ns - vacancy.since_ns > STALE_AFTER_NS:
        return False
    nodes = (each.node for each in router.spec.candidates)
    return any(_is_awaited(vacancy, heartbeats[node]) for node in nodes if node in heartbeats)


def _is_awaited(vacancy: _Vacancy, heartbeat: Heartbeat) -> bool:
    """Return whether a node has not renewed its Lease since, at a time when reports got through.

    One that was lost before, and still is, will not.
    """
    node = heartbeat.node
    if node in vacancy.ended or (node in vacancy.lost and heartbeat.lost):
        return False
    spoken_after_ns = max(vacancy.since_ns, heartbeat.resumed_ns + REPORT_LAG_NS)
    return heartbeat.changed_ns <= spoken_after_ns
