"""Everything the operator knows at one moment, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vip_model.planning.inputs import Pod, Service
from vip_model.resources.node import Node
from vip_model.resources.pool import VirtualIPPool
from vip_model.resources.speaker import Speaker
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.schema.errors import Problem
from vip_model.vocabulary import Family

_LOAD_BALANCER = "LoadBalancer"


@dataclass(frozen=True, slots=True)
class UnreadableVirtualIP:
    """A VirtualIP that is there and cannot be parsed; what was allocated for it stays.

    Attributes:
        namespace: its namespace.
        name: its name.
        uid: its uid.
        resource_version: of the version that was read.
        generation: of the spec that was read.
        problems: why it cannot be parsed.
        conditions: status.conditions as they are, undecoded.
    """

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    problems: tuple[Problem, ...]
    conditions: tuple[dict[str, object], ...] = ()

    @property
    def key(self) -> str:
        """NAMESPACE/NAME."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class ServiceObject:
    """A Service as the operator needs it.

    Attributes:
        namespace: its namespace.
        name: its name.
        uid: its uid.
        resource_version: of the version that was read.
        type: spec.type.
        load_balancer_class: spec.loadBalancerClass; empty without.
        local: externalTrafficPolicy is Local.
        families: spec.ipFamilies.
        ingress: IP addresses in status.loadBalancer.ingress, in their order.
        deleting: it has a deletionTimestamp.
    """

    namespace: str
    name: str
    uid: str
    resource_version: str
    type: str
    load_balancer_class: str = ""
    local: bool = False
    families: tuple[Family, ...] = ()
    ingress: tuple[str, ...] = ()
    deleting: bool = False

    def planned(self, load_balancer_class: str) -> Service:
        """Return what a plan knows of it.

        Args:
            load_balancer_class: of the Services that are ours.
        """
        ours = (
            self.type == _LOAD_BALANCER
            and self.load_balancer_class == load_balancer_class
            and not self.deleting
        )
        return Service(
            namespace=self.namespace,
            name=self.name,
            local=self.local,
            ours=ours,
            families=self.families,
            shown=self.ingress,
        )


@dataclass(frozen=True, slots=True)
class EndpointSliceObject:
    """The nodes on which one EndpointSlice of a Service has ready endpoints.

    Attributes:
        nameless: there are ready ones that name no node.
    """

    namespace: str
    service: str
    ready_nodes: frozenset[str]
    nameless: bool = False


@dataclass(frozen=True, slots=True)
class SpeakerLease:
    """The heartbeat of a node's speaker.

    Attributes:
        node: the node.
        resource_version: changes with every renewal.
        applied_revision: the newest VirtualRouter revision that its engine runs; 0 for none.
    """

    node: str
    resource_version: str
    applied_revision: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at one moment. Every field is complete: nothing is planned before that.

    Attributes:
        services: those of our load-balancer class, and those that VirtualIPs refer to.
        endpoint_slices: of Services that VirtualIPs refer to.
        pods: of namespaces whose VirtualIPs ask for them.
        hidden_pods: by namespace whose pods cannot be had: why, a clause.
        speaker_trouble: why nodes have no speaker, a clause; empty where nothing is known of it.
    """

    virtual_ips: tuple[VirtualIP, ...] = ()
    unreadable: tuple[UnreadableVirtualIP, ...] = ()
    pools: tuple[VirtualIPPool, ...] = ()
    virtual_routers: tuple[VirtualRouter, ...] = ()
    speakers: tuple[Speaker, ...] = ()
    leases: tuple[SpeakerLease, ...] = ()
    nodes: tuple[Node, ...] = ()
    services: tuple[ServiceObject, ...] = ()
    endpoint_slices: tuple[EndpointSliceObject, ...] = ()
    pods: tuple[Pod, ...] = ()
    hidden_pods: Mapping[str, str] = field(default_factory=dict)
    speaker_trouble: str = ""
