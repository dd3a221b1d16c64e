"""The cluster around this node as its gates see it: what they ask for is watched, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from vip_kube.client import Selection
from vip_kube.conditions import READY, is_true
from vip_kube.kinds import ENDPOINT_SLICES, PODS, SERVICES, Kind
from vip_kube.reflector import Handler
from vip_kube.wire import Object
from vip_speaker.gates.surroundings import LocalPod, ServiceView, Subscription

T = TypeVar("T")

Listener = Callable[[], None]
# Begins to follow objects; what it returns ends that.
Follow = Callable[[Kind, Handler[Object], Selection], Callable[[], None]]


class ClusterSurroundings:
    """Starts to watch with the first subscription of a thing and ends with the last.

    Args:
        node: this node.
        follow: starts a reflector.
        address: returns the node's own address, empty while it is not known.
    """

    def __init__(self, node: str, follow: Follow, address: Callable[[], str]) -> None:
        self._node = node
        self._address = address
        self._follow = follow
        self._pods: _Watched[_Pods] | None = None
        self._services: dict[tuple[str, str], _Watched[_Service]] = {}

    def pods(self, namespace: str) -> Iterable[LocalPod] | None:
        """Return the pods of this node in a namespace, None before the first complete list."""
        return None if self._pods is None else self._pods.content.in_namespace(namespace)

    def service(self, namespace: str, name: str) -> ServiceView | None:
        """Return a Service, None before the first complete list of all that belongs to it."""
        watched = self._services.get((namespace, name))
        return None if watched is None else watched.content.view(self._node, self._address())

    def watch_pods(self, namespace: str, on_change: Listener) -> Subscription:
        """Call at every change of the pods of this node in a namespace, and when first known."""
        if self._pods is None:
            content = _Pods()
            selection = Selection(fields=f"spec.nodeName={self._node}")
            self._pods = _Watched(content, [self._follow(PODS, content, selection)])
        watched = self._pods
        watched.users += 1
        listeners = watched.content.listeners.setdefault(namespace, [])
        listeners.append(on_change)

        def cancel() -> None:
            listeners.remove(on_change)
            if watched.leave():
                self._pods = None

        return _Interest(cancel)

    def watch_service(self, namespace: str, name: str, on_change: Listener) -> Subscription:
        """Call at every change of a Service or its endpoints; from now on it is looked after."""
        key = (namespace, name)
        watched = self._services.get(key)
        if watched is None:
            watched = self._services[key] = self._begin_service(namespace, name)
        watched.users += 1
        listeners = watched.content.listeners
        listeners.append(on_change)

        def cancel() -> None:
            listeners.remove(on_change)
            if watched.leave():
                del self._services[key]

        return _Interest(cancel)

    def _begin_service(self, namespace: str, name: str) -> _Watched[_Service]:
        content = _Service()
        itself = Selection(namespace, fields=f"metadata.name={name}")
        its_slices = Selection(namespace, labels=f"kubernetes.io/service-name={name}")
        return _Watched(
            content,
            [
                self._follow(SERVICES, content.itself, itself),
                self._follow(ENDPOINT_SLICES, content.slices, its_slices),
            ],
        )


class _Watched(Generic[T]):
    """Something that is watched for as long as somebody uses it."""

    def __init__(self, content: T, ends: list[Callable[[], None]]) -> None:
        self.content = content
        self.users = 0
        self._ends = ends

    def leave(self) -> bool:
        """Count one user less; return whether that was the last and the watch has ended."""
        self.users -= 1
        if self.users:
            return False
        for end in self._ends:
            end()
        return True


class _Interest:
    """A subscription; cancelling it again does nothing."""

    def __init__(self, cancel: Callable[[], None]) -> None:
        self._cancel: Callable[[], None] | None = cancel

    def cancel(self) -> None:
        """Call no more."""
        cancel, self._cancel = self._cancel, None
        if cancel is not None:
            cancel()


class _Pods:
    """The pods of this node."""

    def __init__(self) -> None:
        self.listeners: dict[str, list[Listener]] = {}
        self._known = False
        self._pods: dict[tuple[str, str], LocalPod] = {}

    def in_namespace(self, namespace: str) -> list[LocalPod] | None:
        if not self._known:
            return None
        return [pod for pod in self._pods.values() if pod.namespace == namespace]

    def upsert(self, content: Object) -> None:
        pod = local_pod(content)
        key = (pod.namespace, pod.name)
        if self._pods.get(key) != pod:
            self._pods[key] = pod
            self._tell(pod.namespace)

    def delete(self, content: Object) -> None:
        pod = local_pod(content)
        if self._pods.pop((pod.namespace, pod.name), None) is not None:
            self._tell(pod.namespace)

    def synced(self) -> None:
        if not self._known:
            self._known = True
            for namespace in list(self.listeners):
                self._tell(namespace)

    def _tell(self, namespace: str) -> None:
        if self._known:
            _call(self.listeners.get(namespace, ()))


class _Service:
    """A Service with its EndpointSlices."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []
        self.itself = _Objects(self._tell)
        self.slices = _Objects(self._tell)

    def view(self, node: str, address: str) -> ServiceView | None:
        if not self._known:
            return None
        service = next(iter(self.itself.objects.values()), None)
        return service_view(service, self.slices.objects.values(), node, address)

    @property
    def _known(self) -> bool:
        return self.itself.known and self.slices.known

    def _tell(self) -> None:
        if self._known:
            _call(self.listeners)


class _Objects:
    """Objects of one kind, by uid."""

    def __init__(self, on_change: Listener) -> None:
        self.objects: dict[str, Object] = {}
        self.known = False
        self._on_change = on_change

    def upsert(self, content: Object) -> None:
        self.objects[content["metadata"]["uid"]] = content
        self._on_change()

    def delete(self, content: Object) -> None:
        self.objects.pop(content["metadata"]["uid"], None)
        self._on_change()

    def synced(self) -> None:
        if not self.known:
            self.known = True
            self._on_change()


def _call(listeners: Iterable[Listener]) -> None:
    for listener in list(listeners):
        listener()


def local_pod(pod: Object) -> LocalPod:
    """Return what gates need of a Pod object."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    return LocalPod(
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        labels=metadata.get("labels") or {},
        ready=is_true(pod, READY),
        terminating="deletionTimestamp" in metadata,
        address=status.get("podIP", ""),
    )


def service_view(
    service: Object | None, slices: Iterable[Object], node: str, address: str
) -> ServiceView:
    """Return what gates need of a Service (None: there is none) and its EndpointSlices.

    Args:
        service: the Service.
        slices: its EndpointSlices.
        node: this node.
        address: the node's own, empty while it is not known.
    """
    ready: dict[str, str] = {}  # which endpoint is on which node
    serving: dict[str, str] = {}
    for endpoint in (each for one in slices for each in one.get("endpoints") or ()):
        found = ready if _is_ready(endpoint) else serving if _still_serves(endpoint) else None
        if found is not None:
            name = _identity(endpoint)
            found[name] = endpoint.get("nodeName") or found.get(name, "")
    spec = (service.get("spec") or {}) if service else {}
    local = spec.get("externalTrafficPolicy") == "Local"
    port = spec.get("healthCheckNodePort", 0)
    return ServiceView(
        exists=service is not None,
        local=local,
        ready_here=sum(where == node for where in ready.values()),
        ready_anywhere=len(ready),
        ready_nameless=sum(not where for where in ready.values()),
        serving_here=sum(where == node for where in serving.values()),
        serving_anywhere=len(serving),
        health_check=(address, port) if local and address and port else None,
    )


def _is_ready(endpoint: Object) -> bool:
    conditions = endpoint.get("conditions") or {}
    # Without the condition readiness is unknown, which the API says to take for ready.
    return conditions.get("ready", True) is not False and not conditions.get("terminating")


def _still_serves(endpoint: Object) -> bool:
    conditions = endpoint.get("conditions") or {}
    return bool(conditions.get("terminating")) and conditions.get("serving", True) is not False


def _identity(endpoint: Object) -> str:
    """Return what is the same for one pod in the slices of both families."""
    target = endpoint.get("targetRef") or {}
    return str(target.get("uid") or ",".join(endpoint.get("addresses") or ()))
