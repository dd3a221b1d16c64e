"""Steps between slots, and how many fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vip_model.timing import Ladder, ladder, slots_below


@pytest.mark.parametrize(
    ("interval_ms", "wished", "expected"),
    [
        (1000, 8, Ladder(3, 8)),
        (1000, 34, Ladder(3, 34)),
        (1000, 35, Ladder(2, 35)),
        (1000, 100, Ladder(2, 50)),
        (500, 8, Ladder(6, 8)),
        (200, 8, Ladder(13, 8)),
        (100, 8, Ladder(13, 8)),
        (100, 4, Ladder(26, 4)),
        (50, 8, Ladder(26, 4)),
        (50, 2, Ladder(52, 2)),
        (20, 8, Ladder(64, 2)),
        (10, 8, Ladder(99, 2)),
        (10, 1, Ladder(99, 1)),
        (40_950, 100, Ladder(1, 100)),
    ],
)
def test_ladder(interval_ms: int, wished: int, expected: Ladder) -> None:
    """Neighbours are 10 ms apart where all fit, else 5 ms, else there are fewer of them."""
    assert ladder(interval_ms, wished) == expected


@given(st.integers(1, 4095), st.integers(1, 100))
def test_every_slot_is_in_the_healthy_band(centiseconds: int, wished: int) -> None:
    """Whatever interval and wish, all slots fit into 155-254, as far apart as promised."""
    found = ladder(centiseconds * 10, wished)
    assert 1 <= found.slots <= wished
    assert found.step >= 1
    assert 254 - (found.slots - 1) * found.step >= 155
    if found.slots > 1 and centiseconds >= 2:
        assert found.step * centiseconds * 10 / 256 >= 5


@pytest.mark.parametrize(
    ("taken", "step", "bands", "expected"),
    [
        ([], 50, True, [254, 204]),
        ([254, 204], 50, True, []),
        ([180], 10, True, [170, 160]),
        ([180, 160], 3, True, [157]),
        ([255], 99, True, [156]),
        ([100], 40, False, [60, 20]),
        ([155], 3, True, []),
    ],
)
def test_slots_below(taken: list[int], step: int, bands: bool, expected: list[int]) -> None:
    """Slots go down from one step below the lowest that is taken to the end of the band."""
    assert slots_below(taken, step, health_bands=bands) == expected
