"""The running instances of one router: opened, replaced and closed together."""

from __future__ import annotations

import contextlib

from vip_speaker.engine.compile import Placed
from vip_speaker.engine.counters import InstanceCounters
from vip_speaker.engine.instance import Addressee, RunningInstance
from vip_speaker.engine.node import Node
from vip_speaker.messages import DesiredRouter
from vip_speaker.vrrp.timers import MILLISECOND_NS

_ADVERTS_THAT_PEERS_MISS = 3


class RunningInstances:
    """Keeps the sockets of a router, and where its adverts are handed to, in step with its place.

    Attributes:
        running: the instances that have an interface and sockets now, in the election's order.
    """

    def __init__(self, node: Node, router: str) -> None:
        self._node = node
        self._router = router
        self._counters: dict[tuple[str, int], InstanceCounters] = {}
        self._unsent = 0
        self._beside: tuple[frozenset[int], ...] = ()
        self.running: list[RunningInstance] = []

    @property
    def placed(self) -> tuple[Placed, ...]:
        """The place of each."""
        return tuple(instance.placed for instance in self.running)

    def counters(self, family: str, virtual_router_id: int) -> InstanceCounters:
        """Return the counters of one instance; they outlive its sockets."""
        return self._counters.setdefault((family, virtual_router_id), InstanceCounters())

    def note_beside(self, placed: tuple[Placed, ...]) -> bool:
        """Note which interfaces could be used; return whether they are not the same as before.

        Linux answers for its addresses on all of them, so that clients may send to any.
        """
        before, self._beside = self._beside, tuple(one.beside for one in placed)
        return before != self._beside

    def open(self, desired: DesiredRouter, placed: tuple[Placed, ...]) -> None:
        """Replace what runs. Raises OSError and keeps what runs if a socket cannot be had."""
        with contextlib.ExitStack() as undo:
            opened = []
            for one in placed:
                instance = self._open(desired, one)
                undo.callback(self._node.channels.release, instance.channel)
                opened.append(instance)
            undo.pop_all()
        # Only now, so that sockets which stay in use are not closed in between.
        self.close()
        self.running = opened
        self._unsent = 0
        for position, instance in enumerate(opened):
            addressee = Addressee(instance, self._router, position)
            self._node.directory[instance.placed.key] = addressee

    def close(self) -> None:
        """Give every socket back."""
        for instance in self.running:
            key = instance.placed.key
            addressee = self._node.directory.get(key)
            if addressee is not None and addressee.instance is instance:
                del self._node.directory[key]
            self._node.channels.release(instance.channel)
        self.running = []

    def send(self, priority: int) -> None:
        """Send one advert on each."""
        sent = [instance.send(priority) for instance in self.running]
        self._unsent = 0 if any(sent) else self._unsent + 1

    def is_mute(self) -> bool:
        """Whether so many adverts in a row could not be sent that the others take over."""
        return self._unsent >= _ADVERTS_THAT_PEERS_MISS

    def _open(self, desired: DesiredRouter, placed: Placed) -> RunningInstance:
        return RunningInstance(
            placed,
            self._node.channels.acquire(placed),
            self.counters(placed.family, placed.virtual_router_id),
            interval_ns=desired.advertisement_interval_milliseconds * MILLISECOND_NS,
            checksum=desired.checksum,
        )
