"""What is wrong with a document: every problem names the object, the field and the way out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or that should be known.

    Attributes:
        object: KIND NAMESPACE/NAME, or KIND NAME.
        field: path of the field, such as spec.vrrp.virtualRouterID; empty for the whole object.
        message: what is wrong and what would be right.
        origin: where the object was read, such as a file; empty where it was not read.
    """

    object: str
    field: str
    message: str
    origin: str = ""

    def __str__(self) -> str:
        """Return the problem as one sentence."""
        return ": ".join(part for part in (self.origin, self.object, self.field) if part) + (
            f": {self.message}"
        )


class ConfigError(ValueError):
    """One or more problems of documents that users wrote; the text has one line for each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def shortened(text: str) -> str:
    """Return a text of a user, cut where nobody would read on."""
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"


_LONGEST_QUOTE = 100
