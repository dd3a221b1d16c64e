"""VirtualIP: what a user declares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec

from vip_model.resources.base import LABEL, NODE_NAME, SUBDOMAIN, Limits, Observed, Part, described
from vip_model.resources.gate import Gate, ServiceReference
from vip_model.resources.metadata import DEFAULT_NAMESPACE, Condition, ObjectMeta
from vip_model.resources.vrrp import VRRP
from vip_model.vocabulary import Family

MOST_ADDRESSES = 255
MOST_CANDIDATES = 100


class PoolReference(Part, frozen=True, kw_only=True):
    """A VirtualIPPool."""

    name: Annotated[str, described("Name of the VirtualIPPool.", SUBDOMAIN)]


class AddressClaim(Part, frozen=True, kw_only=True):
    """Addresses that are taken from a pool instead of written."""

    pool_ref: Annotated[PoolReference, described("The pool.")]
    ip_families: Annotated[
        tuple[Family, ...],
        described("One address of each.", Limits(min_length=1, max_length=2, unique=True)),
    ] = (Family.IPV4,)


class NodePriority(Part, frozen=True, kw_only=True):
    """The priority of one node."""

    node: Annotated[str, described("Name of the node.", NODE_NAME)]
    priority: Annotated[
        int,
        described(
            "155-254, or 255 for the node that has the addresses as its own; with "
            "vrrp.additionalPeers also less.",
            Limits(minimum=1, maximum=255),
        ),
    ]


class Placement(Part, frozen=True, kw_only=True):
    """Which nodes take part, and in which order."""

    node_selector: Annotated[
        dict[str, str], described("Labels that a node must have; empty: every node.")
    ] = msgspec.field(default_factory=dict)
    preferred_nodes: Annotated[
        tuple[str, ...],
        described(
            "Nodes that come first, best first. Other nodes come after them. Capitals make no "
            "difference; without a cluster n1 and n1.example.test are one host.",
            Limits(max_length=MOST_CANDIDATES, unique=True, items=NODE_NAME),
        ),
    ] = ()
    priorities: Annotated[
        tuple[NodePriority, ...],
        described(
            "Priorities of single nodes, before preferredNodes; others stand below the lowest.",
            Limits(max_length=MOST_CANDIDATES),
        ),
    ] = ()
    max_candidates: Annotated[
        int,
        described(
            "How many nodes take part at most. Below 100 ms adverts fewer fit: 4 at 50 ms, 2 at "
            "20 ms and less.",
            Limits(minimum=1, maximum=MOST_CANDIDATES),
        ),
    ] = 8

    @property
    def named(self) -> tuple[str, ...]:
        """Every node that is named, in the order of the file."""
        return (*(each.node for each in self.priorities), *self.preferred_nodes)

    def renamed(self, rename: Callable[[str], str]) -> Placement:
        """Return the placement with other names of nodes."""
        return msgspec.structs.replace(
            self,
            preferred_nodes=tuple(map(rename, self.preferred_nodes)),
            priorities=tuple(
                msgspec.structs.replace(each, node=rename(each.node)) for each in self.priorities
            ),
        )


class VirtualIPSpec(Part, frozen=True, kw_only=True):
    """What is wanted."""

    addresses: Annotated[
        tuple[str, ...],
        described(
            "IPv4 and IPv6 addresses without a prefix length. They move together.",
            Limits(max_length=MOST_ADDRESSES, items=Limits(max_length=45)),
        ),
    ] = ()
    address_claim: Annotated[
        AddressClaim | None, described("Addresses from a pool, instead of addresses.")
    ] = None
    service_ref: Annotated[
        ServiceReference | None,
        described(
            "A Service of this namespace that the traffic goes to. Its ready endpoints are a gate."
        ),
    ] = None
    group: Annotated[
        str,
        described(
            "VirtualIPs of one namespace with one group share virtual routers and move together.",
            Limits(
                max_length=63,
                pattern=f"({LABEL.pattern})?",
                pattern_in_words=LABEL.pattern_in_words,
            ),
        ),
    ] = ""
    gates: Annotated[
        tuple[Gate, ...],
        described("Conditions that a node must meet to be first choice.", Limits(max_length=16)),
    ] = ()
    placement: Annotated[Placement, described("Which nodes take part, in which order.")] = (
        Placement()
    )
    vrrp: Annotated[VRRP, described("Parameters of the LAN.")] = VRRP()


class RouterSummary(Observed, frozen=True, kw_only=True):
    """One virtual router of a VirtualIP."""

    name: Annotated[str, described("Name of the VirtualRouter.")]
    family: Annotated[Family, described("Address family.")]
    interface: Annotated[str, described("Interface at the holder.")] = ""
    virtual_router_id: Annotated[int, described("VRID.")] = msgspec.field(name="virtualRouterID")
    active_node: Annotated[str, described("Who holds it.")] = ""
    active_since: Annotated[str, described("Since when (RFC 3339).")] = ""


class CandidateSummary(Observed, frozen=True, kw_only=True):
    """One candidate as the status shows it."""

    node: Annotated[str, described("Name of the node.")]
    rank: Annotated[int, described("Its place, 1 is first.")]
    priority: Annotated[int, described("Base priority.")]
    effective_priority: Annotated[int, described("Priority on the wire.")] = 0
    state: Annotated[str, described("Initialize, Backup or Active.")] = ""
    reason: Annotated[str, described("Why it is in this state, in a word.")] = ""
    message: Annotated[str, described("What is wrong, for people.")] = ""


class CandidatesSummary(Observed, frozen=True, kw_only=True, omit_defaults=False):
    """The candidates in numbers, and the first of them; a 0 is written as such."""

    total: Annotated[int, described("Candidates.")] = 0
    standby: Annotated[int, described("Those that would take over at once.")] = 0
    failing: Annotated[int, described("Those with a failing gate.")] = 0
    top: Annotated[
        tuple[CandidateSummary, ...], described("The first ones.", Limits(max_length=8))
    ] = ()


class VirtualIPStatus(Observed, frozen=True, kw_only=True):
    """What is known."""

    observed_generation: Annotated[int, described("The generation that this status is of.")] = 0
    address_summary: Annotated[str, described("The addresses in short, for listings.")] = ""
    active_node: Annotated[str, described("Who holds the addresses.")] = ""
    routers: Annotated[
        tuple[RouterSummary, ...], described("Its virtual routers.", Limits(max_length=16))
    ] = ()
    candidates: Annotated[CandidatesSummary, described("Its candidates.")] = CandidatesSummary()
    conditions: Annotated[
        tuple[Condition, ...],
        described(
            "Accepted, Bound, Ready, Contested, Stalled, AddressConflict.", Limits(max_length=16)
        ),
    ] = ()


class VirtualIP(Part, frozen=True, kw_only=True):
    """Addresses that are always on exactly one node that can serve them."""

    api_version: str
    kind: str
    metadata: ObjectMeta
    spec: Annotated[VirtualIPSpec, described("What is wanted.")]
    status: Annotated[VirtualIPStatus, described("What is known.")] = VirtualIPStatus()

    @property
    def namespace(self) -> str:
        """The namespace; a document without one is in `default`."""
        return self.metadata.namespace or DEFAULT_NAMESPACE

    @property
    def key(self) -> str:
        """NAMESPACE/NAME."""
        return f"{self.namespace}/{self.metadata.name}"

    @property
    def router_name(self) -> str:
        """Name of the VirtualRouter that it belongs to: its own, or that of its group."""
        if self.spec.group:
            return f"group.{self.namespace}.{self.spec.group}"
        return f"vip.{self.namespace}.{self.metadata.name}"
