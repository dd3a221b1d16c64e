"""Which adverts the kernel lets through to the routers of a place."""

from __future__ import annotations

from ipaddress import ip_address

from vip_speaker.engine.admission import Admissions
from vip_speaker.vrrp.timers import SECOND_NS

N1, N2 = ip_address("192.0.2.11"), ip_address("192.0.2.12")


def test_sources_are_known_only_if_all_are() -> None:
    """One router that anybody may send to opens the place to everybody, until it ends."""
    admissions = Admissions()
    admissions.hold(51, frozenset({N1}))
    admissions.hold(52, frozenset({N2}))
    admitted = admissions.news(0)
    assert admitted is not None
    assert admitted.virtual_router_ids == {51, 52}
    assert admitted.sources == frozenset({N1, N2})
    admissions.hold(53, None)
    admitted = admissions.news(0)
    assert admitted is not None
    assert admitted.sources is None
    admissions.release(53, None)
    admitted = admissions.news(0)
    assert admitted is not None
    assert (admitted.virtual_router_ids, admitted.sources) == (
        frozenset({51, 52}),
        frozenset({N1, N2}),
    )
    assert admissions.news(0) is None


def test_who_sends_too_much_is_thinned_for_a_while() -> None:
    """More than 1000 within a second, of one VRID from one source; the others are not touched."""
    admissions = Admissions()
    admissions.hold(51, None)
    assert admissions.news(0) is not None
    for _ in range(1000):
        assert not admissions.hear(0, (51, N1))
        assert not admissions.hear(0, (51, N2))
    assert admissions.hear(0, (51, N1))
    assert not admissions.hear(0, (51, N1))
    admitted = admissions.news(0)
    assert admitted is not None
    assert admitted.thinned == {(51, N1)}
    admitted = admissions.news(10 * SECOND_NS)
    assert admitted is not None
    assert admitted.thinned == frozenset()


def test_many_at_an_ordinary_pace_are_not_thinned() -> None:
    """255 VRIDs at 10 ms from one source are 25,500 a second, and each is heard."""
    admissions = Admissions()
    for moment in range(100):
        for virtual_router_id in range(1, 256):
            assert not admissions.hear(moment * SECOND_NS // 100, (virtual_router_id, N1))
