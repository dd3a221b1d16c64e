"""The reference page has every field with its default and its limits."""

from __future__ import annotations

import pytest

from support.rings import ROOT
from vip_model.resources.base import Part
from vip_model.resources.gate import BUILT_GATE_KINDS, GATE_KINDS
from vip_model.resources.pool import VirtualIPPoolSpec
from vip_model.resources.virtual_ip import VirtualIPSpec
from vip_model.schema.fields import walk
from vip_model.schema.reference import PAGES, with_tables
from vip_model.schema.support import UNBUILT_FIELDS

PAGE = (ROOT / "docs/reference.md").read_text()
ROWS = {line.split("`")[1]: line for line in PAGE.splitlines() if line.startswith("| `spec.")}


@pytest.mark.parametrize("part", [VirtualIPSpec, VirtualIPPoolSpec])
def test_every_field_has_a_row(part: type[Part]) -> None:
    """Each field a user can write has a row with what it means."""
    for path, field in walk(part, "spec."):
        assert field.description in ROWS[path]


def test_rows_have_limits_and_defaults() -> None:
    """A row has the range, the words, the default, and whether it is required or built."""
    assert (
        "| number; 10 to 40950; a multiple of 10 | `1000` |"
        in (ROWS["spec.vrrp.advertisementIntervalMilliseconds"])
    )
    assert "| `Auto`, `Always`, `Never`, `Delayed` | `Auto` |" in ROWS["spec.vrrp.preemption.mode"]
    assert "| required |" in ROWS["spec.gates[].name"]
    assert "each once" in ROWS["spec.placement.preferredNodes"]
    for path in UNBUILT_FIELDS:
        assert "**Not built yet: " in ROWS[path]
    for kind in set(GATE_KINDS) - BUILT_GATE_KINDS:
        assert "**Not built yet: refused.**" in ROWS[f"spec.gates[].{kind}"]
    for path in ("spec.serviceRef", "spec.gates[].pods", "spec.gates[].endpoints"):
        assert "Does not count without a cluster." in ROWS[path]


def test_tables_are_replaced_between_their_marks() -> None:
    """Bringing the page up to date twice changes nothing, and a lost mark is an error."""
    tables = PAGES["reference.md"]
    assert with_tables(PAGE, tables) == PAGE
    with pytest.raises(ValueError, match="fields of VirtualIPPool"):
        with_tables(PAGE.replace("fields of VirtualIPPool: begin", ""), tables)
