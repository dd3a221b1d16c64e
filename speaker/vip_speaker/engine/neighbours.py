"""What neighbours on the link do that cannot be meant: our addresses elsewhere, other lists.

Pure: time is an argument. RFC 9568 §7.1 wants a list of addresses that differs to be logged and
never dropped. Hosts do not take an edit at the same moment, so that a difference counts only when
it is still there after a while.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from vip_model.vocabulary import Reason
from vip_speaker.vrrp.config import Address
from vip_speaker.vrrp.timers import SECOND_NS

_OUR_PROTOCOL = 3
_SHOWN_ADDRESSES = 4


class Advert(NamedTuple):
    """An advert of a neighbour.

    Attributes:
        ifindex: where it came in.
        source: who sent it.
        virtual_router_id: its VRID.
        protocol: version of VRRP, 2 or 3.
        addresses: what it announces.
        mac: hardware address that it came from.
    """

    ifindex: int
    source: Address
    virtual_router_id: int
    protocol: int
    addresses: tuple[Address, ...]
    mac: bytes = b""


class Announced(NamedTuple):
    """An instance of ours, as neighbours should announce it too.

    Attributes:
        router: name of its router.
        ifindex: where it runs.
        virtual_router_id: its VRID.
        addresses: its addresses.
    """

    router: str
    ifindex: int
    virtual_router_id: int
    addresses: frozenset[Address]


class Complaint(NamedTuple):
    """What a neighbour does wrong, or we.

    Attributes:
        router: the router of ours that it concerns.
        problem: what it is.
        ifindex: where.
        source: the neighbour.
        sentence: for a person to read.
    """

    router: str
    problem: Reason
    ifindex: int
    source: Address
    sentence: str


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how many.

    Attributes:
        settling_ns: a problem counts that is still there so long after it was seen first.
        silence_ns: it is over after so much silence.
        in_all: how many neighbours are remembered; those who come later are not looked at.
    """

    settling_ns: int = 5 * SECOND_NS
    silence_ns: int = 120 * SECOND_NS
    in_all: int = 256


class LastHeard(NamedTuple):
    """When a neighbour sent an advert last, and from which hardware address."""

    at_ns: int
    mac: bytes


@dataclass(slots=True)
class _Seen:
    """What a neighbour said last, and what is wrong with it since when."""

    addresses: tuple[Address, ...]
    mac: bytes
    complaints: tuple[Complaint, ...]
    since_ns: int
    last_ns: int
    settled: bool = False


_Key = tuple[int, Address, int, int]  # interface, source, VRID, version


class Neighbours:
    """Compares what neighbours announce with what we do; `present` is what is wrong now."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._seen: dict[_Key, _Seen] = {}
        self._mine: dict[tuple[int, int, int], Announced] = {}  # interface, IP version, VRID
        self._owners: dict[tuple[int, Address], Announced] = {}
        self._present: tuple[Complaint, ...] = ()
        # When `review` is due.
        self.due_ns: int | None = None

    @property
    def present(self) -> tuple[Complaint, ...]:
        """What is wrong as of the last review, in a fixed order."""
        return self._present

    def know(self, now: int, mine: Iterable[Announced]) -> None:
        """Take what this node announces; what neighbours said before is judged anew."""
        for _ in self.knowing(lambda: now, mine):
            pass

    def knowing(self, clock: Callable[[], int], mine: Iterable[Announced]) -> Iterator[None]:
        """Do the same in many steps; `clock` is asked for the time of each."""
        instances: dict[tuple[int, int, int], Announced] = {}
        owners: dict[tuple[int, Address], Announced] = {}
        for each in mine:
            for address in each.addresses:
                instances[each.ifindex, address.version, each.virtual_router_id] = each
                owners[each.ifindex, address] = each
            yield
        self._mine, self._owners = instances, owners
        for key in list(self._seen):
            seen = self._seen.get(key)
            if seen is not None:
                self._judge(clock(), Advert(*key, seen.addresses, seen.mac), seen.last_ns)
            yield
        self.review(clock())

    def hear(self, now: int, advert: Advert) -> None:
        """Look at an advert of a neighbour; nearly always it is the same as the one before."""
        seen = self._seen.get(advert[:4])
        if seen is None or seen.addresses != advert.addresses:
            self._judge(now, advert, now)
            return
        seen.last_ns, seen.mac = now, advert.mac
        if seen.complaints and not seen.settled:
            seen.settled = now - seen.since_ns >= self._limits.settling_ns
            if seen.settled:
                self._review_by(now)

    def last_heard(self, ifindex: int, source: Address) -> LastHeard | None:
        """Return the newest of what is remembered of a neighbour that speaks as we do."""
        found = [
            LastHeard(seen.last_ns, seen.mac)
            for key, seen in self._seen.items()
            if key[:2] == (ifindex, source) and key[3] == _OUR_PROTOCOL
        ]
        return max(found, default=None)

    def review(self, now: int) -> None:
        """Forget who is silent and make the list anew."""
        silent = [
            key for key, seen in self._seen.items() if now - seen.last_ns >= self._limits.silence_ns
        ]
        for key in silent:
            del self._seen[key]
        found = (each for seen in self._seen.values() if seen.settled for each in seen.complaints)
        self._present = tuple(sorted(set(found), key=_order))
        self.due_ns = None
        for seen in self._seen.values():
            if seen.complaints:
                self._review_by(seen.last_ns + self._limits.silence_ns)

    def _judge(self, now: int, advert: Advert, last_ns: int) -> None:
        """Compare what a neighbour announces with what we do."""
        complaints = tuple(self._complaints(advert))
        before = self._seen.get(advert[:4])
        if before is None and not complaints and not self._is_mine(advert):
            return  # somebody else's business
        if before is None and len(self._seen) >= self._limits.in_all:
            return
        same = before is not None and before.complaints == complaints
        if before is not None and before.settled and not same:
            self._review_by(now)
        self._seen[advert[:4]] = _Seen(
            advert.addresses,
            advert.mac,
            complaints,
            since_ns=before.since_ns if before is not None and same else now,
            last_ns=last_ns,
            settled=before is not None and same and before.settled,
        )

    def _is_mine(self, advert: Advert) -> bool:
        key = (advert.ifindex, advert.source.version, advert.virtual_router_id)
        return advert.protocol == _OUR_PROTOCOL and key in self._mine

    def _complaints(self, advert: Advert) -> Iterable[Complaint]:
        key = (advert.ifindex, advert.source.version, advert.virtual_router_id)
        mine = self._mine.get(key)
        if mine is not None and advert.protocol == _OUR_PROTOCOL:
            if frozenset(advert.addresses) != mine.addresses:
                yield _differs(mine, advert)
            return
        owners = (self._owners.get((advert.ifindex, one)) for one in advert.addresses)
        for owner in dict.fromkeys(each for each in owners if each is not None):
            yield _elsewhere(owner, advert)

    def _review_by(self, at_ns: int) -> None:
        self.due_ns = at_ns if self.due_ns is None else min(self.due_ns, at_ns)


def _differs(mine: Announced, advert: Advert) -> Complaint:
    theirs = frozenset(advert.addresses)
    parts = [
        f"{verb} {_listed(some)}"
        for verb, some in (
            ("also announces", theirs - mine.addresses),
            ("does not announce", mine.addresses - theirs),
        )
        if some
    ]
    sentence = (
        f"{advert.source} {' and '.join(parts)} with VRID {advert.virtual_router_id}: "
        "give all hosts the same addresses, or another VRID where it is another router"
    )
    return _complaint(mine, Reason.ADDRESSES_DIFFER, advert, sentence)


def _elsewhere(owner: Announced, advert: Advert) -> Complaint:
    shared = _listed(owner.addresses.intersection(advert.addresses))
    how = f"VRRPv{advert.protocol} and VRID {advert.virtual_router_id}"
    here = f"VRRPv{_OUR_PROTOCOL} and VRID {owner.virtual_router_id}"
    sentence = f"{advert.source} announces {shared} with {how}, and this host with {here}: "
    if advert.protocol != _OUR_PROTOCOL:
        problem, cure = Reason.OTHER_VERSION, "set the other router to version 3"
    else:
        problem, cure = Reason.OTHER_VIRTUAL_ROUTER_ID, "use one VRID for the address"
    return _complaint(owner, problem, advert, sentence + cure)


def _complaint(mine: Announced, problem: Reason, advert: Advert, sentence: str) -> Complaint:
    return Complaint(mine.router, problem, advert.ifindex, advert.source, sentence)


def _listed(addresses: Iterable[Address]) -> str:
    texts = [str(each) for each in sorted(addresses, key=int)]
    more = len(texts) - _SHOWN_ADDRESSES
    return ", ".join(texts[:_SHOWN_ADDRESSES]) + (f" and {more} more" if more > 0 else "")


def _order(complaint: Complaint) -> tuple[str, str, int, int, int, str]:
    source = complaint.source
    return (
        complaint.router,
        complaint.problem,
        complaint.ifindex,
        source.version,
        int(source),
        complaint.sentence,
    )
