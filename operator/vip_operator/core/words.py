"""Words that users meet in conditions and events, each with what it means."""

from __future__ import annotations

import enum
from typing import Self


class Word(enum.StrEnum):
    """A word of an enumeration with a description; members are written `NAME = "Word", "text"`.

    Attributes:
        description: what it means, one sentence.
    """

    description: str

    def __new__(cls, word: str, description: str) -> Self:
        """Return the member of that word."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.description = description
        return member
