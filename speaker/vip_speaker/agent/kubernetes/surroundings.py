"""The cluster around this node as its gates see it: what they ask for is kept, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from vip_speaker.agent.kubernetes.following import Follow
from vip_speaker.agent.kubernetes.pods import Listener, Pods
from vip_speaker.agent.kubernetes.services import Services
from vip_speaker.gates.surroundings import LocalPod, ServiceView, Subscription


class ClusterSurroundings:
    """Starts to watch with the first subscription of a thing and ends with the last.

    Args:
        node: this node.
        follow: begins to follow.
        address: returns the node's own address, empty while it is not known.
    """

    def __init__(self, node: str, follow: Follow, address: Callable[[], str]) -> None:
        self._pods = Pods(node, follow)
        self._services = Services(node, follow, address)

    def pods(self, namespace: str) -> Iterable[LocalPod] | None:
        """Return the pods of this node in a namespace, None before the first complete list."""
        return self._pods.of(namespace)

    def pods_are_forbidden(self, namespace: str) -> bool:
        """Return whether this agent may not read the pods of a namespace."""
        return self._pods.are_forbidden(namespace)

    def service(self, namespace: str, name: str) -> ServiceView | None:
        """Return a Service, None before all that belongs to it has been read."""
        return self._services.view((namespace, name))

    def watch_pods(self, namespace: str, on_change: Listener) -> Subscription:
        """Call at every change of the pods of this node in a namespace, and when first known."""
        return _Interest(self._pods.watch(namespace, on_change))

    def watch_service(self, namespace: str, name: str, on_change: Listener) -> Subscription:
        """Call at every change of a Service or its endpoints; from now on it is looked after."""
        return _Interest(self._services.watch((namespace, name), on_change))


class _Interest:
    """A subscription; cancelling it again does nothing."""

    def __init__(self, cancel: Callable[[], None]) -> None:
        self._cancel: Callable[[], None] | None = cancel

    def cancel(self) -> None:
        """Call no more."""
        cancel, self._cancel = self._cancel, None
        if cancel is not None:
            cancel()
