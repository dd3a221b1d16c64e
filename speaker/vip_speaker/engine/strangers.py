"""Which virtual routers of others are on the links of this node. Pure: time is an argument.

Our own nodes do not learn at the same moment of a new router or a new candidate, so that who is
heard may be one of ours that this node will be told of in a moment. Therefore a stranger counts
only when it is still heard after a while, and one that turns out to be ours is forgotten at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import chain
from typing import NamedTuple

from vip_model.vocabulary import Family
from vip_speaker.messages import Desired, DesiredInstance, DesiredRouter, KnownRouter
from vip_speaker.vrrp.config import Address
from vip_speaker.vrrp.timers import SECOND_NS

_OUR_PROTOCOL = 3
_NOBODY: frozenset[Address] = frozenset()
_IP_VERSIONS = {Family.IPV4: 4, Family.IPV6: 6}

# IP version and VRID to the addresses that adverts of ours come from; None is anyone.
Ours = Mapping[tuple[int, int], frozenset[Address] | None]


class Stranger(NamedTuple):
    """A virtual router of somebody else.

    Attributes:
        ifindex: interface that it is heard on.
        virtual_router_id: its VRID.
        source: who sends its adverts.
        protocol: version of VRRP, 2 or 3; what we speak is always 3.
    """

    ifindex: int
    virtual_router_id: int
    source: Address
    protocol: int = _OUR_PROTOCOL


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how many.

    Attributes:
        settling_ns: one that is heard again this long after the first time is a stranger.
        chance_ns: one that is heard once and not again makes room, after so long, if need be.
        silence_ns: it is forgotten after so much silence, at least.
        silent_intervals: and after so many of its own intervals: by then its own Backups, which
            wait for three and Skew_Time, have spoken.
        gap_ns: the list changes at most that often.
        per_interface: how many are remembered for an interface; there are 255 VRIDs.
        in_all: how many for the node.
    """

    settling_ns: int = 2 * SECOND_NS
    chance_ns: int = 5 * SECOND_NS
    silence_ns: int = 60 * SECOND_NS
    silent_intervals: int = 4
    gap_ns: int = SECOND_NS
    per_interface: int = 256
    in_all: int = 512


@dataclass(slots=True)
class _Trace:
    """When one was heard first, and when it is to be forgotten."""

    first_ns: int
    forget_ns: int


class Strangers:
    """Remembers who is heard; `review` makes the list of those who count."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        # Those that may yet turn out to be ours, or nothing, in the order in which they came.
        self._new: dict[Stranger, _Trace] = {}
        self._settled: dict[Stranger, _Trace] = {}
        self._on: Counter[int] = Counter()
        self._ours: Ours | None = None
        self._reviewed_ns = -self._limits.gap_ns
        self._present: tuple[Stranger, ...] = ()
        # When `review` is due; what is heard again in the meantime only makes it early.
        self.due_ns: int | None = None

    @property
    def present(self) -> tuple[Stranger, ...]:
        """Those who count as of the last review, in a fixed order."""
        return self._present

    def is_ours(self, heard: Stranger) -> bool:
        """Return whether it is none: a router of ours sends such adverts, here or elsewhere."""
        if self._ours is None or heard.protocol != _OUR_PROTOCOL:
            return False
        key = (heard.source.version, heard.virtual_router_id)
        sources = self._ours.get(key, _NOBODY)
        return sources is None or heard.source in sources

    def hear(self, now: int, stranger: Stranger, interval_ns: int) -> None:
        """Note an advert that is not of ours, and the interval in which others follow."""
        limits = self._limits
        forget_ns = now + max(limits.silence_ns, limits.silent_intervals * interval_ns)
        trace = self._settled.get(stranger)
        if trace is not None:
            trace.forget_ns = forget_ns
            return
        trace = self._new.get(stranger)
        if trace is not None:
            trace.forget_ns = forget_ns
            if now - trace.first_ns >= limits.settling_ns:
                self._settled[stranger] = self._new.pop(stranger)
                self._review_by(now)
        elif self._has_room(now, stranger.ifindex):
            self._new[stranger] = _Trace(now, forget_ns)
            self._on[stranger.ifindex] += 1
            self._review_by(forget_ns)

    def know(self, now: int, ours: Ours | None) -> None:
        """Take who is ours, None if nobody says."""
        self._ours = ours
        self._forget(stranger for stranger in self._all() if self.is_ours(stranger))
        self.review(now)

    def keep_interfaces(self, now: int, ifindexes: Container[int]) -> None:
        """Forget who was heard on any other interface."""
        if any(ifindex not in ifindexes for ifindex in self._on):
            self._forget(each for each in self._all() if each.ifindex not in ifindexes)
            self.review(now)

    def review(self, now: int) -> None:
        """Forget the silent ones and make the list anew."""
        everyone = self._new | self._settled
        self._forget(stranger for stranger, trace in everyone.items() if now >= trace.forget_ns)
        # While nobody says who is ours, nobody can be called a stranger.
        self._present = () if self._ours is None else tuple(sorted(self._settled, key=_order))
        self._reviewed_ns = now
        self.due_ns = None
        for trace in (self._new | self._settled).values():
            self._review_by(trace.forget_ns)

    def _review_by(self, at_ns: int) -> None:
        at_ns = max(at_ns, self._reviewed_ns + self._limits.gap_ns)
        self.due_ns = at_ns if self.due_ns is None else min(self.due_ns, at_ns)

    def _all(self) -> list[Stranger]:
        return [*self._new, *self._settled]

    def _forget(self, some: Iterable[Stranger]) -> None:
        for stranger in some:
            if self._new.pop(stranger, None) is None:
                del self._settled[stranger]
            self._on[stranger.ifindex] -= 1
            if not self._on[stranger.ifindex]:
                del self._on[stranger.ifindex]

    def _has_room(self, now: int, ifindex: int) -> bool:
        """Return whether one more can be remembered; one that had its chance makes room for it.

        Those that have settled stay: were they to make room for each other, the list would change
        for ever where there are too many.
        """
        if self._on[ifindex] >= self._limits.per_interface:
            leaving = next((each for each in self._new if each.ifindex == ifindex), None)
        elif len(self._new) + len(self._settled) >= self._limits.in_all:
            leaving = next(iter(self._new), None)
        else:
            return True
        if leaving is None or now - self._new[leaving].first_ns < self._limits.chance_ns:
            return False
        self._forget([leaving])
        return True


def ours(desired: Desired, running: Iterable[DesiredRouter]) -> Generator[None, None, Ours | None]:
    """Return whose adverts are ours, None if the agent does not say; a step for each router.

    Args:
        desired: what was desired last.
        running: every router of this engine, those besides that are kept or still leave.
    """
    if desired.known is None:
        return None
    instances = (instance for router in running for instance in router.instances)
    everyone: Iterator[KnownRouter | DesiredInstance] = chain(desired.known, instances)
    found: dict[tuple[int, int], frozenset[Address] | None] = {}
    for each in everyone:
        key = (_IP_VERSIONS[each.family], each.virtual_router_id)
        before = found.get(key, _NOBODY)
        if before is None or each.sources is None:
            found[key] = None
        else:
            found[key] = before.union(map(ip_address, each.sources))
        yield
    return found


def _order(stranger: Stranger) -> tuple[int, int, int, int, int]:
    source = stranger.source
    return (
        stranger.ifindex,
        stranger.virtual_router_id,
        source.version,
        int(source),
        stranger.protocol,
    )
