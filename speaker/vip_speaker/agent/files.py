"""Manifests on disk: seeing that they changed, and reading them as documents.

Stat is polled, since it works on every file system and for every way of writing: in place, by
rename, by a symbolic link that is turned (as kubelet does with a ConfigMap).
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SUFFIXES = (".yaml", ".yml", ".json")
POLL_SECONDS = 0.25

_AT_REST_NS = 1_000_000_000

_Fingerprint = tuple[tuple[str, int, int, int], ...] | str


class ManifestsError(Exception):
    """Files cannot be read as documents: one sentence each says which one, why, and what to do."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a manifest.

    Attributes:
        origin: file and place in it, for error messages.
        content: the object as it was written.
    """

    origin: str
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The manifests at one moment: either documents or why there are none."""

    documents: tuple[Document, ...] = ()
    problems: tuple[str, ...] = ()


class Watcher:
    """Tells when the manifests have changed and come to rest.

    A file that was touched less than a second ago is read only once it looked the same at two
    polls, so that a half-written one is not taken for a shorter one.
    """

    def __init__(self, source: Path) -> None:
        self._source = source
        self._seen: _Fingerprint | None = None
        self._taken: _Fingerprint | None = None
        self._digest = b""

    def poll(self) -> Snapshot | None:
        """Return the manifests if they are others than the last ones returned, else None."""
        before, self._seen = self._seen, _fingerprint(self._source)
        if self._seen == self._taken:
            return None
        if self._seen != before and not _at_rest(self._seen):
            return None
        snapshot, digest = _take(self._source)
        if _fingerprint(self._source) != self._seen:
            return None  # somebody wrote meanwhile: the next poll looks again
        self._taken = self._seen
        if digest == self._digest:
            return None
        self._digest = digest
        return snapshot


def read(source: Path) -> list[Document]:
    """Return every document of a file, or of the manifests in a directory in order of name.

    Raises:
        ManifestsError: something there cannot be read.
    """
    return _parse_all(_read_all(source))


def _take(source: Path) -> tuple[Snapshot, bytes]:
    """Return what is there now and a digest of it."""
    try:
        contents = _read_all(source)
    except ManifestsError as error:
        return Snapshot(problems=error.problems), str(error).encode()
    digest = hashlib.sha256()
    for path, content in contents:
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    try:
        return Snapshot(documents=tuple(_parse_all(contents))), digest.digest()
    except ManifestsError as error:
        return Snapshot(problems=error.problems), digest.digest()


def _paths(source: Path) -> list[Path]:
    if not source.is_dir():
        return [source]
    found = (
        path
        for path in source.iterdir()
        if path.suffix in SUFFIXES and not path.name.startswith(".") and not path.is_dir()
    )
    return sorted(found)


def _fingerprint(source: Path) -> _Fingerprint:
    """Return what changes whenever the files do, or the error that hides them."""
    try:
        stats = [(str(path), path.stat()) for path in _paths(source)]
    except OSError as error:
        return str(error)
    return tuple((path, stat.st_ino, stat.st_size, stat.st_mtime_ns) for path, stat in stats)


def _at_rest(fingerprint: _Fingerprint) -> bool:
    if isinstance(fingerprint, str):
        return False
    latest = max((mtime_ns for _, _, _, mtime_ns in fingerprint), default=0)
    return time.time_ns() - latest > _AT_REST_NS


def _read_all(source: Path) -> list[tuple[Path, bytes]]:
    try:
        contents = [(path, path.read_bytes()) for path in _paths(source)]
    except OSError as error:
        raise ManifestsError(f"Cannot read {error.filename}: {error.strerror}") from error
    if not contents:
        raise ManifestsError(
            f"The directory {source} holds no manifest (*.yaml, *.yml, *.json): "
            "to run without any address, put a file with only a comment into it"
        )
    return contents


def _parse_all(contents: list[tuple[Path, bytes]]) -> list[Document]:
    documents: list[Document] = []
    problems: list[str] = []
    for path, content in contents:
        try:
            documents += _parse(path, content)
        except ManifestsError as error:
            problems += error.problems
    if problems:
        raise ManifestsError(*problems)
    return documents


def _parse(path: Path, content: bytes) -> list[Document]:
    if not content.strip():
        raise ManifestsError(
            f"{path} is empty, as if it were being written: "
            "to run without any address, leave a comment in it"
        )
    try:
        # The loader is a safe one: it builds nothing but plain data.
        whole = list(yaml.load_all(content, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        raise ManifestsError(f"{path}{_place(error)}: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ManifestsError(f"{path} is neither YAML nor JSON: {error}") from error
    documents = []
    for number, found in enumerate(whole, start=1):
        origin = str(path) if len(whole) == 1 else f"{path}, document {number}"
        documents += _objects(origin, found)
    return documents


def _place(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark
    return f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _objects(origin: str, found: object) -> list[Document]:
    """Return the objects of one YAML document: none, one, or the items of a `kind: List`."""
    if found is None:
        return []
    if not isinstance(found, dict):
        raise ManifestsError(
            f"{origin} is a {type(found).__name__}, not an object: it must begin with apiVersion:"
        )
    if found.get("kind") != "List":
        return [Document(origin, found)]
    items = found.get("items")
    if not isinstance(items, list):
        raise ManifestsError(f"{origin}: items of a List must be a list of objects")
    return [
        document
        for number, item in enumerate(items)
        for document in _objects(f"{origin}, items[{number}]", item)
    ]


class _Loader(yaml.CSafeLoader):
    """Plain data only, and no key twice: the second would silently win."""

    # The base class has `deep` as it is here.
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        """Return the mapping of a node; a key that comes twice is an error."""
        seen: set[str] = set()
        for key, _value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                problem = f"the key {key.value} comes twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)
