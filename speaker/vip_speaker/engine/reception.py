"""From a received packet to the router it is for, or to the counter that says why not."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

from vip_speaker.engine.fleet import Fleet
from vip_speaker.engine.neighbours import Advert
from vip_speaker.engine.node import Node
from vip_speaker.engine.others import Others
from vip_speaker.engine.router import Router
from vip_speaker.engine.strangers import Stranger
from vip_speaker.linux.sockets import Packet
from vip_speaker.vrrp import version2
from vip_speaker.vrrp.config import Address
from vip_speaker.vrrp.packet import DecodeError, DropReason, decode

# A peer that sends rubbish does so every interval: one line per reason and hour is enough.
_LOG_GAP_NS = 3600 * 1_000_000_000
_LOGGED_MAX = 1024

_log = logging.getLogger("engine")


class Reception:
    """Applies the receive ladder (RFC 9568 §7.1) and counts what it refuses."""

    def __init__(self, node: Node, fleet: Fleet, others: Others) -> None:
        self._node = node
        self._fleet = fleet
        self._strangers = others.strangers
        self.neighbours = others.watch.neighbours
        # Is told of every advert and its interface, while nodes are watched.
        self.witness: Callable[[int, Packet], None] | None = None
        self._logged: dict[tuple[str, str], int] = {}
        self.drops: Counter[str] = Counter()

    def take(self, index: int, packet: Packet) -> Router | None:
        """Hand a packet to its router and return it, or count why it was dropped."""
        try:
            decoded = decode(packet.payload, packet.source, packet.destination, packet.hop_limit)
        except DecodeError as error:
            if error.reason is DropReason.VERSION:
                self._hear_version_2(index, packet)
            self._drop(index, packet, error.reason, error.detail)
            return None
        if self.witness is not None:
            self.witness(index, packet)
        advertisement = decoded.advertisement
        virtual_router_id = advertisement.virtual_router_id
        self._compare(index, packet, virtual_router_id, 3, advertisement.addresses)
        addressee = self._node.directory.get((index, packet.source.version, virtual_router_id))
        router = self._fleet.find(addressee.router) if addressee is not None else None
        if addressee is None or router is None:
            heard = Stranger(index, virtual_router_id, packet.source)
            if self._is_strange(packet, heard, advertisement.interval_ns):
                detail = f"VRID {virtual_router_id} is not configured here"
                self._drop(index, packet, DropReason.UNKNOWN_VIRTUAL_ROUTER, detail)
            return None
        objection = addressee.instance.objection_to(packet.source)
        if objection is not None:
            if objection is DropReason.UNKNOWN_SENDER:
                heard = Stranger(index, virtual_router_id, packet.source)
                self._is_strange(packet, heard, advertisement.interval_ns)
            detail = "its sender is not one of this virtual router"
            self._drop(index, packet, objection, detail)
            return None
        router.hear(packet.received_ns, addressee.position, packet.source, advertisement)
        return router

    def _is_strange(self, packet: Packet, heard: Stranger, interval_ns: int) -> bool:
        """Return whether no router of ours sends such adverts, and then remember who does."""
        if self._strangers.is_ours(heard):
            return False
        # One of our own was reflected, or came in on a second interface in the same network.
        if not self._node.view.is_own(heard.source):
            self._strangers.hear(packet.received_ns, heard, interval_ns)
        return True

    def _compare(
        self,
        index: int,
        packet: Packet,
        virtual_router_id: int,
        protocol: int,
        addresses: tuple[Address, ...],
    ) -> None:
        """Compare what a neighbour announces with what we do."""
        if not self._node.view.is_own(packet.source):
            source, mac = packet.source, packet.mac
            advert = Advert(index, source, virtual_router_id, protocol, addresses, mac)
            self.neighbours.hear(packet.received_ns, advert)

    def _hear_version_2(self, index: int, packet: Packet) -> None:
        found = version2.read(packet.payload) if packet.source.version == 4 else None
        if found is not None:
            self._compare(index, packet, found.virtual_router_id, 2, found.addresses)
            heard = Stranger(index, found.virtual_router_id, packet.source, protocol=2)
            self._is_strange(packet, heard, found.interval_ns)

    def _drop(self, index: int, packet: Packet, reason: DropReason, detail: str) -> None:
        """Count at the instance that the packet seems to be for, else for the whole engine."""
        claimed = packet.payload[1] if len(packet.payload) > 1 else 0
        addressee = self._node.directory.get((index, packet.source.version, claimed))
        if addressee is not None:
            addressee.instance.counters.drops[reason.value] += 1
        else:
            self.drops[reason.value] += 1
        if reason is not DropReason.UNKNOWN_VIRTUAL_ROUTER:  # a stranger, which is no trouble
            self._warn(packet, reason, detail)

    def _warn(self, packet: Packet, reason: DropReason, detail: str) -> None:
        key = (reason.value, str(packet.source))
        last = self._logged.get(key)
        if last is None or packet.received_ns - last > _LOG_GAP_NS:
            if len(self._logged) >= _LOGGED_MAX:
                self._logged.clear()
            self._logged[key] = packet.received_ns
            _log.warning("Dropped an advert from %s: %s", packet.source, detail)
