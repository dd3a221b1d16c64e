"""Tables of fields and of reasons for the documentation, made from the types. Pure."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from vip_model.resources.base import Limits, Part
from vip_model.resources.gate import BUILT_GATE_KINDS, CLUSTER_GATE_KINDS, GATE_KINDS
from vip_model.resources.pool import VirtualIPPoolSpec
from vip_model.resources.virtual_ip import VirtualIPSpec
from vip_model.schema.fields import Field, walk
from vip_model.schema.support import UNBUILT_FIELDS
from vip_model.vocabulary import Reason, Use

_MARK = "<!-- {name}: begin -->\n{table}<!-- {name}: end -->"
_CLUSTER_FIELDS = {"spec.serviceRef", *(f"spec.gates[].{kind}" for kind in CLUSTER_GATE_KINDS)}
_UNBUILT_GATES = {f"spec.gates[].{kind}" for kind in GATE_KINDS if kind not in BUILT_GATE_KINDS}
_TYPE_NAMES = {int: "number", str: "text", bool: "true, false"}


def with_tables(page: str, wanted: Iterable[str]) -> str:
    """Return a page with the tables between its marks brought up to date.

    Args:
        page: the text.
        wanted: what the tables are of, such as "fields of VirtualIP", "reasons of EVENT".

    Raises:
        ValueError: a mark is missing.
    """
    for name in wanted:
        pattern = re.escape(_MARK.format(name=name, table="TABLE")).replace("TABLE", ".*?")
        if not re.search(pattern, page, re.DOTALL):
            raise ValueError(f"the marks for the {name} are missing")
        fresh = _MARK.format(name=name, table=_TABLES[name]())
        page = re.sub(pattern, fresh.replace("\\", r"\\"), page, flags=re.DOTALL)
    return page


def reasons(use: Use) -> str:
    """Return a table of the reasons that are given there."""
    rows = (f"| `{each}` | {each.description} |\n" for each in Reason if use in each.use)
    return "| reason | meaning |\n|---|---|\n" + "".join(rows)


def table(part: type[Part], prefix: str = "spec.") -> str:
    """Return a table of every field at and below a type."""
    lines = ["| field | value | default | meaning |", "|---|---|---|---|"]
    for path, field in walk(part, prefix):
        cells = (f"`{path}`", _value(field), _default(field), _meaning(path, field))
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _value(field: Field) -> str:
    single = _single(field.shape.base, field)
    if field.shape.container is list:
        limits = ", ".join(_list_limits(field.limits))
        return f"list of {single}" + (f"; {limits}" if limits else "")
    if field.shape.container is dict:
        return f"mapping to {single}"
    return single


def _single(base: type, field: Field) -> str:
    if field.shape.part is not None:
        return "objects" if field.shape.container is list else "object"
    if issubclass(base, enum.StrEnum):
        return ", ".join(f"`{each}`" for each in base)
    limits = field.limits if field.shape.container is None else field.limits.items or Limits()
    found = list(_number_limits(limits) if base is int else _text_limits(limits))
    return "; ".join([_TYPE_NAMES[base], *found])


def _number_limits(limits: Limits) -> Iterator[str]:
    if limits.minimum is not None and limits.maximum is not None:
        yield f"{limits.minimum} to {limits.maximum}"
    if limits.multiple_of is not None:
        yield f"a multiple of {limits.multiple_of}"


def _text_limits(limits: Limits) -> Iterator[str]:
    if limits.pattern_in_words:
        yield limits.pattern_in_words
    if limits.max_length is not None:
        yield f"at most {limits.max_length} characters"


def _list_limits(limits: Limits) -> Iterator[str]:
    if limits.min_length is not None:
        yield f"at least {limits.min_length}"
    if limits.max_length is not None:
        yield f"at most {limits.max_length}"
    if limits.unique:
        yield "each once"


def _default(field: Field) -> str:
    if field.required:
        return "required"
    if field.default in (None, "", (), {}) or field.shape.part is not None:
        return "-"
    return f"`{_plain(field.default)}`"


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(str(each) for each in value)}]"
    return str(value)


def _meaning(path: str, field: Field) -> str:
    if path in _CLUSTER_FIELDS:
        return f"{field.description} Does not count without a cluster."
    if path in _UNBUILT_GATES:
        return f"{field.description} **Not built yet: refused.**"
    if path not in UNBUILT_FIELDS:
        return field.description
    refused = "any value" if field.default is None else "another value than the default"
    return f"{field.description} **Not built yet: {refused} is refused.**"


_TABLES: dict[str, Callable[[], str]] = {
    "fields of VirtualIP": lambda: table(VirtualIPSpec),
    "fields of VirtualIPPool": lambda: table(VirtualIPPoolSpec),
    "reasons of STATE": lambda: reasons(Use.STATE),
    "reasons of CANDIDATE": lambda: reasons(Use.CANDIDATE),
    "reasons of ACCEPTED": lambda: reasons(Use.ACCEPTED),
    "reasons of CONDITION": lambda: reasons(Use.CONDITION),
    "reasons of EVENT": lambda: reasons(Use.EVENT),
}
# The pages of docs/ with what is generated in them.
PAGES = {
    "reference.md": ("fields of VirtualIP", "fields of VirtualIPPool", "reasons of ACCEPTED"),
    "kubernetes.md": (
        "reasons of ACCEPTED",
        "reasons of CONDITION",
        "reasons of CANDIDATE",
        "reasons of EVENT",
    ),
    "operations-bare-metal.md": ("reasons of STATE",),
}
