"""Which cluster the cluster ring runs on: VIP_CLUSTER is `namespaces`, the default, or `kind`.

Both have the interface vip_lab.cluster.interface.AnyCluster.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from vip_lab.cluster.cluster import Cluster
from vip_lab.cluster.interface import AnyCluster
from vip_lab.kind.cluster import KindCluster

_VARIABLE = "VIP_CLUSTER"
_KIND, _NAMESPACES = "kind", "namespaces"


def by_kind() -> bool:
    """Return whether kind was asked for. Raises pytest.UsageError for a cluster that is unknown."""
    chosen = os.environ.get(_VARIABLE, _NAMESPACES)
    if chosen not in (_KIND, _NAMESPACES):
        raise pytest.UsageError(f"{_VARIABLE}={chosen}: it is {_NAMESPACES} or {_KIND}")
    return chosen == _KIND


@contextmanager
def chosen_cluster() -> Iterator[AnyCluster]:
    """Run a cluster of the chosen kind."""
    if by_kind():
        with KindCluster() as containers:
            yield containers
    else:
        with Cluster() as nodes:
            yield nodes


in_namespaces = pytest.mark.skipif(
    os.environ.get(_VARIABLE) == _KIND, reason="is about nodes in network namespaces"
)
