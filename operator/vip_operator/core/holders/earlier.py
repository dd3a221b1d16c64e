"""What was said of elections before this operator began. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vip_operator.core.holders.holder import ToldHolder


@dataclass(frozen=True, slots=True)
class Told:
    """What users were told, by name of the VirtualRouter.

    Attributes:
        holders: who held it, where at most one claim counted.
        contested: several nodes held it.
        claimed: there was a claim, or one may not have been reported yet.
        stalled: its speakers were behind.
    """

    holders: Mapping[str, ToldHolder] = field(default_factory=dict)
    contested: frozenset[str] = frozenset()
    claimed: frozenset[str] = frozenset()
    stalled: frozenset[str] = frozenset()
