"""The Services that gates ask for, with their endpoints.

All Services and EndpointSlices of the cluster are watched, as kube-proxy does: two connections,
however many gates there are. What no gate asks for is dropped while it is decoded. A Service that
is asked for later is read then.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from vip_common.endpoint_slices import SERVICE_NAME, EndpointConditions, labels_of
from vip_kube.client import Selection
from vip_kube.kinds import ENDPOINT_SLICES, SERVICES
from vip_speaker.agent.kubernetes.following import Follow, Followed
from vip_speaker.agent.kubernetes.pods import Listener, call
from vip_speaker.gates.surroundings import ServiceView

T = TypeVar("T")

Key = tuple[str, str]  # namespace, name


@dataclass(frozen=True, slots=True)
class KnownService:
    """A Service, as far as gates need it.

    Attributes:
        key: its namespace and name.
        local: externalTrafficPolicy is Local.
        health_check_port: healthCheckNodePort; 0: there is none.
    """

    key: Key
    local: bool = False
    health_check_port: int = 0


@dataclass(frozen=True, slots=True)
class KnownEndpoint:
    """An endpoint that traffic may go to.

    Attributes:
        name: the same for one pod in the slices of both families.
        node: the node it is on; empty if it names none.
        ready: it is ready; otherwise it is terminating and still serves.
    """

    name: str
    node: str
    ready: bool


@dataclass(frozen=True, slots=True)
class KnownSlice:
    """An EndpointSlice of a Service; endpoints that no traffic goes to are left out."""

    key: Key  # of the Service
    name: str
    endpoints: tuple[KnownEndpoint, ...] = ()


class Services:
    """Follows all Services from the first subscription to the last, and keeps those asked for.

    Args:
        node: this node.
        follow: begins to follow.
        address: returns the node's own address, empty while it is not known.
    """

    def __init__(self, node: str, follow: Follow, address: Callable[[], str]) -> None:
        self._node = node
        self._follow = follow
        self._address = address
        self._wanted: dict[Key, _Service] = {}
        # What reflectors may still have of Services that nobody asks for any more.
        self._left: set[Key] = set()
        self._services: Followed[KnownService] | None = None
        self._slices: Followed[KnownSlice] | None = None

    def view(self, key: Key) -> ServiceView | None:
        """Return a Service, None before all that belongs to it has been read."""
        found = self._wanted.get(key)
        if found is None or not found.known:
            return None
        return service_view(found.itself, found.slices.values(), self._node, self._address())

    def watch(self, key: Key, on_change: Listener) -> Callable[[], None]:
        """Call at every change of a Service or its endpoints; return what ends that."""
        found = self._wanted.get(key) or self._begin(key)
        found.listeners.append(on_change)

        def cancel() -> None:
            found.listeners.remove(on_change)
            if not found.listeners:
                self._leave(key)

        return cancel

    def _begin(self, key: Key) -> _Service:
        if key in self._left:
            self._drop()  # or what it was would pass for what it is
        found = self._wanted[key] = _Service()
        if self._services is None or self._slices is None:
            everything = Selection()
            self._services = self._follow(
                SERVICES, _Handler(self._put_service, self._remove_service), everything,
                self._pick_service,
            )  # fmt: skip
            self._slices = self._follow(
                ENDPOINT_SLICES, _Handler(self._put_slice, self._remove_slice), everything,
                self._pick_slice,
            )  # fmt: skip
        namespace, name = key
        self._services.read_also(
            Selection(namespace, fields=f"metadata.name={name}"),
            functools.partial(found.has_read, SERVICES.name),
        )
        self._slices.read_also(
            Selection(namespace, labels=labels_of(name)),
            functools.partial(found.has_read, ENDPOINT_SLICES.name),
        )
        return found

    def _leave(self, key: Key) -> None:
        del self._wanted[key]
        self._left.add(key)
        if not self._wanted:
            self._end()
        elif len(self._left) > len(self._wanted):  # each drop looks at everything
            self._drop()

    def _drop(self) -> None:
        self._left.clear()
        if self._services is not None and self._slices is not None:
            self._services.drop(lambda service: service.key not in self._wanted)
            self._slices.drop(lambda one: one.key not in self._wanted)

    def _end(self) -> None:
        self._left.clear()
        for followed in (self._services, self._slices):
            if followed is not None:
                followed.end()
        self._services = self._slices = None

    # --- what is told ----------------------------------------------------------------------

    def _pick_service(self, raw: msgspec.Raw) -> KnownService | None:
        return pick_service(raw) if service_key(raw) in self._wanted else None

    def _pick_slice(self, raw: msgspec.Raw) -> KnownSlice | None:
        return pick_slice(raw) if slice_key(raw) in self._wanted else None

    def _put_service(self, service: KnownService) -> None:
        if found := self._wanted.get(service.key):
            found.itself = service
            found.tell()

    def _remove_service(self, service: KnownService) -> None:
        if found := self._wanted.get(service.key):
            found.itself = None
            found.tell()

    def _put_slice(self, one: KnownSlice) -> None:
        if found := self._wanted.get(one.key):
            found.slices[one.name] = one
            found.tell()

    def _remove_slice(self, one: KnownSlice) -> None:
        if found := self._wanted.get(one.key):
            found.slices.pop(one.name, None)
            found.tell()


class _Service:
    """A Service that is asked for."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []
        self.itself: KnownService | None = None
        self.slices: dict[str, KnownSlice] = {}
        self._unread = {SERVICES.name, ENDPOINT_SLICES.name}

    @property
    def known(self) -> bool:
        return not self._unread

    def has_read(self, kind: str) -> None:
        self._unread.discard(kind)
        self.tell()

    def tell(self) -> None:
        if self.known:
            call(self.listeners)


@dataclass(frozen=True, slots=True)
class _Handler(Generic[T]):
    """Handler of a reflector; who asked is told when its own objects have been read."""

    upsert: Callable[[T], None]
    delete: Callable[[T], None]

    def synced(self) -> None:
        """Nothing depends on the whole."""


# --- from JSON -------------------------------------------------------------------------------


class _Labels(msgspec.Struct, frozen=True):
    service: str = msgspec.field(default="", name=SERVICE_NAME)


class _Metadata(msgspec.Struct, frozen=True):
    name: str
    namespace: str = ""
    labels: _Labels | None = None

    @property
    def service(self) -> Key:
        """Which Service an EndpointSlice says it is of; without a name where it says none."""
        return self.namespace, self.labels.service if self.labels is not None else ""


class _Headed(msgspec.Struct, frozen=True):
    metadata: _Metadata


class _ServiceSpec(msgspec.Struct, frozen=True, rename="camel"):
    external_traffic_policy: str | None = None
    health_check_node_port: int | None = None


class _ServiceObject(msgspec.Struct, frozen=True):
    metadata: _Metadata
    spec: _ServiceSpec | None = None


class _Target(msgspec.Struct, frozen=True):
    uid: str = ""


class _Endpoint(msgspec.Struct, frozen=True, rename="camel"):
    addresses: list[str] | None = None
    conditions: EndpointConditions | None = None
    node_name: str | None = None
    target_ref: _Target | None = None


class _SliceObject(msgspec.Struct, frozen=True):
    metadata: _Metadata
    endpoints: list[_Endpoint] | None = None


_HEADED = msgspec.json.Decoder(_Headed)
_SERVICE = msgspec.json.Decoder(_ServiceObject)
_SLICE = msgspec.json.Decoder(_SliceObject)


def service_key(raw: msgspec.Raw) -> Key:
    """Return which Service it is; msgspec.ValidationError where it is none."""
    metadata = _HEADED.decode(raw).metadata
    return metadata.namespace, metadata.name


def slice_key(raw: msgspec.Raw) -> Key:
    """Return whose EndpointSlice it is; msgspec.ValidationError where it is none."""
    return _HEADED.decode(raw).metadata.service


def pick_service(raw: msgspec.Raw) -> KnownService:
    """Return what gates need of a Service; msgspec.ValidationError where it is none."""
    service = _SERVICE.decode(raw)
    spec = service.spec or _ServiceSpec()
    return KnownService(
        key=(service.metadata.namespace, service.metadata.name),
        local=spec.external_traffic_policy == "Local",
        health_check_port=spec.health_check_node_port or 0,
    )


def pick_slice(raw: msgspec.Raw) -> KnownSlice:
    """Return what gates need of an EndpointSlice; msgspec.ValidationError where it is none."""
    content = _SLICE.decode(raw)
    found = (_endpoint(each) for each in content.endpoints or ())
    return KnownSlice(
        key=content.metadata.service,
        name=content.metadata.name,
        endpoints=tuple(each for each in found if each is not None),
    )


def _endpoint(endpoint: _Endpoint) -> KnownEndpoint | None:
    """Return an endpoint that traffic may go to; None: it gets none."""
    conditions = endpoint.conditions or EndpointConditions()
    if not conditions.is_ready and not conditions.still_serves:
        return None
    uid = endpoint.target_ref.uid if endpoint.target_ref is not None else ""
    name = uid or ",".join(endpoint.addresses or ())
    return KnownEndpoint(name, sys.intern(endpoint.node_name or ""), conditions.is_ready)


def service_view(
    service: KnownService | None, slices: Iterable[KnownSlice], node: str, address: str
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
    for endpoint in (each for one in slices for each in one.endpoints):
        found = ready if endpoint.ready else serving
        found[endpoint.name] = endpoint.node or found.get(endpoint.name, "")
    local = service is not None and service.local
    port = service.health_check_port if service is not None else 0
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
