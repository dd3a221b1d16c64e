"""From a type to the structural OpenAPI schema that a CRD needs, which has no $ref. Pure."""

from __future__ import annotations

import enum
import inspect
from typing import Any

from vip_model.resources.base import Limits, Observed, Part
from vip_model.schema.crd_rules import Rule
from vip_model.schema.fields import Field, fields_of

Schema = dict[str, Any]
Rules = dict[str, tuple[Rule, ...]]

_TYPES = {int: "integer", str: "string", bool: "boolean"}


def object_schema(part: type[Part], rules: Rules, path: str = "", *, by_users: bool) -> Schema:
    """Return the schema of an object.

    Args:
        part: its type.
        rules: CEL rules by path; items of a list are `name[]`.
        path: where the object is; empty for the whole.
        by_users: users write it, so that the API server is to fill in defaults and judge texts;
            not in an `Observed` part. What the system writes is small and may be newer: of its
            texts only those are judged whose limits hold `always`.
    """
    fields = fields_of(part)
    prefix = f"{path}." if path else ""
    by_users = by_users and not issubclass(part, Observed)
    schema: Schema = {"type": "object", "description": inspect.cleandoc(part.__doc__ or "")}
    schema["properties"] = {
        name: _field_schema(field, rules, f"{prefix}{name}", by_users=by_users)
        for name, field in fields.items()
    }
    required = [name for name, field in fields.items() if field.required]
    if required:
        schema["required"] = required
    return schema | rules_schema(rules, path)


def rules_schema(rules: Rules, path: str) -> Schema:
    """Return the rules of one place as a schema has them."""
    found = rules.get(path, ())
    if not found:
        return {}
    return {
        "x-kubernetes-validations": [{"rule": each.rule, "message": each.message} for each in found]
    }


def _field_schema(field: Field, rules: Rules, path: str, *, by_users: bool) -> Schema:
    schema = _shape_schema(field, rules, path, by_users=by_users)
    if field.description:
        schema["description"] = field.description
    if by_users and _has_scalar_default(field):
        # Objects get no default: those inside of it would not be applied to it.
        is_enum = isinstance(field.default, enum.StrEnum)
        schema["default"] = str(field.default) if is_enum else field.default
    return schema


def _has_scalar_default(field: Field) -> bool:
    single = field.shape.container is None and field.shape.part is None
    return single and not field.required and field.default not in (None, "")


def _shape_schema(field: Field, rules: Rules, path: str, *, by_users: bool) -> Schema:
    items = field.limits.items
    if field.shape.container is list:
        return {
            "type": "array",
            "x-kubernetes-list-type": "atomic",
            "items": _item_schema(field, items, rules, f"{path}[]", by_users=by_users),
            **_bounds(field.limits, "minItems", "maxItems"),
            **rules_schema(rules, path),
        }
    if field.shape.container is dict:
        return {
            "type": "object",
            "x-kubernetes-map-type": "atomic",
            "additionalProperties": _item_schema(
                field, items, rules, f"{path}[]", by_users=by_users
            ),
            **rules_schema(rules, path),
        }
    return _item_schema(field, field.limits, rules, path, by_users=by_users)


def _item_schema(
    field: Field, limits: Limits | None, rules: Rules, path: str, *, by_users: bool
) -> Schema:
    base = field.shape.base
    if field.shape.part is not None:
        return object_schema(field.shape.part, rules, path, by_users=by_users)
    if issubclass(base, enum.StrEnum):
        return {"type": "string", "enum": [str(each) for each in base]}
    limits = limits or Limits()
    schema: Schema = {"type": _TYPES[base]}
    if base is int:
        schema |= _numbers(limits)
    elif base is str and (by_users or limits.always):
        schema |= _bounds(limits, "minLength", "maxLength")
        if limits.pattern is not None:
            schema["pattern"] = f"^({limits.pattern})$"
    return schema | rules_schema(rules, path)


def _numbers(limits: Limits) -> Schema:
    given = {
        "minimum": limits.minimum,
        "maximum": limits.maximum,
        "multipleOf": limits.multiple_of,
    }
    # Numbers without a limit may be large: generations, revisions.
    form = {} if limits.maximum is not None else {"format": "int64"}
    return form | {key: value for key, value in given.items() if value is not None}


def _bounds(limits: Limits, shortest: str, longest: str) -> Schema:
    given = {shortest: limits.min_length, longest: limits.max_length}
    return {key: value for key, value in given.items() if value is not None}
