"""The prober: a process that asks addresses for signs of life up to a thousand times a second.

    python -m vip_lab.prober RATE TARGET...     TARGET: icmp:ADDRESS or tcp:ADDRESS:PORT

It prints `ready` when the first probes are out, goes on until SIGTERM or SIGINT, waits for the
answers still due, and prints its results as one line of JSON, by target.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import gc
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
from collections import deque
from ipaddress import ip_address
from typing import Protocol

from vip_lab.record import LOST_AFTER_NS, MILLISECOND_NS, SECOND_NS, Pace, Record

_SOL_RAW = 255
_ICMP_FILTER = 1
_ICMPV6_FILTER = 1
_ECHO_REQUEST, _ECHO_REPLY = 8, 0
_ECHO_REQUEST_V6, _ECHO_REPLY_V6 = 128, 129
_SO_TIMESTAMPNS = 35
_ECHO = struct.Struct("!BBHHHQ")  # type, code, checksum, identifier, sequence, number of the probe
_TIMESPEC = struct.Struct("=qq")
_REALTIME_PRIORITY = 1
_LONGEST_WAIT_SECONDS = 0.1
# struct tcp_info of linux/tcp.h: 8 bytes, then words; tcpi_last_ack_recv is the 13th of these.
_TCP_INFO_BYTES = 104
_LAST_ACK_OFFSET = 56
_LAST_ACK_MS = struct.Struct("=I")
_LONGEST_TICK_MS = 10


class Probe(Protocol):
    """One target, asked in one way."""

    record: Record

    def fileno(self) -> int:
        """Return what to wait for to become readable."""

    def send(self) -> None:
        """Send the next probe."""

    def receive(self) -> None:
        """Note every answer that is there, and what can no longer be answered."""


class IcmpProbe:
    """ICMP echo on a raw socket, with the kernel's own time of arrival."""

    def __init__(self, address: str, identifier: int) -> None:
        self.record = Record()
        self._identifier = identifier
        self._target = (address, 0)
        self._is_v6 = ip_address(address).version == 6
        if self._is_v6:
            self._socket = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
            blocked = [0xFFFFFFFF] * 8
            blocked[_ECHO_REPLY_V6 // 32] &= ~(1 << _ECHO_REPLY_V6 % 32)
            block = struct.pack("=8I", *blocked)
            self._socket.setsockopt(socket.IPPROTO_ICMPV6, _ICMPV6_FILTER, block)
        else:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
            block = struct.pack("=I", 0xFFFFFFFF & ~(1 << _ECHO_REPLY))
            self._socket.setsockopt(_SOL_RAW, _ICMP_FILTER, block)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.setblocking(False)

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    def send(self) -> None:
        """Send one echo request; one that the kernel refuses counts as sent."""
        number = self.record.probe_sent(time.time_ns())
        with contextlib.suppress(OSError):
            self._socket.sendto(self._request(number), self._target)

    def receive(self) -> None:
        """Note every echo reply that is ours."""
        while True:
            try:
                data, ancillary, _flags, _peer = self._socket.recvmsg(256, 64)
            except OSError:
                return
            echo = data if self._is_v6 else data[(data[0] & 0x0F) * 4 :]
            if len(echo) < _ECHO.size:
                continue
            _type, _code, _sum, identifier, _sequence, number = _ECHO.unpack_from(echo)
            if identifier == self._identifier:
                self.record.answered(number, _arrival_ns(ancillary))

    def _request(self, number: int) -> bytes:
        sequence = number & 0xFFFF
        if self._is_v6:  # the kernel fills in the checksum
            return _ECHO.pack(_ECHO_REQUEST_V6, 0, 0, self._identifier, sequence, number)
        unsummed = _ECHO.pack(_ECHO_REQUEST, 0, 0, self._identifier, sequence, number)
        checksum = _internet_checksum(unsummed)
        return _ECHO.pack(_ECHO_REQUEST, 0, checksum, self._identifier, sequence, number)


class TcpProbe:
    """A TCP handshake, closed by a reset so that no port stays in use."""

    def __init__(self, address: str, port: int) -> None:
        self.record = Record()
        self._target = (address, port)
        is_v6 = ip_address(address).version == 6
        self._family = socket.AF_INET6 if is_v6 else socket.AF_INET
        self._poll = select.epoll()
        self._pending: dict[int, tuple[int, socket.socket]] = {}
        self._oldest: deque[tuple[int, int, int]] = deque()  # sent, descriptor, number

    def fileno(self) -> int:
        """Return the descriptor of the set of all handshakes under way."""
        return self._poll.fileno()

    def send(self) -> None:
        """Begin one handshake."""
        connection = socket.socket(self._family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        now_ns = time.time_ns()
        number = self.record.probe_sent(now_ns)
        if connection.connect_ex(self._target) != errno.EINPROGRESS:
            connection.close()
            return
        descriptor = connection.fileno()
        self._pending[descriptor] = (number, connection)
        self._oldest.append((now_ns, descriptor, number))
        self._poll.register(descriptor, select.EPOLLOUT)

    def receive(self) -> None:
        """Note every handshake that is done or refused, and give up those that take too long."""
        now_ns = time.time_ns()
        for descriptor, _events in self._poll.poll(0):
            number, connection = self._pending[descriptor]
            failure = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if failure == 0:
                self.record.answered(number, now_ns - _known_for_ns(connection))
            elif failure == errno.ECONNREFUSED:
                self.record.refused += 1
            self._close(descriptor)
        while self._oldest and now_ns - self._oldest[0][0] > LOST_AFTER_NS:
            _sent_ns, descriptor, number = self._oldest.popleft()
            if descriptor in self._pending and self._pending[descriptor][0] == number:
                self._close(descriptor)

    def _close(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)
        self._pending.pop(descriptor)[1].close()


def _known_for_ns(connection: socket.socket) -> int:
    """Return for how long, at least, the kernel has had the answer that we look at only now.

    It counts in ticks of up to 10 ms, so an answer may seem that much older than it is.
    """
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    (last_ack_ms,) = _LAST_ACK_MS.unpack_from(info, _LAST_ACK_OFFSET)
    return max(0, int(last_ack_ms) - _LONGEST_TICK_MS) * MILLISECOND_NS


def _arrival_ns(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return int(seconds * SECOND_NS + nanoseconds)
    return time.time_ns()


def _internet_checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def _parse(target: str, identifier: int) -> Probe:
    kind, _colon, rest = target.partition(":")
    if kind == "icmp":
        return IcmpProbe(rest, identifier)
    address, _colon, port = rest.rpartition(":")
    return TcpProbe(address.strip("[]"), int(port))


def _probe_until_told(probes: dict[str, Probe], rate: int) -> Pace:
    told: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: told.append(number))
    pace = Pace(rate, time.time_ns())
    first = True
    while not told:
        if pace.due(time.time_ns()):
            for probe in probes.values():
                probe.send()
            if first:
                print("ready", flush=True)
                first = False
        _receive(probes, pace.seconds_left(time.time_ns()))
    return pace


def _receive(probes: dict[str, Probe], seconds: float) -> None:
    # select, because it waits to the microsecond; the handshakes hide behind one descriptor.
    wait_seconds = min(seconds, _LONGEST_WAIT_SECONDS)
    readable, _, _ = select.select(list(probes.values()), [], [], wait_seconds)
    for probe in readable:
        probe.receive()


def _await_answers(probes: dict[str, Probe]) -> None:
    while any(probe.record.outstanding(time.time_ns()) for probe in probes.values()):
        _receive(probes, _LONGEST_WAIT_SECONDS)


def _prefer_pace() -> None:
    """Keep the pace on a busy machine: real-time scheduling where it is allowed, no collector."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_REALTIME_PRIORITY))
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    gc.disable()


def main() -> None:
    """Probe as the command line says; see the module's docstring."""
    rate = int(sys.argv[1])
    targets = sys.argv[2:]
    identifier = os.getpid() & 0xFFFF
    probes = {target: _parse(target, identifier) for target in targets}
    _prefer_pace()
    pace = _probe_until_told(probes, rate)
    _await_answers(probes)
    now_ns = time.time_ns()
    results = {
        target: dataclasses.asdict(
            probe.record.result(now_ns, late_ns_max=pace.late_ns_max, skipped=pace.skipped)
        )
        for target, probe in probes.items()
    }
    print(json.dumps(results), flush=True)


if __name__ == "__main__":
    main()
