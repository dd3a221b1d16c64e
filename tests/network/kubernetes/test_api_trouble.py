"""The API server goes, hangs or refuses: addresses stay, move when they must, and all catch up."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from support.figures import Figure
from support.network_manifests import NODES
from support.stage import NAMESPACE, Stage, virtual_ip
from vip_kube.kinds import PODS
from vip_lab.client import Probing
from vip_lab.kubernetes.fault_proxy import FaultProxy
from vip_lab.kubernetes.objects import delete_pod, make_pod
from vip_lab.wait import throughout, until

VIP, OTHER = "192.0.2.100", "192.0.2.101"
TARGET = f"icmp:{VIP}"
# Longer than kopf's back-offs together (54 s), every request timeout and every lease.
OUTAGE_SECONDS = 65.0
CAUGHT_UP_SECONDS = 20.0
CPU_SHARE = 0.25

Fault = Callable[[FaultProxy], None]
FAULTS: dict[str, Fault] = {
    "refuses": lambda proxy: proxy.refuse(),
    "hangs": lambda proxy: proxy.hang(),
    "403": lambda proxy: _all(proxy, 403),
    "410": lambda proxy: _all(proxy, 410),
    "429": lambda proxy: _all(proxy, 429, 1),
    "503": lambda proxy: _all(proxy, 503),
}


def _all(proxy: FaultProxy, status: int, retry_after_seconds: int | None = None) -> None:
    proxy.answer(status, retry_after_seconds)
    proxy.cut_watches()


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_of_the_api_moves_nothing(stage: Stage, fault: str, figure: Figure) -> None:
    """Eight seconds of a fault move no address; what changed meanwhile is there soon after."""
    stage.apply(virtual_ip("web", [VIP]))
    stage.apply(virtual_ip("gone", [OTHER]))
    stage.await_condition("gone", "Ready", "True")
    holder = stage.await_held("web", VIP)
    used = stage.operator.cpu_seconds()
    stage.proxy.clear()
    with Probing(stage.lan["client"], [TARGET], 100) as probing:
        FAULTS[fault](stage.proxy)
        # Past the proxy: nobody of ours hears of it.
        stage.delete("gone")
        throughout("the same holder", lambda: stage.fleet.holder(VIP) == holder, 8.0, every=0.1)
        asked = len(stage.proxy.requests())
        stage.proxy.pass_through()
        began = time.monotonic()
        until("the deletion to be known", lambda: not stage.lan.holders(OTHER), CAUGHT_UP_SECONDS)
        figure("fault over to deletion done", time.monotonic() - began)
    assert probing.results[TARGET].lost == 0
    assert stage.operator.running
    assert stage.fleet.holder(VIP) == holder
    figure("requests in 8 s", asked)
    assert asked < 8 * 60
    seconds = time.monotonic() - began + 8.0
    assert stage.operator.cpu_seconds() - used < CPU_SHARE * seconds + 2.0
    stage.operator.await_ready()


def test_address_moves_without_any_api_server(stage: Stage, figure: Figure) -> None:
    """With the API server stopped for over a minute an address still moves, and later all agree."""
    stage.apply(virtual_ip("web", [VIP]))
    before = stage.await_held("web", VIP)
    began = time.monotonic()
    stage.plane.stop_api(at_once=True)
    try:
        throughout("the same holder", lambda: stage.fleet.holder(VIP) == before, 5.0, every=0.1)
        stage.lan.cut(before)
        cut = time.monotonic()
        after = stage.fleet.await_holder(VIP, stage.fleet.others(before), 6.0)
        figure("link cut to bound elsewhere, no API server", time.monotonic() - cut)
        stage.lan.restore(before)
        remaining = OUTAGE_SECONDS - (time.monotonic() - began)
        throughout("the new holder", lambda: stage.fleet.holder(VIP) == after, remaining, every=0.2)
        assert stage.operator.running
    finally:
        stage.lan.restore(before)
        stage.plane.start_api()
    back = time.monotonic()
    stage.await_active_node("web", after, CAUGHT_UP_SECONDS)
    figure("API server back to status", time.monotonic() - back)
    stage.apply(virtual_ip("late", [OTHER]))
    stage.fleet.await_holder(OTHER, NODES, CAUGHT_UP_SECONDS)


def test_restarted_agent_without_api_server_changes_nothing(stage: Stage) -> None:
    """Agents and engines that are restarted while the API is away serve on from what they know."""
    stage.apply(virtual_ip("web", [VIP]))
    holder = stage.await_held("web", VIP)
    stage.proxy.refuse()
    with Probing(stage.lan["client"], [TARGET], 100) as probing:
        for role in ("agent", "engine"):
            old = stage.fleet[holder].kill_role(role)
            stage.fleet[holder].await_new(role, old)
            throughout("the same holder", lambda: stage.fleet.holder(VIP) == holder, 2.0)
    assert probing.results[TARGET].lost <= 5
    before = holder
    stage.fleet[before].kill()
    after = stage.fleet.await_holder(VIP, stage.fleet.others(before), 8.0)
    stage.fleet[before].start()
    throughout("the new holder", lambda: stage.fleet.holder(VIP) == after, 4.0)
    stage.proxy.pass_through()
    stage.await_active_node("web", after, CAUGHT_UP_SECONDS)


def test_pod_that_goes_while_the_watch_is_gone_is_noticed(stage: Stage) -> None:
    """A pod deleted during an outage whose watch cannot be resumed (410) no longer counts after."""
    gates = [{"name": "nginx", "pods": {"selector": {"matchLabels": {"app": "nginx"}}}}]
    for node in NODES:
        make_pod(
            stage.api, NAMESPACE, f"nginx-{node}", node=node,
            address=stage.lan[node].ipv4, labels={"app": "nginx"},
        )  # fmt: skip
    try:
        stage.apply(virtual_ip("web", [VIP], gates=gates))
        before = stage.await_held("web", VIP)
        stage.proxy.refuse()
        delete_pod(stage.api, NAMESPACE, f"nginx-{before}")
        throughout("the same holder", lambda: stage.fleet.holder(VIP) == before, 2.0)
        stage.proxy.answer(410, verb="watch", path="/pods")
        throughout("a holder", lambda: stage.lan.holders(VIP), 3.0)
        stage.proxy.pass_through()
        stage.fleet.await_holder(VIP, stage.fleet.others(before), CAUGHT_UP_SECONDS)
    finally:
        for pod in stage.api.items(PODS, NAMESPACE):
            delete_pod(stage.api, NAMESPACE, pod["metadata"]["name"])
