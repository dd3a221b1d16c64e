"""Who holds a VirtualRouter: what the nodes claim, and which of the claims count.

A claim is a node whose Speaker lists the router as Active. It counts while the node's heartbeat
is fresh. Two that count for a moment are a move of which one half is not reported yet; two that
both go on are two holders.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from vip_common.timestamps import parsed
from vip_model.resources.virtual_router import VirtualRouter
from vip_operator.core.known.round_inputs import SECOND_NS, Heartbeat
from vip_operator.core.known.speaker_reports import Reports

_MILLISECOND_NS = 1_000_000
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Standing(enum.Enum):
    """How sure it is who holds a router."""

    HELD = enum.auto()  # one claim counts
    SETTLING = enum.auto()  # several count; the earlier ones may just not be taken back yet
    CONTESTED = enum.auto()  # several count, and an earlier one is renewed on purpose
    SILENT = enum.auto()  # there are only claims of speakers that are not heard any more
    UNREPORTED = enum.auto()  # the last claim ended; who made the next may not have said so yet
    NOBODY = enum.auto()  # there is no claim


@dataclass(frozen=True, slots=True)
class Claim:
    """A node that says it is Active for a router.

    Attributes:
        node: the node.
        since: since when (RFC 3339), as it reports.
        reason: why it became Active.
        failing_gates: gates that fail there.
        fresh: it counts: its heartbeat is fresh.
    """

    node: str
    since: str
    reason: str
    failing_gates: tuple[str, ...]
    fresh: bool


@dataclass(frozen=True, slots=True)
class Holding:
    """Who holds a router.

    Attributes:
        standing: how sure that is.
        claims: those that count, the latest first; where none counts, the stale ones.
    """

    standing: Standing
    claims: tuple[Claim, ...] = ()

    @property
    def holder(self) -> Claim | None:
        """The latest claim; None where there is none."""
        return self.claims[0] if self.claims else None

    @property
    def node(self) -> str:
        """The node of the holder; empty where there is none."""
        return self.claims[0].node if self.claims else ""


NOBODY = Holding(Standing.NOBODY)
UNREPORTED = Holding(Standing.UNREPORTED)


def settling_ns(router: VirtualRouter) -> int:
    """Return how long two claims beside each other are nothing but a move: 3 intervals + 1 s."""
    interval_ns = router.spec.timing.advertisement_interval_milliseconds * _MILLISECOND_NS
    return 3 * interval_ns + SECOND_NS


@dataclass(frozen=True, slots=True)
class ToldHolder:
    """The holder that users were told of before this operator began.

    Attributes:
        since: since when it held (RFC 3339); earlier claims did not count any more.
        silent: its own did not count either.
    """

    since: str
    silent: bool = False

    def outlived(self, since: str) -> bool:
        """Return whether a claim of that time had stopped counting."""
        claimed, held = _instant(since), _instant(self.since)
        return claimed < held or (self.silent and claimed == held)


@dataclass(slots=True)
class _Sighting:
    """A claim as it was first seen.

    Attributes:
        since: what it says; another time is another claim.
        first_ns: when it was first seen, on our monotonic clock.
        dismissed_at_ns: `changed_ns` of the heartbeat with which an earlier operator had stopped
            counting the claim; it counts again once the heartbeat changes.
    """

    since: str
    first_ns: int
    dismissed_at_ns: int | None = None


class ClaimKeeper:
    """Judges claims; remembers when each was first seen and which routers are contested."""

    def __init__(self) -> None:
        self._sightings: dict[tuple[str, str], _Sighting] = {}
        self._contested: frozenset[str] = frozenset()
        self._told_holders: Mapping[str, ToldHolder] = {}
        self._began = False

    def begin(self, told_holders: Mapping[str, ToldHolder], told_contested: frozenset[str]) -> None:
        """Go on from what an earlier operator told; only the first call has an effect.

        Args:
            told_holders: by router, where at most one claim counted.
            told_contested: routers that were contested.
        """
        if not self._began:
            self._began = True
            self._told_holders, self._contested = told_holders, told_contested

    def judge(
        self,
        routers: Sequence[VirtualRouter],
        reports: Reports,
        heartbeats: Mapping[str, Heartbeat],
        now_ns: int,
    ) -> dict[str, Holding]:
        """Return who holds each router, by its name; what is known of others is forgotten."""
        sightings: dict[tuple[str, str], _Sighting] = {}
        for router in routers:
            for node, active in reports.of(router.name).active.items():
                key = (router.name, node)
                known = self._sightings.get(key)
                if known is None or known.since != active.since:
                    dismissed_at_ns = self._dismissed(key, active.since, heartbeats)
                    known = _Sighting(active.since, now_ns, dismissed_at_ns)
                sightings[key] = known
        self._sightings, self._told_holders = sightings, {}
        holdings = {
            router.name: self._judge_one(
                router, self._claims(router.name, reports, heartbeats), heartbeats
            )
            for router in routers
        }
        self._contested = frozenset(
            name for name, each in holdings.items() if each.standing is Standing.CONTESTED
        )
        return holdings

    def _dismissed(
        self, key: tuple[str, str], since: str, heartbeats: Mapping[str, Heartbeat]
    ) -> int | None:
        """Return with which heartbeat an earlier operator had stopped counting a claim, if so."""
        router, node = key
        told = self._told_holders.get(router)
        if told is None or not told.outlived(since) or node not in heartbeats:
            return None
        return heartbeats[node].changed_ns

    def _claims(
        self, router: str, reports: Reports, heartbeats: Mapping[str, Heartbeat]
    ) -> list[Claim]:
        """Return the claims on a router, the latest first."""
        found = [
            Claim(
                node=node,
                since=active.since,
                reason=active.reason,
                failing_gates=active.failing_gates,
                fresh=self._counts((router, node), heartbeats.get(node)),
            )
            for node, active in reports.of(router).active.items()
        ]
        return sorted(found, key=lambda claim: self._age(router, claim), reverse=True)

    def _counts(self, key: tuple[str, str], heartbeat: Heartbeat | None) -> bool:
        if heartbeat is None or not heartbeat.fresh:
            return False
        sighting = self._sightings[key]
        if heartbeat.changed_ns == sighting.dismissed_at_ns:
            return False
        sighting.dismissed_at_ns = None
        return True

    def _age(self, router: str, claim: Claim) -> tuple[int, datetime, str]:
        """Return what orders claims: when we saw each, since the nodes' clocks may differ.

        Their own times decide only between claims that we saw at once, as at our start.
        """
        sighting = self._sightings[(router, claim.node)]
        return (sighting.first_ns, _instant(claim.since), claim.node)

    def _judge_one(
        self, router: VirtualRouter, claims: list[Claim], heartbeats: Mapping[str, Heartbeat]
    ) -> Holding:
        fresh = tuple(claim for claim in claims if claim.fresh)
        if not claims:
            return NOBODY
        if not fresh:
            return Holding(Standing.SILENT, tuple(claims))
        if len(fresh) == 1:
            return Holding(Standing.HELD, fresh)
        # A claim made anew amid a contest ends nothing.
        if router.name in self._contested or self._insists(router, fresh, heartbeats):
            return Holding(Standing.CONTESTED, fresh)
        return Holding(Standing.SETTLING, fresh)

    def _insists(
        self, router: VirtualRouter, fresh: tuple[Claim, ...], heartbeats: Mapping[str, Heartbeat]
    ) -> bool:
        """Return whether an earlier claimant was alive long after the later claim, and claims on.

        Its report is sent at once when it steps down: a Lease that is renewed after that time
        beside an old report says that it means it.
        """
        latest, *earlier = fresh
        overlap_ends_ns = self._sightings[(router.name, latest.node)].first_ns + settling_ns(router)
        return any(heartbeats[claim.node].changed_ns > overlap_ends_ns for claim in earlier)


def _instant(since: str) -> datetime:
    """Return the time of a report; one that is none counts as long ago."""
    return parsed(since) or _LONG_AGO
