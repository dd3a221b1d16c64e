"""The running instances of one router: opened, replaced and closed together."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from vip_speaker.engine.channels import Channel
from vip_speaker.engine.compile import Placed
from vip_speaker.engine.counters import InstanceCounters
from vip_speaker.engine.dependencies import needs_of
from vip_speaker.engine.instance import Addressee, RunningInstance
from vip_speaker.engine.node import Node
from vip_speaker.engine.opener import StillOpeningError
from vip_speaker.engine.placement import Missing, Placement, place_in_force
from vip_speaker.engine.retry import Retry
from vip_speaker.messages import DesiredRouter
from vip_speaker.vrrp.timers import MILLISECOND_NS

_ADVERTS_THAT_PEERS_MISS = 3


class RunningInstances:
    """Keeps the sockets of a router, and where its adverts are handed to, in step with its place.

    An instance has the position that it has in the router's configuration, also where others have
    no place.

    Attributes:
        placement: where they are, or why they are nowhere; None before the first time.
        retry: when to try again to get sockets that could not be had.
    """

    def __init__(self, node: Node, router: str) -> None:
        self._node = node
        self._router = router
        self._counters: dict[tuple[str, int], InstanceCounters] = {}
        self._unsent = 0
        self._beside: dict[int, frozenset[int]] = {}
        self._running: dict[int, RunningInstance] = {}
        self._reserved: list[tuple[Channel, Placed]] = []
        self.placement: Placement | None = None
        self.retry = Retry()

    @property
    def in_force(self) -> DesiredRouter | None:
        """The configuration that runs: not the desired one as long as that cannot be placed."""
        return self.placement.router if self.placement is not None else None

    @property
    def not_in_force(self) -> str:
        """Why the desired configuration does not run; empty if it does."""
        return self.placement.refused if self.placement is not None else ""

    @property
    def running(self) -> list[RunningInstance]:
        """Those that have an interface and sockets now, in the order of the configuration."""
        return list(self._running.values())

    @property
    def placed(self) -> dict[int, Placed]:
        """The place of each of them, by position."""
        return {at: one.placed for at, one in self._running.items()}

    def at(self, position: int) -> RunningInstance | None:
        """Return the one at that position of the configuration."""
        return self._running.get(position)

    def counters(self, family: str, virtual_router_id: int) -> InstanceCounters:
        """Return the counters of one instance; they outlive its sockets."""
        return self._counters.setdefault((family, virtual_router_id), InstanceCounters())

    def note_beside(self, placed: Mapping[int, Placed]) -> bool:
        """Note which interfaces could be used; return whether they are not the same as before.

        Linux answers for its addresses on all of them, so that clients may send to any.
        """
        before, self._beside = self._beside, {at: one.beside for at, one in placed.items()}
        return before != self._beside

    def find_place(self, now: int, desired: DesiredRouter) -> Placement:
        """Return where what is desired would run now, and note what that depends on."""
        view = self._node.view
        placement = place_in_force(desired, view, self.placement, self._other)
        if placement.is_taken:
            self.retry.note(now, failed=True)
        needs = needs_of((desired, placement.router), view)
        self._node.dependencies.note(self._router, needs)
        return placement

    def _other(self, placed: Placed) -> str | None:
        """Return which other router has the VRID of a place, and is to have it further on."""
        addressee = self._node.directory.get(placed.key)
        if addressee is None or addressee.router == self._router:
            return None
        other = self._node.in_force().get(addressee.router)
        wanted = () if other is None else other.instances
        mine = (placed.family, placed.virtual_router_id)
        is_kept = any((one.family, one.virtual_router_id) == mine for one in wanted)
        return other.display_name if other is not None and is_kept else None

    def forget(self) -> None:
        """Give every socket back for good."""
        self.close()
        self._node.dependencies.forget(self._router)

    def is_at(self, placement: Placement) -> bool:
        """Whether nothing has to be opened or closed for that placement."""
        return self.placement == placement and self.placed == placement.placed

    def reserve(self, now: int, placement: Placement) -> bool:
        """Open the sockets for another place beside those that run; return whether all are there.

        Those that could not be had count as there: `open` says why.
        """
        reserved, is_opening = [], False
        for placed in placement.placed.values():
            try:
                reserved.append((self._node.channels.acquire(placed), placed))
            except StillOpeningError:
                is_opening = True
            except OSError:
                continue
        self._give_back_reserved()
        self._reserved = reserved
        if is_opening:
            self.retry.note_begun(now)
        return not is_opening

    def open(self, now: int, placement: Placement) -> Placement:
        """Replace what runs; return the placement without what no socket could be had for."""
        opened: dict[int, RunningInstance] = {}
        failed: dict[int, Missing] = {}
        for position, placed in placement.placed.items():
            try:
                opened[position] = self._open(placement.router, placed)
            except StillOpeningError:
                failed[position] = Missing(
                    f"Opening sockets on {placed.interface}", is_pending=True
                )
            except OSError as error:
                failed[position] = Missing(f"No socket on {placed.interface}: {error}")
        # Only now, so that sockets which stay in use are not closed in between.
        self.close()
        self._running = opened
        self._unsent = 0
        for position, instance in opened.items():
            addressee = Addressee(instance, self._router, position)
            self._node.directory[instance.placed.key] = addressee
        if failed and all(one.is_pending for one in failed.values()):
            self.retry.note_begun(now)
        elif failed or not placement.is_taken:
            self.retry.note(now, failed=bool(failed))
        self.placement = placement.without(failed)
        return self.placement

    def can_send(self) -> bool:
        """Whether an interface that it runs on still carries what is sent."""
        links = (self._node.view.link_by_index(one.index) for one in self.placed.values())
        return any(link is not None and link.up and link.carrier for link in links)

    def close_on(self, indexes: Container[int]) -> bool:
        """Give the sockets on these interfaces back; return whether there were any."""
        gone = {at for at, one in self.placed.items() if one.index in indexes}
        self._close(gone)
        return bool(gone)

    def close(self) -> None:
        """Give every socket back."""
        self._close(set(self._running))
        self._give_back_reserved()

    def _give_back_reserved(self) -> None:
        reserved, self._reserved = self._reserved, []
        for channel, placed in reserved:
            self._node.channels.release(channel, placed)

    def _close(self, positions: Iterable[int]) -> None:
        for instance in [self._running.pop(at) for at in positions]:
            key = instance.placed.key
            addressee = self._node.directory.get(key)
            if addressee is not None and addressee.instance is instance:
                del self._node.directory[key]
            self._node.channels.release(instance.channel, instance.placed)

    def send(self, priority: int) -> None:
        """Send one advert on each."""
        sent = [instance.send(priority) for instance in self._running.values()]
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
