"""What engine and agent say to each other over the engine's unix socket.

The transport is newline-delimited JSON: one object per line, each with a `type` and a `version`.
Every client may send any message of `ToEngine`; the engine answers a `StatusRequest` with a
`Status` on the same connection and sends the other messages of `FromEngine` to every connection
that has sent a `Subscribe`.

The whole desired state is sent each time and is idempotent.
Omission means keep: a router ends only when its name is in `Desired.retired`, or when
`Desired.complete` is true (a static file that parsed and validated) and it is not listed.

Unknown fields are ignored, so that a newer agent can talk to an older engine.
All addresses are text without a prefix length; times are RFC 3339 in UTC.
"""

from __future__ import annotations

import msgspec

from vip_model.vocabulary import (
    Checksum,
    FailureAction,
    Family,
    GateState,
    PreemptionMode,
    Reason,
    State,
)

VERSION = 1
DEFAULT_SOCKET = "/run/vip-operator/engine.sock"


class Message(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Anything with fields that crosses the socket; field names are camelCase on the wire."""


# --- agent to engine ---------------------------------------------------------------------------


class DesiredInstance(Message, frozen=True, kw_only=True):
    """One (network, family, VRID) of an election."""

    family: Family
    virtual_router_id: int = msgspec.field(name="virtualRouterID")
    # Patterns, best first; the first interface with carrier is used.
    # Empty: the interfaces whose subnet holds the first address.
    interfaces: list[str] = []
    addresses: list[str]
    # Addresses that adverts may come from; None means anyone on the link (static mode).
    sources: list[str] | None = None


class DesiredGate(Message, frozen=True, kw_only=True):
    """What the engine must know of a gate: what its failing means.

    `interface` set means that the engine judges carrier itself and needs no verdict.
    """

    name: str
    action: FailureAction = FailureAction.LOWER_PRIORITY
    by: int = 100  # without health bands: taken off the priority
    cost: int = 100  # with health bands: the smaller sum of failing gates comes first
    partial_cost: int = 0  # what it costs where it fails only in part; 0: it never does
    interface: str | None = None


class DesiredRouter(Message, frozen=True, kw_only=True):
    """One election as this node takes part in it."""

    name: str  # VirtualRouter.metadata.name: vip.NAMESPACE.NAME or group.NAMESPACE.GROUP
    display_name: str  # NAMESPACE/NAME or NAMESPACE/GROUP
    revision: int = 0
    priority: int  # base priority of this node, 1-255
    slot: int = 0
    # True where the slot came from a hash and may collide: a delay below one step is added.
    slot_is_hashed: bool = False
    step: int = 3  # priority points between neighbouring slots
    # How many slots the failing band keeps apart (`vip_model.vocabulary.PriorityScale`).
    candidates: int = 8
    advertisement_interval_milliseconds: int = 1000
    preemption: PreemptionMode = PreemptionMode.NEVER
    preemption_delay_seconds: int = 0
    # A node that takes over from silence so soon after start, boot or return of carrier is
    # provisional; without health bands it does not take over from silence for so long.
    start_delay_seconds: int = 30
    health_bands: bool = True  # False with routers that are not ours (additionalPeers)
    checksum: Checksum = Checksum.PSEUDO_HEADER
    generate_link_local: bool = True  # first IPv6 address, RFC 9568 §5.2.9
    bootstrap: bool = False
    instances: list[DesiredInstance]
    gates: list[DesiredGate] = []


class KnownRouter(Message, frozen=True, kw_only=True):
    """A virtual router of ours, whoever runs it, and where its adverts may come from."""

    family: Family
    virtual_router_id: int = msgspec.field(name="virtualRouterID")
    sources: list[str] | None = None  # None means anyone on the link


class WatchedSource(Message, frozen=True, kw_only=True):
    """An address that a watched node sends adverts from, and how to find its link."""

    address: str
    interfaces: list[str] = []  # patterns of the instance; empty: where `near` is
    near: str  # a virtual address of the instance


class WatchedNode(Message, frozen=True, kw_only=True):
    """A node of which others want to know whether it is there."""

    node: str
    sources: list[WatchedSource]
    # The longest of the elections shared with it: that is how long its addresses may live.
    advertisement_interval_milliseconds: int = 1000


class Desired(Message, frozen=True, kw_only=True, tag_field="type", tag="desired"):
    """Everything this node should run. Sent whole at every change; idempotent."""

    version: int = VERSION
    node: str
    revision: int = 0
    routers: list[DesiredRouter] = []
    retired: list[str] = []
    complete: bool = False
    # Every virtual router of ours that the agent knows, also those that this node takes no part
    # in. None: it does not say, and then the engine calls nobody a stranger.
    known: list[KnownRouter] | None = None
    # Nodes that are asked whether they are there; the answers are `Status.watched`.
    watch: list[WatchedNode] = []


class Verdict(Message, frozen=True, kw_only=True):
    """A gate's word on this node, with the reason in a form a person can read."""

    state: GateState
    reason: str = ""
    partial: bool = False  # Failing, and others fail worse: it costs `DesiredGate.partial_cost`
    cause: str = ""  # a `Reason` that says more than GateFailing; empty where none does


class Verdicts(Message, frozen=True, kw_only=True, tag_field="type", tag="verdicts"):
    """Every verdict known to the agent: router name to gate name to verdict.

    An Unknown one says why there is none; it changes nothing else.

    Sent whole at every change and at least every 10 s; after 30 s without one the engine reports
    the gates as stale and keeps the priority.
    """

    version: int = VERSION
    routers: dict[str, dict[str, Verdict]]


class StatusRequest(Message, frozen=True, kw_only=True, tag_field="type", tag="status"):
    """Ask for a `Status`; anyone may, and the agent need not be alive."""

    version: int = VERSION


class Subscribe(Message, frozen=True, kw_only=True, tag_field="type", tag="subscribe"):
    """Receive `Hello` now, and every change that is not asked for from now on.

    These are `Transition`, `Interfaces`, `ForeignRouters`, `HeardNodes` and `Farewell`.
    """

    version: int = VERSION


ToEngine = Desired | Verdicts | StatusRequest | Subscribe


# --- engine to agent ---------------------------------------------------------------------------


class InterfaceReport(Message, frozen=True, kw_only=True):
    """An up, non-loopback interface that is not a container's veth."""

    name: str
    mac: str
    subnets: list[str]  # 192.0.2.11/24, fe80::1/64: address of the node with its prefix length
    carrier: bool


class Hello(Message, frozen=True, kw_only=True, tag_field="type", tag="hello"):
    """First message on a subscribed connection: what the engine runs and sees."""

    version: int = VERSION
    node: str
    revision: int
    routers: list[str]
    interfaces: list[InterfaceReport]


class Transition(Message, frozen=True, kw_only=True, tag_field="type", tag="transition"):
    """A router changed its state."""

    version: int = VERSION
    router: str
    previous: str
    state: str
    reason: str
    since: str


class Interfaces(Message, frozen=True, kw_only=True, tag_field="type", tag="interfaces"):
    """Interfaces changed; the whole list."""

    version: int = VERSION
    interfaces: list[InterfaceReport]


class ForeignRouter(Message, frozen=True, kw_only=True):
    """A virtual router that is none of ours, heard on the link."""

    interface: str
    family: Family
    virtual_router_id: int = msgspec.field(name="virtualRouterID")
    source: str  # who sends its adverts


class ForeignRouters(Message, frozen=True, kw_only=True, tag_field="type", tag="foreignRouters"):
    """Which virtual routers of others are heard has changed; the whole list."""

    version: int = VERSION
    foreign: list[ForeignRouter]


class HeardNode(Message, frozen=True, kw_only=True):
    """What is certain of a watched node."""

    node: str
    heard: bool  # it sends adverts or answers; False: neither, for as long as an address lives


class HeardNodes(Message, frozen=True, kw_only=True, tag_field="type", tag="heardNodes"):
    """What is known of watched nodes has changed; the whole list."""

    version: int = VERSION
    nodes: list[HeardNode]


class Farewell(Message, frozen=True, kw_only=True, tag_field="type", tag="farewell"):
    """The last message of an engine that ends in an orderly way."""

    version: int = VERSION
    released: bool  # every router has left, and no virtual address is bound any more


class NeighbourComplaint(Message, frozen=True, kw_only=True):
    """What is wrong between a router of ours and another one on the link."""

    name: str  # display name
    router: str  # VirtualRouter name
    problem: Reason
    family: Family
    interface: str
    source: str  # whose adverts tell of it
    message: str


class GateStatus(Message, frozen=True, kw_only=True):
    """A gate as the engine counts it."""

    name: str
    state: GateState
    reason: str = ""
    stale: bool = False
    partial: bool = False  # as in the verdict
    cause: str = ""  # likewise


class Counters(Message, frozen=True, kw_only=True):
    """Since the engine started this router; drops by reason (`vrrp.packet.DropReason`)."""

    advertisements_sent: int = 0
    advertisements_received: int = 0
    priority_zero_sent: int = 0
    priority_zero_received: int = 0
    transitions: int = 0
    drops: dict[str, int] = {}


class RouterStatus(Message, frozen=True, kw_only=True):
    """One item per instance; an election of two families has two items with one `name`."""

    name: str  # display name
    router: str  # VirtualRouter name
    interface: str  # empty while it waits for one
    family: Family
    virtual_router_id: int = msgspec.field(name="virtualRouterID")
    state: State
    yielding: bool = False
    withdrawn: bool = False  # the gates let it take no part
    reason: str = ""  # a `Reason`
    message: str = ""  # what stands in the way, for people
    missing: int = 0  # how many instances of the election cannot run here
    conflict: str = ""  # which other machine uses an address, and by what hardware address
    not_in_force: str = ""  # why the last edit is not: what ran before goes on
    priority: int
    effective_priority: int
    advertisement_interval_milliseconds: int
    active_source: str = ""  # whose advert was accepted last; empty when Active or unknown
    since: str
    addresses: list[str]
    gates: list[GateStatus]
    counters: Counters


class Histogram(Message, frozen=True, kw_only=True):
    """Durations by size since the engine started."""

    bounds_milliseconds: list[int]  # upper bounds; `counts` has one more, without a bound
    counts: list[int]
    sum_milliseconds: float
    longest_milliseconds: float
    recent_longest_milliseconds: float  # within the last one to two minutes


class Turns(Message, frozen=True, kw_only=True):
    """How long the turns of the engine's loop are, and how late its timers."""

    processor: Histogram  # time that a turn used the processor
    elapsed: Histogram  # time that it took
    lateness: Histogram  # from the moment that a timer was due to the turn that saw it


class Status(Message, frozen=True, kw_only=True, tag_field="type", tag="statusReply"):
    """The answer to a `StatusRequest`."""

    version: int = VERSION
    node: str
    revision: int
    virtual_routers: list[RouterStatus]
    # Packets that belong to no router of ours, by reason, and trouble that belongs to no router.
    drops: dict[str, int] = {}
    orphaned: list[str] = []
    interfaces: list[InterfaceReport] = []
    foreign: list[ForeignRouter] = []
    turns: Turns | None = None  # None of an engine that does not measure them
    neighbours: list[NeighbourComplaint] = []
    watched: list[HeardNode] = []  # one of which nothing is certain is left out


FromEngine = Hello | Transition | Interfaces | ForeignRouters | HeardNodes | Farewell | Status

_encoder = msgspec.json.Encoder()
_to_engine: msgspec.json.Decoder[ToEngine] = msgspec.json.Decoder(ToEngine)
_from_engine: msgspec.json.Decoder[FromEngine] = msgspec.json.Decoder(FromEngine)


def encode(message: Message) -> bytes:
    """Return the message as one line, newline included."""
    return _encoder.encode(message) + b"\n"


def decode_to_engine(line: bytes) -> ToEngine:
    """Return what a client said. Raises msgspec.MsgspecError (a ValueError) on anything else."""
    return _to_engine.decode(line)


def decode_from_engine(line: bytes) -> FromEngine:
    """Return what the engine said. Raises msgspec.MsgspecError (a ValueError) on anything else."""
    return _from_engine.decode(line)
