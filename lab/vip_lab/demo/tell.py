"""How the demos tell what it does: short lines, a table at the end."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass

_WIDTH = 96
_HEAD = ("act", "before", "after", "lost ICMP", "lost TCP", "gap ms", "bound ms", "verdict")
_FIGURES = range(3, 7)  # columns to align on the right


@dataclass(frozen=True)
class Row:
    """One line of the table at the end."""

    title: str
    before: str
    after: str
    lost_icmp: str
    lost_tcp: str
    gap: str
    bound: str
    verdict: str

    def cells(self) -> tuple[str, ...]:
        """Return the columns in their order."""
        return (
            *(self.title, self.before, self.after, self.lost_icmp, self.lost_tcp),
            *(self.gap, self.bound, self.verdict),
        )


class Teller:
    """Prints for a stranger: short lines, colours only on a terminal."""

    def __init__(self) -> None:
        self._colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._began = time.monotonic()

    def say(self, text: str = "", indent: str = "") -> None:
        """Print a paragraph."""
        lines = textwrap.wrap(
            text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
        )
        print("\n".join(lines))
        sys.stdout.flush()

    def quote(self, text: str) -> None:
        """Print somebody else's words as they are."""
        lines = [f"    | {line}".rstrip() for line in text.rstrip().splitlines()]
        print("\n".join(lines), flush=True)

    def command(self, text: str) -> None:
        """Print a command that is run now, as one would type it."""
        lines = textwrap.wrap(text, _WIDTH, break_on_hyphens=False, break_long_words=False)
        print("    $ " + " \\\n          ".join(lines), flush=True)

    def heading(self, text: str) -> None:
        """Print a heading after an empty line."""
        print("\n" + self.bold(text), flush=True)

    def judge(self, verdict: str, problem: str) -> None:
        """Print a verdict with what is behind it."""
        print("   " + self.verdict(verdict) + (f": {problem}" if problem else ""), flush=True)

    def bold(self, text: str) -> str:
        """Return the text as a heading."""
        return f"\033[1m{text}\033[0m" if self._colours else text

    def verdict(self, text: str) -> str:
        """Return the text in the colour of its meaning."""
        colour = "32" if text.strip() == "ok" else "31"
        return f"\033[{colour}m{text}\033[0m" if self._colours else text

    def seconds(self) -> float:
        """Return the time since the beginning."""
        return time.monotonic() - self._began


def show_table(rows: Sequence[Row], teller: Teller) -> None:
    """Print what happened, aligned."""
    lines = [_HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    print()
    for number, line in enumerate(lines):
        cells = [
            cell.rjust(width) if column in _FIGURES else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        if number:
            cells[-1] = teller.verdict(cells[-1].rstrip())
        text = "  ".join(cells).rstrip()
        print(teller.bold(text) if number == 0 else text)
    print()
