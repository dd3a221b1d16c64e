"""Checking a decoded document against a type, so that every misfit is reported at once. Pure.

msgspec stops at the first one; this looks at all of them, and knows what was probably meant.
"""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterator, Mapping
from typing import Any

from vip_model.resources.base import Observed, Part
from vip_model.resources.metadata import ObjectMeta
from vip_model.schema.errors import shortened
from vip_model.schema.fields import Field, fields_of, paths_of
from vip_model.schema.keepalived import bare, counterpart
from vip_model.schema.limits import Finding
from vip_model.schema.scalars import UnclearText, instead

_TYPE_NAMES = {int: "a whole number", str: "text", bool: "true or false"}


def misfits(
    content: Mapping[Any, Any], part: type[Part], path: str, *, root: type[Part] | None
) -> Iterator[Finding]:
    """Yield every place where a document does not fit a type.

    Args:
        content: the document, or an object in it.
        part: the type it should have.
        path: its path; empty for the whole document.
        root: type of the whole document, to find where an unknown field belongs; None: unknown
            fields are ignored, as they are everywhere in an `Observed` part.
    """
    fields = fields_of(part)
    if issubclass(part, Observed):
        root = None
    prefix = f"{path}." if path else ""
    for name, value in content.items():
        field = fields.get(name) if isinstance(name, str) else None
        if field is not None:
            yield from _value_misfits(value, field, f"{prefix}{name}", root)
        elif root is not None:
            yield f"{prefix}{name}", _unknown(str(name), path, fields, root)
    for field in fields.values():
        if field.required and field.name not in content:
            yield f"{prefix}{field.name}", f"it is missing: {_wanted(field)}"


def metadata_misfits(metadata: Mapping[Any, Any], root: type[Part]) -> Iterator[Finding]:
    """Yield the fields in a file's metadata that no object of Kubernetes has.

    Args:
        metadata: what is written.
        root: type of the whole document, to find where a field belongs.
    """
    fields = fields_of(ObjectMeta)
    for name in metadata:
        if name not in fields and name not in _KUBERNETES_METADATA:
            yield f"metadata.{name}", _unknown(str(name), "metadata", fields, root)


# What `kubectl get -o yaml` writes besides, and nobody here reads.
_KUBERNETES_METADATA = frozenset(
    {
        "deletionGracePeriodSeconds",
        "finalizers",
        "generateName",
        "managedFields",
        "ownerReferences",
        "selfLink",
    }
)


def _value_misfits(
    value: Any, field: Field, path: str, root: type[Part] | None
) -> Iterator[Finding]:
    if value is None:
        yield path, "it is empty: give it a value or remove the line"
    elif field.shape.container is list:
        if not isinstance(value, (list, tuple)):
            yield path, f"it must be a list, not {_found(value)}{_as_list(value)}"
            return
        for number, each in enumerate(value):
            yield from _single_misfits(each, field, f"{path}[{number}]", root)
    elif field.shape.container is dict:
        if not isinstance(value, Mapping):
            yield path, f"it must be a mapping of names to values, not {_found(value)}"
            return
        for key, each in value.items():
            if type(key) is not str:
                yield path, f"the key {key} must be text: write it in quotes"
            yield from _single_misfits(each, field, f"{path}.{key}", root)
    else:
        yield from _single_misfits(value, field, path, root)


def _single_misfits(
    value: Any, field: Field, path: str, root: type[Part] | None
) -> Iterator[Finding]:
    base = field.shape.base
    if field.shape.part is not None:
        if not isinstance(value, Mapping):
            names = ", ".join(fields_of(field.shape.part)) or "nothing"
            yield path, f"it must be an object with {names}, not {_found(value)}"
        else:
            yield from misfits(value, field.shape.part, path, root=root)
    elif issubclass(base, enum.StrEnum):
        if value not in list(base):
            yield path, f"{_quoted(value)} is not known: {_choices(value, base)}"
    elif type(value) is not base:
        advice = instead(value, base, field.name)
        way_out = f": {advice}" if advice else ""
        yield path, f"it must be {_TYPE_NAMES[base]}, not {_found(value)}{way_out}"


def _wanted(field: Field) -> str:
    if field.shape.container is list:
        return "give a list"
    if field.shape.part is not None:
        return f"give an object with {', '.join(fields_of(field.shape.part))}"
    return f"give {_TYPE_NAMES.get(field.shape.base, 'a value')}"


def _found(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, UnclearText):
        return shortened(value.why)
    if isinstance(value, str):
        return f"the text {_quoted(value)}"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "a list"
    return shortened(f"{type(value).__name__} {value}")


def _quoted(value: Any) -> str:
    return repr(shortened(value) if isinstance(value, str) else value)


def _as_list(value: Any) -> str:
    return f": write [{value}]" if isinstance(value, (str, int)) else ""


def _choices(value: Any, base: type[enum.StrEnum]) -> str:
    names = [str(member) for member in base]
    meant = _closest(str(value), names)
    if meant is not None:
        return f"did you mean {meant}?"
    return f"choose one of {', '.join(names)}" if len(names) > 1 else f"write {names[0]}"


def _unknown(name: str, path: str, fields: Mapping[str, Field], root: type[Part]) -> str:
    """Return that a field is unknown, and which one was probably meant."""
    meant = [each for each in fields if bare(each) == bare(name)]
    if meant:
        return f"there is no such field: did you mean {meant[0]}?"
    if not path and name in fields_of(ObjectMeta):
        return f"there is no such field here: write it inside of metadata, as metadata.{name}"
    known = counterpart(name)
    if known is not None:
        return f"there is no such field: {known}"
    return _misspelt(name, path, fields, root)


def _misspelt(name: str, path: str, fields: Mapping[str, Field], root: type[Part]) -> str:
    before, colon, after = name.partition(":")
    if colon and before in fields:
        return f"there is no such field: a space is missing after the `:`, write {before}: {after}"
    if name != name.strip():
        return "there is no such field: a space that YAML does not know belongs to its name"
    meant = _closest(name, list(fields))
    if meant is not None:
        return f"there is no such field: did you mean {meant}?"
    elsewhere = paths_of(root)
    meant = _closest(name, list(elsewhere))
    if meant is not None:
        return f"there is no such field here: did you mean {' or '.join(elsewhere[meant])}?"
    here = ", ".join(fields) or "nothing"
    return f"there is no such field: {path or 'the document'} may have {here}"


def _closest(name: str, names: list[str]) -> str | None:
    by_bare_name = {bare(each): each for each in names}
    found = difflib.get_close_matches(bare(name), by_bare_name, n=1, cutoff=0.75)
    return by_bare_name[found[0]] if found else None
