"""From objects of Kubernetes' own kinds to what the operator knows of them. Pure.

Kept is only what something depends on, so that an update that changes nothing else (the heartbeat
in a Node, the restart count of a Pod) leaves an equal value behind. Each function raises
msgspec.ValidationError where an object does not have the shape of its kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from vip_model.planning import inputs
from vip_model.resources.base import Part
from vip_model.resources.metadata import DEFAULT_NAMESPACE, ObjectMeta
from vip_model.resources.node import OUT_OF_SERVICE, Node
from vip_model.vocabulary import Family
from vip_operator.core.known.snapshot import EndpointSliceObject, ServiceObject, SpeakerLease

Content = Mapping[str, Any]

APPLIED_REVISION = "vip-operator.io/applied-revision"
LEASE_PREFIX = "vip-speaker-"
GREATEST_REVISION = 2**53  # JSON numbers are exact up to here; milliseconds last 285,000 years
SERVICE_NAME = "kubernetes.io/service-name"
METADATA_FIELDS = frozenset(field.encode_name for field in msgspec.structs.fields(ObjectMeta))
_NODE_METADATA = frozenset({"name", "uid", "creationTimestamp", "labels"})
_OVER = ("Failed", "Succeeded")
_FAMILIES = frozenset(Family)


def metadata_of(content: Content) -> ObjectMeta:
    """Return the metadata of any object.

    Raises:
        msgspec.ValidationError: it has none.
    """
    return msgspec.convert(present(content.get("metadata"), METADATA_FIELDS), ObjectMeta)


def present(content: object, names: frozenset[str]) -> dict[str, Any]:
    """Return the fields of an object that have a value; null says the same as nothing."""
    if not isinstance(content, Mapping):
        return {}
    return {name: content[name] for name in names if content.get(name) is not None}


class _NodeCondition(Part, frozen=True, kw_only=True):
    type: str = ""
    status: str = ""


class _NodeStatus(Part, frozen=True, kw_only=True):
    addresses: tuple[dict[str, str], ...] | None = None
    conditions: tuple[_NodeCondition, ...] | None = None


class _Taint(Part, frozen=True, kw_only=True):
    key: str = ""


class _NodeSpec(Part, frozen=True, kw_only=True):
    taints: tuple[_Taint, ...] | None = None


def read_node(content: Content) -> Node:
    """Read a Node without what kubelet renews all the time.

    Of conditions and taints it keeps what says that the node is out of service.
    """
    status = msgspec.convert(content.get("status") or {}, _NodeStatus)
    spec = msgspec.convert(content.get("spec") or {}, _NodeSpec)
    taints = [{"key": OUT_OF_SERVICE} for each in spec.taints or () if each.key == OUT_OF_SERVICE]
    ready = [
        {"type": "Ready", "status": each.status}
        for each in status.conditions or ()
        if taints and each.type == "Ready"
    ]
    return msgspec.convert(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": present(content.get("metadata"), _NODE_METADATA),
            "spec": {"taints": taints},
            "status": {"addresses": status.addresses or (), "conditions": ready},
        },
        Node,
    )


class _Ingress(Part, frozen=True, kw_only=True):
    ip: str | None = None


class _LoadBalancer(Part, frozen=True, kw_only=True):
    ingress: tuple[_Ingress, ...] | None = None


class _ServiceStatus(Part, frozen=True, kw_only=True):
    load_balancer: _LoadBalancer | None = None


class _ServiceSpec(Part, frozen=True, kw_only=True):
    type: str | None = None
    load_balancer_class: str | None = None
    external_traffic_policy: str | None = None
    ip_families: tuple[str, ...] | None = None


def read_service(content: Content) -> ServiceObject:
    """Read a Service; of its ingress, the IP addresses."""
    metadata = metadata_of(content)
    spec = msgspec.convert(content.get("spec") or {}, _ServiceSpec)
    balancer = msgspec.convert(content.get("status") or {}, _ServiceStatus).load_balancer
    ingress = balancer.ingress if balancer is not None else None
    return ServiceObject(
        namespace=metadata.namespace or DEFAULT_NAMESPACE,
        name=metadata.name,
        uid=metadata.uid,
        resource_version=metadata.resource_version,
        type=spec.type or "ClusterIP",
        load_balancer_class=spec.load_balancer_class or "",
        local=spec.external_traffic_policy == "Local",
        families=tuple(Family(each) for each in spec.ip_families or () if each in _FAMILIES),
        ingress=tuple(each.ip for each in ingress or () if each.ip),
        deleting=bool(metadata.deletion_timestamp),
    )


class _EndpointConditions(Part, frozen=True, kw_only=True):
    ready: bool | None = None
    terminating: bool | None = None


class _Endpoint(Part, frozen=True, kw_only=True):
    node_name: str | None = None
    conditions: _EndpointConditions | None = None

    @property
    def ready(self) -> bool:
        """Readiness that is not known counts as given (EndpointConditions of the API)."""
        conditions = self.conditions or _EndpointConditions()
        return conditions.ready is not False and not conditions.terminating


def read_endpoint_slice(content: Content) -> EndpointSliceObject | None:
    """Read an EndpointSlice; None where it belongs to no Service."""
    metadata = metadata_of(content)
    service = metadata.labels.get(SERVICE_NAME)
    if not service:
        return None
    endpoints = msgspec.convert(content.get("endpoints") or (), tuple[_Endpoint, ...])
    nodes = {each.node_name or "" for each in endpoints if each.ready}
    return EndpointSliceObject(
        namespace=metadata.namespace or DEFAULT_NAMESPACE,
        service=service,
        ready_nodes=frozenset(nodes - {""}),
        nameless="" in nodes,
    )


class _PodSpec(Part, frozen=True, kw_only=True):
    node_name: str | None = None


class _PodCondition(Part, frozen=True, kw_only=True):
    type: str = ""
    status: str = ""


class _PodStatus(Part, frozen=True, kw_only=True):
    phase: str | None = None
    conditions: tuple[_PodCondition, ...] | None = None

    @property
    def ready(self) -> bool:
        """It serves: a Pod that has ended may keep an old condition."""
        ready = any(
            each.type == "Ready" and each.status == "True" for each in self.conditions or ()
        )
        return ready and self.phase not in _OVER


def read_pod(content: Content) -> inputs.Pod | None:
    """Read a Pod; None where it is on no node yet."""
    node = msgspec.convert(content.get("spec") or {}, _PodSpec).node_name
    if not node:
        return None
    metadata = metadata_of(content)
    status = msgspec.convert(content.get("status") or {}, _PodStatus)
    return inputs.Pod(
        namespace=metadata.namespace or DEFAULT_NAMESPACE,
        node=node,
        labels=metadata.labels,
        ready=status.ready and not metadata.deletion_timestamp,
    )


def read_lease(content: Content) -> SpeakerLease | None:
    """Read the Lease of a speaker; None where its name is that of another Lease.

    Whoever takes a snapshot knows in which namespace the Leases of speakers are.
    """
    metadata = metadata_of(content)
    if not metadata.name.startswith(LEASE_PREFIX):
        return None
    return SpeakerLease(
        node=metadata.name.removeprefix(LEASE_PREFIX),
        resource_version=metadata.resource_version,
        applied_revision=_revision(metadata.annotations.get(APPLIED_REVISION, "")),
    )


def _revision(text: str) -> int:
    """Return a revision; 0 for what cannot be one, since greater ones are given after it."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else 0
    return number if number <= GREATEST_REVISION else 0
