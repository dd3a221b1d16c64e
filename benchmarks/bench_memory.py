"""How much memory the operator needs beside 15,000 Pods of 12 KiB, in one namespace.

A real API server and etcd. First no gate asks for pods, then one does; then etcd is compacted and
the API server killed and started, which cuts all watches and lets none of them go on.

Run it: `.venv/bin/python benchmarks/bench_memory.py`; it takes some minutes, and needs the
Kubernetes binaries (`hack/kube-binaries`). Exit status 1 if a bound is broken.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from vip_common.kinds import VIRTUAL_IPS
from vip_lab.kubernetes.binaries import why_no_binaries
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.crowd import Crowd
from vip_lab.kubernetes.fault_proxy import FaultProxy
from vip_lab.kubernetes.objects import make_namespace, make_node
from vip_lab.kubernetes.operator import Operator
from vip_lab.wait import until

MIB = 1024 * 1024
SIZE_BYTES = 12 * 1024
BUDGET_BARE_MIB, BUDGET_GATED_MIB = 128, 200
CRDS = sorted((Path(__file__).parent.parent / "crds").glob("*.yaml"))
GATE = {"name": "web", "pods": {"selector": {"matchLabels": {"app": "web"}}}}
NAMESPACE = "shop"
NODES = tuple(f"n{number}" for number in range(1, 101))


def main() -> int:
    """Measure and print; return 1 if a bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, default=15_000, help="how many (default: 15000)")
    count = parser.parse_args().pods
    reason = why_no_binaries()
    if reason is not None:
        print(f"not measured: it {reason}")
        return 0
    with ControlPlane(manifests=CRDS) as plane, FaultProxy(plane) as proxy:
        make_namespace(plane.api, NAMESPACE)
        for node in NODES:
            make_node(plane.api, node, "192.0.2.1")
        began = time.monotonic()
        crowd = Crowd(plane, NAMESPACE, NODES, count, size_bytes=SIZE_BYTES, ready=count // 10)
        crowd.create()
        print(f"{count} Pods of {SIZE_BYTES} bytes created in {time.monotonic() - began:.0f} s")
        with Operator(proxy.kubeconfig(), NAMESPACE) as operator:
            return measure(plane, proxy, operator)


def measure(plane: ControlPlane, proxy: FaultProxy, operator: Operator) -> int:
    """Print the peaks; return 1 if one is too high."""
    operator.start_and_wait()
    declare(plane, "plain", "192.0.2.100")
    bare = peak_mib(operator, "no gate on pods", BUDGET_BARE_MIB)
    declare(plane, "gated", "192.0.2.101", gates=[GATE])
    await_watch(proxy)
    peak_mib(operator, "one gate on pods", BUDGET_GATED_MIB)
    proxy.clear()
    plane.stop_api(at_once=True)
    plane.compact()
    plane.start_api()
    await_watch(proxy)
    pages = len(proxy.requests(verb="list", path="/pods$"))
    assert pages > 1, "the pods were not listed anew"
    gated = peak_mib(operator, "after a compaction with all watches cut", BUDGET_GATED_MIB)
    return 1 if bare > BUDGET_BARE_MIB or gated > BUDGET_GATED_MIB else 0


def declare(plane: ControlPlane, name: str, address: str, **spec: object) -> None:
    """Create a VirtualIP."""
    body = {
        "apiVersion": VIRTUAL_IPS.api_version,
        "kind": VIRTUAL_IPS.name,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"addresses": [address], **spec},
    }
    plane.api.create(VIRTUAL_IPS, body)


def await_watch(proxy: FaultProxy) -> None:
    """Wait until pods were listed and are watched."""

    def watched() -> bool:
        asked = [each.verb for each in proxy.requests(path="/pods$")]
        return "list" in asked and asked[-1:] == ["watch"]

    began = time.monotonic()
    until("the pods to be watched", watched, 300.0, every=0.2)
    # Long enough for a watch that is refused, with 410, to be followed by a list.
    time.sleep(3.0)
    until("the pods to be watched", watched, 300.0, every=0.2)
    print(f"pods listed and watched after {time.monotonic() - began:.0f} s")


def peak_mib(operator: Operator, when: str, budget: int) -> int:
    """Print and return the most memory that the operator had in use so far."""
    peak = operator.peak_memory_bytes() // MIB
    print(f"{when}: peak {peak} MiB (bound {budget})")
    return peak


if __name__ == "__main__":
    sys.exit(main())
