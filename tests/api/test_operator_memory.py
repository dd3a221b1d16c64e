"""What the operator keeps of other people's Pods, and how: little, and only where it is asked for.

The full size, 15,000 Pods, is measured by benchmarks/bench_memory.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.figures import Figure
from support.operator_stand import Stand, operator_stand
from vip_kube.client import PAGE_SIZE
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.crowd import Crowd
from vip_lab.kubernetes.fault_proxy import FaultProxy
from vip_lab.kubernetes.objects import make_pod
from vip_lab.wait import until

MANY, SIZE_BYTES = 1000, 12 * 1024
MIB = 1024 * 1024
GATE = {"name": "web", "pods": {"selector": {"matchLabels": {"app": "web"}}}}


@pytest.fixture
def stand(api: ControlPlane, namespace: str, proxy: FaultProxy) -> Iterator[Stand]:
    """An operator behind the proxy, and speakers that say what the test says."""
    with operator_stand(api, namespace, proxy.kubeconfig("operator")) as stand:
        yield stand


def watched(proxy: FaultProxy) -> set[str]:
    """Return the paths of all watches of pods that were ever asked for."""
    return {each.path for each in proxy.requests(verb="watch") if each.path.endswith("/pods")}


def pages(proxy: FaultProxy) -> int:
    """Return how many pages of lists of pods were asked for.

    What only asks how far the API server has come is none: it has no limit.
    """
    lists = (each for each in proxy.requests(verb="list") if each.path.endswith("/pods"))
    return sum("limit=" in each.query for each in lists)


def test_memory(stand: Stand, api: ControlPlane, proxy: FaultProxy, figure: Figure) -> None:
    """Pods that nobody asks for cost nothing; those that a gate asks for, a few hundred bytes."""
    nodes = stand.speakers.nodes
    stand.operator.start_and_wait()
    stand.apply("web")
    stand.await_router("web")
    crowd = Crowd(api, stand.namespace, nodes[:2], MANY, size_bytes=SIZE_BYTES, ready=20)
    crowd.create()
    bare = stand.operator.peak_memory_bytes()
    assert watched(proxy) == set(), "no gate asks for pods"
    figure("peak without gates on pods, MiB", bare // MIB)
    assert bare < 110 * MIB
    stand.apply("gated", "192.0.2.101", gates=[GATE])
    router = stand.await_router("gated")
    preferred = {each["node"] for each in router["spec"]["candidates"][:2]}
    assert preferred == set(nodes[:2]), "the plan knows where pods are"
    assert watched(proxy) == {f"/api/v1/namespaces/{stand.namespace}/pods"}
    proxy.clear()
    # What happens while the operator is cut off is compacted, so that no watch can go on from
    # where it was: otherwise it depends on the moment whether there is anything to list again.
    proxy.refuse()
    stand.apply("meanwhile", "192.0.2.103")
    api.stop_api(at_once=True)
    api.compact()
    api.start_api()
    proxy.pass_through()
    until(
        "every pod to be listed again", lambda: pages(proxy) >= MANY // PAGE_SIZE, 60.0, every=0.2
    )
    until("the watches to go on", lambda: watched(proxy), 60.0, every=0.2)
    # As many events, each with the whole Pod, and nothing left to clean up one by one.
    crowd.delete()
    stand.apply("after", "192.0.2.102", gates=[GATE])
    stand.await_router("after")
    gated = stand.operator.peak_memory_bytes()
    figure(f"peak with a gate on {MANY} pods, MiB", gated // MIB)
    # Whole, they would be 12 MiB as JSON and three times that as objects.
    assert gated - bare < 30 * MIB


def test_a_namespace_whose_pods_may_not_be_read(stand: Stand, proxy: FaultProxy) -> None:
    """The gate there does not decide, its users read why and the way out, and all else goes on."""
    proxy.answer(403, path=f"/namespaces/{stand.namespace}/pods")
    stand.operator.start_and_wait()
    stand.apply("gated", gates=[GATE])
    stand.apply("other", "192.0.2.101")
    for name in ("gated", "other"):
        stand.await_router(name)
    way_out = (
        f"may not read pods in namespace {stand.namespace}: add it to podGates.namespaces of the "
        "chart"
    )
    stand.await_event("gated", "Advice", way_out)
    assert stand.operator.log().count(way_out) == 1
    make_pod(stand.api, stand.namespace, "p", node="n3", address="10.0.0.3", labels={"app": "web"})
    proxy.pass_through()
    until(
        "the pods to be read",
        lambda: stand.operator.metrics()["vip_operator_api_trouble"] == 0,
        30.0,
        every=0.2,
        show=stand.describe,
    )
    stand.apply("later", "192.0.2.102", gates=[GATE])
    assert stand.await_router("later")["spec"]["candidates"][0]["node"] == "n3"
