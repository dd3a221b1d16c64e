"""Which instances of a router have a place, and what stays in force when an edit has none."""

from __future__ import annotations

import msgspec

from support.engine_node import NODE, address, link, router, view
from vip_speaker.engine.placement import Placement, place, place_in_force
from vip_speaker.linux.view import NetworkView
from vip_speaker.messages import DesiredRouter

VIP, VIP6, OTHER, NOWHERE = "192.0.2.100", "2001:db8::100", "192.0.2.101", "203.0.113.5"
WITHOUT_IPV6 = view(addresses=NODE[:1])
DEAD = view(link(2, "eth0", carrier=False))


def after(*edits: DesiredRouter, seen: NetworkView | None = None) -> Placement:
    """Return what is in force after one edit and another."""
    placement: Placement | None = None
    for edit in edits:
        placement = place_in_force(edit, seen or view(), placement)
    assert placement is not None
    return placement


def served(placement: Placement) -> list[str]:
    """Return the addresses that have a place."""
    return [one for each in placement.placed.values() for one in each.wanted]


def test_each_instance_has_its_own_place() -> None:
    """A family that is out leaves the other its place, and is named with the reason."""
    found = place(router(VIP, VIP6), WITHOUT_IPV6)
    assert list(found.placed) == [0]
    assert list(found.missing) == [1]
    assert found.why.startswith("IPv6: ")
    assert VIP6 in found.why


def test_one_reason_for_all_is_said_once() -> None:
    """A link that is down takes both families out, which needs no two sentences."""
    found = place(router(VIP, VIP6), DEAD)
    assert not found.placed
    assert found.why == "eth0 has no carrier"


def test_an_edit_that_can_be_placed_is_in_force() -> None:
    """It replaces what was before, whatever that was."""
    found = after(router(VIP), router(OTHER, VIP6, priority=100))
    assert served(found) == [OTHER, VIP6]
    assert found.router.priority == 100
    assert not found.refused


def test_an_address_of_no_subnet_beside_one_that_serves() -> None:
    """What serves goes on with everything else that was edited; the reason names the address."""
    found = after(router(VIP), router(VIP, NOWHERE, priority=100))
    assert served(found) == [VIP]
    assert found.router.priority == 100
    assert NOWHERE in found.refused


def test_an_edit_that_would_serve_nothing() -> None:
    """A mistyped address does not take down what was there."""
    found = after(router(VIP), router(NOWHERE))
    assert served(found) == [VIP]
    assert NOWHERE in found.refused


def test_an_edit_that_loses_nothing_is_in_force_where_it_can_be() -> None:
    """A second family that this node does not have leaves the first one as it is."""
    found = after(router(VIP), router(VIP, VIP6), seen=WITHOUT_IPV6)
    assert served(found) == [VIP]
    assert list(found.missing) == [1]
    assert not found.refused


def test_what_never_had_a_place_gives_way() -> None:
    """A first configuration that fits nowhere is not defended against the next."""
    found = after(router(NOWHERE), router("203.0.113.6"))
    assert found.router == router("203.0.113.6")
    assert not found.refused


def test_a_link_that_falls_meanwhile_forgets_nothing() -> None:
    """An edit that cannot be placed is not in force either when the link is back."""
    wrong = router(VIP, NOWHERE)
    before = place_in_force(wrong, view(), after(router(VIP)))
    down = place_in_force(wrong, DEAD, before)
    assert not down.placed
    assert "eth0 has no carrier" in down.why
    assert served(place_in_force(wrong, view(), down)) == [VIP]


def test_a_subnet_that_comes_puts_the_edit_into_force() -> None:
    """As soon as all of it can be placed, all of it runs."""
    wrong = router(VIP, NOWHERE)
    more = view(addresses=(*NODE, address(2, "203.0.113.11/24")))
    found = place_in_force(wrong, more, after(router(VIP), wrong))
    assert served(found) == [VIP, NOWHERE]
    assert not found.refused


def test_the_way_back() -> None:
    """An edit that is taken back leaves no trace."""
    assert after(router(VIP), router(VIP, NOWHERE), router(VIP)) == after(router(VIP))


def test_whose_adverts_count_is_news_all_the_same() -> None:
    """A new node's source is obeyed although the addresses stay as they were."""
    before, wrong = router(VIP, sources=["192.0.2.11"]), router(VIP, NOWHERE)
    wrong = msgspec.structs.replace(
        wrong, instances=[msgspec.structs.replace(wrong.instances[0], sources=["192.0.2.12"])]
    )
    found = after(before, wrong)
    assert served(found) == [VIP]
    assert {str(one) for one in found.placed[0].sources or ()} == {"192.0.2.12"}


def _two_instances(first: str, second: str) -> DesiredRouter:
    instances = [*router(first).instances, *router(second).instances]
    return msgspec.structs.replace(router(first), instances=instances)


def test_one_vrid_on_two_links() -> None:
    """A VRID is of one link: two instances may have the same on two."""
    two = view(link(2, "eth0"), link(3, "eth1"), addresses=(*NODE, address(3, "198.51.100.11/24")))
    found = place(_two_instances(VIP, "198.51.100.100"), two)
    assert [one.index for one in found.placed.values()] == [2, 3]


def test_one_vrid_twice_on_one_link() -> None:
    """Two instances would be one virtual router there: the second waits, with the reason."""
    found = place(_two_instances(VIP, OTHER), view())
    assert list(found.placed) == [0]
    assert "VRID 51 is already used on eth0" in found.why
