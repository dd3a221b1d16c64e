"""The pods of this node, of each namespace that a gate asks for. Rights to read them are given so.

Of a Pod, which may be large, only what gates need is decoded and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from vip_kube.client import Selection
from vip_kube.kinds import PODS
from vip_speaker.agent.kubernetes.following import Follow, Followed
from vip_speaker.gates.surroundings import LocalPod

Listener = Callable[[], None]


class Pods:
    """Follows the pods of a namespace from the first subscription to the last.

    Args:
        node: this node.
        follow: begins to follow.
    """

    def __init__(self, node: str, follow: Follow) -> None:
        self._node = node
        self._follow = follow
        self._namespaces: dict[str, _Namespace] = {}

    def of(self, namespace: str) -> Iterable[LocalPod] | None:
        """Return the pods of a namespace, None before the first complete list."""
        found = self._namespaces.get(namespace)
        return found.pods if found is not None else None

    def are_forbidden(self, namespace: str) -> bool:
        """Return whether the API server refuses to show them."""
        found = self._namespaces.get(namespace)
        return found is not None and found.forbidden

    def watch(self, namespace: str, on_change: Listener) -> Callable[[], None]:
        """Call at every change of a namespace, and when first known; return what ends that."""
        found = self._namespaces.get(namespace)
        if found is None:
            found = self._namespaces[namespace] = _Namespace()
            selection = Selection(namespace, fields=f"spec.nodeName={self._node}")
            found.followed = self._follow(PODS, found, selection, pick_pod, found.trouble_changed)
        found.listeners.append(on_change)

        def cancel() -> None:
            found.listeners.remove(on_change)
            if not found.listeners:
                del self._namespaces[namespace]
                if found.followed is not None:
                    found.followed.end()

        return cancel


class _Namespace:
    """The pods of this node in one namespace; handler of their reflector."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []
        self.followed: Followed[LocalPod] | None = None
        self.forbidden = False
        self._known = False
        self._pods: dict[str, LocalPod] = {}

    @property
    def pods(self) -> list[LocalPod] | None:
        return list(self._pods.values()) if self._known else None

    def upsert(self, pod: LocalPod) -> None:
        self._pods[pod.name] = pod
        self._tell()

    def delete(self, pod: LocalPod) -> None:
        self._pods.pop(pod.name, None)
        self._tell()

    def synced(self) -> None:
        if not self._known:
            self._known = True
            self._tell()

    def trouble_changed(self) -> None:
        assert self.followed is not None, "there is no trouble before it is followed"
        if self.forbidden != self.followed.forbidden:
            self.forbidden = self.followed.forbidden
            call(self.listeners)

    def _tell(self) -> None:
        if self._known:
            call(self.listeners)


def call(listeners: Iterable[Listener]) -> None:
    """Call each, also where one of them ends its subscription."""
    for listener in list(listeners):
        listener()


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    namespace: str = ""
    labels: dict[str, str] | None = None
    deletion_timestamp: str | None = None


class _Condition(msgspec.Struct, frozen=True):
    type: str = ""
    status: str = ""


class _Status(msgspec.Struct, frozen=True):
    conditions: list[_Condition] | None = None
    address: str | None = msgspec.field(default=None, name="podIP")


class _Pod(msgspec.Struct, frozen=True):
    metadata: _Metadata
    status: _Status | None = None


_POD = msgspec.json.Decoder(_Pod)


def pick_pod(raw: msgspec.Raw) -> LocalPod:
    """Return what gates need of a Pod.

    Raises:
        msgspec.ValidationError: it is none.
    """
    pod = _POD.decode(raw)
    metadata, status = pod.metadata, pod.status or _Status()
    ready = any(each.type == "Ready" and each.status == "True" for each in status.conditions or ())
    return LocalPod(
        namespace=metadata.namespace,
        name=metadata.name,
        labels=metadata.labels or {},
        ready=ready,
        terminating=metadata.deletion_timestamp is not None,
        address=status.address or "",
    )
