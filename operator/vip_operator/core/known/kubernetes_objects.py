"""From objects of Kubernetes' own kinds to what the operator knows of them. Pure.

Kept is only what something depends on, so that an update that changes nothing else (the heartbeat
in a Node, the restart count of a Pod) leaves an equal value behind. An object comes as JSON, of
which only those fields are ever decoded, or as it was decoded by somebody else. Each function
raises msgspec.ValidationError where an object does not have the shape of its kind.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Hashable, Mapping
from typing import Any, TypeVar, cast

import msgspec

from vip_common.endpoint_slices import SERVICE_NAME, EndpointConditions
from vip_model.planning import inputs
from vip_model.resources.base import Part
from vip_model.resources.metadata import DEFAULT_NAMESPACE, ObjectMeta
from vip_model.resources.node import (
    OUT_OF_SERVICE,
    Node,
    NodeAddress,
    NodeCondition,
    NodeSpec,
    NodeStatus,
    Taint,
)
from vip_model.vocabulary import Family
from vip_operator.core.known.snapshot import EndpointSliceObject, ServiceObject, SpeakerLease

Content = Mapping[str, Any]
Source = Content | msgspec.Raw

_T = TypeVar("_T")

APPLIED_REVISION = "vip-operator.io/applied-revision"
LEASE_PREFIX = "vip-speaker-"
GREATEST_REVISION = 2**53  # JSON numbers are exact up to here; milliseconds last 285,000 years
METADATA_FIELDS = frozenset(field.encode_name for field in msgspec.structs.fields(ObjectMeta))
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


class Head(Part, frozen=True, kw_only=True):
    """What tells objects and their versions apart; null says the same as nothing."""

    name: str
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    deletion_timestamp: str | None = None

    @property
    def home(self) -> str:
        """Its namespace. The same text each time: thousands of objects share a few."""
        return sys.intern(self.namespace or DEFAULT_NAMESPACE)


class _Labelled(Head, frozen=True, kw_only=True):
    labels: dict[str, str] | None = None


class _Annotated(Head, frozen=True, kw_only=True):
    annotations: dict[str, str] | None = None


class _Headed(Part, frozen=True, kw_only=True):
    metadata: Head


@functools.cache
def _decoder(type_: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type_)


def shaped(source: Source, type_: type[_T]) -> _T:
    """Return an object as a type, which reads of it what it knows.

    Raises:
        msgspec.ValidationError: it has another shape.
    """
    if isinstance(source, msgspec.Raw):
        found: _T = _decoder(cast("Hashable", type_)).decode(source)
        return found
    return msgspec.convert(source, type_)


def head_of(source: Source) -> Head:
    """Return what tells it apart from others.

    Raises:
        msgspec.ValidationError: it has no metadata, or no name.
    """
    return shaped(source, _Headed).metadata


class _NodeMetadata(_Labelled, frozen=True, kw_only=True):
    creation_timestamp: str | None = None


class _NodeCondition(Part, frozen=True, kw_only=True):
    type: str = ""
    status: str = ""


class _NodeStatus(Part, frozen=True, kw_only=True):
    addresses: tuple[NodeAddress, ...] | None = None
    conditions: tuple[_NodeCondition, ...] | None = None


class _Taint(Part, frozen=True, kw_only=True):
    key: str = ""


class _NodeSpec(Part, frozen=True, kw_only=True):
    taints: tuple[_Taint, ...] | None = None


class _Node(Part, frozen=True, kw_only=True):
    metadata: _NodeMetadata
    spec: _NodeSpec | None = None
    status: _NodeStatus | None = None


def read_node(source: Source) -> Node:
    """Read a Node without what kubelet renews all the time.

    Of conditions and taints it keeps what says that the node is out of service.
    """
    found = shaped(source, _Node)
    spec, status = found.spec or _NodeSpec(), found.status or _NodeStatus()
    out_of_service = any(each.key == OUT_OF_SERVICE for each in spec.taints or ())
    ready = tuple(
        NodeCondition(type="Ready", status=each.status)
        for each in status.conditions or ()
        if out_of_service and each.type == "Ready"
    )
    return Node(
        api_version="v1",
        kind="Node",
        metadata=ObjectMeta(
            name=found.metadata.name,
            uid=found.metadata.uid or "",
            creation_timestamp=found.metadata.creation_timestamp or "",
            labels=found.metadata.labels or {},
        ),
        spec=NodeSpec(taints=(Taint(key=OUT_OF_SERVICE),) if out_of_service else ()),
        status=NodeStatus(addresses=status.addresses or (), conditions=ready),
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


class _Service(Part, frozen=True, kw_only=True):
    metadata: Head
    spec: _ServiceSpec | None = None
    status: _ServiceStatus | None = None


def read_service(source: Source) -> ServiceObject:
    """Read a Service; of its ingress, the IP addresses."""
    found = shaped(source, _Service)
    metadata, spec = found.metadata, found.spec or _ServiceSpec()
    balancer = (found.status or _ServiceStatus()).load_balancer
    ingress = balancer.ingress if balancer is not None else None
    return ServiceObject(
        namespace=metadata.home,
        name=metadata.name,
        uid=metadata.uid or "",
        resource_version=metadata.resource_version or "",
        type=spec.type or "ClusterIP",
        load_balancer_class=spec.load_balancer_class or "",
        local=spec.external_traffic_policy == "Local",
        families=tuple(Family(each) for each in spec.ip_families or () if each in _FAMILIES),
        ingress=tuple(each.ip for each in ingress or () if each.ip),
        deleting=bool(metadata.deletion_timestamp),
    )


class _Endpoint(Part, frozen=True, kw_only=True):
    node_name: str | None = None
    conditions: EndpointConditions | None = None

    @property
    def ready(self) -> bool:
        return (self.conditions or EndpointConditions()).is_ready


class _EndpointSlice(Part, frozen=True, kw_only=True):
    metadata: _Labelled
    endpoints: tuple[_Endpoint, ...] | None = None


def read_endpoint_slice(source: Source) -> EndpointSliceObject | None:
    """Read an EndpointSlice; None where it belongs to no Service."""
    found = shaped(source, _EndpointSlice)
    service = (found.metadata.labels or {}).get(SERVICE_NAME)
    if not service:
        return None
    nodes = {sys.intern(each.node_name or "") for each in found.endpoints or () if each.ready}
    return EndpointSliceObject(
        namespace=found.metadata.home,
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


class _Pod(Part, frozen=True, kw_only=True):
    metadata: _Labelled
    spec: _PodSpec | None = None
    status: _PodStatus | None = None


def read_pod(source: Source) -> inputs.Pod | None:
    """Read a Pod; None where it is on no node yet."""
    found = shaped(source, _Pod)
    metadata = found.metadata
    node = found.spec.node_name if found.spec is not None else None
    if not node:
        return None
    ready = found.status is not None and found.status.ready
    return inputs.Pod(
        namespace=metadata.home,
        node=sys.intern(node),
        labels={sys.intern(key): sys.intern(each) for key, each in (metadata.labels or {}).items()},
        ready=ready and not metadata.deletion_timestamp,
    )


class _Lease(Part, frozen=True, kw_only=True):
    metadata: _Annotated


def read_lease(source: Source) -> SpeakerLease | None:
    """Read the Lease of a speaker; None where its name is that of another Lease.

    Whoever takes a snapshot knows in which namespace the Leases of speakers are.
    """
    metadata = shaped(source, _Lease).metadata
    if not metadata.name.startswith(LEASE_PREFIX):
        return None
    return SpeakerLease(
        node=metadata.name.removeprefix(LEASE_PREFIX),
        resource_version=metadata.resource_version or "",
        applied_revision=_revision((metadata.annotations or {}).get(APPLIED_REVISION, "")),
    )


def _revision(text: str) -> int:
    """Return a revision; 0 for what cannot be one, since greater ones are given after it."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else 0
    return number if number <= GREATEST_REVISION else 0
