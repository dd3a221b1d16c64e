"""Checking values against the limits beside their types. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

from vip_model.resources.base import Limits, Part
from vip_model.schema.errors import shortened
from vip_model.schema.fields import Field, fields_of

Finding = tuple[str, str]  # path of the field, what is wrong and what would be right


def check_limits(part: Part, path: str) -> Iterator[Finding]:
    """Yield every value at and below an object that breaks a limit.

    Args:
        part: the object.
        path: its path, such as spec.
    """
    for field, has_limits in _to_check(type(part)):
        value = getattr(part, field.attribute)
        if value is field.default:
            continue  # defaults satisfy their limits; a test proves it
        where = f"{path}.{field.name}"
        if has_limits:
            yield from _check(value, field.limits, where)
        if field.shape.part is not None:
            for number, each in enumerate(value if field.shape.container is list else ()):
                yield from check_limits(each, f"{where}[{number}]")
            if field.shape.container is None:
                yield from check_limits(value, where)


@functools.cache
def _to_check(part: type[Part]) -> tuple[tuple[Field, bool], ...]:
    found = ((field, field.limits != Limits()) for field in fields_of(part).values())
    return tuple((field, limited) for field, limited in found if limited or field.shape.part)


def _check(value: Any, limits: Limits, path: str) -> Iterator[Finding]:
    if isinstance(value, str):
        yield from ((path, message) for message in text_problems(value, limits))
    elif isinstance(value, int):
        yield from ((path, message) for message in _number_problems(value, limits))
    elif isinstance(value, tuple):
        yield from _check_list(value, limits, path)


def _number_problems(value: int, limits: Limits) -> Iterator[str]:
    low, high = limits.minimum, limits.maximum
    if low is not None and high is not None and not low <= value <= high:
        yield f"{value} is out of range: it must be {low} to {high}"
    elif low is not None and value < low:
        yield f"{value} is too small: it must be at least {low}"
    elif limits.multiple_of is not None and value % limits.multiple_of:
        below = value - value % limits.multiple_of
        yield (
            f"{value} is not a multiple of {limits.multiple_of}: "
            f"write {below} or {below + limits.multiple_of}"
        )


def text_problems(value: str, limits: Limits) -> Iterator[str]:
    """Yield what is wrong with a text."""
    if limits.min_length is not None and len(value) < limits.min_length:
        yield "it is empty" if not value else f"{value!r} is too short"
    elif limits.max_length is not None and len(value) > limits.max_length:
        yield f"it has {len(value)} characters: at most {limits.max_length} are allowed"
    elif limits.pattern is not None and not _compiled(limits.pattern).fullmatch(value):
        yield f"{shortened(value)!r} is not allowed: it must be {limits.pattern_in_words}"


def _check_list(value: tuple[Any, ...], limits: Limits, path: str) -> Iterator[Finding]:
    if limits.min_length is not None and len(value) < limits.min_length:
        yield path, "the list is empty: give at least one"
    if limits.max_length is not None and len(value) > limits.max_length:
        yield path, f"the list has {len(value)} items: at most {limits.max_length} are allowed"
    if limits.items is not None:
        for number, each in enumerate(value):
            yield from _check(each, limits.items, f"{path}[{number}]")
    if limits.unique:
        for number, each in enumerate(value):
            if each in value[:number]:
                yield f"{path}[{number}]", f"{each} comes twice: remove one"


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
