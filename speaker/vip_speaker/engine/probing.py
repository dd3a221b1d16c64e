"""The sockets that ask the link who has an address: one per interface and family, shared."""

from __future__ import annotations

import selectors
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from vip_speaker.engine.aside import close_aside
from vip_speaker.linux.probe import Answer, ProbeSocket
from vip_speaker.linux.rtnetlink import Address

Heard = Callable[[Answer], None]
_Key = tuple[int, int]  # interface index, IP version


@dataclass(slots=True)
class _Open:
    """A socket and who waits for answers about which address."""

    socket: ProbeSocket
    waiting: dict[Address, list[Heard]] = field(default_factory=dict)


class ProbeSockets:
    """Opens a socket for the first who asks there, and closes it after the last."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._open: dict[_Key, _Open] = {}

    def listen(self, index: int, address: Address, heard: Heard) -> None:
        """Hand over every answer about an address from now on. Raises OSError."""
        key = (index, address.version)
        opened = self._open.get(key)
        if opened is None:
            opened = self._open[key] = _Open(ProbeSocket(*key))
            self._selector.register(opened.socket, selectors.EVENT_READ, self._reader(key))
        opened.waiting.setdefault(address, []).append(heard)

    def ignore(self, index: int, address: Address, heard: Heard) -> None:
        """Hand over no more."""
        key = (index, address.version)
        opened = self._open.get(key)
        if opened is None or heard not in opened.waiting.get(address, ()):
            return
        opened.waiting[address].remove(heard)
        if not opened.waiting[address]:
            del opened.waiting[address]
        if not opened.waiting:
            del self._open[key]
            self._selector.unregister(opened.socket)
            close_aside([opened.socket])

    def ask(self, index: int, version: int, questions: Iterable[bytes]) -> None:
        """Send questions. Raises OSError."""
        opened = self._open.get((index, version))
        if opened is not None:
            opened.socket.send(questions)

    def _reader(self, key: _Key) -> Callable[[int], None]:
        def read(_mask: int) -> None:
            opened = self._open.get(key)
            if opened is None:
                return  # closed since the selector saw something
            for answer in opened.socket.answers():
                for heard in list(opened.waiting.get(answer.address, ())):
                    heard(answer)

        return read
