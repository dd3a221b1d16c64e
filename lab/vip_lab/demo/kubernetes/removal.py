"""The last two acts: everything goes, and nothing is left."""

from __future__ import annotations

import time

from vip_common.kinds import VIRTUAL_ROUTERS
from vip_kube.kinds import SERVICES
from vip_lab.demo.act import NOBODY
from vip_lab.demo.kubernetes.stage import RELEASE, SYSTEM, ClusterStage
from vip_lab.demo.page import ms_since
from vip_lab.wait import until

_SECONDS = 15.0
_PART_OF = "app.kubernetes.io/part-of=vip-operator"
_LABELLED = (
    "clusterroles,clusterrolebindings,roles,rolebindings,serviceaccounts,configmaps,jobs,services,"
    "validatingadmissionpolicies,validatingadmissionpolicybindings,poddisruptionbudgets"
)
_OURS = "deployments,daemonsets,replicasets,pods,leases"


def holder_or_nobody(stage: ClusterStage) -> str:
    """Return who has the address."""
    return "+".join(stage.holders()) or NOBODY


def delete_virtual_ip(stage: ClusterStage, _holder: str) -> str:
    """Delete the VirtualIP and wait until the address and the VirtualRouter are gone."""
    example = stage.example
    began = time.monotonic()
    stage.kubectl.delete("virtualip", example.name, example.namespace, "--wait=false")
    until("no node to have it", lambda: not stage.holders(), _SECONDS, show=stage.holders)
    gone_ms = ms_since(began)
    until("no VirtualRouter", lambda: not _routers(stage), _SECONDS, show=lambda: _routers(stage))
    until("no ingress", lambda: not _ingress(stage), _SECONDS, show=lambda: _ingress(stage))
    # A node that took over before it heard of the end serves on for half a second after that.
    until("no node to have it", lambda: not stage.holders(), _SECONDS, show=stage.holders)
    return (
        f"No node had it after {gone_ms:.0f} ms. Its VirtualRouter was deleted once every node had "
        f"confirmed that, {ms_since(began) / 1000:.1f} s after the command, and the Service's "
        "status was cleared."
    )


def uninstall(stage: ClusterStage, _holder: str) -> str:
    """Uninstall the chart and look for anything that is left."""
    began = time.monotonic()
    stage.helm("uninstall", RELEASE, f"--namespace={SYSTEM}", "--wait")
    took_seconds = ms_since(began) / 1000
    what = "nothing to be left"
    until(what, lambda: not leftovers(stage), _SECONDS, show=lambda: leftovers(stage))
    return (
        f"That took {took_seconds:.1f} s and left no pod, DaemonSet, Lease, role or "
        "CustomResourceDefinition."
    )


def leftovers(stage: ClusterStage) -> list[str]:
    """Return what is left of the chart and of what the operator made, as kubectl names it."""
    found = [
        stage.kubectl("get", _LABELLED, "--all-namespaces", f"--selector={_PART_OF}", "-o", "name"),
        stage.kubectl("get", _OURS, f"--namespace={SYSTEM}", "-o", "name"),
    ]
    crds = stage.kubectl("get", "customresourcedefinitions", "-o", "name").split()
    ours = [name for name in crds if name.endswith(".vip-operator.io")]
    return [*" ".join(found).split(), *ours]


def _routers(stage: ClusterStage) -> list[str]:
    return [one["metadata"]["name"] for one in stage.cluster.api.items(VIRTUAL_ROUTERS)]


def _ingress(stage: ClusterStage) -> object:
    service = stage.cluster.api.get(SERVICES, stage.example.name, stage.example.namespace)
    return service["status"].get("loadBalancer", {}).get("ingress")
