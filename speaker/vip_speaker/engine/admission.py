"""Which adverts the kernel lets through to the routers of one interface and family. Pure.

Where anyone may send, nobody may send too much: a sender of more than 1000 adverts a second for one
VRID (the shortest interval is 10 ms) is heard only now and then for a while. It is not silenced:
it may be the Active of a router of ours.
"""

from __future__ import annotations

from collections import Counter

from vip_speaker.linux.bpf import Admission
from vip_speaker.linux.rtnetlink import Address
from vip_speaker.vrrp.timers import SECOND_NS

_PER_WINDOW_MAX = 1000
_WINDOW_NS = SECOND_NS
_THINNED_FOR_NS = 10 * SECOND_NS
_THINNED_MAX = 16

Sender = tuple[int, Address]  # VRID, source
Sources = frozenset[Address] | None


class Admissions:
    """Counts who wants to hear whom, and who sends how much."""

    def __init__(self) -> None:
        self._wanted: Counter[tuple[int, Sources]] = Counter()
        self._thinned: dict[Sender, int] = {}
        self._heard: Counter[Sender] = Counter()
        self._window = 0
        self._changed = True

    def __bool__(self) -> bool:
        return bool(self._wanted)

    def hold(self, virtual_router_id: int, sources: Sources) -> None:
        """An instance wants to hear that VRID from there."""
        self._wanted[virtual_router_id, sources] += 1
        self._changed = True

    def release(self, virtual_router_id: int, sources: Sources) -> None:
        """It does no longer."""
        self._wanted[virtual_router_id, sources] -= 1
        if not self._wanted[virtual_router_id, sources]:
            del self._wanted[virtual_router_id, sources]
        self._changed = True

    def is_thinned(self, sender: Sender) -> bool:
        """Whether that sender sends too much."""
        return sender in self._thinned

    def hear(self, now: int, sender: Sender) -> bool:
        """Count an advert; return whether it makes its sender one that sends too much."""
        window = now // _WINDOW_NS
        if window != self._window:
            self._window = window
            self._heard.clear()
        self._heard[sender] += 1
        if self._heard[sender] <= _PER_WINDOW_MAX or len(self._thinned) >= _THINNED_MAX:
            return False
        is_new = sender not in self._thinned
        self._thinned[sender] = now + _THINNED_FOR_NS
        self._changed |= is_new
        return is_new

    def news(self, now: int) -> Admission | None:
        """Return what is admitted, None if it is the same as at the last call."""
        for sender, until_ns in list(self._thinned.items()):
            if now >= until_ns:
                del self._thinned[sender]
                self._changed = True
        if not self._changed:
            return None
        self._changed = False
        known = [sources for _, sources in self._wanted if sources is not None]
        everywhere = len(known) == len(self._wanted) and known
        return Admission(
            virtual_router_ids=frozenset(one for one, _ in self._wanted),
            sources=frozenset().union(*known) if everywhere else None,
            thinned=frozenset(self._thinned),
        )
