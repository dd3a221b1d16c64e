"""On which link an address is to be, as far as it is known. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Link:
    """Where an address is to be.

    Attributes:
        networks: names of the networks that it can be in; empty where that is not known.
        interfaces: names or patterns of interfaces; empty where any interface may be meant.
    """

    networks: frozenset[str] = frozenset()
    interfaces: tuple[str, ...] = ()

    def is_apart_from(self, other: Link) -> bool:
        """Return whether it is certain that both are different links."""
        if self.networks and other.networks and not self.networks & other.networks:
            return True
        return are_apart(self.interfaces, other.interfaces)


def are_apart(one: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether no interface can match a pattern of both lists."""
    if not one or not other:
        return False
    return not any(_may_meet(first, second) for first in one for second in other)


def _may_meet(one: str, other: str) -> bool:
    if fnmatchcase(one, other) or fnmatchcase(other, one):
        return True
    if not _has_wildcards(one) or not _has_wildcards(other):
        return False
    # Two patterns of which neither matches the other may still both match a third name.
    first, second = _beginning(one), _beginning(other)
    return first.startswith(second) or second.startswith(first)


def _has_wildcards(pattern: str) -> bool:
    return _beginning(pattern) != pattern


def _beginning(pattern: str) -> str:
    """Return what stands before the first wildcard."""
    return re.split(r"[*?[]", pattern, maxsplit=1)[0]
