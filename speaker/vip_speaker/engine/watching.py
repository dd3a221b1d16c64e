"""Watches nodes that are called unreachable: whom to ask, what is heard, and who is told.

Asking is another thread's; here only what it found is put together, and a change is published.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
from collections import deque
from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from vip_speaker.engine.asker import Asker, Question
from vip_speaker.engine.chores import Chores
from vip_speaker.engine.clock import boottime_ns
from vip_speaker.engine.evidence import Event, Evidence, Target, Watched
from vip_speaker.engine.node import Node
from vip_speaker.engine.reception import Reception
from vip_speaker.linux.choice import Candidate, candidates, unusable
from vip_speaker.linux.sockets import Packet
from vip_speaker.linux.view import NetworkView
from vip_speaker.messages import HeardNode, HeardNodes, WatchedNode, WatchedSource
from vip_speaker.vrrp.config import Address
from vip_speaker.vrrp.timers import MILLISECOND_NS, SECOND_NS, address_lifetime_seconds

# Addresses that are asked once a second; nodes beyond that are left out.
_TARGETS_MAX = 1024

# How long a switch may keep a link shut that came up (IEEE 802.1D: twice Forward Delay).
_SHUT_NS = 30 * SECOND_NS

_EVENTS_AT_A_TIME = 64
_NODES_AT_A_TIME = 32

_log = logging.getLogger("engine")


class Watching:
    """Joins what is to be watched, links, adverts and answers."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        node: Node,
        reception: Reception,
        chores: Chores,
    ) -> None:
        """Watch nobody yet.

        Args:
            selector: woken by answers.
            node: links and addresses, and who is told of a change.
            reception: tells of adverts.
            chores: where it is found out whom to ask.
        """
        self._node = node
        self._reception = reception
        self._chores = chores
        self._wanted: list[WatchedNode] = []
        self._is_planned = False
        self._is_judged = False
        self._events: deque[Event] = deque()
        self._working = _working(node.view)
        self._evidence = Evidence()
        self._macs: dict[Target, bytes] = {}
        self._asker = Asker()
        self.found: list[HeardNode] = []
        selector.register(self._asker, selectors.EVENT_READ, lambda _mask: self._take_events())

    def watch(self, nodes: list[WatchedNode]) -> None:
        """Watch these nodes from now on, and no others."""
        if nodes != self._wanted:
            self._wanted = nodes
            self._is_planned = False
            self.look()

    def look(self) -> None:
        """Find out anew whom to ask where: nodes, links or hardware addresses are others."""
        self._note_returned_links()
        if self._is_planned or not (self._wanted or self._reception.witness):
            return
        # Where too many chores wait, the next change asks again.
        with contextlib.suppress(ValueError):
            self._chores.add(self._plan(self._wanted))
            self._is_planned = True

    def close(self) -> None:
        """Ask nobody any more."""
        self._asker.close()

    def _note_returned_links(self) -> None:
        now, working = boottime_ns(), _working(self._node.view)
        if working != self._working:
            returned = dict.fromkeys(working - self._working, now + _SHUT_NS)
            trusted_ns = self._evidence.trusted_ns | returned
            self._evidence.trusted_ns = {
                index: trusted_ns[index] for index in working & {*trusted_ns}
            }
            self._working = working

    def _plan(self, wanted: list[WatchedNode]) -> Iterator[None]:
        self._is_planned = False  # what changes from here on needs another look
        nodes: dict[str, Watched] = {}
        left = _TARGETS_MAX
        for node in wanted:
            found = watched(self._node.view, node)
            left -= len(found.targets)
            if left >= 0:
                nodes[node.node] = found
            yield
        added = self._evidence.watch(nodes)
        targets = frozenset().union(*(node.targets for node in nodes.values()))
        self._macs = {target: mac for target, mac in self._macs.items() if target in targets}
        self._reception.witness = self._hear if nodes else None
        for target in added:
            self._recall(target)
            yield
        self._asker.ask(_questions(self._node.view, targets, self._macs))
        self._take_events()

    def _recall(self, target: Target) -> None:
        """Take what was heard before anybody asked."""
        heard = self._reception.neighbours.last_heard(*target)
        if heard is not None and self._evidence.hear(heard.at_ns, target):
            self._macs.setdefault(target, heard.mac)

    def _hear(self, index: int, packet: Packet) -> None:
        target = Target(index, packet.source)
        if self._evidence.hear(packet.received_ns, target) and packet.mac != self._macs.get(target):
            self._macs[target] = packet.mac
            self.look()

    def _take_events(self) -> None:
        self._events.extend(self._asker.events())
        if not self._is_judged:
            with contextlib.suppress(ValueError):
                self._chores.add(self._judge())
                self._is_judged = True

    def _judge(self) -> Iterator[None]:
        """Make of what has happened what is known of each node, a few at a time."""
        self._is_judged = False
        while self._events:
            for _ in range(min(_EVENTS_AT_A_TIME, len(self._events))):
                self._evidence.take(self._events.popleft())
            yield
        found = []
        for number, name in enumerate(self._evidence.names):
            heard = self._evidence.word(boottime_ns(), name)
            if heard is not None:
                found.append(HeardNode(node=name, heard=heard))
            if number % _NODES_AT_A_TIME == 0:
                yield
        self._show(found)

    def _show(self, found: list[HeardNode]) -> None:
        if found == self.found:
            return
        before = {each.node: each.heard for each in self.found}
        for each in found:
            if each.heard != before.get(each.node):
                does = "is there" if each.heard else "neither sends adverts nor answers"
                _log.info("Node %s, which is called unreachable, %s", ascii(each.node), does)
        self.found = found
        self._node.publish(HeardNodes(nodes=found))


def _working(view: NetworkView) -> frozenset[int]:
    return frozenset(link.index for link in view.links if link.up and link.carrier)


def watched(view: NetworkView, node: WatchedNode) -> Watched:
    """Return where a node can be asked from here, and how long its addresses live. Pure."""
    interval_ns = node.advertisement_interval_milliseconds * MILLISECOND_NS
    lifetime_ns = address_lifetime_seconds(interval_ns) * SECOND_NS
    return Watched(tuple(_places(view, node.sources)), lifetime_ns)


def _places(view: NetworkView, sources: Iterable[WatchedSource]) -> Iterator[frozenset[Target]]:
    """Yield for each address of a node where it can be asked; nowhere, where no link will do."""
    found: dict[Address, set[int]] = {}
    for source in sources:
        address = ip_address(source.address)
        found.setdefault(address, set()).update(_links(view, source, address))
    for address, indexes in found.items():
        yield frozenset(Target(index, address) for index in indexes)


def _links(view: NetworkView, source: WatchedSource, address: Address) -> Iterator[int]:
    """Yield the interfaces that adverts from an address would come in on, as far as they work."""
    usable = [
        one.link.index
        for one in _candidates(view, source)
        if unusable(view, one.link, address.version) is None
    ]
    nearer = [index for index in usable if view.narrowest_subnet(index, address) is not None]
    yield from nearer or usable


def _candidates(view: NetworkView, source: WatchedSource) -> Iterable[Candidate]:
    found = candidates(view, source.interfaces, [ip_address(source.near)])
    return () if isinstance(found, str) else found


def _questions(
    view: NetworkView, targets: Iterable[Target], macs: dict[Target, bytes]
) -> Iterator[Question]:
    for target in targets:
        index, version = target.ifindex, target.address.version
        source = view.primary_ipv4(index) if version == 4 else view.link_local_ipv6(index)
        if source is not None:
            yield Question(target, source, macs.get(target))
