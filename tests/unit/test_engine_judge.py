"""What an engine lets through of what it is sent: nothing that could raise later."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.engine_node import router, view
from vip_model.vocabulary import Checksum, FailureAction, Family, PreemptionMode
from vip_speaker.engine.chores import run_to_end
from vip_speaker.engine.compile import election_config
from vip_speaker.engine.judge import (
    ADVERTS_PER_SECOND_MAX,
    INSTANCES_MAX,
    WATCHED_MAX,
    adverts_per_second,
    judge_desired,
)
from vip_speaker.engine.placement import place
from vip_speaker.engine.strangers import ours
from vip_speaker.engine.watching import watched
from vip_speaker.messages import (
    Desired,
    DesiredGate,
    DesiredInstance,
    DesiredRouter,
    KnownRouter,
    WatchedNode,
    WatchedSource,
    decode_to_engine,
    encode,
)

SOURCE = WatchedSource(address="192.0.2.12", near="192.0.2.100")
GOOD = router("192.0.2.100", name="vip.default.good", display_name="default/good")


def _with(**fields: Any) -> DesiredRouter:
    return router("192.0.2.101", name="vip.default.bad", display_name="default/bad", **fields)


def _instance(**fields: Any) -> DesiredInstance:
    values = {"family": Family.IPV4, "virtual_router_id": 52, "addresses": ["192.0.2.101"]}
    return DesiredInstance(**{**values, **fields})


NONSENSE = {
    "address": _with(instances=[_instance(addresses=["192.0.2.300"])]),
    "no-addresses": _with(instances=[_instance(addresses=[])]),
    "thousands-of-addresses": _with(instances=[_instance(addresses=["192.0.2.1"] * 5000)]),
    "address-twice": _with(instances=[_instance(addresses=["192.0.2.1", "192.0.2.1"])]),
    "other-family": _with(instances=[_instance(addresses=["2001:db8::1"])]),
    "zone": _with(instances=[_instance(family=Family.IPV6, addresses=["fe80::1%eth0"])]),
    "multicast": _with(instances=[_instance(addresses=["224.0.0.18"])]),
    "loopback": _with(instances=[_instance(addresses=["127.0.0.1"])]),
    "source": _with(instances=[_instance(sources=["n2"])]),
    "no-instances": _with(instances=[]),
    "vrid-0": _with(instances=[_instance(virtual_router_id=0)]),
    "vrid-256": _with(instances=[_instance(virtual_router_id=256)]),
    "endless-pattern": _with(instances=[_instance(interfaces=["*a" * 5000])]),
    "interval-15": _with(advertisement_interval_milliseconds=15),
    "interval-0": _with(advertisement_interval_milliseconds=0),
    "interval-negative": _with(advertisement_interval_milliseconds=-10),
    "interval-of-a-minute": _with(advertisement_interval_milliseconds=60_000),
    "priority-0": _with(priority=0),
    "priority-300": _with(priority=300),
    "slot": _with(slot=-1),
    "candidates": _with(candidates=0),
    "delay": _with(preemption_delay_seconds=1 << 62),
    "gate": _with(gates=[DesiredGate(name="g", cost=-(1 << 62))]),
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_a_router_that_cannot_run_is_left_out_with_a_reason(kind: str) -> None:
    """The others run, and what is handed on holds nothing of it."""
    desired = Desired(node="n1", routers=[NONSENSE[kind], GOOD], complete=True)
    judgement = judge_desired(desired, {})
    assert judgement.desired.routers == [GOOD]
    assert [one.router.name for one in judgement.refused.values()] == ["vip.default.bad"]
    assert judgement.refused["vip.default.bad"].why


@pytest.mark.parametrize("kind", NONSENSE)
def test_a_router_that_runs_goes_on_as_it_was(kind: str) -> None:
    """A bad edit does not end what serves, not even where the list is complete."""
    before = _with()
    desired = Desired(node="n1", routers=[GOOD, NONSENSE[kind]], complete=True)
    judgement = judge_desired(desired, {before.name: before})
    assert judgement.desired.routers == [GOOD, before]
    assert set(judgement.refused) == {before.name}


def test_what_is_sound_is_handed_on_unchanged() -> None:
    """Both families, sources, patterns, gates and every other field."""
    desired = Desired(
        node="n1",
        revision=7,
        routers=[
            GOOD,
            router("192.0.2.5", "2001:db8::5", "fe80::5", name="vip.a.b", display_name="a/b"),
        ],
        retired=["vip.a.c"],
        known=[KnownRouter(family=Family.IPV4, virtual_router_id=9, sources=["192.0.2.12"])],
        watch=[WatchedNode(node="n2", sources=[SOURCE])],
    )
    judgement = judge_desired(desired, {})
    assert (judgement.desired, judgement.refused) == (desired, {})


def test_two_routers_of_one_name_are_one() -> None:
    """The first counts; the second is refused, whatever it holds."""
    second = msgspec.structs.replace(GOOD, priority=1)
    judgement = judge_desired(Desired(node="n1", routers=[GOOD, second]), {})
    assert judgement.desired.routers == [GOOD]
    assert set(judgement.refused) == {GOOD.name}


def test_virtual_routers_elsewhere_that_cannot_exist_are_left_out() -> None:
    """What is known of other nodes cannot harm either."""
    good = KnownRouter(family=Family.IPV6, virtual_router_id=9, sources=["fe80::1"])
    bad = KnownRouter(family=Family.IPV4, virtual_router_id=9, sources=["n2"])
    judgement = judge_desired(Desired(node="n1", known=[bad, good]), {})
    assert judgement.desired.known == [good]


@pytest.mark.parametrize(
    "changes",
    [
        {"node": ""},
        {"sources": []},
        {"sources": [SOURCE] * 65},
        {"sources": [WatchedSource(address="n2", near="192.0.2.100")]},
        {"sources": [WatchedSource(address="fe80::1%eth0", near="fe80::2")]},
        {"sources": [WatchedSource(address="192.0.2.12", near="")]},
        {"sources": [WatchedSource(address="192.0.2.12", near="::1", interfaces=["*a" * 5000])]},
        {"advertisement_interval_milliseconds": 0},
    ],
)
def test_nodes_that_cannot_be_watched_are_left_out(changes: dict[str, Any]) -> None:
    """Neither can what is to be asked of them harm."""
    good = WatchedNode(node="n2", sources=[SOURCE])
    bad = msgspec.structs.replace(good, **changes)
    judgement = judge_desired(Desired(node="n1", watch=[bad, good]), {})
    assert judgement.desired.watch == [good]


def test_so_many_nodes_are_watched() -> None:
    """As many as are reported."""
    nodes = [WatchedNode(node=f"n{each}", sources=[SOURCE]) for each in range(300)]
    judgement = judge_desired(Desired(node="n1", watch=nodes), {})
    assert judgement.desired.watch == nodes[:WATCHED_MAX]


def _many(count: int, interval: int) -> list[DesiredRouter]:
    return [
        router(
            "192.0.2.100",
            name=f"vip.many.v{number}",
            display_name=f"many/v{number}",
            advertisement_interval_milliseconds=interval,
        )
        for number in range(count)
    ]


def test_more_than_a_node_carries_is_refused_with_figures() -> None:
    """What runs stays, what comes is refused from where there is no more room."""
    fitting = ADVERTS_PER_SECOND_MAX // 100
    first = judge_desired(Desired(node="n1", routers=_many(fitting, 10)), {})
    assert not first.refused
    running = {one.name: one for one in first.desired.routers}
    # The additions stand before what runs, and take no room from it.
    wanted = [GOOD, *_many(fitting, 10)]
    judgement = judge_desired(Desired(node="n1", routers=wanted, complete=True), running)
    assert judgement.desired.routers == _many(fitting, 10)
    why = judgement.refused[GOOD.name].why
    assert f"{ADVERTS_PER_SECOND_MAX + 1} adverts" in why
    assert str(ADVERTS_PER_SECOND_MAX) in why


def test_more_virtual_routers_than_a_node_carries_are_refused() -> None:
    """Slow ones cost little each, and still something."""
    wanted = _many(INSTANCES_MAX + 2, 40_000)
    judgement = judge_desired(Desired(node="n1", routers=wanted), {})
    assert judgement.desired.routers == wanted[:INSTANCES_MAX]
    assert str(INSTANCES_MAX) in judgement.refused[wanted[-1].name].why


def test_an_edit_beyond_what_a_node_carries_keeps_what_runs() -> None:
    """Shorter intervals are an addition too."""
    before = _many(INSTANCES_MAX, 1000)
    running = {one.name: one for one in before}
    judgement = judge_desired(Desired(node="n1", routers=_many(INSTANCES_MAX, 10)), running)
    assert sum(map(adverts_per_second, judgement.desired.routers)) <= ADVERTS_PER_SECOND_MAX
    assert {one.name for one in judgement.desired.routers} == set(running)
    assert judgement.refused


def test_room_that_is_given_up_can_be_used() -> None:
    """Routers that the same message ends take no room."""
    fitting = ADVERTS_PER_SECOND_MAX // 100
    running = {one.name: one for one in _many(fitting, 10)}
    others = [msgspec.structs.replace(one, name=f"x{one.name}") for one in _many(fitting, 10)]
    assert not judge_desired(Desired(node="n1", routers=others, complete=True), running).refused
    assert len(judge_desired(Desired(node="n1", routers=others), running).refused) == fitting


def test_the_cache_is_never_too_much() -> None:
    """What served before a restart serves after it."""
    wanted = _many(INSTANCES_MAX + 2, 10)
    assert not judge_desired(Desired(node="n1", routers=wanted), {}, limited=False).refused


_INT = st.one_of(
    st.integers(-(1 << 63), (1 << 63) - 1), st.integers(0, 300), st.sampled_from([10, 100, 1000])
)
_TEXT = st.one_of(
    st.text(),
    st.sampled_from(["", "eth0", "eth*", "[", "*", "\0", "192.0.2.100", "192.0.2.101", "fe80::1"]),
    st.ip_addresses().map(str),
    st.sampled_from(["fe80::1%eth0", "::", "255.255.255.255", "::ffff:192.0.2.1", "192.0.2.0/24"]),
)
_TEXTS = st.lists(_TEXT, max_size=4)
_INSTANCES = st.builds(
    DesiredInstance,
    family=st.sampled_from(Family),
    virtual_router_id=_INT,
    interfaces=st.one_of(st.just([]), _TEXTS),
    addresses=_TEXTS,
    sources=st.one_of(st.none(), _TEXTS),
)
_GATES = st.builds(
    DesiredGate,
    name=_TEXT,
    action=st.sampled_from(FailureAction),
    by=_INT,
    cost=_INT,
    interface=st.one_of(st.none(), _TEXT),
)
_ROUTERS = st.builds(
    DesiredRouter,
    name=_TEXT,
    display_name=_TEXT,
    priority=_INT,
    slot=_INT,
    slot_is_hashed=st.booleans(),
    step=_INT,
    candidates=_INT,
    advertisement_interval_milliseconds=_INT,
    preemption=st.sampled_from(PreemptionMode),
    preemption_delay_seconds=_INT,
    start_delay_seconds=_INT,
    health_bands=st.booleans(),
    checksum=st.sampled_from(Checksum),
    generate_link_local=st.booleans(),
    bootstrap=st.booleans(),
    instances=st.lists(_INSTANCES, max_size=3),
    gates=st.lists(_GATES, max_size=2),
)
_DESIRED = st.builds(
    Desired,
    node=_TEXT,
    revision=_INT,
    routers=st.lists(_ROUTERS, max_size=3),
    retired=_TEXTS,
    complete=st.booleans(),
    known=st.one_of(
        st.none(),
        st.lists(
            st.builds(
                KnownRouter,
                family=st.sampled_from(Family),
                virtual_router_id=_INT,
                sources=st.one_of(st.none(), _TEXTS),
            ),
            max_size=2,
        ),
    ),
    watch=st.lists(
        st.builds(
            WatchedNode,
            node=_TEXT,
            sources=st.lists(
                st.builds(WatchedSource, address=_TEXT, interfaces=_TEXTS, near=_TEXT), max_size=2
            ),
            advertisement_interval_milliseconds=_INT,
        ),
        max_size=2,
    ),
)


def _whole(one: DesiredRouter) -> DesiredRouter:
    """Return a router of which only some fields are nonsense, so that some are let through."""
    return msgspec.structs.replace(
        one, priority=1 + one.priority % 255, slot=one.slot % 9, step=1 + one.step % 9
    )


@given(_DESIRED, st.lists(_ROUTERS.map(_whole), max_size=2))
def test_whatever_is_sent_runs_or_is_refused(desired: Desired, more: list[DesiredRouter]) -> None:
    """Nothing that is let through raises where it is placed and configured."""
    sent = msgspec.structs.replace(desired, routers=[*desired.routers, *more, GOOD])
    judgement = judge_desired(sent, {})
    assert GOOD.name in {one.name for one in judgement.desired.routers}
    for one in judgement.desired.routers:
        placement = place(one, view())
        if placement.placed:
            election_config(one, placement.placed)
    run_to_end(ours(judgement.desired, judgement.desired.routers))
    for node in judgement.desired.watch:
        watched(view(), node)
    assert decode_to_engine(encode(judgement.desired)) == judgement.desired
    again = judge_desired(judgement.desired, {})
    assert (again.desired, again.refused) == (judgement.desired, {})
