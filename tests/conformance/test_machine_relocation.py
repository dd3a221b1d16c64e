"""Another interface, hardware address or source below an election that goes on."""

from __future__ import annotations

from dataclasses import replace

from support.vrrp_scene import (
    ACTIVE,
    ANNOUNCE,
    BACKUP,
    BIND,
    HIGHER,
    INITIALIZE,
    OTHER,
    Link,
    active,
    backup_of,
    changed,
    on_every_link,
    send,
    yielding,
)


@on_every_link
def test_another_hardware_address_below_an_active(link: Link) -> None:
    """It binds, and tells the clients once the kernel has the addresses there; it stays Active."""
    scene = active(link)
    assert scene.election.relocate(scene.now) == [BIND]
    assert scene.wait(5).bound() == [ANNOUNCE]
    assert scene.state is ACTIVE
    assert scene.remaining_ns == 595_000_000


@on_every_link
def test_another_hardware_address_below_a_successor_that_binds(link: Link) -> None:
    """In a handover it still announces before it sends, once the last bind is answered."""
    scene = backup_of(link)
    scene.hear(0)
    scene.wait_for_deadline()
    assert scene.tick() == [BIND]
    assert scene.election.relocate(scene.now) == [BIND]
    assert scene.bound() == [changed(BACKUP, ACTIVE, "ActiveResigned"), ANNOUNCE, send(200)]


@on_every_link
def test_another_hardware_address_below_others(link: Link) -> None:
    """Who is not Active tells nobody; one that yields stops serving with the next advert."""
    for scene in (backup_of(link), yielding(link)):
        assert scene.election.relocate(scene.now) == []
        assert scene.state is BACKUP


@on_every_link
def test_addresses_that_cannot_follow_are_given_up(link: Link) -> None:
    """A bind that is not answered within two seconds fails, as any other."""
    scene = active(link, advertisement_interval_ns=5_000_000_000)
    scene.election.relocate(scene.now)
    assert scene.run_until(2000)[0] == send(0)
    assert scene.state is INITIALIZE
    assert scene.election.reason == "BindTimedOut"


@on_every_link
def test_a_link_that_returns_with_another_source(link: Link) -> None:
    """The others may not obey that source yet: it listens instead of being Active at once."""
    scene = active(link)
    scene.election.fault(scene.now, "AddressLost")
    instances = scene.election.config.instances
    moved = tuple(
        replace(one, source=link.address(number, OTHER)) for number, one in enumerate(instances)
    )
    assert scene.wait(100).reconfigure(instances=moved) == []
    assert scene.election.recover(scene.now) == [changed(INITIALIZE, BACKUP, "Recovered")]
    assert scene.hear(220, HIGHER) == []


@on_every_link
def test_a_link_that_returns_with_its_source(link: Link) -> None:
    """Another priority in between closes no window."""
    scene = active(link)
    scene.election.fault(scene.now, "AddressLost")
    assert scene.wait(100).reconfigure(priority=210) == []
    returned = scene.election.recover(scene.now)
    assert returned == [changed(INITIALIZE, ACTIVE, "LinkReturned"), send(210), BIND]
