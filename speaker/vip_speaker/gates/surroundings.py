"""What a gate can see of a cluster. Gates know nothing of the API: the agent fills these views."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LocalPod:
    """A pod of this node.

    Attributes:
        namespace: its namespace.
        name: its name.
        labels: its labels.
        ready: its condition Ready is True.
        terminating: it is being deleted, so that it does not count whatever it says of itself.
        address: its IP address; empty while it has none. With hostNetwork that of the node.
    """

    namespace: str
    name: str
    labels: Mapping[str, str]
    ready: bool
    terminating: bool = False
    address: str = ""


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A Service as this node sees it.

    Attributes:
        exists: there is such a Service.
        local: externalTrafficPolicy is Local: only endpoints on this node count.
        ready_here: ready endpoints on this node, terminating ones left out.
        ready_anywhere: ready endpoints on all nodes and on none, likewise.
        ready_nameless: those of them that name no node.
        serving_here: endpoints on this node that are terminating and still serve.
        serving_anywhere: such endpoints on all nodes and on none.
        health_check: address and port on which this node says whether it forwards to the endpoints
            that are here; None where nobody does.
    """

    exists: bool
    local: bool = False
    ready_here: int = 0
    ready_anywhere: int = 0
    ready_nameless: int = 0
    serving_here: int = 0
    serving_anywhere: int = 0
    health_check: tuple[str, int] | None = None


class Subscription(Protocol):
    """An interest that can be given up."""

    def cancel(self) -> None:
        """Call no more."""


class Surroundings(Protocol):
    """The cluster around this node. None always means: not known (yet), so no verdict."""

    def pods(self, namespace: str) -> Iterable[LocalPod] | None:
        """Return the pods of this node in a namespace, None before the first complete list."""

    def pods_are_forbidden(self, namespace: str) -> bool:
        """Return whether this agent may not read the pods of a namespace."""

    def service(self, namespace: str, name: str) -> ServiceView | None:
        """Return a Service, None before the first complete list of all that belongs to it."""

    def watch_pods(self, namespace: str, on_change: Callable[[], None]) -> Subscription:
        """Call at every change of the pods of this node in a namespace, and when first known."""

    def watch_service(
        self, namespace: str, name: str, on_change: Callable[[], None]
    ) -> Subscription:
        """Call at every change of a Service or its endpoints; from now on it is looked after."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a gate stands.

    Attributes:
        namespace: of the VirtualIP that it belongs to.
        surroundings: the cluster; None in static mode.
    """

    namespace: str = ""
    surroundings: Surroundings | None = None


NOWHERE = Site()
