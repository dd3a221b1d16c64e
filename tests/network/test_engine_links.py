"""The engine alone, while the interfaces below it change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from support.bare_engine import NAME, SHOWN, BareEngine, router
from support.network_manifests import VIP
from support.speakers import TAKEOVER_SECONDS
from vip_lab.capture import Capture
from vip_lab.host import Host
from vip_lab.lan import Lan
from vip_lab.wait import throughout, until
from vip_model.vocabulary import Family
from vip_speaker.linux.announce import gratuitous_arp
from vip_speaker.messages import DesiredInstance, DesiredRouter

SECOND_VIP = "198.51.100.100"
LIFETIME_SECONDS = 3.0
INTERVAL_MS = 1000


@pytest.fixture
def one(fresh_lan: Lan) -> Iterator[BareEngine]:
    """A running engine on n1."""
    with running(fresh_lan["n1"]) as engine:
        yield engine


@contextmanager
def running(host: Host) -> Iterator[BareEngine]:
    """Start an engine; it is gone after the test."""
    engine = BareEngine(host)
    engine.start_and_wait()
    try:
        yield engine
    finally:
        engine.end()


def test_an_election_over_two_interfaces_keeps_both_addresses(one: BareEngine) -> None:
    """Each interface's address is renewed, for longer than it lives without."""
    host = one.host
    host.ip("link", "add", "eth1", "type", "veth", "peer", "name", "wire")
    host.ip("address", "add", "198.51.100.11/24", "dev", "eth1")
    for name in ("wire", "eth1"):
        host.ip("link", "set", name, "up")
    instances = [
        DesiredInstance(family=Family.IPV4, virtual_router_id=51, addresses=[address])
        for address in (VIP, SECOND_VIP)
    ]
    one.desire(
        DesiredRouter(
            name=NAME,
            display_name=SHOWN,
            priority=254,
            advertisement_interval_milliseconds=INTERVAL_MS,
            instances=instances,
        )
    )

    def serves() -> bool:
        there = host.ip("-4", "-o", "address", "show")
        return f"{VIP}/32" in there and f"{SECOND_VIP}/32" in there

    until("both addresses", serves, TAKEOVER_SECONDS)
    throughout("both addresses to stay", serves, 2 * LIFETIME_SECONDS)
    assert "Binding" not in one.log()


def test_a_sweep_of_many_addresses_is_one(one: BareEngine) -> None:
    """A network manager that removes what it does not know takes eight at once, three times."""
    addresses = [f"192.0.2.{last}" for last in range(96, 104)]
    one.desire(router(*addresses))
    one.await_state("Active")

    def serves() -> bool:
        there = one.host.addresses()
        return all(address in there for address in addresses)

    until("the addresses", serves, 2)
    for _ in range(3):
        for address in addresses:
            one.host.ip("address", "delete", f"{address}/32", "dev", "eth0")
        until("all of them again", serves, 2)
        throughout("all of them to stay", serves, 1.1)
    assert "Gave up" not in one.log()
    assert (one.router(SHOWN) or {})["state"] == "Active"


def test_nobody_is_blamed_for_a_change_of_both_families(one: BareEngine) -> None:
    """The kernel tells of a new IPv6 address after it has answered: that is no removal."""

    def desire(last: int) -> None:
        instances = [
            DesiredInstance(family=family, virtual_router_id=51, addresses=listed)
            for family, listed in (
                (Family.IPV4, [VIP, f"192.0.2.{last}"]),
                (Family.IPV6, ["2001:db8::100", f"2001:db8::{last}"]),
            )
        ]
        one.desire(router(VIP, instances=instances))
        until("the new ones", lambda: one.host.holds(f"2001:db8::{last}"), 6)

    for last in range(101, 131):
        desire(last)
    throughout("it serves", lambda: one.host.holds("2001:db8::130"), 2.0)
    assert "removed" not in one.log()


def test_another_machine_that_has_the_address_is_named(fresh_lan: Lan, one: BareEngine) -> None:
    """It is asked before the first bind, which it does not delay, and again until it is silent."""
    other = fresh_lan["n3"]
    other.ip("address", "add", f"{VIP}/24", "dev", "eth0")
    one.desire(router(VIP, advertisement_interval_milliseconds=INTERVAL_MS))
    one.await_state("Active", 3.6)

    def conflict() -> str:
        return str((one.router(SHOWN) or {})["conflict"])

    until("the conflict", lambda: conflict() == f"{VIP} is also used by {other.mac}", 2.0)
    assert other.mac in one.log()
    other.ip("address", "delete", f"{VIP}/24", "dev", "eth0")
    until("its end", lambda: not conflict(), 12.0)


def test_the_other_holder_is_no_conflict(fresh_lan: Lan, one: BareEngine) -> None:
    """Another host of ours that is Active answers rightly."""
    with running(fresh_lan["n2"]) as two:
        two.desire(router(VIP, advertisement_interval_milliseconds=INTERVAL_MS))
        two.await_state("Active")
        one.desire(router(VIP, advertisement_interval_milliseconds=INTERVAL_MS, priority=100))
        one.await_state("Backup")
        until("an advert", lambda: (one.router(SHOWN) or {})["activeSource"], 2.0)
        two.kill()
        one.await_state("Active", TAKEOVER_SECONDS)
        throughout("no conflict", lambda: not (one.router(SHOWN) or {})["conflict"], 1.0)


def test_clients_are_told_of_another_hardware_address(one: BareEngine, pcap: Path) -> None:
    """Bonds and bridges change theirs when a link fails: the new one is announced at once."""
    new = "02:aa:aa:aa:aa:aa"
    one.desire(router(VIP))
    one.await_state("Active")
    until("the address", lambda: one.host.holds(VIP), 2)
    frames = set(gratuitous_arp(bytes.fromhex(new.replace(":", "")), IPv4Address(VIP)))
    with Capture(one.host, pcap, "arp") as capture:
        one.host.ip("link", "set", "eth0", "address", new)
        until(
            "the announcements",
            lambda: frames <= {frame.data for frame in capture.frames()},
            2,
        )
    assert one.router(SHOWN)["state"] == "Active"  # type: ignore[index]


def test_a_node_whose_address_the_plan_does_not_know_is_not_a_second_holder(
    fresh_lan: Lan, one: BareEngine
) -> None:
    """Its adverts would be dropped: it waits, says so, and stands by once the plan knows it."""
    host, other = fresh_lan["n1"], fresh_lan["n2"]
    with running(other) as two:
        engines = ((one, 254), (two, 251))

        def plan(source: str) -> None:
            for engine, priority in engines:
                fields = {"priority": priority, "sources": [source, other.ipv4]}
                engine.desire(
                    router(VIP, advertisement_interval_milliseconds=INTERVAL_MS, **fields)
                )

        plan(host.ipv4)
        one.await_state("Active")
        host.ip("address", "delete", f"{host.ipv4}/24", "dev", "eth0")
        host.ip("address", "add", "192.0.2.21/24", "dev", "eth0")
        until(
            "the new address to be named",
            lambda: (
                (found := one.router(SHOWN)) is not None
                and (found["state"], found["reason"]) == ("Initialize", "SourceChanged")
                and "192.0.2.21" in found["message"]
            ),
            6,
            show=lambda: one.router(SHOWN),
        )
        two.await_state("Active", TAKEOVER_SECONDS)
        throughout("one holder", lambda: fresh_lan.holders(VIP) in ([], ["n2"]), 4.0)
        plan("192.0.2.21")
        one.await_state("Backup")
        throughout("one holder", lambda: fresh_lan.holders(VIP) == ["n2"], 4.0)


def test_an_interface_that_leaves_and_returns_is_heard_again(
    fresh_lan: Lan, one: BareEngine, cleanup: ExitStack
) -> None:
    """It comes back with its index and its address, and the node hears who is Active."""
    host, spare = fresh_lan["n1"], fresh_lan["n3"]
    two = cleanup.enter_context(running(fresh_lan["n2"]))
    two.desire(router(VIP, advertisement_interval_milliseconds=INTERVAL_MS))
    two.await_state("Active", TAKEOVER_SECONDS)
    one.desire(router(VIP, priority=200, advertisement_interval_milliseconds=INTERVAL_MS))
    until("n1 to hear n2", lambda: one.await_state("Backup")["activeSource"], TAKEOVER_SECONDS)
    index = host.ip("-o", "link", "show", "eth0").partition(":")[0]
    spare.ip("link", "delete", "eth0")
    host.ip("link", "set", "eth0", "netns", spare.namespace)
    one.await_state("Initialize")
    spare.ip("link", "set", "eth0", "netns", host.namespace)
    host.ip("link", "set", "eth0", "up")
    host.ip("address", "add", f"{host.ipv4}/24", "dev", "eth0")
    assert host.ip("-o", "link", "show", "eth0").partition(":")[0] == index
    one.await_state("Backup")
    heard = (one.router(SHOWN) or {})["counters"]["advertisementsReceived"]
    throughout("one holder", lambda: fresh_lan.holders(VIP) == ["n2"], 5.0)
    assert (one.router(SHOWN) or {})["counters"]["advertisementsReceived"] >= heard + 3
