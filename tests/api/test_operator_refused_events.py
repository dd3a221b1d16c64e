"""Events that the API server refuses, as in a namespace that is being deleted, hinder nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.operator_stand import Stand, operator_stand
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.fault_proxy import FaultProxy
from vip_lab.wait import until

REFUSED = 'vip_operator_writes_total{object="Event",outcome="refused"}'


@pytest.fixture
def stand(api: ControlPlane, namespace: str, proxy: FaultProxy) -> Iterator[Stand]:
    """An operator that leads, behind the proxy."""
    with operator_stand(api, namespace, proxy.kubeconfig("operator")) as stand:
        stand.operator.start_and_wait()
        yield stand


def test_refused_events_hinder_nothing(stand: Stand, proxy: FaultProxy) -> None:
    """While events are forbidden a new VirtualIP is served at once, and no trouble is told of."""
    proxy.answer(403, path=r"/events$", verb="create")
    stand.apply("web", serviceRef={"name": "none"})
    until(
        "an event to be refused",
        lambda: stand.operator.metrics().get(REFUSED, 0) >= 1,
        15.0,
        show=stand.describe,
    )
    stand.apply("new", "192.0.2.101")
    stand.await_router("new", 5.0)
    stand.await_condition("new", "Accepted", "True", 5.0)
    assert stand.operator.metrics()["vip_operator_api_trouble"] == 0
    proxy.pass_through()
    stand.apply("later", "192.0.2.102", serviceRef={"name": "none"})
    stand.await_event("later", "NoSuchService", "none")
    assert stand.events("web") == []
