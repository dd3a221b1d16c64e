"""What the operator knows of itself at one moment, for its HTTP pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from vip_model.planning.claims import Scope


@dataclass(slots=True)
class Tally:
    """What the rounds amounted to; counters grow, the rest is of the last round.

    Attributes:
        rounds: how many there were.
        round_seconds: how long planning took in all of them together.
        errors: how many rounds an error of our own ended.
        conflicts: how many writes were refused because an object was not what it seemed.
        conditions: how many VirtualIPs have each (type, status).
        virtual_router_ids_used: of the 255 of each network and family.
    """

    rounds: int = 0
    round_seconds: float = 0.0
    errors: int = 0
    conflicts: int = 0
    conditions: Counter[tuple[str, str]] = field(default_factory=Counter)
    virtual_router_ids_used: Mapping[Scope, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """The operator at one moment.

    Attributes:
        identity: its name among the operators.
        is_leader: it writes.
        tally: of its rounds.
        writes: how many, by kind of object and outcome.
        watch_restarts: how often kopf had to be started anew.
        troubles: what does not work with the API at the moment, in sentences.
        hindrances: why it could not do its work, or take it over, at this moment.
    """

    identity: str
    is_leader: bool
    tally: Tally
    writes: Mapping[tuple[str, str], int]
    watch_restarts: int
    troubles: tuple[str, ...]
    hindrances: tuple[str, ...]
