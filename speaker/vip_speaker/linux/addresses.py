"""Binding, renewing and releasing addresses in a thread of its own.

rtnetlink waits for a kernel lock inside send(), for as long as somebody else holds it; the engine
hands its wishes to this thread and never waits.

An address of somebody else is never touched. Before anything is changed on an interface its
addresses are listed: only those that carry our tag (see `ownership`) are renewed or deleted, and
one that is there without it is reported as in use.
"""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import socket
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from vip_speaker.linux.address_plan import (
    AddressRequest,
    BindRequest,
    Failure,
    KnownAddresses,
    ReleaseRequest,
    RenewRequest,
    coalesce,
    failure_of,
)
from vip_speaker.linux.clock import boottime_ns
from vip_speaker.linux.netlink import NetlinkSocket
from vip_speaker.linux.ownership import KEEPS_PROTOCOL, is_ours
from vip_speaker.linux.rtnetlink import (
    AddressOperation,
    InterfaceAddress,
    Link,
    NetlinkError,
)

__all__ = [
    "AddressResult",
    "AddressWorker",
    "BindRequest",
    "DumpRequest",
    "DumpResult",
    "Failure",
    "ReleaseRequest",
    "RenewRequest",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpRequest:
    """List all links and addresses, for `Monitor.resync`.

    Attributes:
        overflows: `Monitor.overflows` at the time of asking.
    """

    overflows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressResult:
    """The answer to a request about addresses.

    Attributes:
        request: the very object that was submitted.
        failures: the addresses that are not as they should be; empty for success.
    """

    request: AddressRequest
    failures: tuple[Failure, ...] = ()

    @property
    def reason(self) -> str:
        """Why it failed, in one line; empty for success."""
        if not self.failures:
            return ""
        more = len(self.failures) - 1
        return self.failures[0].reason + (f" (and {more} more)" if more else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpResult:
    """The answer to a DumpRequest; `error` is set if the lists could not be had."""

    request: DumpRequest
    links: tuple[Link, ...] = ()
    addresses: tuple[InterfaceAddress, ...] = ()
    error: NetlinkError | None = None


Request = AddressRequest | DumpRequest
Result = AddressResult | DumpResult


class AddressWorker:
    """The thread, its queue, and its answers.

    It works in the network namespace of the thread that creates it. Requests are done in the order
    of their submission; what has piled up meanwhile is done in one go, and a renewal that
    later requests of the same token make pointless is left out and not answered.
    """

    def __init__(self, *, keeps_protocol: bool = KEEPS_PROTOCOL) -> None:
        """Start the thread.

        Args:
            keeps_protocol: the kernel stores IFA_PROTO; otherwise labels mark what is ours.
        """
        self._keeps_protocol = keeps_protocol
        self._busy_since_ns: int | None = None
        self._crash: BaseException | None = None
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._results: deque[Result] = deque()
        self._netlink = NetlinkSocket()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="addresses", daemon=True)
        self._thread.start()

    @property
    def busy_since_ns(self) -> int | None:
        """Since when (CLOCK_BOOTTIME) it has been at what it is doing, None if it has nothing."""
        return self._busy_since_ns

    def fileno(self) -> int:
        """Return the file descriptor that is readable when there are results."""
        return self._wake

    def submit(self, request: Request) -> None:
        """Queue a request; never waits."""
        self._requests.put(request)

    def next_result(self) -> Result | None:
        """Return the next answer, in order, None if there is none; never waits.

        The file descriptor stays readable if there are more.

        Raises RuntimeError if the thread has died of a bug: without it nothing is renewed.
        """
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        if self._crash is not None:
            raise RuntimeError("The thread that binds addresses has died") from self._crash
        result = self._results.popleft() if self._results else None
        if self._results:
            os.eventfd_write(self._wake, 1)
        return result

    def close(self, timeout_seconds: float = 5.0) -> bool:
        """Finish what was submitted and end the thread; False if that takes too long."""
        self._requests.put(None)
        self._thread.join(timeout_seconds)
        if self._thread.is_alive():
            return False
        self._netlink.close()
        os.close(self._wake)
        return True

    def _run(self) -> None:
        try:
            while self._work(self._take()):
                pass
        except BaseException as error:  # noqa: BLE001  next_result() raises it in the engine's thread
            self._crash = error
            os.eventfd_write(self._wake, 1)

    def _take(self) -> list[Request | None]:
        """Wait for a request and return it with all that are queued behind it."""
        self._busy_since_ns = None
        taken = [self._requests.get()]
        self._busy_since_ns = boottime_ns()
        with contextlib.suppress(queue.Empty):
            while True:
                taken.append(self._requests.get_nowait())
        return taken

    def _work(self, taken: Sequence[Request | None]) -> bool:
        """Do what was asked for; False once the end was asked for."""
        wishes = [one for one in taken if one is not None and not isinstance(one, DumpRequest)]
        if wishes:
            self._results.extend(self._fulfil(coalesce(wishes)))
        for one in taken:
            if isinstance(one, DumpRequest):
                self._results.append(self._dump(one))
        os.eventfd_write(self._wake, 1)
        return None not in taken

    def _dump(self, request: DumpRequest) -> DumpResult:
        try:
            links, addresses = self._netlink.dump_links(), self._netlink.dump_addresses()
        except NetlinkError as error:
            return DumpResult(request=request, error=error)
        return DumpResult(request=request, links=tuple(links), addresses=tuple(addresses))

    def _fulfil(self, requests: Sequence[AddressRequest]) -> list[AddressResult]:
        try:
            failures = self._change(requests)
        except OSError as error:  # of netlink, or of a process without a file descriptor left
            failures = [
                [Failure(one, error.errno or errno.EIO, str(error)) for one in request.addresses]
                for request in requests
            ]
        return [
            AddressResult(request=request, failures=tuple(failed))
            for request, failed in zip(requests, failures, strict=True)
        ]

    def _change(self, requests: Sequence[AddressRequest]) -> list[list[Failure]]:
        """List, plan, change; return the failures of each request."""
        known = self._list({request.ifindex for request in requests})
        now = boottime_ns()
        failures: list[list[Failure]] = [[] for _ in requests]
        operations: list[AddressOperation] = []
        owners: list[int] = []
        for position, request in enumerate(requests):
            for step in known.plan(request, now):
                if isinstance(step, Failure):
                    failures[position].append(step)
                elif step is not None:
                    operations.append(step)
                    owners.append(position)
        errors = self._netlink.apply(operations)
        for position, operation, error in zip(owners, operations, errors, strict=True):
            if error is not None:
                failure = failure_of(operation, error)
                if failure is not None:
                    failures[position].append(failure)
        return failures

    def _list(self, indexes: set[int]) -> KnownAddresses:
        names: dict[int, str] = {}
        listed: list[InterfaceAddress] = []
        for index in indexes:
            try:
                names[index] = socket.if_indextoname(index)
                listed += self._netlink.dump_addresses(index)
            except OSError as error:
                if error.errno not in (errno.ENODEV, errno.ENXIO):
                    raise
                names.pop(index, None)
        return KnownAddresses(names, listed, keeps_protocol=self._keeps_protocol)


def holds_nothing() -> bool:
    """Whether no address of this network namespace carries our tag; False if nobody can say."""
    try:
        with NetlinkSocket() as lister:
            return not any(is_ours(address) for address in lister.dump_addresses())
    except OSError:
        return False
