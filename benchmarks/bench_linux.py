"""What the kernel costs us: 255 addresses bound, renewed, announced, released; adverts received.

    python benchmarks/bench_linux.py

In a network namespace of its own; figures are medians in milliseconds, wall time as the engine
sees it (requests to the worker thread and its answers).
"""

from __future__ import annotations

import os
import select
import statistics
import sys
import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from vip_speaker.linux.addresses import (
    AddressResult,
    AddressWorker,
    BindRequest,
    ReleaseRequest,
    RenewRequest,
)
from vip_speaker.linux.announce import gratuitous_arp, unsolicited_neighbor_advertisement
from vip_speaker.linux.sockets import AdvertReceiver, AdvertSender, AnnouncementSocket

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.linux_lan import Lan, lan

COUNT = 255
ROUNDS = 7
ADVERTS = 250
IPV4 = tuple(IPv4Address("10.1.0.0") + number for number in range(COUNT))
IPV6 = tuple(IPv6Address("2001:db8:1::") + number for number in range(COUNT))
LINK_LOCAL = IPv6Address("fe80::11")
Request = BindRequest | RenewRequest | ReleaseRequest


def main() -> int:
    """Print one line per figure."""
    if os.geteuid() != 0:
        print("bench_linux: needs root for network namespaces")
        return 0
    with lan() as wire:
        with wire.node.entered():
            worker = AddressWorker()
        for name, addresses in (("255 IPv4", IPV4), ("255 IPv6", IPV6), ("510", IPV4 + IPV6)):
            _addresses(worker, wire.index, name, addresses)
        worker.close()
        _announcements(wire)
        for family, source in ((4, "192.0.2.12"), (6, "fe80::12")):
            _adverts(wire, family, source)
    return 0


def _addresses(
    worker: AddressWorker, index: int, name: str, addresses: tuple[IPv4Address | IPv6Address, ...]
) -> None:
    bind = BindRequest(token="a", ifindex=index, addresses=addresses, lifetime_seconds=60)
    renew = RenewRequest(token="a", ifindex=index, addresses=addresses, lifetime_seconds=60)
    release = ReleaseRequest(token="a", ifindex=index, addresses=addresses)
    taken: dict[str, list[float]] = {"bind": [], "renew": [], "release": []}
    for _ in range(ROUNDS):
        for what, request in (("bind", bind), ("renew", renew), ("release", release)):
            taken[what].append(_milliseconds(lambda one=request: _ask(worker, one)))  # type: ignore[misc]
    figures = ", ".join(f"{what} {statistics.median(times):.1f}" for what, times in taken.items())
    print(f"{name} addresses: {figures} ms")


def _ask(worker: AddressWorker, request: Request) -> None:
    worker.submit(request)
    select.select([worker], [], [])
    result = worker.next_result()
    assert isinstance(result, AddressResult)
    assert not result.failures, result.reason


def _announcements(wire: Lan) -> None:
    mac = wire.node.link("eth0").mac
    with wire.node.entered():
        socket = AnnouncementSocket(wire.index)

    def arp() -> None:
        socket.send(frame for address in IPV4 for frame in gratuitous_arp(mac, address))

    def neighbor() -> None:
        socket.send(
            unsolicited_neighbor_advertisement(mac, LINK_LOCAL, address) for address in IPV6
        )

    for name, announce in (("IPv4", arp), ("IPv6", neighbor)):
        times = [_milliseconds(announce) for _ in range(ROUNDS)]
        print(f"255 {name} addresses announced: {statistics.median(times):.1f} ms")
    socket.close()


def _adverts(wire: Lan, family: int, source: str) -> None:
    with wire.node.entered():
        receiver = AdvertReceiver(wire.index, "eth0", family)
    with wire.peer.entered():
        sender = AdvertSender(wire.peer.link("eth0").index, "eth0", family, ip_address(source))
    message = bytes(12)
    times = []
    for _ in range(ROUNDS):
        for _ in range(ADVERTS):
            sender.send(message)
        times.append(_milliseconds(receiver.receive) * 1000 / ADVERTS)
    print(f"IPv{family} advert received: {statistics.median(times):.1f} us in a batch")
    receiver.close()
    sender.close()


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


if __name__ == "__main__":
    sys.exit(main())
