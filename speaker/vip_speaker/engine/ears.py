"""The sockets that hear adverts: one per interface and family, whoever wants to hear.

Routers need every advert before any timer is looked at; strangers are listened for where there
is no router of ours as well, and have time until the selector says that there is something.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Thread

from vip_speaker.linux.clock import boottime_ns
from vip_speaker.linux.sockets import AdvertReceiver, GroupMembership, Packet
from vip_speaker.linux.view import ListeningPlace

EarKey = tuple[int, int]  # interface index, IP version

# Two file descriptors each; the rest is for routers, of which a process may have many too.
_PLACES_MAX = 64

_log = logging.getLogger("engine")


@dataclass(slots=True)
class _Ear:
    """A receiver and who needs it.

    Attributes:
        receiver: the socket.
        routers: how many channels of routers use it.
        membership: there if strangers are listened for.
    """

    receiver: AdvertReceiver
    routers: int = 0
    membership: GroupMembership | None = None

    @property
    def needed(self) -> bool:
        """Somebody wants to hear."""
        return self.routers > 0 or self.membership is not None


class Ears:
    """Opens receivers for whoever needs one and closes them when nobody does."""

    def __init__(
        self, selector: selectors.BaseSelector, handle: Callable[[int, Packet], None]
    ) -> None:
        """Wake `selector` for packets, and hand each to `handle` with its interface index."""
        self._selector = selector
        self._handle = handle
        self._ears: dict[EarKey, _Ear] = {}
        # Those that a router needs: looked at in every turn of the loop.
        self._urgent: dict[EarKey, AdvertReceiver] = {}
        self._heard_until_ns: dict[EarKey, int] = {}
        self._deaf: set[ListeningPlace] = set()
        self._retired: list[AdvertReceiver | GroupMembership] = []
        self._malformed_before = 0

    def hold(self, place: ListeningPlace) -> None:
        """Hear what a router needs. Raises OSError or MissingCapabilityError."""
        ear = self._open(place)
        ear.routers += 1
        if ear.routers == 1:
            self._urgent[place.ifindex, place.version] = ear.receiver
            # No callback: the loop drains these before anything else.
            self._selector.modify(ear.receiver, selectors.EVENT_READ, None)

    def release(self, key: EarKey) -> None:
        """A router needs it no longer."""
        ear = self._ears[key]
        ear.routers -= 1
        if ear.routers == 0:
            del self._urgent[key]
            self._heard_until_ns.pop(key, None)
            self._settle(key)
            self._close_retired()

    def listen(self, places: Iterable[ListeningPlace]) -> None:
        """Listen for strangers there, and nowhere else; what cannot be heard is only logged."""
        wanted = list(places)
        self._deaf.intersection_update(wanted)
        for place in wanted[_PLACES_MAX:]:
            self._note_deaf(place, f"{_PLACES_MAX} interfaces and families are listened to already")
        del wanted[_PLACES_MAX:]
        keys = {(place.ifindex, place.version) for place in wanted}
        for key in [key for key in self._ears if key not in keys]:
            self._stop_listening(key)
        self._close_retired()
        for place in wanted:
            self._start_listening(place)

    def drain(self) -> None:
        """Handle every packet for routers that has arrived."""
        for key, receiver in list(self._urgent.items()):
            asked_ns = boottime_ns()
            while packets := receiver.receive():
                for packet in packets:
                    self._handle(key[0], packet)
                asked_ns = boottime_ns()
            self._heard_until_ns[key] = asked_ns

    def heard_until_ns(self, keys: Iterable[EarKey]) -> int:
        """Return up to when every packet was handled that has arrived at all of these places."""
        now = boottime_ns()
        return min((self._heard_until_ns.get(key, now) for key in keys), default=now)

    def malformed(self) -> int:
        """Return how many packets had an IP header that made no sense."""
        return self._malformed_before + sum(ear.receiver.malformed for ear in self._ears.values())

    def close(self) -> None:
        """Stop listening for strangers."""
        self.listen(())

    def _open(self, place: ListeningPlace) -> _Ear:
        key = (place.ifindex, place.version)
        ear = self._ears.get(key)
        if ear is None:
            ear = self._ears[key] = _Ear(AdvertReceiver(*place))
            self._selector.register(ear.receiver, selectors.EVENT_READ, self._reader(key))
        return ear

    def _reader(self, key: EarKey) -> Callable[[int], None]:
        def read(_mask: int) -> None:
            # It may have been closed since the selector saw something. One helping a turn: who
            # floods a link without a router of ours must not hold up those that have one.
            ear = self._ears.get(key)
            for packet in ear.receiver.receive() if ear is not None else ():
                self._handle(key[0], packet)

        return read

    def _settle(self, key: EarKey) -> None:
        """After a change of who needs it: close it, or read it when there is time."""
        ear = self._ears[key]
        if not ear.needed:
            del self._ears[key]
            self._malformed_before += ear.receiver.malformed
            self._selector.unregister(ear.receiver)
            self._retired.append(ear.receiver)
        elif not ear.routers:
            self._selector.modify(ear.receiver, selectors.EVENT_READ, self._reader(key))

    def _start_listening(self, place: ListeningPlace) -> None:
        key = (place.ifindex, place.version)
        ear = self._ears.get(key)
        if ear is not None and ear.membership is not None:
            return
        try:
            membership = GroupMembership(place.ifindex, place.version)
            try:
                ear = self._open(place)
            except OSError:
                membership.close()
                raise
        except OSError as error:
            self._note_deaf(place, str(error))
            return
        ear.membership = membership
        self._deaf.discard(place)

    def _stop_listening(self, key: EarKey) -> None:
        ear = self._ears[key]
        if ear.membership is not None:
            self._retired.append(ear.membership)
            ear.membership = None
            self._settle(key)

    def _close_retired(self) -> None:
        """Close what nobody needs, aside: the kernel takes 10 to 30 ms for each packet socket."""
        retired, self._retired = self._retired, []
        if retired:
            Thread(target=_close_all, args=(retired,), name="closing", daemon=True).start()

    def _note_deaf(self, place: ListeningPlace, why: str) -> None:
        if place not in self._deaf:
            _log.warning(
                "Strangers are not heard on %s (IPv%d): %s", place.interface, place.version, why
            )
            self._deaf.add(place)


def _close_all(sockets: Iterable[AdvertReceiver | GroupMembership]) -> None:
    for each in sockets:
        # An interface that is gone has taken its part.
        with contextlib.suppress(OSError):
            each.close()
