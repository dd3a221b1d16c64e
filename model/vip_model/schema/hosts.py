"""Names of hosts: which of them mean the same host, however they are spelled. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def folded(name: str) -> str:
    """Return a name as it is compared: capitals and a dot at the end make no difference."""
    return name.rstrip(".").lower()


def meant_by(name: str, names: Iterable[str]) -> list[str]:
    """Return which of the names mean the host that has a name; several if it is not clear.

    The name itself comes first; otherwise n1 and n1.example.test mean the same host. Names with
    two different domains never do.
    """
    wanted = folded(name)
    known = list(dict.fromkeys(names))
    same = [each for each in known if folded(each) == wanted]
    if same:
        return same[:1]
    return [each for each in known if _is_short_for(wanted, folded(each))]


def _is_short_for(one: str, other: str) -> bool:
    """Return whether one of two different names is the first label of the other."""
    return one == other.partition(".")[0] or other == one.partition(".")[0]
