"""Which nodes are there, as documents tell: Leases, what Speakers report, Nodes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from vip_common.timestamps import parsed as instant
from vip_model.planning.inputs import Liveness
from vip_model.schema.parse import Parsed, single
from vip_operator.core.holders.liveness import LivenessKeeper
from vip_operator.core.known.heartbeats import Silences
from vip_operator.core.known.kubernetes_objects import read_lease
from vip_operator.core.known.round_inputs import STALE_AFTER_NS, Heartbeat
from vip_operator.core.known.snapshot import Snapshot

_MICROSECOND = timedelta(microseconds=1)


def liveness_of(documents: Iterable[tuple[str, object]], found: Parsed) -> Liveness:
    """Return which nodes are there; without Leases, all of them.

    A Lease is as old as it is older than the newest one: documents have no clock of their own.

    Args:
        documents: pairs of where it was read and the decoded document.
        found: what the documents of our kinds say.
    """
    heartbeats: dict[str, Heartbeat] = {}
    renewed: dict[str, datetime] = {}
    for _origin, content in single(documents):
        renewal = _renewal(content)
        if renewal is not None:
            heartbeat, renewed_at = renewal
            heartbeats[heartbeat.node], renewed[heartbeat.node] = heartbeat, renewed_at
    if not renewed:
        return Liveness()
    newest = max(renewed.values())
    silent_ns = {node: (newest - at) // _MICROSECOND * 1000 for node, at in renewed.items()}
    keeper = LivenessKeeper()
    snapshot = Snapshot(speakers=found.speakers, nodes=found.nodes or ())
    expected = keeper.expected(found.virtual_routers, snapshot)
    # Since when a node has no Lease is not known.
    silent_ns |= dict.fromkeys(expected - renewed.keys(), STALE_AFTER_NS + 1)
    lost = {node: each for node, each in silent_ns.items() if each > STALE_AFTER_NS}
    silences = Silences(lost=lost, heard=frozenset(renewed.keys() - lost))
    return keeper.observe(snapshot, heartbeats, silences)


def _renewal(content: object) -> tuple[Heartbeat, datetime] | None:
    """Return what the Lease of a speaker says, and when it was renewed; None for all else."""
    if not isinstance(content, Mapping) or content.get("kind") != "Lease":
        return None
    spec = content.get("spec")
    renewed = instant(str(spec.get("renewTime", ""))) if isinstance(spec, Mapping) else None
    try:
        lease = read_lease(content)
    except msgspec.ValidationError:
        return None
    if lease is None or renewed is None:
        return None
    heartbeat = Heartbeat(lease.node, 0, fresh=True, applied_revision=lease.applied_revision)
    return heartbeat, renewed
