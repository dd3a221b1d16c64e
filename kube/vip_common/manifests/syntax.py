"""Why a text is not YAML, in the words of a person who wrote it. Pure.

The parser's own sentences name what it expected; these name the mistake that was most probably
made, and what would be right.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import yaml

KEEPALIVED = (
    "this is a configuration of keepalived: write a VirtualIP instead, "
    "as in examples/bare-metal/vip.yaml"
)
_KEEPALIVED = re.compile(
    r"^[ \t]*(global_defs|vrrp_instance|vrrp_script|vrrp_sync_group|virtual_server)\b.*\{",
    re.MULTILINE,
)
_CONFLICT = re.compile(r"^(<{7} |={7}$|>{7} )", re.MULTILINE)
_TEMPLATE = re.compile(r"\{[{%]")
_NO_BLANK = re.compile(r"^\s*(?:- )*[A-Za-z][\w.]*:[^\s:]")


def is_keepalived(text: str) -> bool:
    """Return whether a text is a configuration of keepalived."""
    return _KEEPALIVED.search(text) is not None


def explain(text: str, error: yaml.MarkedYAMLError) -> str:
    """Return where and why a text is not YAML, to follow the name of its file."""
    if is_keepalived(text):
        return f": {KEEPALIVED}"
    mark = error.problem_mark
    if mark is None:
        return f": {error.problem}"
    found = _Mistake(text, error, mark)
    return f", line {mark.line + 1}, column {mark.column + 1}: {found.explained()}"


class _Mistake:
    """A place where a text is not YAML."""

    def __init__(self, text: str, error: yaml.MarkedYAMLError, mark: yaml.Mark) -> None:
        self._lines = text.splitlines()
        self._problem = error.problem or "it is not YAML"
        self._began = error.context_mark or mark
        self._mark = mark
        self._line = self._at(mark.line)

    def _at(self, number: int) -> str:
        return self._lines[number] if 0 <= number < len(self._lines) else ""

    @property
    def _character(self) -> str:
        return self._line[self._mark.column : self._mark.column + 1]

    def explained(self) -> str:
        """Return the mistake that was most probably made, and what would be right."""
        if _CONFLICT.search("\n".join(self._lines[self._began.line : self._mark.line + 1])):
            return "the file holds an unresolved merge conflict: choose one side"
        if _TEMPLATE.search(self._at(self._began.line)) or _TEMPLATE.search(self._line):
            return "`{{` and `{%` belong to a template that was not filled in"
        for words, explanation in _EXPLANATIONS:
            if words in self._problem:
                return explanation(self)
        return self._problem

    def stray_character(self) -> str:
        """No value begins with this character."""
        if self._character == "\t":
            return "there is a tab: indent with spaces, since YAML allows no tabs"
        return f"no value begins with {self._character}: put it in quotes"

    def second_colon(self) -> str:
        """A `: ` stands where the value of another key already began."""
        before = self._line[: self._mark.column]
        if ": " in before:
            return "this is the second `:` in one line: put the value in quotes"
        if self._previous is None:
            return self._problem
        number, previous = self._previous
        if _NO_BLANK.match(previous):
            return f"a space is missing after the `:` of line {number}"
        if ":" not in previous:
            return f"line {number} has no `:` after the name"
        return (
            f"the line is indented more than line {number}, which already has its value: "
            f"indent it by {_indentation(previous)} like that line, or correct line {number}"
        )

    def no_colon(self) -> str:
        """A name is not followed by `:`."""
        line = self._at(self._began.line)
        if _NO_BLANK.match(line):
            return f"a space is missing after the `:` of line {self._began.line + 1}"
        return f"line {self._began.line + 1} has no `:` after the name"

    def out_of_place(self) -> str:
        """A line is indented like nothing around it, or something follows a value."""
        rest = self._line[self._mark.column :].strip()
        if self._line[: self._mark.column].strip():
            return (
                f"{rest} follows a value that has already ended: "
                "remove it, or put the whole value in quotes"
            )
        fitting = self._fitting_indentations()
        here = _indentation(self._line)
        if here in fitting:
            if rest.startswith("- "):
                return "a list follows where names and values are expected: indent or remove it"
            return "the items of the list above begin with `- `: add it, or indent the line further"
        choices = " or ".join(map(str, sorted(fitting)))
        return (
            f"the line is indented by {here}, like no line above that it can belong to: "
            f"indent it by {choices}"
        )

    def unclosed(self) -> str:
        """A bracket or brace has no end."""
        began = f"line {self._began.line + 1}, column {self._began.column + 1}"
        opening = self._at(self._began.line)[self._began.column : self._began.column + 1]
        return f"the `{opening}` in {began} is not closed, or a comma is missing"

    def unclosed_quote(self) -> str:
        """A quoted text has no end."""
        return (
            f"the quote that begins in line {self._began.line + 1}, column "
            f"{self._began.column + 1}, is never closed"
        )

    def no_content(self) -> str:
        """In brackets there is no value where one must be."""
        if self._character == ":":
            return "a value that begins or ends with `:` must be in quotes here"
        if not self._line[self._mark.column :].strip():
            return "the file ends before all brackets are closed"
        return f"a value is expected before {self._line[self._mark.column :].strip()}"

    def alias(self) -> str:
        """A value begins with `*`."""
        return "a value that begins with `*` must be in quotes"

    def tag(self) -> str:
        """A value begins with `!`."""
        return f"{self._problem}: a value that begins with `!` must be in quotes"

    def escape(self) -> str:
        """A backslash in double quotes."""
        return "a backslash in double quotes must be doubled: use single quotes instead"

    def no_document(self) -> str:
        """What follows does not belong to the document that has ended."""
        return "the line does not fit what stands before it: this does not look like YAML"

    @property
    def _previous(self) -> tuple[int, str] | None:
        """Number and text of the last line before that holds anything but a comment."""
        for number in range(self._mark.line - 1, -1, -1):
            line = self._at(number)
            if line.strip() and not line.lstrip().startswith("#"):
                return number + 1, line
        return None

    def _fitting_indentations(self) -> set[int]:
        """Return how far a line may be indented here to belong to a line above."""
        found: set[int] = set()
        least = 1 << 30
        for line in reversed(self._lines[: self._mark.line]):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            if line.startswith("---"):
                break
            if _indentation(line) < least:
                least = _indentation(line)
                found.add(least)
                inner = len(line) - len(line.lstrip(" -"))
                found.add(inner)
        return found or {0}


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


_EXPLANATIONS: tuple[tuple[str, Callable[[_Mistake], str]], ...] = (
    ("found character that cannot start any token", _Mistake.stray_character),
    ("mapping values are not allowed", _Mistake.second_colon),
    ("could not find expected ':'", _Mistake.no_colon),
    ("did not find expected key", _Mistake.out_of_place),
    ("did not find expected '-' indicator", _Mistake.out_of_place),
    ("did not find expected ','", _Mistake.unclosed),
    ("did not find expected node content", _Mistake.no_content),
    ("found unexpected ':'", _Mistake.no_content),
    ("found unexpected end of stream", _Mistake.unclosed_quote),
    ("found undefined alias", _Mistake.alias),
    ("did not find expected alphabetic or numeric character", _Mistake.alias),
    ("could not determine a constructor for the tag", _Mistake.tag),
    ("found unknown escape character", _Mistake.escape),
    ("did not find expected <document start>", _Mistake.no_document),
)
