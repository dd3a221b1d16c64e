"""Several operators on a real API server: one writes at a time, and none after it has lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from support.operator_stand import Stand, operator_stand
from vip_kube.kinds import LEASES
from vip_lab.kubernetes.api import JsonObject
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.fault_proxy import FaultProxy
from vip_lab.kubernetes.operator import Operator
from vip_lab.wait import throughout, until

LEASE = "vip-operator"
# The Lease's duration, and as much again for the one that waits for it.
SECONDS_TO_TAKE_OVER = 30.0


@pytest.fixture
def stand(api: ControlPlane, namespace: str) -> Iterator[Stand]:
    """An operator that leads, and speakers that say what the test says."""
    with operator_stand(api, namespace) as stand:
        stand.operator.start_and_wait()
        until("it to lead", lambda: is_leader(stand.operator), 30.0, show=stand.describe)
        yield stand


@pytest.fixture
def second(api: ControlPlane, stand: Stand) -> Iterator[Operator]:
    """Another operator of the same namespace, ready and following."""
    kubeconfig = api.kubeconfig("operator")
    with Operator(kubeconfig, stand.namespace, identity="second") as operator:
        operator.start_and_wait()
        yield operator


def is_leader(operator: Operator) -> bool:
    """Return whether an operator says that it leads."""
    return operator.metrics().get("vip_operator_leader") == 1


def writes(operator: Operator) -> float:
    """Return how many writes an operator has tried."""
    return sum(
        count
        for name, count in operator.metrics().items()
        if name.startswith("vip_operator_writes_total")
    )


def lease(stand: Stand) -> JsonObject:
    """Return what the Lease says."""
    spec: JsonObject = stand.api.get(LEASES, LEASE, stand.namespace)["spec"]
    return spec


def holder(stand: Stand) -> str:
    """Return who holds the Lease."""
    return str(lease(stand).get("holderIdentity") or "")


def test_one_of_two_writes(stand: Stand, second: Operator) -> None:
    """While one operator leads, the other is ready, knows everything and writes nothing."""
    stand.apply("web")
    stand.await_condition("web", "Accepted", "True")
    assert holder(stand).startswith("operator_")
    assert writes(stand.operator) > 0
    assert writes(second) == 0
    assert not is_leader(second)


def test_a_stopped_leader_hands_over(stand: Stand, second: Operator) -> None:
    """SIGTERM ends the leader with 0; the other leads before the Lease could have run out."""
    stand.apply("web")
    stand.await_router("web")
    renewed = datetime.fromisoformat(lease(stand)["renewTime"])
    assert stand.operator.stop() == 0
    assert "Released the Lease" in stand.operator.log()
    until("the second to lead", lambda: is_leader(second), SECONDS_TO_TAKE_OVER, show=second.log)
    taken = lease(stand)
    assert taken["holderIdentity"].startswith("second_")
    duration = timedelta(seconds=taken["leaseDurationSeconds"])
    assert datetime.fromisoformat(taken["acquireTime"]) < renewed + duration
    stand.apply("more", "192.0.2.101")
    assert stand.await_router("more")["spec"]["epoch"] == 2


def test_a_killed_leader_is_followed(stand: Stand, second: Operator) -> None:
    """A leader that is killed is followed once its Lease has run out."""
    stand.operator.kill()
    stand.apply("web")
    stand.await_router("web", SECONDS_TO_TAKE_OVER)
    assert is_leader(second)


def test_a_frozen_leader_never_writes_over_the_next(stand: Stand, second: Operator) -> None:
    """A leader frozen beyond its Lease and thawed writes nothing any more, and ends with 3."""
    stand.apply("web")
    before = stand.await_router("web")["spec"]
    stand.await_condition("web", "Accepted", "True")
    stand.operator.freeze()
    stand.delete("web")  # what the frozen one would write about when it wakes up
    until("the second to lead", lambda: is_leader(second), SECONDS_TO_TAKE_OVER, show=second.log)
    stand.await_retired("web")
    stand.apply("more", "192.0.2.101")
    stand.await_router("more")
    stand.operator.thaw()
    assert stand.operator.wait(10.0) == 3
    assert "leads now" in stand.operator.log()
    router = stand.await_router("web")
    assert router["spec"]["epoch"] == 2 > before["epoch"]
    assert router["metadata"]["generation"] == 2  # created, retired, and nothing else


def test_a_leader_without_api_is_suspended_and_goes_on(
    api: ControlPlane, namespace: str, proxy: FaultProxy
) -> None:
    """A leader that cannot renew writes nothing, and leads on if nobody took its Lease."""
    with operator_stand(api, namespace, proxy.kubeconfig("operator")) as stand:
        operator = stand.operator
        operator.start_and_wait()
        until("it to lead", lambda: is_leader(operator), 30.0, show=stand.describe)
        proxy.answer(503, path="leases")
        until("it to be suspended", lambda: not is_leader(operator), 20.0, show=stand.describe)
        stand.apply("web")
        throughout("nothing is written", lambda: stand.router("web") is None, 2.0, every=0.2)
        proxy.pass_through()
        assert stand.await_router("web")["spec"]["epoch"] == 1
        assert operator.running


def test_a_deleted_lease_ends_the_leader(stand: Stand) -> None:
    """Deleting the Lease ends the leader: another one may hold a new Lease already."""
    stand.api.delete(LEASES, LEASE, stand.namespace)
    assert stand.operator.wait(15.0) == 3
