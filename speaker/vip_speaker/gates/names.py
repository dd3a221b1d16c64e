"""The addresses of hosts, by name, so that a name server that hangs holds up nobody else.

Looking up a name cannot be given up: it blocks a thread until the resolver has an answer or has had
enough, which may take half a minute. So each host is looked up once at a time, in a few threads
that do nothing else. Addresses and localhost are known without.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import queue
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

THREADS = 8

# Family, type, protocol, canonical name, address: as of socket.getaddrinfo.
AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]
_Found = Sequence[AddressInfo]

_LOOPBACK = ((socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1"))


class Lookup:
    """Finds the addresses of one host, again and again.

    Args:
        host: a name or an address.
        flags: for socket.getaddrinfo.
    """

    def __init__(self, host: str, flags: int = 0) -> None:
        self._host = host
        self._flags = flags
        self._under_way: asyncio.Future[_Found] | None = None

    async def addresses(self, port: int) -> list[AddressInfo]:
        """Return every address, best first; a caller that gives up leaves the lookup to the next.

        Raises:
            OSError: there is none.
        """
        found = _known(self._host)
        if found is None:
            if self._under_way is None or self._under_way.done():
                self._under_way = _begin(self._host, self._flags)
            found = await asyncio.shield(self._under_way)
        return [
            (family, kind, protocol, name, (address[0], port, *address[2:]))
            for family, kind, protocol, name, address in found
        ]

    def close(self) -> None:
        """Wait no more; a lookup that no thread has begun is dropped."""
        if self._under_way is not None:
            self._under_way.cancel()


def _known(host: str) -> _Found | None:
    """Return what nobody has to be asked for; None: it is a name.

    Raises:
        OSError: it is neither name nor address.
    """
    if host.rstrip(".").lower() == "localhost":
        return [info for family, address in _LOOPBACK for info in _own(family, address)]
    try:
        return _numeric(host)
    except (socket.gaierror, UnicodeError):
        if ":" in host:
            raise
        return None


def _own(family: int, address: str) -> _Found:
    """Return an address if this host has it."""
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        return _numeric(address)
    return []


def _numeric(address: str) -> _Found:
    return socket.getaddrinfo(address, 0, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)


def _begin(host: str, flags: int) -> asyncio.Future[_Found]:
    """Have a name looked up by a thread."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_Found] = loop.create_future()
    # Where nobody waits any more, an error is nobody's business.
    future.add_done_callback(lambda done: done.cancelled() or done.exception())

    def work() -> None:
        if future.cancelled():
            return
        deliver: Callable[[], None]
        try:
            found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=flags)
        except Exception as error:  # noqa: BLE001  it is raised where the answer is awaited
            deliver = functools.partial(_fail, future, error)
        else:
            deliver = functools.partial(_answer, future, found)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(deliver)

    _THREADS.do(work)
    return future


def _answer(future: asyncio.Future[_Found], found: _Found) -> None:
    if not future.done():
        future.set_result(found)


def _fail(future: asyncio.Future[_Found], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


class _Threads:
    """Starts as many threads as it needs, up to a limit.

    They are daemons, other than those of concurrent.futures: a process that ends does not wait for
    a name server.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._started = 0
        self._idle = threading.Semaphore(0)
        self._waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def do(self, work: Callable[[], None]) -> None:
        """Do it in the first thread that is free."""
        self._waiting.put(work)
        if not self._idle.acquire(blocking=False) and self._started < self._limit:
            threading.Thread(target=self._run, name="names", daemon=True).start()
            self._started += 1

    def _run(self) -> None:
        while True:
            self._waiting.get()()
            self._idle.release()


_THREADS = _Threads(THREADS)
