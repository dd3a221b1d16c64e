"""What a round of the operator goes by: the snapshot, the plan for it, and what time tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from vip_model.planning.plan import Plan
from vip_operator.core.known.snapshot import Snapshot

SECOND_NS = 1_000_000_000
STALE_AFTER_NS = 25 * SECOND_NS


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, on both clocks.

    Attributes:
        monotonic_ns: decides; never steps.
        utc: is shown to people.
    """

    monotonic_ns: int
    utc: datetime


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What the Lease of a node's speaker tells.

    Attributes:
        node: the node.
        changed_ns: when we last saw the Lease change, on our monotonic clock. A Lease that was
            there when we began counts as changed then.
        fresh: that is at most 25 s ago.
        applied_revision: the newest VirtualRouter revision that its engine runs.
        resumed_ns: since when the Lease is renewed in time, as far as we saw.
        lost: it has been silent for more than 25 s while other speakers were heard, so that
            trouble with the API server that all have is not the reason.
    """

    node: str
    changed_ns: int
    fresh: bool
    applied_revision: int
    resumed_ns: int = 0
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a round goes by.

    Attributes:
        snapshot: what is there.
        plan: what follows from it.
        heartbeats: of every speaker that has a Lease, by node.
        now: the moment.
    """

    snapshot: Snapshot
    plan: Plan
    heartbeats: Mapping[str, Heartbeat]
    now: Moment
