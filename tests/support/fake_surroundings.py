"""The cluster around a node as a test wants it: `Surroundings` without an API server."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from vip_speaker.gates.surroundings import LocalPod, ServiceView

Listener = Callable[[], None]

POD_LABELS = {"app": "web"}


def pod(
    name: str = "web-a",
    *,
    namespace: str = "shop",
    labels: Mapping[str, str] = POD_LABELS,
    ready: bool = True,
    terminating: bool = False,
    address: str = "127.0.0.2",
) -> LocalPod:
    """Return a pod that is ready, on an address of loopback."""
    return LocalPod(namespace, name, labels, ready, terminating, address)


class FakeSurroundings:
    """Nothing is known until it is set; every change is told at once, as the real one does.

    Attributes:
        pod_listeners: who watches the pods of each namespace.
        service_listeners: who watches each Service, by namespace and name.
    """

    def __init__(self) -> None:
        self.pod_listeners: dict[str, list[Listener]] = {}
        self.service_listeners: dict[tuple[str, str], list[Listener]] = {}
        self._pods: dict[str, dict[str, LocalPod]] | None = None
        self._forbidden: set[str] = set()
        self._services: dict[tuple[str, str], ServiceView] = {}

    def is_watched(self) -> bool:
        """Return whether somebody watches something."""
        listeners = [*self.pod_listeners.values(), *self.service_listeners.values()]
        return any(listeners)

    # --- Surroundings ------------------------------------------------------------------------

    def pods(self, namespace: str) -> list[LocalPod] | None:
        """Return the pods of a namespace, None before the first `set_pods`."""
        return None if self._pods is None else list(self._pods.get(namespace, {}).values())

    def pods_are_forbidden(self, namespace: str) -> bool:
        """Return whether the test has forbidden the pods of a namespace."""
        return namespace in self._forbidden

    def service(self, namespace: str, name: str) -> ServiceView | None:
        """Return a Service, None before it was set."""
        return self._services.get((namespace, name))

    def watch_pods(self, namespace: str, on_change: Listener) -> _Interest:
        """Call at every change in a namespace."""
        return _Interest(self.pod_listeners.setdefault(namespace, []), on_change)

    def watch_service(self, namespace: str, name: str, on_change: Listener) -> _Interest:
        """Call at every change of a Service."""
        return _Interest(self.service_listeners.setdefault((namespace, name), []), on_change)

    # --- what the test makes of it -------------------------------------------------------------

    def set_pods(self, *pods: LocalPod) -> None:
        """Make these all the pods of the node, as a first list or a relist does."""
        before = self._pods or {}
        self._pods = {}
        for each in pods:
            self._pods.setdefault(each.namespace, {})[each.name] = each
        for namespace in before.keys() | self._pods.keys() | self.pod_listeners.keys():
            _tell(self.pod_listeners.get(namespace, []))

    def forbid_pods(self, namespace: str = "shop", *, forbidden: bool = True) -> None:
        """Take the right to read the pods of a namespace, or give it back."""
        (self._forbidden.add if forbidden else self._forbidden.discard)(namespace)
        _tell(self.pod_listeners.get(namespace, []))

    def put_pod(self, one: LocalPod) -> None:
        """Add a pod, or change the one of its name."""
        assert self._pods is not None, "set_pods comes first"
        self._pods.setdefault(one.namespace, {})[one.name] = one
        _tell(self.pod_listeners.get(one.namespace, []))

    def remove_pod(self, name: str, namespace: str = "shop") -> None:
        """Take a pod away."""
        assert self._pods is not None, "set_pods comes first"
        del self._pods[namespace][name]
        _tell(self.pod_listeners.get(namespace, []))

    def set_service(self, view: ServiceView, name: str = "web", namespace: str = "shop") -> None:
        """Make a Service look so."""
        self._services[namespace, name] = view
        _tell(self.service_listeners.get((namespace, name), []))


class _Interest:
    """A subscription."""

    def __init__(self, listeners: list[Listener], on_change: Listener) -> None:
        self._listeners = listeners
        self._on_change = on_change
        listeners.append(on_change)

    def cancel(self) -> None:
        """Call no more."""
        if self._on_change in self._listeners:
            self._listeners.remove(self._on_change)


def _tell(listeners: list[Listener]) -> None:
    for listener in list(listeners):
        listener()
