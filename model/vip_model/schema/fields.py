"""What the types say of themselves: fields with shape, description, limits and default. Pure.

Parsing, validation, the CRDs and the reference are all made from this, so that they cannot
disagree.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_origin

import msgspec

from vip_model.resources.base import Limits, Observed, Part


@dataclass(frozen=True, slots=True)
class Shape:
    """The type of a field.

    Attributes:
        base: int, str, bool, an enum or a Part; of the items where there are many.
        container: list, dict, or None for a single value.
    """

    base: type
    container: type | None = None

    @property
    def part(self) -> type[Part] | None:
        """The base if it is an object with fields of its own."""
        return self.base if issubclass(self.base, Part) else None


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object.

    Attributes:
        name: its name in a document.
        attribute: its name in Python.
        shape: its type.
        description: what it means.
        limits: what its value must satisfy.
        required: it has no default.
        default: the value where it is not given; None: none.
    """

    name: str
    attribute: str
    shape: Shape
    description: str
    limits: Limits
    required: bool
    default: Any


@functools.cache
def fields_of(part: type[Part]) -> dict[str, Field]:
    """Return the fields of a type by their name in a document."""
    hints = typing.get_type_hints(part, include_extras=True)
    return {
        field.encode_name: _field(field, hints[field.name])
        for field in msgspec.structs.fields(part)
    }


def _field(field: msgspec.structs.FieldInfo, hint: Any) -> Field:
    meta = msgspec.Meta()
    if get_origin(hint) is typing.Annotated:
        hint, meta = get_args(hint)[:2]
    default = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        default = typing.cast("Any", field.default_factory)()
    required = default is msgspec.NODEFAULT
    return Field(
        name=field.encode_name,
        attribute=field.name,
        shape=_shape(hint),
        description=meta.description or "",
        limits=(meta.extra or {}).get("limits", Limits()),
        required=required,
        default=None if required else default,
    )


def _shape(hint: Any) -> Shape:
    if get_origin(hint) in (types.UnionType, typing.Union):
        (hint,) = (each for each in get_args(hint) if each is not type(None))
    if get_origin(hint) is tuple:
        return Shape(get_args(hint)[0], list)
    if get_origin(hint) is dict:
        return Shape(get_args(hint)[1], dict)
    return Shape(hint)


@functools.cache
def paths_of(part: type[Part]) -> dict[str, tuple[str, ...]]:
    """Return where a user may write each field: name to paths; items of a list are `name[]`."""
    found: dict[str, list[str]] = {}
    for path, field in walk(part, observed=False):
        found.setdefault(field.name, []).append(path)
    return {name: tuple(paths) for name, paths in found.items()}


def walk(
    part: type[Part], prefix: str = "", *, observed: bool = True
) -> Iterator[tuple[str, Field]]:
    """Yield every field at and below a type with its path; items of a list are `name[]`.

    Args:
        part: the type.
        prefix: what paths begin with.
        observed: go into parts that the system writes.
    """
    for field in fields_of(part).values():
        path = f"{prefix}{field.name}"
        yield path, field
        below = field.shape.part
        if below is not None and (observed or not issubclass(below, Observed)):
            brackets = "[]" if field.shape.container is list else ""
            yield from walk(below, f"{path}{brackets}.", observed=observed)
