"""Reading manifests: files, directories and standard input, as decoded documents."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

STANDARD_INPUT = "-"
SUFFIXES = (".yaml", ".yml", ".json")


class ManifestError(Exception):
    """A manifest cannot be read; one sentence says which, where and why."""


def read(names: Iterable[str]) -> list[tuple[str, object]]:
    """Return every document with where it was read.

    Args:
        names: files, directories (their *.yaml, *.yml and *.json are read), `-` for standard
            input.

    Raises:
        ManifestError: something cannot be read or decoded.
    """
    return [document for name in names for document in _read(name)]


def _read(name: str) -> Iterator[tuple[str, object]]:
    if name == STANDARD_INPUT:
        yield from _decode("standard input", sys.stdin.buffer.read())
        return
    for path in _files(Path(name)):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ManifestError(f"Cannot read {path}: {error.strerror}") from error
        yield from _decode(str(path), content)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(
        each
        for each in path.iterdir()
        if each.suffix in SUFFIXES and not each.name.startswith(".") and not each.is_dir()
    )
    if not found:
        raise ManifestError(f"The directory {path} holds no manifest (*.yaml, *.yml, *.json)")
    return found


def _decode(origin: str, content: bytes) -> Iterator[tuple[str, object]]:
    try:
        # The loader is a safe one: it builds nothing but plain data.
        documents = [each for each in yaml.load_all(content, Loader=_Loader) if each is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ManifestError(f"{origin}{where}: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        why = " ".join(str(error).split())
        raise ManifestError(f"{origin} is neither YAML nor JSON: {why}") from error
    for number, document in enumerate(documents, start=1):
        yield (origin if len(documents) == 1 else f"{origin}, document {number}"), document


class _Loader(yaml.CSafeLoader):
    """Plain data only, and no key twice: the second would silently win."""

    # The base class has `deep` as it is here.
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        """Return the mapping of a node; a key that comes twice is an error."""
        seen: set[str] = set()
        for key, _value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    problem = f"the key {key.value} comes twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)
