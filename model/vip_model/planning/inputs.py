"""What `plan()` is given: every fact is data, nothing is looked up."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vip_model.resources.node import Node
from vip_model.resources.pool import VirtualIPPool
from vip_model.resources.speaker import Speaker
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import Candidate, VirtualRouter
from vip_model.vocabulary import Family


class AddressPolicy(enum.StrEnum):
    """Which addresses VirtualIPs may claim."""

    ANY = "Any"
    POOLS_ONLY = "PoolsOnly"


@dataclass(frozen=True, slots=True)
class Service:
    """A Service, as far as the plan depends on it.

    Attributes:
        namespace: its namespace.
        name: its name.
        local: externalTrafficPolicy is Local, so that only endpoints on the node count.
        ours: it is of our load-balancer class, so that we say which addresses it shows.
        families: what it has; none: not known.
        shown: the addresses that it shows.
    """

    namespace: str
    name: str
    local: bool = False
    ours: bool = False
    families: tuple[Family, ...] = ()
    shown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceEndpoints:
    """Where a Service has ready endpoints.

    Attributes:
        namespace: its namespace.
        name: its name.
        ready_nodes: the nodes that they are on.
        nameless: there are some that name no node.
    """

    namespace: str
    name: str
    ready_nodes: frozenset[str] = frozenset()
    nameless: bool = False


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod, as far as the plan depends on it."""

    namespace: str
    node: str
    labels: Mapping[str, str]
    ready: bool = True


@dataclass(frozen=True, slots=True)
class Liveness:
    """Which nodes are there, as far as it matters; silence alone ends no candidate.

    Attributes:
        unreachable: nodes whose speakers are not heard although others are.
        ended: by name of a VirtualRouter: of its candidates that are unreachable, the ones that
            certainly do not run it any more.
        confirmed: by name of each VirtualRouter that is retired, on standby or releasing
            addresses: nodes that have applied its newest revision.
        former: by name of a VirtualRouter: candidates that were taken from its list, or report it
            without being one, and have not applied the revision without them.
    """

    unreachable: frozenset[str] = frozenset()
    ended: Mapping[str, frozenset[str]] = field(default_factory=dict)
    confirmed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    former: Mapping[str, tuple[Candidate, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the operator, and facts about time that it knows.

    Attributes:
        address_policy: which addresses VirtualIPs may claim.
        reserved_virtual_router_ids: VRIDs that are never allocated.
        all_nodes_reported: every node that is due a speaker reports, or 5 s have passed. Until
            then a new election has its preferred nodes only.
    """

    address_policy: AddressPolicy = AddressPolicy.ANY
    reserved_virtual_router_ids: frozenset[int] = frozenset()
    all_nodes_reported: bool = True


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """Everything a plan follows from. None means unknown, not empty.

    Attributes:
        virtual_ips: what users declare.
        pools: where addresses may come from.
        services: Services that serviceRef may name.
        endpoints: where Services have ready endpoints.
        pods: pods that gates may select.
        hidden_pods: by namespace whose pods cannot be looked at: why, a clause.
        nodes: the nodes; None in static mode without Node documents.
        speakers: what nodes report; None is static mode.
        allocated: what was allocated before; None in static mode.
        remembered: what was allocated before and may be gone without our doing.
        unreadable: NAMESPACE/NAME of VirtualIPs that exist and could not be parsed; what was
            allocated for them stays.
        supported_gates: kinds of gates that speakers have; None: not judged.
        liveness: which nodes are there; without, all of them.
        settings: see there.
    """

    virtual_ips: Sequence[VirtualIP]
    pools: Sequence[VirtualIPPool] = ()
    services: Sequence[Service] | None = None
    endpoints: Sequence[ServiceEndpoints] | None = None
    pods: Sequence[Pod] | None = None
    hidden_pods: Mapping[str, str] = field(default_factory=dict)
    nodes: Sequence[Node] | None = None
    speakers: Sequence[Speaker] | None = None
    allocated: Sequence[VirtualRouter] | None = None
    remembered: Sequence[VirtualRouter] = ()
    unreadable: frozenset[str] = frozenset()
    supported_gates: frozenset[str] | None = None
    liveness: Liveness = field(default_factory=Liveness)
    settings: Settings = field(default_factory=Settings)

    @property
    def static(self) -> bool:
        """Static mode: nothing may depend on what one node observes."""
        return self.speakers is None
