"""Gates: conditions of a node that its priority depends on."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Annotated

import msgspec

from vip_model.resources.base import LABEL, Limits, Part, described
from vip_model.resources.enums import Scheme, SelectorOperator
from vip_model.vocabulary import FailureAction

LOCALHOST = "127.0.0.1"
DEFAULT_SUBTRAHEND = 100
DEFAULT_COST = 100

_PORT = Limits(minimum=1, maximum=65535)
# A number as the last label is an IPv4 address; that it is one, `schema.validation` judges.
_HOST_LABEL = r"[A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?"
_HOST = Limits(
    min_length=1,
    max_length=253,
    pattern=(
        rf"{_HOST_LABEL}(\.{_HOST_LABEL})*\.?"
        r"|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(%[-A-Za-z0-9_.]{1,15})?"
    ),
    pattern_in_words="a DNS name, or an IP address without brackets",
)
_HOST_TEXT = "Name or address that is asked; an IPv6 address without brackets."
_MILLISECONDS = Limits(minimum=10, maximum=3_600_000)
_THRESHOLD = Limits(minimum=1, maximum=1000)
_INTERFACE = Limits(
    min_length=1,
    max_length=15,
    pattern=r"[^\s/:*?\[\]]+",
    pattern_in_words="the name of one interface, without wildcards, blanks, '/' and ':'",
)


class LabelSelectorRequirement(Part, frozen=True, kw_only=True):
    """One condition on a label."""

    key: Annotated[str, described("Key of the label.")]
    operator: Annotated[SelectorOperator, described("How the label relates to the values.")]
    values: Annotated[tuple[str, ...], described("Values, for In and NotIn.")] = ()


class LabelSelector(Part, frozen=True, kw_only=True):
    """A choice of objects by their labels, as elsewhere in Kubernetes."""

    match_labels: Annotated[dict[str, str], described("Labels that must be there.")] = (
        msgspec.field(default_factory=dict)
    )
    match_expressions: Annotated[
        tuple[LabelSelectorRequirement, ...], described("Conditions that must all hold.")
    ] = ()


class HTTPGetProbe(Part, frozen=True, kw_only=True):
    """Asks for a page; an answer with a status of 2xx or 3xx passes."""

    host: Annotated[str, described(_HOST_TEXT, _HOST)] = LOCALHOST
    port: Annotated[int, described("TCP port.", _PORT)]
    path: Annotated[
        str,
        described(
            "Path with an optional query.",
            Limits(
                min_length=1,
                max_length=1024,
                pattern=r"/\S*",
                pattern_in_words="a path that begins with '/' and holds no blanks",
            ),
        ),
    ] = "/"
    scheme: Annotated[Scheme, described("HTTPS checks no certificate.")] = Scheme.HTTP


class TCPSocketProbe(Part, frozen=True, kw_only=True):
    """Opens a TCP connection and closes it again."""

    host: Annotated[str, described(_HOST_TEXT, _HOST)] = LOCALHOST
    port: Annotated[int, described("TCP port.", _PORT)]


class PingProbe(Part, frozen=True, kw_only=True):
    """Sends an ICMP echo request, for instance to the gateway."""

    host: Annotated[str, described(_HOST_TEXT, _HOST)]


class CommandProbe(Part, frozen=True, kw_only=True):
    """Runs a program; exit status 0 passes."""

    command: Annotated[
        tuple[str, ...],
        described("Program and arguments; there is no shell.", Limits(min_length=1, max_length=64)),
    ]


class ProcessCondition(Part, frozen=True, kw_only=True):
    """A process runs on the node."""

    name: Annotated[str, described("Name of the process.", Limits(min_length=1, max_length=255))]


class InterfaceCondition(Part, frozen=True, kw_only=True):
    """An interface of the node is up and has carrier."""

    name: Annotated[str, described("Name of the interface.", _INTERFACE)]


class PodProbe(Part, frozen=True, kw_only=True):
    """A probe of the pods on the node, faster than kubelet's readiness probe."""

    http_get: Annotated[
        HTTPGetProbe | None,
        described("Asks for a page, at the pod's address unless host is another than 127.0.0.1."),
    ] = None
    tcp_socket: Annotated[
        TCPSocketProbe | None,
        described(
            "Opens a TCP connection, to the pod's address unless host is another than 127.0.0.1."
        ),
    ] = None
    period_milliseconds: Annotated[
        int, described("From the start of one probe to the next.", _MILLISECONDS)
    ] = 1000
    timeout_milliseconds: Annotated[
        int, described("A probe without an answer by then has failed.", _MILLISECONDS)
    ] = 1000
    failure_threshold: Annotated[int, described("Failures in a row that count.", _THRESHOLD)] = 3
    success_threshold: Annotated[int, described("Passes in a row that count.", _THRESHOLD)] = 1


class PodsCondition(Part, frozen=True, kw_only=True):
    """A pod of the VirtualIP's namespace is ready on the node."""

    selector: Annotated[LabelSelector, described("Which pods.")]
    probe: Annotated[PodProbe | None, described("Asks the pods directly.")] = None


class ServiceReference(Part, frozen=True, kw_only=True):
    """A Service of the VirtualIP's namespace."""

    name: Annotated[str, described("Name of the Service.", LABEL)]


class EndpointsCondition(Part, frozen=True, kw_only=True):
    """A Service has ready endpoints that traffic arriving at this node can reach.

    With externalTrafficPolicy Local these are endpoints on the node, with Cluster any.
    """

    service_ref: Annotated[ServiceReference, described("Which Service.")]


class FailurePolicy(Part, frozen=True, kw_only=True):
    """What a failing gate does to its node."""

    action: Annotated[
        FailureAction,
        described(
            "LowerPriority: the node stands behind every healthy one, and serves if there is "
            "none. Withdraw: it takes no part."
        ),
    ] = FailureAction.LOWER_PRIORITY
    by: Annotated[
        int,
        described(
            "What LowerPriority takes off the priority with vrrp.additionalPeers, whose "
            "priorities follow rules of their own; without them use cost.",
            Limits(minimum=1, maximum=254),
        ),
    ] = DEFAULT_SUBTRAHEND
    cost: Annotated[
        int,
        described(
            "How bad it is that the gate fails. Among nodes on which gates fail the one with the "
            "smallest sum of costs comes first. Not with vrrp.additionalPeers.",
            Limits(minimum=1, maximum=100),
        ),
    ] = DEFAULT_COST


class _Kind(msgspec.Struct, frozen=True, kw_only=True):
    """What is to know of a kind of gate besides its fields.

    Attributes:
        built: speakers of this version can run it; another kind is refused by name.
        cluster: it asks what runs in a cluster; without one it does not count.
        engine: the engine judges it by itself, and the agent runs nothing for it.
    """

    built: bool
    cluster: bool
    engine: bool


def _kind(
    text: str, *, built: bool = True, cluster: bool = False, engine: bool = False
) -> msgspec.Meta:
    """Return what stands beside a kind of gate: its description and its mark."""
    mark = _Kind(built=built, cluster=cluster, engine=engine)
    return msgspec.Meta(description=text, extra={"kind": mark})


class Gate(Part, frozen=True, kw_only=True):
    """A condition of a node that its priority depends on. Exactly one kind is given."""

    name: Annotated[str, described("Name in status, events and metrics.", LABEL)]
    failure_policy: Annotated[FailurePolicy, described("What a failing gate does.")] = (
        FailurePolicy()
    )
    period_milliseconds: Annotated[
        int, described("From the start of one probe to the start of the next.", _MILLISECONDS)
    ] = 1000
    timeout_milliseconds: Annotated[
        int, described("A probe without an answer by then has failed.", _MILLISECONDS)
    ] = 1000
    failure_threshold: Annotated[
        int, described("Failures in a row after which the gate fails.", _THRESHOLD)
    ] = 3
    success_threshold: Annotated[
        int, described("Passes in a row after which the gate passes.", _THRESHOLD)
    ] = 1
    http_get: Annotated[HTTPGetProbe | None, _kind("Asks for a page on the node.")] = None
    tcp_socket: Annotated[TCPSocketProbe | None, _kind("Opens a TCP connection.")] = None
    interface: Annotated[
        InterfaceCondition | None,
        _kind("An interface has carrier; judged without probes.", engine=True),
    ] = None
    pods: Annotated[PodsCondition | None, _kind("A pod is ready on the node.", cluster=True)] = None
    endpoints: Annotated[
        EndpointsCondition | None,
        _kind("A Service has ready endpoints for this node.", cluster=True),
    ] = None
    ping: Annotated[PingProbe | None, _kind("A host answers to ping.", built=False)] = None
    command: Annotated[CommandProbe | None, _kind("A program says so.", built=False)] = None
    process: Annotated[ProcessCondition | None, _kind("A process runs.", built=False)] = None

    @property
    def partial_cost(self) -> int:
        """What it costs where it fails only in part: half; 0 for kinds that never do."""
        return max(1, self.failure_policy.cost // 2) if self.endpoints is not None else 0

    @property
    def hosts(self) -> tuple[tuple[str, str], ...]:
        """Every host that is asked, after the path of its field in the gate."""
        given = ((kind, getattr(self, _ATTRIBUTES[kind])) for kind in self.kinds)
        return tuple(host for kind, part in given for host in _hosts(part, kind))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind that is given, in the spelling of the file, such as httpGet."""
        return tuple(
            kind for kind, attribute in _ATTRIBUTES.items() if getattr(self, attribute) is not None
        )

    @property
    def kind(self) -> str | None:
        """The kind of a valid gate; None where it is one that this version does not know."""
        kinds = self.kinds
        return kinds[0] if kinds else None


def _hosts(part: Part, path: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the value of every field `host` at and below a part."""
    for field in msgspec.structs.fields(part):
        value = getattr(part, field.name)
        if isinstance(value, Part):
            yield from _hosts(value, f"{path}.{field.encode_name}")
        elif field.name == "host":
            yield f"{path}.host", value


def _marks() -> Iterator[tuple[msgspec.structs.FieldInfo, _Kind]]:
    """Yield the fields of a gate that are kinds, each with its mark."""
    hints = typing.get_type_hints(Gate, include_extras=True)
    for field in msgspec.structs.fields(Gate):
        for meta in hints[field.name].__metadata__:
            if "kind" in meta.extra:
                yield field, meta.extra["kind"]


_MARKED = tuple(_marks())
_ATTRIBUTES = {field.encode_name: field.name for field, _mark in _MARKED}
GATE_KINDS = tuple(_ATTRIBUTES)
BUILT_GATE_KINDS = frozenset(field.encode_name for field, mark in _MARKED if mark.built)
CLUSTER_GATE_KINDS = frozenset(field.encode_name for field, mark in _MARKED if mark.cluster)
ENGINE_GATE_KINDS = frozenset(field.encode_name for field, mark in _MARKED if mark.engine)
