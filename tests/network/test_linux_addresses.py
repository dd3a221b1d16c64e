"""Addresses in a real kernel: bound, renewed, expired, released; those of others left alone."""

from __future__ import annotations

import errno
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from ipaddress import ip_address

import pytest

from support.linux_lan import Lan, lan, until
from vip_speaker.linux.addresses import (
    AddressResult,
    AddressWorker,
    BindRequest,
    DumpRequest,
    DumpResult,
    ReleaseRequest,
    RenewRequest,
    holds_nothing,
)
from vip_speaker.linux.monitor import AddressChanged, Monitor
from vip_speaker.linux.netlink import (
    AddressOperation,
    InterfaceAddress,
    NetlinkError,
    NetlinkSocket,
    Operation,
)
from vip_speaker.linux.ownership import is_ours
from vip_speaker.linux.rtnetlink import Address

V4, V6 = ip_address("192.0.2.100"), ip_address("2001:db8::100")
BOTH = (V4, V6)
LIFETIME = 3


@pytest.fixture
def wire() -> Iterator[Lan]:
    """A node and a peer."""
    with lan() as made:
        yield made


@pytest.fixture
def worker(wire: Lan) -> Iterator[AddressWorker]:
    """The worker, in the node's namespace."""
    with wire.node.entered():
        made = AddressWorker()
    yield made
    assert made.close()


def answer(
    worker: AddressWorker, request: BindRequest | RenewRequest | ReleaseRequest
) -> AddressResult:
    """Submit a request, wait for its result in a selector's way, and return it."""
    worker.submit(request)
    deadline = time.monotonic() + 5
    while True:
        assert select.select([worker], [], [], deadline - time.monotonic())[0]
        result = worker.next_result()
        if isinstance(result, AddressResult) and result.request is request:
            return result


def bind(wire: Lan, *addresses: Address, lifetime_seconds: int = LIFETIME) -> BindRequest:
    """Return the wish to bind addresses on the node."""
    return BindRequest(
        token="web", ifindex=wire.index, addresses=addresses, lifetime_seconds=lifetime_seconds
    )


def renew(wire: Lan, *addresses: Address) -> RenewRequest:
    """Return the wish to renew addresses on the node."""
    return RenewRequest(
        token="web", ifindex=wire.index, addresses=addresses, lifetime_seconds=LIFETIME
    )


def release(wire: Lan, *addresses: Address) -> ReleaseRequest:
    """Return the wish to release addresses on the node."""
    return ReleaseRequest(token="web", ifindex=wire.index, addresses=addresses)


def on_node(wire: Lan, *wanted: Address) -> list[InterfaceAddress]:
    """Return what the node's eth0 has of these addresses."""
    with wire.node.entered(), NetlinkSocket() as lister:
        return [one for one in lister.dump_addresses(wire.index) if one.address in wanted]


def reachable(wire: Lan, address: Address) -> bool:
    """Tell whether the peer gets an answer to one ping."""
    with wire.peer.entered():
        command = ["ping", "-c", "1", "-W", "1", "-I", "eth0", str(address)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_bound_addresses_serve_and_carry_our_tag(wire: Lan, worker: AddressWorker) -> None:
    """Once bound, both families answer a neighbour at once, tagged and with a finite life."""
    wire.peer.ip("address", "add", "2001:db8::12/64", "dev", "eth0")
    wire.node.ip("address", "add", "2001:db8::11/64", "dev", "eth0")

    assert answer(worker, bind(wire, *BOTH)).reason == ""

    found = on_node(wire, *BOTH)
    assert [one.address for one in found] == [V4, V6]
    assert all(is_ours(one, keeps_protocol=True) for one in found)
    assert all(one.valid_seconds in range(1, LIFETIME + 1) for one in found)
    for address in BOTH:
        assert until(partial(reachable, wire, address)), address


def test_whether_anything_is_left(wire: Lan, worker: AddressWorker) -> None:
    """Only what carries our tag counts, whichever of them is released last."""

    def is_empty() -> bool:
        with wire.node.entered():
            return holds_nothing()

    wire.node.ip("address", "add", "192.0.2.101/32", "dev", "eth0")
    assert is_empty()
    answer(worker, bind(wire, *BOTH))
    answer(worker, release(wire, V4))
    assert not is_empty()
    answer(worker, release(wire, V6))
    assert is_empty()


def test_not_renewed_they_expire(wire: Lan, worker: AddressWorker) -> None:
    """The kernel removes an address of 3 s after 2.9 s at the earliest and 5 s at the latest."""
    started = time.monotonic()
    answer(worker, bind(wire, *BOTH))
    until(lambda: not on_node(wire, *BOTH), seconds=LIFETIME + 3)

    assert LIFETIME - 0.1 < time.monotonic() - started < LIFETIME + 2


def test_renewed_they_stay_and_never_flap(wire: Lan, worker: AddressWorker) -> None:
    """Renewed over more than a lifetime, the addresses stay, and the monitor sees no change."""
    answer(worker, bind(wire, *BOTH))
    with wire.node.entered():
        monitor = Monitor()
    seen = []
    end = time.monotonic() + LIFETIME + 1.5
    while time.monotonic() < end:
        assert answer(worker, renew(wire, *BOTH)).failures == ()
        seen += monitor.read()
        select.select([monitor], [], [], 0.5)
    monitor.close()

    assert seen == []
    assert {one.address for one in on_node(wire, *BOTH)} == set(BOTH)


def test_release_removes_them(wire: Lan, worker: AddressWorker) -> None:
    """Released addresses are gone, and releasing them once more is no failure."""
    answer(worker, bind(wire, *BOTH))

    assert answer(worker, release(wire, *BOTH)).failures == ()
    assert on_node(wire, *BOTH) == []
    assert answer(worker, release(wire, *BOTH)).failures == ()


@pytest.mark.parametrize(
    ("foreign", "vip"),
    [
        ("192.0.2.100/32", V4),
        ("192.0.2.100/24", V4),
        ("2001:db8::100/128", V6),
        ("2001:db8::100/64", V6),
    ],
)
def test_an_address_of_somebody_else_is_not_touched(
    wire: Lan, worker: AddressWorker, foreign: str, vip: Address
) -> None:
    """Bind and renew report it as in use, release leaves it, and its life stays infinite."""
    nodad = ["nodad"] if vip.version == 6 else []  # else its flags change a moment later
    wire.node.ip("address", "add", foreign, "dev", "eth0", *nodad)
    before = on_node(wire, vip)

    bound = answer(worker, bind(wire, vip))
    renewed = answer(worker, renew(wire, vip))
    released = answer(worker, release(wire, vip))

    assert f"{vip} is in use on this node" in bound.reason
    assert [failure.errno for failure in bound.failures] == [errno.EEXIST]
    assert [failure.errno for failure in renewed.failures] == [errno.EEXIST]
    assert released.failures == ()
    after = on_node(wire, vip)
    assert after == before
    assert [one.valid_seconds for one in after] == [None]


def test_the_kernel_refuses_a_second_first_bind(wire: Lan) -> None:
    """NLM_F_EXCL: adding what came in between is answered EEXIST and changes nothing."""
    wire.node.ip("address", "add", "192.0.2.100/32", "dev", "eth0")
    add = AddressOperation(Operation.ADD, wire.index, V4, LIFETIME, 112)
    with wire.node.entered(), NetlinkSocket() as netlink:
        [error] = netlink.apply([add])

    assert isinstance(error, NetlinkError)
    assert error.errno == errno.EEXIST
    assert [one.valid_seconds for one in on_node(wire, V4)] == [None]


def test_what_an_earlier_life_left_is_adopted(wire: Lan, worker: AddressWorker) -> None:
    """Addresses with our tag that an earlier worker bound get a new life from a new one."""
    with wire.node.entered():
        earlier = AddressWorker()
    answer(earlier, bind(wire, *BOTH, lifetime_seconds=100))
    assert earlier.close()

    assert answer(worker, bind(wire, *BOTH, lifetime_seconds=1000)).failures == ()

    found = on_node(wire, *BOTH)
    assert all(one.valid_seconds and one.valid_seconds > 100 for one in found)


def test_a_renewal_does_not_bring_back(wire: Lan, worker: AddressWorker) -> None:
    """An address that somebody removed stays away from a renewal, which reports it as gone."""
    answer(worker, bind(wire, *BOTH))
    wire.node.ip("address", "delete", f"{V4}/32", "dev", "eth0")

    result = answer(worker, renew(wire, *BOTH))

    assert [(one.address, one.errno) for one in result.failures] == [(V4, errno.EADDRNOTAVAIL)]
    assert [one.address for one in on_node(wire, *BOTH)] == [V6]


def test_an_interface_that_vanished(wire: Lan, worker: AddressWorker) -> None:
    """Binding where the interface has vanished fails in words; releasing there is done."""
    wire.node.ip("link", "add", "gone", "type", "bridge")
    index = wire.node.link("gone").index
    wire.node.ip("link", "delete", "gone")
    request = BindRequest(token="web", ifindex=index, addresses=BOTH, lifetime_seconds=3)

    assert "the interface is gone" in answer(worker, request).reason
    leaving = ReleaseRequest(token="web", ifindex=index, addresses=BOTH)
    assert answer(worker, leaving).failures == ()


def test_ipv6_switched_off(wire: Lan, worker: AddressWorker) -> None:
    """Where IPv6 is off the IPv4 address is bound, and the IPv6 one fails with the reason."""
    wire.node.sysctl("ipv6/conf/eth0/disable_ipv6", "1")

    result = answer(worker, bind(wire, *BOTH))

    assert [failure.address for failure in result.failures] == [V6]
    assert str(V6) in result.reason
    assert [one.address for one in on_node(wire, *BOTH)] == [V4]


def test_too_late_to_bind(wire: Lan, worker: AddressWorker) -> None:
    """A request that is found after its time, as after a freeze, binds nothing."""
    request = BindRequest(
        token="web", ifindex=wire.index, addresses=BOTH, lifetime_seconds=3, not_after_ns=1
    )

    assert "too late" in answer(worker, request).reason
    assert on_node(wire, *BOTH) == []


def test_on_a_kernel_without_protocol_numbers(wire: Lan) -> None:
    """Told that the kernel keeps no IFA_PROTO, the worker knows its own by label and flags."""
    with wire.node.entered():
        worker = AddressWorker(keeps_protocol=False)
    wire.node.ip("address", "add", "192.0.2.101/32", "dev", "eth0")
    foreign = ip_address("192.0.2.101")

    assert answer(worker, bind(wire, *BOTH)).failures == ()
    assert [one.label for one in on_node(wire, V4)] == ["eth0:vip112"]
    assert [one.protocol for one in on_node(wire, *BOTH)] == [None, None]
    assert answer(worker, renew(wire, *BOTH)).failures == ()
    assert answer(worker, release(wire, *BOTH, foreign)).failures == ()
    assert [one.address for one in on_node(wire, *BOTH, foreign)] == [foreign]
    assert worker.close()


def test_255_of_each_family(wire: Lan, worker: AddressWorker) -> None:
    """A full router of each family is bound, renewed and released whole."""
    many = [ip_address("10.1.0.0") + n for n in range(255)]
    many += [ip_address("2001:db8:1::") + n for n in range(255)]
    for request in (
        bind(wire, *many, lifetime_seconds=60),
        renew(wire, *many),
        release(wire, *many),
    ):
        assert answer(worker, request).failures == ()
        expected = set() if isinstance(request, ReleaseRequest) else set(many)
        assert {one.address for one in on_node(wire, *many)} == expected


def test_close_finishes_what_was_submitted(wire: Lan) -> None:
    """A release that is submitted just before the end is carried out."""
    with wire.node.entered():
        worker = AddressWorker()
    answer(worker, bind(wire, *BOTH, lifetime_seconds=100))
    worker.submit(release(wire, *BOTH))

    assert worker.close()
    assert on_node(wire, *BOTH) == []


def test_submit_does_not_wait_for_the_kernel(wire: Lan, worker: AddressWorker) -> None:
    """A hundred submissions of 255 addresses return before the kernel has done them."""
    many = tuple(ip_address("2001:db8:1::") + n for n in range(255))
    for _ in range(100):
        worker.submit(bind(wire, *many, lifetime_seconds=60))
    results = list(iter(worker.next_result, None))

    assert len(results) < 100

    def all_done() -> bool:
        results.extend(iter(worker.next_result, None))
        return len(results) == 100

    until(all_done, seconds=30)


def test_dump(wire: Lan, worker: AddressWorker) -> None:
    """A dump answers with the number it was asked with, all links, and all addresses."""
    worker.submit(DumpRequest(overflows=7))
    dump = until(worker.next_result)

    assert isinstance(dump, DumpResult)
    assert dump.request.overflows == 7
    assert dump.error is None
    assert {link.name for link in dump.links} == {"lo", "eth0"}
    assert ip_address("192.0.2.11") in {one.address for one in dump.addresses}


def test_without_capability_the_reason_says_so(wire: Lan) -> None:
    """A worker that lost CAP_NET_ADMIN fails with a sentence that names it and the way out."""
    script = f"""
from ipaddress import ip_address
import select
from vip_speaker.linux.addresses import AddressWorker, BindRequest
worker = AddressWorker()
addresses = (ip_address("{V4}"),)
worker.submit(BindRequest(token="", ifindex={wire.index}, addresses=addresses, lifetime_seconds=3))
select.select([worker], [], [], 5)
print(worker.next_result().reason)
"""
    said = wire.node.run("setpriv", "--bounding-set=-net_admin", "--", sys.executable, "-c", script)

    assert "CAP_NET_ADMIN is needed to bind 192.0.2.100: run the speaker as root" in said


def test_a_dead_thread_is_not_silent(wire: Lan, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a bug kills the thread, the engine's next look for an answer raises."""
    with wire.node.entered():
        worker = AddressWorker()
    monkeypatch.setattr(NetlinkSocket, "dump_addresses", lambda *_: 1 // 0)
    worker.submit(bind(wire, V4))
    assert select.select([worker], [], [], 5)[0]

    with pytest.raises(RuntimeError, match="has died"):
        worker.next_result()
    assert worker.close()


def test_expiry_is_an_event(wire: Lan, worker: AddressWorker) -> None:
    """When the kernel removes an address at the end of its life, the monitor says so."""
    with wire.node.entered():
        monitor = Monitor()
    answer(worker, bind(wire, V4, lifetime_seconds=1))

    def vanished() -> list[Address]:
        return [
            event.before.address
            for event in monitor.read()
            if isinstance(event, AddressChanged) and event.before and not event.after
        ]

    assert until(vanished) == [V4]
    monitor.close()
