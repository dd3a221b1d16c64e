"""From the bytes of a manifest to documents: plain data, and where each was read.

The C loader of PyYAML recurses without looking at its stack, so that a file of opening brackets
ends the process; and a few lines of aliases stand for billions of values. Both are refused by a
look at the events, which are parsed without recursion, before anything is built.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from vip_common.manifests import syntax
from vip_model.schema.scalars import UnclearText

MOST_BYTES = 4 << 20
_MOST_LEVELS = 100
_MOST_VALUES = 500_000
_MOST_DIGITS = 30


class DocumentError(Exception):
    """A manifest cannot be decoded; one sentence says which one, where, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a manifest.

    Attributes:
        origin: file and place in it, for error messages.
        content: the object as it was written.
    """

    origin: str
    content: object


def decode(origin: str, content: bytes) -> list[Document]:
    """Return every document of a manifest; empty ones are left out.

    The items of a `kind: List` count as documents.

    Args:
        origin: name of the file, for error messages.
        content: what it holds.

    Raises:
        DocumentError: it is not YAML (of which JSON is a part), or more than a manifest may hold.
    """
    text = _text(origin, content)
    try:
        _check_size(origin, text)
        whole = list(yaml.load_all(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        raise DocumentError(f"{origin}{syntax.explain(text, error)}") from error
    except (yaml.YAMLError, ValueError) as error:
        why = " ".join(str(error).split())
        raise DocumentError(f"{origin} is neither YAML nor JSON: {why}") from error
    if any(isinstance(each, str) for each in whole) and syntax.is_keepalived(text):
        raise DocumentError(f"{origin}: {syntax.KEEPALIVED}")
    found: list[Document] = []
    for number, document in enumerate(whole, start=1):
        where = origin if len(whole) == 1 else f"{origin}, document {number}"
        found += _single(where, document)
    return found


def _text(origin: str, content: bytes) -> str:
    """Return the text of a file."""
    if len(content) > MOST_BYTES:
        raise DocumentError(
            f"{origin} is larger than {MOST_BYTES >> 20} MiB, which no manifest is: "
            "check that it is the right file, or split it"
        )
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DocumentError(f"{origin} is UTF-16: save it as UTF-8")
    if not content.strip():
        raise DocumentError(
            f"{origin} is empty, as if it were being written: "
            "to run without any address, leave a comment in it"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(f"{origin}{_not_utf_8(content, error.start)}") from error
    for found in _CONTROL.finditer(text):
        line, column = _place(text[: found.start()])
        raise DocumentError(
            f"{origin}, line {line}, column {column}: the character U+{ord(found[0]):04X} is not "
            "allowed in YAML: the file is damaged, or is not text"
        )
    return text


# What YAML calls printable, without what only a damaged or binary file has.
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _not_utf_8(content: bytes, position: int) -> str:
    before = content[:position].decode()
    line, column = _place(before)
    if _CONTROL.search(before):
        return " is not text: check that it is the right file"
    return (
        f", line {line}, column {column}: the byte 0x{content[position]:02X} is not UTF-8, and "
        "looks like Latin-1: save the file as UTF-8"
    )


def _place(before: str) -> tuple[int, int]:
    """Return line and column of what follows a text."""
    lines = before.split("\n")
    return len(lines), len(lines[-1]) + 1


def _check_size(origin: str, text: str) -> None:
    """Raise an error if a text stands for more than a manifest may hold."""
    size = _Size()
    for event in yaml.parse(text, Loader=_Loader):
        why = size.excess(event)
        if why is not None:
            line = event.start_mark.line + 1 if event.start_mark is not None else 1
            raise DocumentError(f"{origin}, line {line}: {why}")


class _Size:
    """How much the events of a text stand for; an alias counts as all that its anchor does."""

    def __init__(self) -> None:
        self._of_anchors: dict[str, int] = {}
        self._opened: list[tuple[str | None, int]] = []  # anchor, and the count where it began
        self._count = 0

    def excess(self, event: yaml.Event) -> str | None:
        """Count one more event, and return why it is one too many."""
        if isinstance(event, yaml.AliasEvent):
            anchor = event.anchor or ""
            if anchor in (each for each, _ in self._opened):
                return f"*{anchor} is a part of itself: write the values out"
            self._count += self._of_anchors.get(anchor, 1)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._opened.append((event.anchor, self._count))
            self._count += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            opened, began = self._opened.pop()
            if opened is not None:
                self._of_anchors[opened] = self._count - began
        elif isinstance(event, yaml.ScalarEvent):
            self._count += 1
        check = "which no manifest does: check that it is the right file"
        if len(self._opened) > _MOST_LEVELS:
            return f"the document is nested more than {_MOST_LEVELS} levels deep, {check}"
        if self._count > _MOST_VALUES:
            return f"the document stands for more than {_MOST_VALUES} values, {check}"
        return None


def _single(origin: str, document: object) -> Iterator[Document]:
    """Yield the documents in a document: none, one, or the items of a `kind: List`."""
    if document is None:
        return
    if not isinstance(document, dict) or document.get("kind") != "List":
        yield Document(origin, document)
        return
    items = document.get("items")
    if not isinstance(items, list):
        raise DocumentError(f"{origin}: items of a List must be a list of objects")
    for number, item in enumerate(items):
        yield from _single(f"{origin}, items[{number}]", item)


class _Loader(yaml.CSafeLoader):
    """Plain data as YAML 1.2 reads it, and no key twice: the second would silently win.

    What YAML 1.1 and 1.2 read differently becomes an `UnclearText`, which is refused where it
    matters: in documents of other kinds it does not.
    """

    # The base class has `deep` as it is here.
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        """Return the mapping of a node; a key that comes twice is an error."""
        seen: set[str] = set()
        for key, _value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen and key.value != "<<":
                problem = f"the key {key.value} comes twice: remove one of the two lines"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)

    def construct_number(self, node: yaml.ScalarNode) -> int | str:
        """Return a whole number, or its text if it is none or endless."""
        text = self.construct_scalar(node)
        if _INTEGER.fullmatch(text) and len(text) <= _MOST_DIGITS:
            return int(text)
        return UnclearText(text)

    def construct_unclear(self, node: yaml.ScalarNode) -> UnclearText:
        """Return a text that is not read alike everywhere."""
        return UnclearText(self.construct_scalar(node))


_UNCLEAR = "tag:vip-operator.io:unclear"
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
# Tag, what has it, and the characters that it can begin with.
_RESOLVERS = (
    ("tag:yaml.org,2002:null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("tag:yaml.org,2002:int", _INTEGER.pattern, "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        (
            r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
            r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
        ),
        "-+.0123456789",
    ),
    ("tag:yaml.org,2002:merge", r"<<", "<"),
    (_UNCLEAR, r"(?i:yes|no|on|off)", "yYnNoO"),
    (_UNCLEAR, r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?", "-+0123456789"),
    (_UNCLEAR, r"[-+]?0([xX][0-9A-Fa-f_]+|[oO][0-7_]+|[bB][01_]+)", "-+0"),
    (_UNCLEAR, r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?", "0123456789"),
)
_Loader.yaml_implicit_resolvers = {}  # instead of those of YAML 1.1
for _tag, _pattern, _first in _RESOLVERS:
    _Loader.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})\Z"), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_number)
_Loader.add_constructor(_UNCLEAR, _Loader.construct_unclear)
