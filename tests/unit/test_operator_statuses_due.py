"""When the status of a VirtualIP has to be looked at again."""

from __future__ import annotations

from support.operator_facts import Cluster, statuses, unreadable
from support.status_scene import web
from vip_operator.core.known.round_inputs import SECOND_NS
from vip_operator.core.reporting.virtual_ip_status import StatusKeeper


def due(cluster: Cluster, keeper: StatusKeeper) -> float | None:
    """Return in how many seconds the next round is due."""
    due_ns = cluster.round(keeper).due_ns
    return None if due_ns is None else round((due_ns - cluster.now_ns) / SECOND_NS, 3)


def test_nothing_is_due_without_speakers() -> None:
    """Where no time runs out, nothing is due."""
    assert due(Cluster(speakers={}, virtual_ips=web().virtual_ips), StatusKeeper()) is None


def test_a_heartbeat_runs_out() -> None:
    """The next round is due when the first fresh heartbeat goes stale, and no stale one counts."""
    cluster = web()
    keeper = StatusKeeper()
    cluster.silent.add("n1")
    cluster.wait(10)
    assert due(cluster, keeper) == 15.0
    cluster.wait(15.001)
    assert due(cluster, keeper) == 25.0


def test_a_lag_runs_out() -> None:
    """A round is due when a candidate has lagged behind for too long."""
    cluster = web()
    keeper = StatusKeeper()
    cluster.applied["n1"] = 0
    cluster.round(keeper)
    cluster.wait(20)
    assert due(cluster, keeper) == 10.0


def test_a_round_at_the_due_time_sees_the_change() -> None:
    """Whoever looks again at the due time, and not before, finds what time has changed."""
    cluster = web()
    keeper = StatusKeeper()
    cluster.claim("n1")
    cluster.silent |= set(cluster.speakers)
    due_ns = cluster.round(keeper).due_ns
    assert due_ns is not None
    cluster.seconds = (due_ns - 1) / SECOND_NS
    assert cluster.round(keeper).changes == ()
    cluster.seconds = due_ns / SECOND_NS + 1e-6
    assert len(statuses(cluster.round(keeper))) == 1


def test_memory_does_not_grow() -> None:
    """What is gone is forgotten."""
    cluster = web()
    cluster.claim("n1")
    cluster.unreadable.append(unreadable("odd"))
    keeper = StatusKeeper()
    cluster.round(keeper)
    cluster.virtual_ips.clear()
    cluster.unreadable.clear()
    cluster.round(keeper)
    elections, announcer = keeper._elections, keeper._announcer
    assert elections._claims._sightings == {}
    assert elections._lags._lags == {}
    assert announcer._told == {}
