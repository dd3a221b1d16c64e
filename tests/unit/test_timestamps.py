"""Times as text: what is written is read back, and what is no time is not taken for one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vip_common.timestamps import parsed, rfc3339


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_is_written_is_read_back(moment: datetime) -> None:
    """Microseconds lose nothing."""
    assert parsed(rfc3339(moment, "microseconds")) == moment


def test_the_form() -> None:
    """UTC with Z, whatever the zone, and as many digits as asked for."""
    moment = datetime(2026, 3, 1, 1, 2, 3, 4005, tzinfo=timezone(timedelta(hours=2)))
    assert rfc3339(moment) == "2026-02-28T23:02:03.004Z"
    assert rfc3339(moment, "seconds") == "2026-02-28T23:02:03Z"
    assert rfc3339(moment, "microseconds") == "2026-02-28T23:02:03.004005Z"


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z"])
def test_what_is_no_time(text: str) -> None:
    """It is None, never an error and never now."""
    assert parsed(text) is None


def test_a_time_without_a_zone_is_utc() -> None:
    """Nobody's local time slips in."""
    assert parsed("2026-03-01T00:00:00") == datetime(2026, 3, 1, tzinfo=UTC)
