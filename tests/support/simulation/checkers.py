"""All checkers that watch a simulated world."""

from __future__ import annotations

from support.simulation.check_claims import Cascades, Newcomers, Preemptions, Successors
from support.simulation.check_holding import Holding
from support.simulation.check_node import Entries, Senders, Timers
from support.simulation.check_pairs import Leftovers, Pairs
from support.simulation.check_promises import Promises
from support.simulation.check_rate import Rate
from support.simulation.check_rhythm import Rhythm, Stability, Unread
from support.simulation.check_service import NeverNone, Reachability

ALL = (
    Holding,
    Timers,
    Senders,
    Entries,
    Rate,
    Rhythm,
    Stability,
    Unread,
    Successors,
    Preemptions,
    Newcomers,
    Cascades,
    Pairs,
    Leftovers,
    NeverNone,
    Reachability,
    Promises,
)
