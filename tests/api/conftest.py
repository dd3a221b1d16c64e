"""The API ring: a real API server, etcd and controller manager on loopback, no root needed.

Fixtures:
    api        a ControlPlane with the CRDs of crds/, one for the whole run
    kubectl    kubectl as admin: kubectl("get", "vip"), kubectl.apply(text), kubectl.run(...)
    namespace  name of a namespace of this test's own; afterwards it is deleted, and with it every
               VirtualIP, pool, VirtualRouter, Speaker and Node of the cluster
    proxy      a FaultProxy in front of the API server: refuse(), hang(), answer(503), ...

`api.api` is the API without kubectl (milliseconds per call); what Pods, Nodes and Services need
without kubelets is in vip_lab.kubernetes.objects. Users besides admin may do nothing until
`support.api_server.allow_everything(api.api, "operator")` or a role of the test's own says so.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from support.api_server import clean_up, control_plane
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.fault_proxy import FaultProxy
from vip_lab.kubernetes.kubectl import Kubectl
from vip_lab.kubernetes.objects import make_namespace

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def api() -> Iterator[ControlPlane]:
    """One control plane with our CRDs for the whole run."""
    with control_plane() as plane:
        yield plane


@pytest.fixture(scope="session")
def kubectl(api: ControlPlane) -> Kubectl:
    """Return kubectl as admin."""
    return api.kubectl()


@pytest.fixture
def namespace(api: ControlPlane) -> Iterator[str]:
    """A namespace of its own for each test, and nothing of ours left in the cluster afterwards."""
    yield make_namespace(api.api, f"test-{next(_numbers)}")
    clean_up(api.api)


@pytest.fixture
def proxy(api: ControlPlane) -> Iterator[FaultProxy]:
    """A fault proxy that lets everything through until it is told otherwise."""
    with FaultProxy(api) as proxy:
        yield proxy
