"""A router finds its place on a node, or says in words why there is none."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from support.engine_node import NODE, address, link, router, view
from vip_model.vocabulary import Family
from vip_speaker.engine.compile import (
    Placed,
    UnplannedSourceError,
    check_sources,
    election_config,
)
from vip_speaker.engine.placement import place as placement_of
from vip_speaker.engine.placement import place_in_force
from vip_speaker.linux.ownership import PROTOCOL
from vip_speaker.linux.rtnetlink import Link
from vip_speaker.linux.view import NetworkView
from vip_speaker.messages import DesiredInstance, DesiredRouter
from vip_speaker.vrrp.timers import address_lifetime_seconds


def place(wanted: DesiredRouter, seen: NetworkView) -> tuple[Placed, ...]:
    """Return the instances of a router, all of which have a place."""
    placement = placement_of(wanted, seen)
    assert not placement.missing
    return tuple(placement.placed.values())


def refusal(wanted: DesiredRouter, seen: NetworkView) -> str:
    """Return why a router has no place."""
    placement = placement_of(wanted, seen)
    assert not placement.placed
    return placement.why


def test_ipv4_is_placed_by_its_subnet() -> None:
    """Without a word about interfaces the subnet of the address decides."""
    (placed,) = place(router("192.0.2.100"), view())
    assert (placed.interface, placed.source) == ("eth0", ip_address("192.0.2.11"))
    assert placed.key == (2, 4, 51)
    assert placed.addresses == (ip_address("192.0.2.100"),)


def test_ipv6_gets_a_link_local_address_first() -> None:
    """RFC 9568 §5.2.9 wants the virtual router's link-local address first."""
    (placed,) = place(router("2001:db8::100"), view())
    assert placed.source == ip_address("fe80::11")
    assert placed.addresses == (ip_address("fe80::112:33"), ip_address("2001:db8::100"))
    assert placed.wanted == ("2001:db8::100",)


def test_no_link_local_address_is_made_for_external_peers() -> None:
    """A keepalived peer rejects an address list that differs from its own."""
    (placed,) = place(router("2001:db8::100", generate_link_local=False), view())
    assert placed.addresses == (ip_address("2001:db8::100"),)


def test_a_link_local_address_of_the_user_comes_first() -> None:
    """One that is given is used, in the place where the RFC wants it."""
    (placed,) = place(router("2001:db8::100", "fe80::100"), view())
    assert placed.addresses == (ip_address("fe80::100"), ip_address("2001:db8::100"))


def test_dual_stack_has_two_instances() -> None:
    """Both families of one election are placed, in their order."""
    placed = place(router("192.0.2.100", "2001:db8::100"), view())
    assert [one.key for one in placed] == [(2, 4, 51), (2, 6, 51)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("192.0.2.0", "network address"),
        ("192.0.2.255", "broadcast address"),
        ("192.0.2.11", "the node's own address"),
        ("198.51.100.7", "No interface of this node is in the subnet"),
    ],
)
def test_addresses_that_fit_no_node(text: str, words: str) -> None:
    """The reason names the address and what is wrong with it."""
    reason = refusal(router(text), view())
    assert words in reason
    assert text in reason


def test_missing_interface_is_named() -> None:
    """A router that waits for an interface says for which."""
    instances = [
        DesiredInstance(
            family=Family.IPV4,
            virtual_router_id=51,
            interfaces=["bond0"],
            addresses=["192.0.2.100"],
        )
    ]
    assert "bond0" in refusal(router("192.0.2.100", instances=instances), view())


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (link(2, "eth0", carrier=False), "eth0 has no carrier"),
        (link(2, "eth0", up=False, carrier=False), "eth0 is down"),
    ],
)
def test_a_dead_link_is_named(seen: Link, words: str) -> None:
    """Carrier and administrative state are told apart."""
    assert words in refusal(router("192.0.2.100"), view(seen))


def test_missing_source_address_is_named() -> None:
    """An interface without a link-local address cannot send IPv6 adverts."""
    seen = view(addresses=(address(2, "2001:db8::11/64"),))
    assert "link-local" in refusal(router("2001:db8::100"), seen)


def test_a_source_that_nobody_expects_is_named() -> None:
    """Adverts that every peer would drop are not sent: the sentence says whose are expected."""
    wish = router("192.0.2.100", sources=["192.0.2.12", "192.0.2.9"])
    with pytest.raises(UnplannedSourceError) as refused:
        check_sources(place(wish, view()))
    for words in ("192.0.2.11", "eth0", "192.0.2.9, 192.0.2.12", "plan"):
        assert words in str(refused.value)


@pytest.mark.parametrize("sources", [None, ["192.0.2.12", "192.0.2.11"]])
def test_a_source_that_is_expected_is_not_refused(sources: list[str] | None) -> None:
    """The node's own source is among the planned ones, or anyone on the link may speak."""
    check_sources(place(router("192.0.2.100", sources=sources), view()))


def test_an_address_of_ours_from_an_earlier_life_is_no_obstacle() -> None:
    """What carries our tag is neither the node's own address nor a source of adverts."""
    left = address(2, "192.0.2.100/32", protocol=PROTOCOL)
    (placed,) = place(router("192.0.2.100"), view(addresses=(left, *NODE)))
    assert placed.source == ip_address("192.0.2.11")


def test_hashed_slots_get_a_delay_below_one_step() -> None:
    """Two neighbours that drew one slot differ, and never by a whole step."""
    wanted = router("192.0.2.100", slot_is_hashed=True)
    delays = set()
    for last in range(11, 15):
        own = (address(2, f"192.0.2.{last}/24"),)
        config = election_config(wanted, dict(enumerate(place(wanted, view(addresses=own)))))
        delays.add(config.tie_delay_ns)
    step_ns = 3 * 1_000_000_000 // 256
    assert len(delays) == 4
    assert max(delays) < step_ns


@pytest.mark.parametrize(
    ("milliseconds", "seconds"),
    [(10, 3), (100, 3), (1000, 3), (1010, 4), (1500, 5), (1900, 6), (40950, 123)],
)
def test_lifetime_covers_the_down_interval(milliseconds: int, seconds: int) -> None:
    """The kernel keeps an address for three intervals at least, and 3 s at least."""
    assert address_lifetime_seconds(milliseconds * 1_000_000) == seconds


def test_what_does_not_fit_into_one_advert_is_refused() -> None:
    """An advert is never fragmented: too many addresses are a reason, not a mute Active."""
    texts = [f"2001:db8::1:{number}" for number in range(90)]
    (placed,) = place(router(*texts[:89]), view())
    assert len(placed.addresses) == 90  # with the link-local one
    reason = refusal(router(*texts), view())
    assert "91 IPv6 addresses do not fit into one advert on eth0 (MTU 1500: 90)" in reason


def test_an_owner_has_the_address_itself() -> None:
    """Priority 255 is for the host whose own address it is, and it is not bound there."""
    (placed,) = place(router("192.0.2.11", priority=255), view())
    assert placed.addresses == placed.owned == (ip_address("192.0.2.11"),)
    assert placed.lent == ()


def test_an_owner_still_needs_its_link_local_address() -> None:
    """What the RFC wants beside the owned address is bound like anything else."""
    (placed,) = place(router("2001:db8::11", priority=255), view())
    assert placed.lent == (ip_address("fe80::112:33"),)


def test_the_highest_priority_makes_no_owner() -> None:
    """Elsewhere 255 is refused, and what an edit would take away stays in force."""
    words = "Priority 255 is for the host that has 192.0.2.100 as its own address"
    assert words in refusal(router("192.0.2.100", priority=255), view())
    before = placement_of(router("192.0.2.100"), view())
    after = place_in_force(
        router("192.0.2.100", priority=255), view(), replace(before, proven=True)
    )
    assert words in after.refused
    assert after.router.priority == 254
    assert after.placed


def test_an_address_that_a_speaker_bound_is_nobodys_own() -> None:
    """A Backup that holds the address for an owner does not become one."""
    held = (*NODE, address(2, "192.0.2.100/32", protocol=PROTOCOL))
    assert "which this one has not" in refusal(
        router("192.0.2.100", priority=255), view(addresses=held)
    )
