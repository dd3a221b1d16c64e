"""What holds of every plan, whatever is declared and whatever nodes come and go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from support.resources import lan, node, slots_of, vip
from vip_model.planning.inputs import PlanInputs
from vip_model.planning.plan import Plan, plan
from vip_model.planning.rank import place_of
from vip_model.planning.static import plan_documents
from vip_model.resources.speaker import Speaker
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.schema.parse import parse_document
from vip_model.vocabulary import Reason

NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
NODES = st.sets(st.integers(1, 9), min_size=1)
INTERVALS = st.sampled_from([10, 20, 50, 100, 200, 1000])


@st.composite
def virtual_ips(draw: st.DrawFn) -> list[VirtualIP]:
    """Return VirtualIPs that often want the same things."""
    found = []
    for name in draw(st.sets(NAMES)):
        last = draw(st.lists(st.integers(101, 106), min_size=1, max_size=3, unique=True))
        spec: dict[str, Any] = {"addresses": [f"192.0.2.{number}" for number in last]}
        if draw(st.booleans()):
            spec["addresses"].append(f"2001:db8::{last[0]}")
        if draw(st.booleans()):
            spec["group"] = draw(st.sampled_from(["front", "back"]))
        if draw(st.booleans()):
            spec["vrrp"] = {"virtualRouterID": draw(st.integers(1, 3))}
        if draw(st.booleans()):
            preferred = draw(st.lists(st.integers(1, 9), max_size=2, unique=True))
            spec["placement"] = {"preferredNodes": [f"n{number}" for number in preferred]}
        found.append(vip(name, created=draw(st.sampled_from(["", "2026", "2025"])), **spec))
    return found


def planned(
    declared: Sequence[VirtualIP], speakers: Sequence[Speaker], allocated: Sequence[VirtualRouter]
) -> Plan:
    """Return the plan of a cluster."""
    return plan(PlanInputs(virtual_ips=declared, speakers=speakers, allocated=allocated))


def reports(numbers: set[int]) -> list[Speaker]:
    """Return the reports of some of nine nodes."""
    return [each for each in lan(9) if int(each.node[1:]) in numbers]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(virtual_ips(), NODES), min_size=1, max_size=4))
def test_every_plan_of_a_history_is_sound(history: list[tuple[list[VirtualIP], set[int]]]) -> None:
    """No address and no VRID has two elections, slots differ, and VRIDs stay, at every step."""
    allocated: tuple[VirtualRouter, ...] = ()
    for declared, numbers in history:
        found = planned(declared, reports(numbers), allocated)
        assert len(found.statuses) == len(declared)
        check_sound(found.virtual_routers)
        check_kept(allocated, found.virtual_routers)
        check_refusals(allocated, found)
        allocated = found.virtual_routers


def check_refusals(before: Sequence[VirtualRouter], found: Plan) -> None:
    """What an election has for an owner that is refused stays."""
    reasons = {each.virtual_ip: each.reason for each in found.statuses}
    now = {each.name: each for each in found.virtual_routers}
    for router in before:
        owners = {f"{owner.namespace}/{owner.name}" for owner in router.spec.owners}
        at_rest = {Reason.ACCEPTED, Reason.MOVING, None}
        refused = {owner for owner in owners if reasons.get(owner) not in at_rest}
        if router.spec.retired or router.spec.standby or not refused:
            continue
        after = now[router.name]
        assert not after.spec.retired
        kept = {one for owner in refused for one in router.owners[owner].addresses}
        assert kept <= addresses_of(after)
        assert refused <= {f"{owner.namespace}/{owner.name}" for owner in after.spec.owners}


def addresses_of(router: VirtualRouter) -> set[str]:
    """Return all addresses of an election."""
    return {one for each in router.spec.instances for one in each.addresses}


def check_sound(routers: Sequence[VirtualRouter]) -> None:
    """Addresses and VRIDs that run are used once, slots and priorities fall together."""
    running = [each for each in routers if not each.spec.standby]
    held = [
        {*addresses_of(each), *each.spec.releasing} if each in running else {*each.spec.releasing}
        for each in routers
    ]
    addresses = [one for each in held for one in each]
    assert len(addresses) == len(set(addresses))
    ids = [
        (instance.network, instance.family, instance.virtual_router_id)
        for each in running
        for instance in each.spec.instances
    ]
    assert len(ids) == len(set(ids))
    for each in routers:
        candidates = each.spec.candidates
        assert [c.slot for c in candidates] == sorted({c.slot for c in candidates})
        priorities = [c.priority for c in candidates]
        assert priorities == sorted(set(priorities), reverse=True)
        assert all(155 <= priority <= 254 for priority in priorities)


def check_kept(before: Sequence[VirtualRouter], after: Sequence[VirtualRouter]) -> None:
    """Nothing that was allocated vanishes, and no VRID changes."""
    now = {each.name: each for each in after}
    for each in before:
        kept = now[each.name].spec
        assert kept.instances[0].virtual_router_id == each.spec.instances[0].virtual_router_id


@settings(max_examples=150, deadline=None)
@given(st.lists(NODES, min_size=2, max_size=6), st.integers(1, 9), INTERVALS)
def test_slots_are_sticky(history: list[set[int]], most: int, interval: int) -> None:
    """Whatever nodes come and go, one that stays keeps its slot and its priority."""
    virtual_ip = vip(
        placement={"maxCandidates": most}, vrrp={"advertisementIntervalMilliseconds": interval}
    )
    allocated: tuple[VirtualRouter, ...] = ()
    for numbers in history:
        found = planned([virtual_ip], reports(numbers), allocated)
        if allocated:
            before = {c.node: c for c in allocated[0].spec.candidates}
            after = {c.node: c for c in found.virtual_routers[0].spec.candidates}
            stayed = {name for name in before if int(name[1:]) in numbers}
            assert {name: before[name] for name in stayed} == {
                name: after[name] for name in stayed if name in after
            }
        allocated = found.virtual_routers


@settings(max_examples=100, deadline=None)
@given(virtual_ips(), NODES, st.randoms(use_true_random=False))
def test_the_order_of_inputs_does_not_matter(
    declared: list[VirtualIP], numbers: set[int], random: Any
) -> None:
    """The same inputs in another order give the same elections."""
    speakers = reports(numbers)
    one = planned(declared, speakers, [])
    shuffled, mixed = list(declared), list(speakers)
    random.shuffle(shuffled)
    random.shuffle(mixed)
    other = planned(shuffled, mixed, [])
    assert {r.name: slots_of(r) for r in one.virtual_routers} == {
        r.name: slots_of(r) for r in other.virtual_routers
    }
    assert {s.virtual_ip: s.reason for s in one.statuses} == {
        s.virtual_ip: s.reason for s in other.statuses
    }


@settings(max_examples=100, deadline=None)
@given(virtual_ips(), st.booleans())
def test_static_plans_are_sound(declared: list[VirtualIP], known: bool) -> None:
    """A plan of a file has no address and no VRID twice, and a place for every node or none."""
    nodes = [node(f"n{number}", None, f"192.0.2.{number}") for number in range(1, 6)]
    found = plan(PlanInputs(virtual_ips=declared, nodes=nodes if known else None))
    check_sound(found.virtual_routers)
    for router in found.virtual_routers:
        for number in range(1, 6):
            place = place_of(router, f"n{number}")
            assert place is None or 155 <= place.priority <= 254


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 300) | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["addresses", "vrrp", "gates", "placement", "name", "httpGet", "port", "group", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_no_document_breaks_the_parser(spec: object) -> None:
    """Whatever stands in a file, it is either understood or refused with a message."""
    document = {
        "apiVersion": "vip-operator.io/v1alpha1",
        "kind": "VirtualIP",
        "metadata": {"name": "web"},
        "spec": spec,
    }
    found = plan_documents([("vip.yaml", document)], supported_gates=None, first_start=True)
    assert (found.virtual_routers is None) == bool(found.problems)
    if not found.problems:
        assert parse_document(document) is not None
