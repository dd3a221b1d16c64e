"""As much of OpenAPI as the CRDs use: walking a schema, and finding what does not fit it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

_TYPES: dict[str, type] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
}


def schemas(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield every schema at and below one, with its path; items of a list are `name[]`."""
    yield path, schema
    for name, below in schema.get("properties", {}).items():
        yield from schemas(below, f"{path}.{name}" if path else name)
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from schemas(schema[key], f"{path}[]")


def misfits(value: Any, schema: Schema, path: str = "") -> Iterator[str]:
    """Yield where a value does not fit a schema; an unknown field, which is pruned, is one too."""
    if type(value) is not _TYPES[schema["type"]]:
        yield f"{path} is no {schema['type']}"
    elif isinstance(value, dict):
        yield from _object_misfits(value, schema, path)
    elif isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{path} has {len(value)} items"
        for each in value:
            yield from misfits(each, schema["items"], f"{path}[]")
    elif isinstance(value, str):
        if value not in schema.get("enum", [value]):
            yield f"{path} is none of the enum"
        if not re.search(schema.get("pattern", ""), value):
            yield f"{path} does not match"
    elif isinstance(value, int):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            yield f"{path} is out of range"
        if value % schema.get("multipleOf", 1):
            yield f"{path} is no multiple"


def _object_misfits(value: dict[str, Any], schema: Schema, path: str) -> Iterator[str]:
    properties = schema.get("properties")
    if properties is None:  # metadata, or a mapping
        return
    for name in schema.get("required", []):
        if name not in value:
            yield f"{path}.{name} is missing"
    for name, each in value.items():
        if name in properties:
            yield from misfits(each, properties[name], f"{path}.{name}")
        else:
            yield f"{path}.{name} is unknown"
