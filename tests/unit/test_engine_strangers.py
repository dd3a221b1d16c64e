"""Who counts as a stranger on the link, for how long, and how many of them."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from vip_model.vocabulary import Family
from vip_speaker.engine.chores import run_to_end
from vip_speaker.engine.strangers import Limits, Ours, Stranger, Strangers, ours
from vip_speaker.messages import Desired, DesiredInstance, DesiredRouter, KnownRouter

SECOND = 1_000_000_000
ETH0, ETH1 = 2, 3
SOURCE = ip_address("192.0.2.77")
KEEPALIVED = Stranger(ETH0, 77, SOURCE)
# Short, and without a gap between reviews: each test moves its own clock.
LIMITS = Limits(settling_ns=2 * SECOND, silence_ns=10 * SECOND, gap_ns=0)


def strangers(known: Ours | None, limits: Limits = LIMITS) -> Strangers:
    """Return a memory that was told at 0 s who is ours."""
    made = Strangers(limits)
    made.know(0, known)
    return made


def heard(memory: Strangers, who: Stranger, *seconds: float, interval: float = 1) -> None:
    """Let it hear adverts at these times, and review whenever that is due."""
    for at in seconds:
        now = int(at * SECOND)
        memory.hear(now, who, int(interval * SECOND))
        pass_time(memory, at)


def listed(memory: Strangers) -> list[Stranger]:
    """Return those who count."""
    return list(memory.present)


def pass_time(memory: Strangers, seconds: float) -> None:
    """Review as the engine's loop does: when it is due."""
    now = int(seconds * SECOND)
    if memory.due_ns is not None and now >= memory.due_ns:
        memory.review(now)


def test_one_who_goes_on_is_a_stranger() -> None:
    """It is listed with the first advert that comes 2 s after the first one, not before."""
    memory = strangers({})
    heard(memory, KEEPALIVED, 1, 2)
    assert listed(memory) == []
    heard(memory, KEEPALIVED, 3)
    assert listed(memory) == [KEEPALIVED]


def test_a_single_advert_is_none() -> None:
    """The last advert of a router of ours that just ended accuses nobody."""
    memory = strangers({})
    heard(memory, KEEPALIVED, 1)
    pass_time(memory, 60)
    assert listed(memory) == []
    assert memory.due_ns is None


def test_a_silent_one_is_forgotten() -> None:
    """After the silence it is gone, and the loop is woken for that."""
    memory = strangers({})
    heard(memory, KEEPALIVED, 1, 2, 3)
    assert memory.due_ns is not None
    pass_time(memory, 12.9)
    assert listed(memory) == [KEEPALIVED]
    pass_time(memory, 13)
    assert listed(memory) == []


def test_one_who_speaks_on_stays() -> None:
    """Adverts move the end on, whenever it is looked at."""
    memory = strangers({})
    heard(memory, KEEPALIVED, *range(1, 100))
    assert listed(memory) == [KEEPALIVED]


def test_a_slow_one_is_not_silent() -> None:
    """Four of its own intervals must pass: at 40.95 s, 164 s, though others are gone after 10 s."""
    memory = strangers({})
    heard(memory, KEEPALIVED, 0, 40.95, interval=40.95)
    assert listed(memory) == [KEEPALIVED]
    pass_time(memory, 40.95 + 163)
    assert listed(memory) == [KEEPALIVED]
    pass_time(memory, 40.95 + 164)
    assert listed(memory) == []


def test_who_is_ours_is_none() -> None:
    """VRID, family and source together say so; a known VRID from elsewhere is a stranger's."""
    memory = strangers({(4, 77): frozenset({SOURCE})})
    assert memory.is_ours(KEEPALIVED)
    assert not memory.is_ours(Stranger(ETH0, 77, ip_address("192.0.2.78")))
    assert not memory.is_ours(Stranger(ETH0, 77, ip_address("fe80::77")))
    assert not memory.is_ours(Stranger(ETH0, 78, SOURCE))


def test_anyone_may_be_ours() -> None:
    """In static mode without Node documents nobody who uses a VRID of ours is a stranger."""
    memory = strangers({(4, 77): None})
    assert memory.is_ours(KEEPALIVED)
    assert not memory.is_ours(Stranger(ETH0, 78, SOURCE))


def test_version_2_is_never_ours() -> None:
    """We do not speak it, so a router that does with a VRID of ours disturbs it."""
    memory = strangers({(4, 77): None})
    assert not memory.is_ours(KEEPALIVED._replace(protocol=2))


def test_who_turns_out_to_be_ours_is_forgotten() -> None:
    """A router that this node hears of late is off the list at once."""
    memory = strangers({})
    other = Stranger(ETH0, 78, SOURCE)
    for who in (KEEPALIVED, other):
        heard(memory, who, 1, 2, 3)
    assert listed(memory) == [KEEPALIVED, other]
    memory.know(4 * SECOND, {(4, 77): frozenset({SOURCE})})
    assert listed(memory) == [other]


def test_nobody_is_accused_before_it_is_known_who_is_ours() -> None:
    """Until the agent speaks the list is empty; then those who were heard meanwhile are on it."""
    memory = strangers(None)
    heard(memory, KEEPALIVED, 1, 2, 3)
    assert listed(memory) == []
    memory.know(4 * SECOND, {})
    assert listed(memory) == [KEEPALIVED]


def test_an_interface_that_is_gone() -> None:
    """Who was heard there is forgotten with it."""
    memory = strangers({})
    elsewhere = KEEPALIVED._replace(ifindex=ETH1)
    for who in (KEEPALIVED, elsewhere):
        heard(memory, who, 1, 2, 3)
    memory.keep_interfaces(4 * SECOND, {ETH1})
    assert listed(memory) == [elsewhere]


def test_the_list_changes_once_a_second_at_most() -> None:
    """Whatever comes, subscribers are not told more often."""
    memory = strangers({}, Limits(settling_ns=0, gap_ns=SECOND))
    changes = 0
    for millisecond in range(10_000):
        before = memory.present
        who = Stranger(ETH0, 1 + millisecond // 100, SOURCE)
        heard(memory, who, millisecond / 1000)
        changes += memory.present != before
    assert 9 <= changes <= 11


@pytest.mark.parametrize(("interfaces", "kept"), [(1, 6), (10, 25)])
def test_it_is_bounded(interfaces: int, kept: int) -> None:
    """So many of an interface and so many in all are remembered, whatever is sent."""
    memory = strangers({}, Limits(settling_ns=SECOND, gap_ns=0, per_interface=6, in_all=25))
    for second in range(3):
        for ifindex in range(interfaces):
            for virtual_router_id in range(1, 7):
                heard(memory, Stranger(ifindex, virtual_router_id, SOURCE), second)
    assert len(memory.present) == kept
    for number in range(100):
        heard(memory, Stranger(number % interfaces, 8, ip_address("198.18.0.0") + number), 3, 4)
    assert len(memory.present) == kept


def test_a_flood_does_not_wash_out_who_stays() -> None:
    """A thousand made-up senders a second are not remembered instead of the one that is there."""
    memory = strangers({})
    heard(memory, KEEPALIVED, 1, 2, 3)
    for number in range(5_000):
        flood = Stranger(ETH0, 1 + number % 255, ip_address("198.18.0.0") + number)
        heard(memory, flood, 3 + number / 1000)
    assert listed(memory) == [KEEPALIVED]


def test_who_came_first_stays() -> None:
    """Where there are more than fit the list is at rest, and others follow when one is silent."""
    memory = strangers({}, Limits(settling_ns=SECOND, silence_ns=10 * SECOND, per_interface=2))
    first, second, third = (Stranger(ETH0, number, SOURCE) for number in (1, 2, 3))
    for at in range(5):
        for who in (first, second, third):
            heard(memory, who, at)
    assert listed(memory) == [first, second]
    for at in range(5, 20):
        for who in (second, third):
            heard(memory, who, at)
    assert listed(memory) == [second, third]


def test_one_that_was_a_single_advert_makes_room() -> None:
    """Who was heard once and not again for some seconds does not keep others out."""
    memory = strangers({}, Limits(chance_ns=5 * SECOND, gap_ns=0, per_interface=1))
    heard(memory, Stranger(ETH0, 1, SOURCE), 0)
    heard(memory, KEEPALIVED, 1, 2, 3, 4, 4.9)
    assert listed(memory) == []
    heard(memory, KEEPALIVED, 5, 6, 7)
    assert listed(memory) == [KEEPALIVED]


def instance(virtual_router_id: int, sources: list[str] | None) -> DesiredInstance:
    """Return an IPv4 instance."""
    return DesiredInstance(
        family=Family.IPV4,
        virtual_router_id=virtual_router_id,
        addresses=["192.0.2.100"],
        sources=sources,
    )


def running(*instances: DesiredInstance) -> DesiredRouter:
    """Return a router that this engine runs."""
    return DesiredRouter(
        name="vip.shop.web", display_name="shop/web", priority=254, instances=list(instances)
    )


def known(virtual_router_id: int, *sources: str) -> KnownRouter:
    """Return a router of ours that some node runs, on IPv6."""
    return KnownRouter(
        family=Family.IPV6, virtual_router_id=virtual_router_id, sources=list(sources)
    )


def test_ours_are_all_that_are_known_and_all_that_run() -> None:
    """One VRID may be used in two networks; what is kept though not desired counts too."""
    desired = Desired(node="n1", known=[known(7, "fe80::1"), known(7, "fe80::2"), known(8)])
    found = run_to_end(ours(desired, [running(instance(7, ["192.0.2.1"]), instance(9, None))]))
    assert found == {
        (6, 7): frozenset({ip_address("fe80::1"), ip_address("fe80::2")}),
        (6, 8): frozenset(),
        (4, 7): frozenset({ip_address("192.0.2.1")}),
        (4, 9): None,
    }


def test_an_agent_that_does_not_say() -> None:
    """An agent of an older version leaves it open who is ours."""
    assert run_to_end(ours(Desired(node="n1"), [running(instance(7, None))])) is None
