"""The sockets that hear adverts, per interface and family: one for routers, one for strangers.

The kernel hands what is for routers of ours to the first, which is read in every turn before any
timer is looked at, for a limited time. Everything else goes to the second, which is small and read
now and then: who floods a link with what is not ours costs next to nothing.
"""

from __future__ import annotations

import logging
import selectors
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from vip_speaker.engine.admission import Admissions, Sources
from vip_speaker.engine.aside import Closable, close_aside
from vip_speaker.engine.opener import Opener, StillOpeningError
from vip_speaker.linux.bpf import Admission
from vip_speaker.linux.clock import boottime_ns
from vip_speaker.linux.sockets import AdvertReceiver, GroupMembership, Packet
from vip_speaker.linux.view import ListeningPlace
from vip_speaker.vrrp.packet import DropReason
from vip_speaker.vrrp.timers import MILLISECOND_NS

EarKey = tuple[int, int]  # interface index, IP version

# Three file descriptors each; the rest is for routers, of which a process may have many too.
_PLACES_MAX = 64
# How many adverts are read between two looks at the clock.
_BATCH = 16
# Of strangers so many are read in so long.
_SAMPLE = 16
_SAMPLE_NS = 100 * MILLISECOND_NS
_SAMPLE_BUFFER_BYTES = 64 << 10

_log = logging.getLogger("engine")


@dataclass(slots=True)
class _Ear:
    """The sockets of one place and who needs them.

    Attributes:
        place: where.
        strangers: hears what is not for routers of ours.
        receiver: hears the rest; there while a router needs it.
        admissions: what is for routers of ours.
        membership: there if strangers are listened for.
        sampled_ns: when strangers were read last.
        resting: they are not read now.
    """

    place: ListeningPlace
    strangers: AdvertReceiver
    receiver: AdvertReceiver | None = None
    admissions: Admissions = field(default_factory=Admissions)
    membership: GroupMembership | None = None
    sampled_ns: int = 0
    resting: bool = False

    @property
    def receivers(self) -> list[AdvertReceiver]:
        """Both, or the one that there is."""
        return [self.strangers] if self.receiver is None else [self.receiver, self.strangers]


class Ears:
    """Opens receivers where one is needed and closes them when none is."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        handle: Callable[[int, Packet], None],
        opener: Opener,
    ) -> None:
        """Wake `selector` for packets, and hand each to `handle` with its interface index."""
        self._selector = selector
        self._handle = handle
        self._opener = opener
        self._ears: dict[EarKey, _Ear] = {}
        # Those that a router needs: looked at in every turn of the loop.
        self._urgent: dict[EarKey, AdvertReceiver] = {}
        self._heard_until_ns: dict[EarKey, int] = {}
        self._wanted: list[ListeningPlace] = []
        self._listen_again_ns: int | None = None
        self._deaf: set[ListeningPlace] = set()
        self._retired: list[Closable] = []
        self._malformed_before = 0
        self._lost_before = 0
        self._not_sampled_before = 0

    def hold(self, place: ListeningPlace, virtual_router_id: int, sources: Sources) -> None:
        """Hear what a router needs, from the end of this turn on. Raises OSError."""
        key = (place.ifindex, place.version)
        ear = self._open(place)
        if ear.receiver is None:
            try:
                ear.receiver = self._opener.open(("receiver", key), lambda: _receiver(place))
            except OSError:
                self._settle(key)
                raise
            self._urgent[key] = ear.receiver
            # No callback: the loop drains these before anything else.
            self._selector.register(ear.receiver, selectors.EVENT_READ, None)
        ear.admissions.hold(virtual_router_id, sources)

    def release(self, key: EarKey, virtual_router_id: int, sources: Sources) -> None:
        """A router needs it no longer."""
        ear = self._ears[key]
        ear.admissions.release(virtual_router_id, sources)
        if not ear.admissions:
            self._settle(key)
            self._close_retired()

    def listen(self, places: Iterable[ListeningPlace]) -> None:
        """Listen for strangers there, and nowhere else; what cannot be heard is only logged."""
        self._wanted = wanted = list(places)
        self._deaf.intersection_update(wanted)
        for place in wanted[_PLACES_MAX:]:
            self._note_deaf(place, f"{_PLACES_MAX} interfaces and families are listened to already")
        del wanted[_PLACES_MAX:]
        keys = {(place.ifindex, place.version) for place in wanted}
        for key in [key for key in self._ears if key not in keys]:
            self._stop_listening(key)
        self._close_retired()
        self._listen_again_ns = None
        for place in wanted:
            self._start_listening(place)

    def drain(self, until_ns: int) -> None:
        """Handle packets for routers that have arrived, until then, but a few of each place."""
        waiting = dict(self._urgent)
        if self._urgent:  # another one is first in the next turn
            first = next(iter(self._urgent))
            self._urgent[first] = self._urgent.pop(first)
        while waiting:
            for key, receiver in list(waiting.items()):
                asked_ns = boottime_ns()
                packets = receiver.receive(_BATCH)
                if receiver.emptied:
                    del waiting[key]
                    self._heard_until_ns[key] = asked_ns
                elif packets:
                    self._heard_until_ns[key] = packets[-1].received_ns
                self._take(key, packets)
            if boottime_ns() >= until_ns:
                return

    def heard_until_ns(self, keys: Iterable[EarKey]) -> int:
        """Return up to when every packet was handled that has arrived at all of these places."""
        now = boottime_ns()
        return min((self._heard_until_ns.get(key, now) for key in keys), default=now)

    @property
    def due_ns(self) -> int | None:
        """When `tick` is due."""
        resting = [ear.sampled_ns + _SAMPLE_NS for ear in self._ears.values() if ear.resting]
        if self._listen_again_ns is not None:
            resting.append(self._listen_again_ns)
        return min(resting, default=None)

    def tick(self, now: int) -> None:
        """Tell the kernel what is for routers now, and go on with what rested."""
        for key, ear in self._ears.items():
            admission = ear.admissions.news(now)
            if admission is not None:
                if ear.receiver is not None:
                    ear.receiver.choose(admission)
                ear.strangers.choose(admission, others=True)
            if ear.resting and now >= ear.sampled_ns + _SAMPLE_NS:
                ear.resting = False
                self._selector.register(ear.strangers, selectors.EVENT_READ, self._reader(key))
        if self._listen_again_ns is not None and now >= self._listen_again_ns:
            self.listen(self._wanted)

    def drops(self) -> dict[str, int]:
        """Return how many packets were not even looked at, by reason."""
        ears = list(self._ears.values())
        malformed = sum(one.malformed for ear in ears for one in ear.receivers)
        lost = sum(ear.receiver.overflowed() for ear in ears if ear.receiver is not None)
        not_sampled = sum(ear.strangers.overflowed() for ear in ears)
        counted = {
            DropReason.MALFORMED_IP_HEADER: self._malformed_before + malformed,
            DropReason.RECEIVE_BUFFER_FULL: self._lost_before + lost,
            DropReason.NOT_SAMPLED: self._not_sampled_before + not_sampled,
        }
        return {reason.value: count for reason, count in counted.items() if count}

    def close(self) -> None:
        """Stop listening for strangers."""
        self.listen(())

    def _take(self, key: EarKey, packets: Iterable[Packet]) -> None:
        admissions = self._ears[key].admissions
        for packet in packets:
            payload = packet.payload
            sender = (payload[1] if len(payload) > 1 else 0, packet.source)
            if admissions.hear(packet.received_ns, sender):
                _log.warning(
                    "Hearing only some of the adverts of VRID %d from %s: more than 1000 a second",
                    *sender,
                )
            self._handle(key[0], packet)

    def _open(self, place: ListeningPlace) -> _Ear:
        key = (place.ifindex, place.version)
        ear = self._ears.get(key)
        if ear is None:
            strangers = self._opener.open(("strangers", key), lambda: _stranger_receiver(place))
            ear = self._ears[key] = _Ear(place, strangers)
            self._selector.register(ear.strangers, selectors.EVENT_READ, self._reader(key))
        return ear

    def _reader(self, key: EarKey) -> Callable[[int], None]:
        def read(_mask: int) -> None:
            # It may have been closed since the selector saw something.
            ear = self._ears.get(key)
            if ear is None or ear.resting:
                return
            packets = ear.strangers.receive(_SAMPLE)
            if not ear.strangers.emptied:
                ear.resting, ear.sampled_ns = True, boottime_ns()
                self._selector.unregister(ear.strangers)
            for packet in packets:
                self._handle(key[0], packet)

        return read

    def _settle(self, key: EarKey) -> None:
        """After a change of what is needed: close the rest."""
        ear = self._ears[key]
        if ear.receiver is not None and not ear.admissions:
            del self._urgent[key]
            self._heard_until_ns.pop(key, None)
            self._selector.unregister(ear.receiver)
            self._malformed_before += ear.receiver.malformed
            self._lost_before += ear.receiver.overflowed()
            self._retired.append(ear.receiver)
            ear.receiver = None
        if ear.receiver is None and ear.membership is None:
            del self._ears[key]
            self._malformed_before += ear.strangers.malformed
            self._not_sampled_before += ear.strangers.overflowed()
            if not ear.resting:
                self._selector.unregister(ear.strangers)
            self._retired.append(ear.strangers)

    def _start_listening(self, place: ListeningPlace) -> None:
        key = (place.ifindex, place.version)
        ear = self._ears.get(key)
        if ear is not None and ear.membership is not None:
            return
        try:
            ear = self._open(place)
            try:
                ear.membership = self._opener.open(("member", key), lambda: _membership(place))
            except OSError:
                self._settle(key)
                raise
        except StillOpeningError:
            self._listen_again_ns = boottime_ns() + _SAMPLE_NS
        except OSError as error:
            self._note_deaf(place, str(error))
        else:
            self._deaf.discard(place)

    def _stop_listening(self, key: EarKey) -> None:
        ear = self._ears[key]
        if ear.membership is not None:
            self._retired.append(ear.membership)
            ear.membership = None
            self._settle(key)

    def _close_retired(self) -> None:
        retired, self._retired = self._retired, []
        close_aside(retired)

    def _note_deaf(self, place: ListeningPlace, why: str) -> None:
        if place not in self._deaf:
            _log.warning(
                "Cannot listen for other virtual routers on %s (IPv%d): %s",
                place.interface,
                place.version,
                why,
            )
            self._deaf.add(place)


def _receiver(place: ListeningPlace) -> AdvertReceiver:
    receiver = AdvertReceiver(*place)
    receiver.choose(Admission())
    return receiver


def _stranger_receiver(place: ListeningPlace) -> AdvertReceiver:
    return AdvertReceiver(*place, buffer_bytes=_SAMPLE_BUFFER_BYTES)


def _membership(place: ListeningPlace) -> GroupMembership:
    return GroupMembership(place.ifindex, place.version)
