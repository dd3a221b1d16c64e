"""What changes on this node's links and addresses, as it happens."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from vip_speaker.linux import rtnetlink
from vip_speaker.linux.clock import boottime_ns
from vip_speaker.linux.netlink import NetlinkSocket, force_buffer
from vip_speaker.linux.rtnetlink import Address, InterfaceAddress, Link
from vip_speaker.linux.view import NetworkView

_RTMGRP_LINK, _RTMGRP_IPV4_IFADDR, _RTMGRP_IPV6_IFADDR = 0x1, 0x10, 0x100
_GROUPS = _RTMGRP_LINK | _RTMGRP_IPV4_IFADDR | _RTMGRP_IPV6_IFADDR
_RECEIVE_BYTES = 65536
_BUFFER_BYTES = 4 << 20
_READ_NS = 2_000_000

_AddressKey = tuple[int, Address, int]


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """An interface appeared (no before), vanished (no after), or is not as it was."""

    before: Link | None
    after: Link | None


@dataclass(frozen=True, slots=True)
class AddressChanged:
    """An address appeared (no before), vanished (no after), or its flags are not as they were.

    A renewed lifetime is no change.
    """

    before: InterfaceAddress | None
    after: InterfaceAddress | None


Event = LinkChanged | AddressChanged


def _key(address: InterfaceAddress) -> _AddressKey:
    return address.index, address.address, address.prefix_length


class Monitor:
    """Follows the links and addresses of the namespace that the creating thread is in.

    The kernel drops events when they come faster than they are read. Then `needs_resync` is set:
    the caller lets another thread list links and addresses (in this one that could wait for a
    kernel lock) and hands both to `resync`.

    Attributes:
        overflows: how often events were lost; tells which list answers which loss.
        needs_resync: events were lost, and nothing has replaced them yet.
        emptied: whether the last `read` returned everything that there was.
    """

    def __init__(self, receive_buffer_bytes: int = _BUFFER_BYTES) -> None:
        """Subscribe, then list what is there: nothing falls between the two."""
        self.overflows = 0
        self.needs_resync = False
        self.emptied = True
        self._overflowing = False
        self._touched: set[int | _AddressKey] = set()
        self._view: NetworkView | None = None
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
        )
        try:
            force_buffer(self._socket, socket.SO_RCVBUF, receive_buffer_bytes)
            self._socket.bind((0, _GROUPS))
            with NetlinkSocket() as lister:
                links, addresses = lister.dump_links(), lister.dump_addresses()
        except BaseException:
            self._socket.close()
            raise
        self._links = {link.index: link for link in links}
        self._addresses = {_key(address): address for address in addresses}

    @property
    def view(self) -> NetworkView:
        """The network as of the last event; lifetimes of addresses may be out of date."""
        if self._view is None:
            self._view = NetworkView(self._links.values(), self._addresses.values())
        return self._view

    def link(self, index: int) -> Link | None:
        """Return the interface with that index."""
        return self._links.get(index)

    def fileno(self) -> int:
        """Return the file descriptor, readable when something has changed."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def read(self) -> list[Event]:
        """Return what has changed since the last call, in order; never waits.

        It reads for two milliseconds at most; the selector says if there is more.
        """
        events: list[Event] = []
        self.emptied = False
        until_ns = boottime_ns() + _READ_NS
        while boottime_ns() < until_ns:
            try:
                data = self._socket.recv(_RECEIVE_BYTES)
            except BlockingIOError:
                self.emptied = True
                self._drained()
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self._overflowing = True
                continue
            for message in rtnetlink.messages(data):
                self._follow(message, events)
        return events

    def resync(
        self, links: Iterable[Link], addresses: Iterable[InterfaceAddress], overflows: int
    ) -> list[Event]:
        """Compare with a complete list and return what was missed.

        Does nothing if events have been lost again since the list was asked for.

        Args:
            links: every link.
            addresses: every address.
            overflows: what `overflows` was before both were listed.
        """
        if not self.needs_resync or overflows != self.overflows:
            return []
        self.needs_resync = False
        events: list[Event] = []
        listed_links = {link.index: link for link in links}
        listed_addresses = {_key(address): address for address in addresses}
        # The known ones first, so that new ones follow in the kernel's order. What an event has
        # told of since the loss is newer than the list.
        for index in self._links | listed_links:
            if index not in self._touched:
                self._set_link(index, listed_links.get(index), events)
        for key in self._addresses | listed_addresses:
            if key not in self._touched:
                self._set_address(key, listed_addresses.get(key), events)
        self._touched.clear()
        return events

    def _drained(self) -> None:
        """The queue is empty. After a loss the kernel queues events again only from here on."""
        if self._overflowing:
            self._overflowing = False
            self.overflows += 1
            self.needs_resync = True
            self._touched.clear()

    def _follow(self, message: rtnetlink.Message, events: list[Event]) -> None:
        if message.type in (rtnetlink.RTM_NEWADDR, rtnetlink.RTM_DELADDR):
            address = rtnetlink.decode_address(message.body)
            if address is not None:
                added = message.type == rtnetlink.RTM_NEWADDR
                self._set_address(_key(address), address if added else None, events)
                self._touch(_key(address))
        elif message.type in (rtnetlink.RTM_NEWLINK, rtnetlink.RTM_DELLINK):
            link = rtnetlink.decode_link(message.body)
            if link is not None:
                added = message.type == rtnetlink.RTM_NEWLINK
                self._set_link(link.index, link if added else None, events)
                self._touch(link.index)

    def _touch(self, key: int | _AddressKey) -> None:
        if self.needs_resync:
            self._touched.add(key)

    def _set_link(self, index: int, after: Link | None, events: list[Event]) -> None:
        before = self._links.get(index)
        if before == after:
            return
        if after is None:
            del self._links[index]
            for key in [key for key in self._addresses if key[0] == index]:
                self._set_address(key, None, events)
        else:
            self._links[index] = after
        self._view = None
        events.append(LinkChanged(before, after))

    def _set_address(
        self, key: _AddressKey, after: InterfaceAddress | None, events: list[Event]
    ) -> None:
        before = self._addresses.get(key)
        if before == after:
            return
        if after is None:
            del self._addresses[key]
        else:
            self._addresses[key] = after
        self._view = None
        events.append(AddressChanged(before, after))
