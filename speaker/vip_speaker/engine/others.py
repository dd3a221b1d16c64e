"""Who else speaks VRRP on the links of this node, and what is told of them."""

from __future__ import annotations

from collections.abc import Iterator

from vip_speaker.engine import status
from vip_speaker.engine.chores import Chores
from vip_speaker.engine.clock import boottime_ns
from vip_speaker.engine.fleet import Fleet
from vip_speaker.engine.neighbour_watch import NeighbourWatch
from vip_speaker.engine.node import Node
from vip_speaker.engine.strangers import Strangers, ours
from vip_speaker.messages import Desired, ForeignRouter, ForeignRouters


class Others:
    """Tells apart what is ours on the links and what is not.

    Attributes:
        strangers: virtual routers that are none of ours.
        watch: what neighbours do to ours.
        foreign: the strangers that were told of last.
    """

    def __init__(self, node: Node, fleet: Fleet, chores: Chores) -> None:
        """Begin without knowing what is ours; what takes long is added to `chores`."""
        self._node = node
        self._fleet = fleet
        self._chores = chores
        self._desired = Desired(node="")
        self._is_to_know = False
        self.strangers = Strangers()
        self.watch = NeighbourWatch(fleet, node.monitor)
        self.foreign: list[ForeignRouter] = []

    @property
    def due_ns(self) -> list[int | None]:
        """When `tick` is due."""
        return [self.strangers.due_ns, self.watch.due_ns]

    def tick(self, now: int) -> None:
        """Look at what is due."""
        if self.strangers.due_ns is not None and now >= self.strangers.due_ns:
            self.strangers.review(now)
            self._tell()
        self.watch.review(now)

    def know(self, desired: Desired) -> None:
        """Take what is ours now, a little in each turn."""
        self._desired = desired
        if not self._is_to_know:
            self._is_to_know = True
            self._chores.add(self._knowing())

    def interfaces_changed(self) -> None:
        """Forget who was heard on interfaces that are no more."""
        indexes = {link.index for link in self._node.view.links}
        self.strangers.keep_interfaces(boottime_ns(), indexes)
        self._tell()
        self.know(self._desired)

    def _knowing(self) -> Iterator[None]:
        self._is_to_know = False  # whatever changes from here on asks for it again
        running = (router.instances.in_force or router.desired for router in self._fleet)
        known = yield from ours(self._desired, running)
        self.strangers.know(boottime_ns(), known)
        self._tell()
        yield from self.watch.knowing()

    def _tell(self) -> None:
        found = status.foreign(self.strangers.present, self._node.view)
        if found != self.foreign:
            status.log_strangers(found, self.foreign)
            self.foreign = found
            self._node.publish(ForeignRouters(foreign=found))
