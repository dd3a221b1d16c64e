"""A node that makes up which revision it has applied: nobody else is the worse for it."""

from __future__ import annotations

import pytest

from support.planned_cluster import WEB, PlannedCluster, declared
from vip_operator.core.known.kubernetes_objects import (
    APPLIED_REVISION,
    GREATEST_REVISION,
    read_lease,
)
from vip_operator.core.routers import GREATEST_BELIEVED


@pytest.mark.parametrize("off", [-1, 0, 1])
@pytest.mark.parametrize("made_up", [GREATEST_BELIEVED, GREATEST_REVISION])
def test_it_uses_no_revisions_up(made_up: int, off: int) -> None:
    """Whatever one node says, again and again, the others can acknowledge what is given then."""
    cluster = PlannedCluster()
    cluster.settle()
    for number in range(3):
        cluster.applied["n3"] = read(made_up + off)
        cluster.virtual_ips[1:] = [declared("b", addresses=[f"192.0.2.10{number}"])]
        cluster.round()
    cluster.virtual_ips.pop()
    cluster.round()
    assert cluster.routers["vip.shop.b"].spec.retired
    newest = max(router.spec.revision for router in cluster.routers.values())
    cluster.applied = dict.fromkeys(cluster.applied, read(newest))
    cluster.round()
    assert cluster.routers.keys() == {WEB}


def read(applied: int) -> int:
    """Return an applied revision as it is read from the Lease that says it."""
    annotations = {APPLIED_REVISION: str(applied)}
    lease = read_lease({"metadata": {"name": "vip-speaker-n3", "annotations": annotations}})
    assert lease is not None
    return lease.applied_revision
