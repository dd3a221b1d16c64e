"""The engine's end of the unix socket: connections, lines, subscriptions.

A slow or silent client costs nothing: what it does not read is dropped with its connection, and a
line that is no message is answered by closing with a log line, never by an exception.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import selectors
import socket
from collections import deque
from collections.abc import Callable

import msgspec

from vip_speaker.engine.clock import boottime_ns
from vip_speaker.messages import FromEngine, ToEngine, decode_to_engine, encode

LINE_BYTES_MAX = 16 * 1024 * 1024
_OUTPUT_BYTES_MAX = 16 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024
_CONNECTIONS_MAX = 64
_NO_FILES_LEFT = (errno.EMFILE, errno.ENFILE)

_log = logging.getLogger("engine")


class Connection:
    """One client: what it has said so far and what it has not yet read."""

    def __init__(self, peer: socket.socket) -> None:
        self.socket = peer
        self.subscribed = False
        self._input = bytearray()
        self.lines: deque[bytes] = deque()
        self.output = bytearray()

    def take_lines(self, chunk: bytes) -> list[bytes]:
        """Return the lines that are complete now. Raises ValueError for one that is too long."""
        self._input += chunk
        if b"\n" not in chunk:
            if len(self._input) > LINE_BYTES_MAX:
                raise ValueError(f"a line of more than {LINE_BYTES_MAX} bytes")
            return []
        *lines, rest = bytes(self._input).split(b"\n")
        self._input = bytearray(rest)
        return [line for line in lines if line]


class Server:
    """Accepts clients, hands their messages on, sends answers without ever blocking."""

    def __init__(
        self,
        listener: socket.socket,
        selector: selectors.BaseSelector,
        handle: Callable[[Connection, ToEngine], None],
    ) -> None:
        self._selector = selector
        self._handle = handle
        self._listener = listener
        # The oldest first.
        self._connections: dict[Connection, None] = {}
        # Those whose lines are not all handled, in the order of their turns.
        self._behind: dict[Connection, None] = {}
        # Where no file descriptor is left, this one lets a client be accepted, and be told no:
        # one that waits for ever would wake the loop for ever.
        self._spare: int | None = None
        # How many clients there were when one found no room, until half of them are gone.
        self._short_at: int | None = None
        self._keep_spare()
        listener.setblocking(False)
        selector.register(listener, selectors.EVENT_READ, lambda _mask: self._accept())

    def close(self) -> None:
        """Close every connection; the listening socket is the supervisor's."""
        for connection in list(self._connections):
            self._drop(connection)
        self._selector.unregister(self._listener)
        self._release_spare()

    @property
    def has_lines(self) -> bool:
        """Whether `handle_lines` has something left to do."""
        return bool(self._behind)

    def handle_lines(self, until_ns: int) -> None:
        """Hand on what clients have said, until then, one message at least; clients take turns."""
        while self._behind:
            connection = next(iter(self._behind))
            del self._behind[connection]
            self._handle_line(connection)
            if connection.lines and connection in self._connections:
                self._behind[connection] = None
            if boottime_ns() >= until_ns:
                return

    def is_there(self, connection: Connection) -> bool:
        """Whether that client can still be answered."""
        return connection in self._connections

    def send(self, connection: Connection, message: FromEngine) -> None:
        """Queue a message for one client."""
        if connection not in self._connections:
            return
        connection.output += encode(message)
        if len(connection.output) > _OUTPUT_BYTES_MAX:
            _log.warning("Dropped a client that does not read")
            self._drop(connection)
            return
        self._flush(connection)

    def publish(self, message: FromEngine) -> None:
        """Queue a message for every subscriber."""
        for connection in [one for one in self._connections if one.subscribed]:
            self.send(connection, message)

    def _accept(self) -> None:
        try:
            peer, _address = self._listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            self._note_shortage(str(error))
            if error.errno in _NO_FILES_LEFT and not self._drop_oldest():
                self._refuse()
            return
        if len(self._connections) >= _CONNECTIONS_MAX:
            self._note_shortage(f"there are {_CONNECTIONS_MAX} already")
            if not self._drop_oldest():
                peer.close()
                return
        peer.setblocking(False)
        connection = Connection(peer)
        self._connections[connection] = None
        self._selector.register(
            peer, selectors.EVENT_READ, lambda mask: self._ready(connection, mask)
        )

    def _note_shortage(self, why: str) -> None:
        if self._short_at is None:
            _log.warning("There is no room for another client: %s", why)
            self._short_at = len(self._connections)

    def _drop_oldest(self) -> bool:
        """Make room for a client that waits; false if there are only subscribers."""
        oldest = next((one for one in self._connections if not one.subscribed), None)
        if oldest is not None:
            self._drop(oldest)
        return oldest is not None

    def _refuse(self) -> None:
        """Take a client for whom there is no file descriptor off the queue."""
        self._release_spare()
        with contextlib.suppress(OSError):
            self._listener.accept()[0].close()
        self._keep_spare()

    def _keep_spare(self) -> None:
        with contextlib.suppress(OSError):
            self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def _release_spare(self) -> None:
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None

    def _ready(self, connection: Connection, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            self._flush(connection)
        # Who has not been heard out must not say more.
        if mask & selectors.EVENT_READ and connection in self._connections and not connection.lines:
            self._read(connection)

    def _read(self, connection: Connection) -> None:
        try:
            chunk = connection.socket.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._drop(connection)
            return
        try:
            connection.lines.extend(connection.take_lines(chunk))
        except ValueError as error:
            self._refuse_words(connection, error)
        if connection.lines:
            self._behind[connection] = None

    def _handle_line(self, connection: Connection) -> None:
        try:
            self._handle(connection, decode_to_engine(connection.lines.popleft()))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            self._refuse_words(connection, error)

    def _refuse_words(self, connection: Connection, why: Exception) -> None:
        _log.warning("Dropped a client that sent no valid message: %s", why)
        self._drop(connection)

    def _flush(self, connection: Connection) -> None:
        try:
            while connection.output:
                sent = connection.socket.send(connection.output)
                del connection.output[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(connection)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.output else 0)
        key = self._selector.get_key(connection.socket)
        if key.events != wanted:
            self._selector.modify(connection.socket, wanted, key.data)

    def _drop(self, connection: Connection) -> None:
        if connection in self._connections:
            del self._connections[connection]
            self._behind.pop(connection, None)
            connection.lines.clear()
            self._selector.unregister(connection.socket)
            connection.socket.close()
            if self._short_at is not None and len(self._connections) <= self._short_at // 2:
                self._short_at = None
