"""The cluster ring: three real nodes, a control plane and a client.

Fixtures:
    cluster      a vip_lab.cluster.cluster.Cluster, one for the whole run
    kubectl      kubectl as admin
    installation the chart, installed on it (support.installation.Installation)
    namespace    name of a namespace of this test's own, deleted afterwards

A test that cuts power or links puts them back, also when it fails.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from support.installation import Installation
from vip_lab.cluster.cluster import Cluster
from vip_lab.kubernetes.kubectl import Kubectl
from vip_lab.kubernetes.objects import NAMESPACES, make_namespace

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One cluster for the whole run, whose nodes hold the project's image."""
    with Cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def installation(cluster: Cluster) -> Installation:
    """The chart on that cluster, ready."""
    installation = Installation(cluster)
    installation.install()
    return installation


@pytest.fixture(scope="session")
def kubectl(cluster: Cluster) -> Kubectl:
    """Return kubectl as admin."""
    return cluster.kubectl


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of its own for each test; on return from the test it goes in its own time."""
    name = make_namespace(cluster.api, f"test-{next(_numbers)}")
    yield name
    cluster.api.delete(NAMESPACES, name)
