"""The objects that kubelets and people would make, written through the API without them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vip_kube.conditions import READY, is_true
from vip_kube.errors import ApiError, UnreachableError
from vip_kube.kinds import ENDPOINT_SLICES, NODES, PODS, SERVICES, Kind
from vip_lab.kubernetes.api import Api, JsonObject
from vip_lab.wait import until

NAMESPACES = Kind("", "v1", "namespaces", "Namespace", namespaced=False)
SERVICE_ACCOUNTS = Kind("", "v1", "serviceaccounts", "ServiceAccount", namespaced=True)
CRDS = Kind(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
)

_SECONDS_FOR_SERVICE_ACCOUNT = 20.0
_NO_LABELS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint of a Service.

    Attributes:
        address: IPv4 address.
        node: name of the node that it is on; empty if it is on none.
        ready: whether it gets traffic.
        terminating: its pod is going, and still serves; it is not ready then.
    """

    address: str
    node: str = ""
    ready: bool = True
    terminating: bool = False


def boot_id() -> str:
    """Return what a kubelet of this machine would report as nodeInfo.bootID."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def make_namespace(api: Api, name: str) -> str:
    """Create a namespace, wait until Pods can be made in it, and return its name."""
    api.create(NAMESPACES, _object(NAMESPACES, name))
    until(
        f"the ServiceAccount of namespace {name}",
        lambda: api.find(SERVICE_ACCOUNTS, "default", name),
        _SECONDS_FOR_SERVICE_ACCOUNT,
    )
    return name


def is_ready(content: JsonObject) -> bool:
    """Return whether a Node or a Pod is Ready."""
    return is_true(content, READY)


def serves_custom_kinds(api: Api) -> bool:
    """Return whether an API server lists every custom kind; after a start it refuses some."""
    with contextlib.suppress(ApiError, UnreachableError):
        for crd in api.items(CRDS):
            spec = crd["spec"]
            plural, version = spec["names"]["plural"], spec["versions"][0]["name"]
            # Whole: a list with a limit is answered before the cache is filled that watches need.
            api.ask("GET", f"/apis/{spec['group']}/{version}/{plural}")
        return True
    return False


# --- nodes ---------------------------------------------------------------------------------------


def make_node(
    api: Api,
    name: str,
    *addresses: str,
    labels: Mapping[str, str] = _NO_LABELS,
    ready: bool = True,
) -> JsonObject:
    """Create a Node with these internal addresses and the boot ID of this machine."""
    body = _object(NODES, name, labels={"kubernetes.io/hostname": name, **labels})
    api.create(NODES, body)
    # Admission taints a new Node as not ready, and who takes that off again does not run here.
    api.patch(NODES, name, {"spec": {"taints": None}})
    status = {
        "addresses": [
            *({"type": "InternalIP", "address": address} for address in addresses),
            {"type": "Hostname", "address": name},
        ],
        "conditions": [_condition(READY, holds=ready)],
        "nodeInfo": _node_info(),
    }
    return api.patch(NODES, name, {"status": status}, subresource="status")


def set_node_ready(api: Api, name: str, *, ready: bool) -> JsonObject:
    """Report a Node as Ready or not, as its kubelet would."""
    status = {"conditions": [_condition(READY, holds=ready)]}
    return api.patch(NODES, name, {"status": status}, subresource="status", strategic=True)


# --- pods ----------------------------------------------------------------------------------------


def make_pod(
    api: Api,
    namespace: str,
    name: str,
    *,
    node: str,
    address: str,
    labels: Mapping[str, str] = _NO_LABELS,
    ready: bool = True,
) -> JsonObject:
    """Create a Pod that is bound to a node and reported as running there.

    The Node should exist: else the Pod is no endpoint of Services, and collected after a minute.
    """
    body = _object(PODS, name, namespace, labels)
    body["spec"] = {
        "nodeName": node,
        "terminationGracePeriodSeconds": 30,
        "containers": [{"name": "main", "image": "never-pulled"}],
    }
    api.create(PODS, body)
    status = running(address, ready=ready)
    return api.patch(PODS, name, {"status": status}, namespace, "status")


def running(address: str, *, ready: bool = True) -> JsonObject:
    """Return what a kubelet reports of a Pod that runs."""
    return {
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": _pod_conditions(ready=ready),
    }


def set_pod_ready(api: Api, namespace: str, name: str, *, ready: bool) -> JsonObject:
    """Report a Pod as Ready or not, as its kubelet would after a readiness probe."""
    status = {"conditions": _pod_conditions(ready=ready)}
    return api.patch(PODS, name, {"status": status}, namespace, "status", strategic=True)


def terminate_pod(api: Api, namespace: str, name: str) -> None:
    """Delete a Pod with its grace period: it stays, terminating, as no kubelet confirms it."""
    api.delete(PODS, name, namespace)


def delete_pod(api: Api, namespace: str, name: str) -> None:
    """Delete a Pod at once."""
    api.delete(PODS, name, namespace, at_once=True)


# --- services ------------------------------------------------------------------------------------


def make_service(
    api: Api,
    namespace: str,
    name: str,
    *,
    selector: Mapping[str, str] = _NO_LABELS,
    load_balancer_class: str | None = None,
    port: int = 80,
) -> JsonObject:
    """Create a Service, of type LoadBalancer if it has a class; without selector, no endpoints."""
    spec: dict[str, Any] = {"ports": [{"port": port}]}
    if selector:
        spec["selector"] = dict(selector)
    if load_balancer_class is not None:
        spec |= {"type": "LoadBalancer", "loadBalancerClass": load_balancer_class}
    return api.create(SERVICES, {**_object(SERVICES, name, namespace), "spec": spec})


def make_endpoint_slice(
    api: Api, namespace: str, service: str, endpoints: Sequence[Endpoint], port: int = 80
) -> JsonObject:
    """Create the one EndpointSlice, named like the Service, of a Service without selector."""
    labels = {"kubernetes.io/service-name": service}
    body = {
        **_object(ENDPOINT_SLICES, service, namespace, labels),
        "addressType": "IPv4",
        "ports": [{"port": port}],
        "endpoints": _endpoints(endpoints),
    }
    return api.create(ENDPOINT_SLICES, body)


def set_endpoints(
    api: Api, namespace: str, service: str, endpoints: Sequence[Endpoint]
) -> JsonObject:
    """Replace the endpoints in a slice that `make_endpoint_slice` made."""
    patch = {"endpoints": _endpoints(endpoints)}
    return api.patch(ENDPOINT_SLICES, service, patch, namespace)


# -------------------------------------------------------------------------------------------------


def _object(
    kind: Kind, name: str, namespace: str | None = None, labels: Mapping[str, str] = _NO_LABELS
) -> JsonObject:
    metadata: dict[str, Any] = {"name": name, "labels": dict(labels)}
    if namespace is not None:
        metadata["namespace"] = namespace
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata}


def _condition(name: str, *, holds: bool) -> JsonObject:
    return {"type": name, "status": "True" if holds else "False", "reason": "WrittenByTheLab"}


def _pod_conditions(*, ready: bool) -> list[JsonObject]:
    return [
        _condition("PodScheduled", holds=True),
        _condition("Initialized", holds=True),
        _condition("ContainersReady", holds=ready),
        _condition(READY, holds=ready),
    ]


def _endpoints(endpoints: Sequence[Endpoint]) -> list[JsonObject]:
    return [
        {
            "addresses": [each.address],
            **({"nodeName": each.node} if each.node else {}),
            "conditions": {
                "ready": each.ready and not each.terminating,
                "serving": each.ready,
                "terminating": each.terminating,
            },
        }
        for each in endpoints
    ]


def _node_info() -> JsonObject:
    unknown = (
        "architecture",
        "containerRuntimeVersion",
        "kernelVersion",
        "kubeProxyVersion",
        "kubeletVersion",
        "machineID",
        "operatingSystem",
        "osImage",
        "systemUUID",
    )
    return {"bootID": boot_id(), **dict.fromkeys(unknown, "")}
