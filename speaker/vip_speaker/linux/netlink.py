"""A blocking rtnetlink socket: dumps of links and addresses, and batches of address changes.

send() waits for the kernel's RTNL lock, which somebody else may hold for half a second (a network
namespace that is torn down): never use it in the thread that sends adverts.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence
from typing import Self, TypeVar

from vip_speaker.linux import rtnetlink
from vip_speaker.linux.rtnetlink import (
    AddressOperation,
    InterfaceAddress,
    Link,
    Message,
    NetlinkError,
    Operation,
)

__all__ = [
    "AddressOperation",
    "InterfaceAddress",
    "Link",
    "NetlinkError",
    "NetlinkSocket",
    "Operation",
    "force_buffer",
]

_SOL_NETLINK = 270
_NETLINK_CAP_ACK = 10
_NETLINK_EXT_ACK = 11
_NETLINK_GET_STRICT_CHK = 12
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
_FORCE = {socket.SO_SNDBUF: _SO_SNDBUFFORCE, socket.SO_RCVBUF: _SO_RCVBUFFORCE}
_RECEIVE_BYTES = 65536
# An acknowledgement takes up to 1 KiB of the receive buffer; a batch must fit in several times.
_BUFFER_BYTES = 1 << 20
_BATCH = 128
_DUMP_ATTEMPTS = 8
# All answers are queued before send() returns; this only guards against waiting for ever.
_ANSWER_SECONDS = 5.0

_Item = TypeVar("_Item")


def force_buffer(sock: socket.socket, option: int, size_bytes: int) -> None:
    """Set SO_RCVBUF or SO_SNDBUF to that size, or to what the system allows without privilege."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _FORCE[option], size_bytes)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, option, size_bytes)


class NetlinkSocket:
    """Talks to the rtnetlink of the network namespace that the creating thread is in.

    Every method raises NetlinkError when the kernel refuses the request as a whole.
    """

    def __init__(self) -> None:
        self._sequence = 0
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        try:
            self._socket.bind((0, 0))
            self._socket.settimeout(_ANSWER_SECONDS)
            force_buffer(self._socket, socket.SO_RCVBUF, _BUFFER_BYTES)
            for option in (_NETLINK_CAP_ACK, _NETLINK_EXT_ACK, _NETLINK_GET_STRICT_CHK):
                self._enable(option)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def dump_links(self) -> list[Link]:
        """Return every interface of the namespace."""
        return self._dump(
            rtnetlink.encode_link_dump, rtnetlink.RTM_NEWLINK, rtnetlink.decode_link, "links"
        )

    def dump_addresses(self, index: int = 0) -> list[InterfaceAddress]:
        """Return the addresses of one interface, or of all (index 0), in the kernel's order.

        Raises NetlinkError with ENODEV if the interface does not exist.
        """
        found = self._dump(
            lambda sequence: rtnetlink.encode_address_dump(sequence, index),
            rtnetlink.RTM_NEWADDR,
            rtnetlink.decode_address,
            "addresses",
        )
        # Kernels before 4.20 do not know how to choose by interface and list them all.
        return [one for one in found if index in (0, one.index)]

    def apply(self, operations: Sequence[AddressOperation]) -> list[NetlinkError | None]:
        """Do all operations in order and return the error of each, None for success."""
        outcomes: list[NetlinkError | None] = []
        for start in range(0, len(operations), _BATCH):
            outcomes += self._apply_batch(operations[start : start + _BATCH])
        return outcomes

    def _enable(self, option: int) -> None:
        try:
            self._socket.setsockopt(_SOL_NETLINK, option, 1)
        except OSError as error:
            # An older kernel: longer answers, no explanations, dumps that choose nothing.
            if error.errno != errno.ENOPROTOOPT:
                raise

    def _next_sequence(self) -> int:
        self._sequence = self._sequence % 0xFFFFFFFF + 1
        return self._sequence

    def _send(self, data: bytes, what: str) -> None:
        try:
            self._socket.send(data)
        except OSError as error:
            raise NetlinkError(error.errno or errno.EIO, what) from error

    def _receive(self, what: str) -> list[Message]:
        try:
            data = self._socket.recv(_RECEIVE_BYTES)
        except TimeoutError as error:
            raise NetlinkError(errno.ETIMEDOUT, what) from error
        except OSError as error:
            raise NetlinkError(error.errno or errno.EIO, what) from error
        return list(rtnetlink.messages(data))

    def _dump(
        self,
        encode: Callable[[int], bytes],
        kind: int,
        decode: Callable[[bytes], _Item | None],
        what: str,
    ) -> list[_Item]:
        for _ in range(_DUMP_ATTEMPTS):
            found = self._dump_once(encode, kind, decode, f"Listing the {what}")
            if found is not None:
                return found
        raise NetlinkError(errno.EAGAIN, f"Listing the {what} while they change all the time")

    def _dump_once(
        self,
        encode: Callable[[int], bytes],
        kind: int,
        decode: Callable[[bytes], _Item | None],
        what: str,
    ) -> list[_Item] | None:
        """Return None if something changed meanwhile, so that the list may have holes."""
        sequence = self._next_sequence()
        self._send(encode(sequence), what)
        found: list[_Item] = []
        interrupted = False
        while True:
            for message in self._receive(what):
                if message.sequence != sequence:
                    continue
                interrupted |= bool(message.flags & rtnetlink.NLM_F_DUMP_INTERRUPTED)
                if message.type == rtnetlink.NLMSG_ERROR:
                    number, explanation = rtnetlink.decode_acknowledgement(message)
                    raise NetlinkError(number, explanation or what)
                if message.type == rtnetlink.NLMSG_DONE:
                    number = rtnetlink.decode_done(message)
                    if number:
                        raise NetlinkError(number, what)
                    return None if interrupted else found
                if message.type == kind and (item := decode(message.body)) is not None:
                    found.append(item)

    def _apply_batch(self, operations: Sequence[AddressOperation]) -> list[NetlinkError | None]:
        positions = {self._next_sequence(): at for at in range(len(operations))}
        what = "Changing addresses"
        self._send(
            b"".join(
                rtnetlink.encode_operation(operations[at], sequence)
                for sequence, at in positions.items()
            ),
            what,
        )
        outcomes: list[NetlinkError | None] = [None] * len(operations)
        while positions:
            for message in self._receive(what):
                at = positions.pop(message.sequence, None)
                if at is not None and message.type == rtnetlink.NLMSG_ERROR:
                    outcomes[at] = _outcome(operations[at], message)
        return outcomes


_VERBS = {Operation.ADD: "Adding", Operation.REPLACE: "Renewing", Operation.DELETE: "Deleting"}


def _outcome(wanted: AddressOperation, message: Message) -> NetlinkError | None:
    number, explanation = rtnetlink.decode_acknowledgement(message)
    if number == 0:
        return None
    what = f"{_VERBS[wanted.operation]} {wanted.address}"
    return NetlinkError(number, f"{what} ({explanation})" if explanation else what)
