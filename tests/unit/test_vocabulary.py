"""The shared vocabulary: reasons, and the bands of priorities with their order."""

from __future__ import annotations

import ast
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.rings import ROOT
from vip_model.vocabulary import (
    FAILING_PRIORITIES,
    HIGHEST_FAILING_PRIORITY,
    LOWEST_HEALTHY_PRIORITY,
    OWNER_PRIORITY,
    SOUND,
    Degradation,
    PriorityScale,
    Reason,
    Use,
    candidates_that_fit,
    effective_priority,
    possible_degradations,
)

VOCABULARY = ROOT / "model/vip_model/vocabulary"

# --- reasons -----------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_described(reason: Reason) -> None:
    """A reason is one CamelCase word with one sentence, and is given somewhere."""
    assert re.fullmatch(r"([A-Z][A-Za-z]+)+", reason), reason
    assert re.fullmatch(r"[A-Za-z][^\n]{10,}\.", reason.description), reason
    assert reason.use
    assert reason == str(reason.value)


def test_a_reason_can_be_given_in_two_places() -> None:
    """Contested is the reason of a condition and of an event, with one meaning."""
    assert Reason.CONTESTED.use == Use.CONDITION | Use.EVENT


def _production() -> Iterator[tuple[Path, ast.AST]]:
    for folder in ("model/vip_model", "operator/vip_operator", "speaker/vip_speaker"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if VOCABULARY not in path.parents:
                yield path, ast.parse(path.read_text())


def test_every_reason_is_given_somewhere() -> None:
    """Each member of the enumeration is named by the code of model, operator or speaker."""
    given = {
        node.attr
        for _path, tree in _production()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Reason"
    }
    assert sorted({reason.name for reason in Reason} - given) == []


def test_no_reason_is_a_literal() -> None:
    """What is a reason is written as a member of the enumeration, never as a text.

    Some words mean something else too: types of conditions, a column, a choice, a sub-state.
    """
    others = {
        ("conditions.py", "Accepted"),
        ("conditions.py", "AddressConflict"),
        ("conditions.py", "Bound"),
        ("conditions.py", "Contested"),
        ("chart.py", "Withdrawn"),
        ("config.py", "Withdrawn"),
        ("crd.py", "Accepted"),
        ("crd.py", "Retired"),
        ("enums.py", "Refused"),
        ("main.py", "Started"),
        ("planned_status.py", "Accepted"),
    }
    literals = {
        (path.name, node.value)
        for path, tree in _production()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in set(Reason)
    }
    assert sorted(literals - others) == []


def test_the_engine_can_import_the_vocabulary() -> None:
    """The vocabulary needs nothing but the standard library."""
    for path in VOCABULARY.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            else:
                continue
            for module in modules:
                ours = module.startswith("vip_model.vocabulary")
                assert ours or module.partition(".")[0] in sys.stdlib_module_names, (path, module)


# --- priorities --------------------------------------------------------------------------------

# What each gate can cost: only all, half or all, or only half where all would withdraw the node.
gates = st.lists(
    st.integers(1, 100).flatmap(
        lambda cost: st.sampled_from([(cost,), (max(1, cost // 2), cost), (max(1, cost // 2),)])
    ),
    max_size=3,
)


@st.composite
def fitting_scales(draw: st.DrawFn) -> tuple[PriorityScale, PriorityScale]:
    """Two nodes of one election whose degradations and candidates fit into the failing band."""
    degradations = possible_degradations(draw(st.integers(1, 3)), draw(gates))
    limit = candidates_that_fit(len(degradations))
    candidates = draw(st.integers(1, min(32, limit)))
    slots = st.integers(0, candidates - 1)
    one, other = draw(slots), draw(slots)
    scales = [
        PriorityScale(
            base=draw(st.integers(LOWEST_HEALTHY_PRIORITY, OWNER_PRIORITY)),
            slot=slot,
            candidates=candidates,
            degradations=degradations,
        )
        for slot in (one, other)
    ]
    return scales[0], scales[1]


@given(scales=fitting_scales(), data=st.data())
def test_healthy_beats_provisional_beats_failing(
    scales: tuple[PriorityScale, PriorityScale], data: st.DataObject
) -> None:
    """Whatever the slots are, and whoever wrote the base priority."""
    one, other = scales
    healthy, provisional = effective_priority(one), effective_priority(other, provisional=True)
    if other.base != OWNER_PRIORITY:
        assert healthy > provisional
    for degradation in one.degradations:
        failing = effective_priority(one, degradation, provisional=data.draw(st.booleans()))
        assert 1 <= failing <= HIGHEST_FAILING_PRIORITY < provisional


@given(scales=fitting_scales())
def test_the_less_degraded_node_comes_first_then_the_better_slot(
    scales: tuple[PriorityScale, PriorityScale],
) -> None:
    """Fewer missing instances, then a smaller sum of costs, then the slot decide; none is equal."""
    one, other = scales
    pairs = itertools.product(one.degradations, other.degradations)
    for ours, theirs in itertools.islice(pairs, 2000):
        mine, yours = effective_priority(one, ours), effective_priority(other, theirs)
        assert (mine > yours) is ((ours, one.slot) < (theirs, other.slot))
        assert (mine == yours) is ((ours, one.slot) == (theirs, other.slot))


@given(instances=st.integers(1, 4), gates=gates)
def test_every_sum_of_failing_gates_is_a_degradation(
    instances: int, gates: list[tuple[int, ...]]
) -> None:
    """Whatever each gate costs, with each number of missing instances, in order, each once."""
    found = possible_degradations(instances, gates)
    sums = {sum(chosen) for chosen in itertools.product(*((0, *costs) for costs in gates))}
    wanted = {Degradation(missing, cost) for missing in range(instances) for cost in sums}
    assert list(found) == sorted(wanted - {SOUND})[: FAILING_PRIORITIES + 1]


@pytest.mark.parametrize(("degradations", "candidates"), [(0, 144), (1, 144), (5, 28), (145, 0)])
def test_as_many_candidates_fit_as_have_a_priority_each(degradations: int, candidates: int) -> None:
    """Degradations times candidates is at most the number of failing priorities."""
    assert candidates_that_fit(degradations) == candidates
    assert degradations * candidates <= FAILING_PRIORITIES


def test_a_slot_beyond_those_that_are_kept_apart_shares_the_last_place() -> None:
    """It stays within the degradation's own range: no better node is behind it."""
    degradations = possible_degradations(1, [(10,), (100,)])
    last, beyond, far = (
        PriorityScale(base=200, slot=slot, candidates=4, degradations=degradations)
        for slot in (3, 4, 90)
    )
    for degradation in degradations:
        found = {effective_priority(each, degradation) for each in (last, beyond, far)}
        assert len(found) == 1


@given(
    candidates=st.integers(1, 200),
    slots=st.tuples(st.integers(0, 200), st.integers(0, 200)),
    cost=st.tuples(st.integers(1, 30_000), st.integers(1, 30_000)),
)
def test_a_crowd_of_gates_never_turns_the_order(
    candidates: int, slots: tuple[int, int], cost: tuple[int, int]
) -> None:
    """Where not every degradation has room the worst share a place, and slots still count."""
    degradations = possible_degradations(2, [(cost,) for cost in range(1, 257)])
    better, worse = sorted((Degradation(0, cost[0]), Degradation(0, cost[1])))
    one, other = (
        effective_priority(PriorityScale(200, slot, candidates, degradations), degradation)
        for slot, degradation in zip(sorted(slots), (better, worse), strict=True)
    )
    assert HIGHEST_FAILING_PRIORITY >= one >= other >= 1
    if max(slots) < candidates <= FAILING_PRIORITIES and slots[0] != slots[1]:
        assert one > other


def test_the_figures_of_the_documentation() -> None:
    """A node of slot 2 among three, with one gate of cost 100 in an election of two instances."""
    degradations = possible_degradations(2, [(100,)])
    scale = PriorityScale(base=248, slot=2, candidates=3, degradations=degradations)
    assert degradations == (Degradation(0, 100), Degradation(1, 0), Degradation(1, 100))
    assert effective_priority(scale) == 248
    assert effective_priority(scale, provisional=True) == 152
    assert [effective_priority(scale, each) for each in degradations] == [142, 139, 136]


def test_a_failing_or_provisional_owner() -> None:
    """A failing owner leaves 255 for the failing band; an owner is never provisional."""
    scale = PriorityScale(
        base=OWNER_PRIORITY, candidates=2, degradations=possible_degradations(1, [(100,)])
    )
    assert effective_priority(scale, Degradation(0, 100)) == HIGHEST_FAILING_PRIORITY
    assert effective_priority(scale, provisional=True) == OWNER_PRIORITY


@pytest.mark.parametrize(("base", "lowered"), [(255, 155), (150, 50), (100, 1), (1, 1)])
def test_without_bands_the_subtrahend_counts(base: int, lowered: int) -> None:
    """Beside routers that are not ours a node is lowered by what the user wrote, at least to 1."""
    scale = PriorityScale(base=base, health_bands=False, subtrahend=100)
    assert effective_priority(scale, provisional=True) == base
    assert effective_priority(scale, Degradation(1, 0)) == lowered


def test_a_degradation_that_is_not_listed_ranks_between_its_neighbours() -> None:
    """A gate whose cost has just changed is no reason to be better than what is possible."""
    scale = PriorityScale(
        base=200, candidates=2, degradations=possible_degradations(1, [(10,), (100,)])
    )
    assert effective_priority(scale, Degradation(0, 50)) == effective_priority(
        scale, Degradation(0, 100)
    )
    assert effective_priority(scale, Degradation(7, 0)) >= 1
