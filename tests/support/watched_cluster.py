"""Surroundings of an agent over scripted reflectors, and the objects that those bring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import msgspec

from vip_kube.client import EventType, Selection, WatchEvent
from vip_kube.inventory import Change, ChangeType, Inventory
from vip_kube.kinds import ENDPOINT_SLICES, PODS, SERVICES, Kind
from vip_kube.reflector import Handler
from vip_kube.wire import Item, Pick, identity_of
from vip_speaker.agent.kubernetes.surroundings import ClusterSurroundings

T = TypeVar("T")


def raw(content: dict[str, Any]) -> msgspec.Raw:
    """Return an object as the API server sends it."""
    return msgspec.Raw(msgspec.json.encode(content))


class Watched:
    """What a reflector does for one kind, at the test's word.

    Attributes:
        selection: what is followed.
        asked: what was to be read beside it and has not been yet.
        has_ended: nobody follows it any more.
        forbidden: the API server refuses.
    """

    def __init__(
        self,
        handler: Handler[Any],
        selection: Selection,
        pick: Pick[Any],
        trouble_changed: Callable[[], None],
    ) -> None:
        self.selection = selection
        self.asked: list[tuple[Selection, Callable[[], None]]] = []
        self.has_ended = False
        self.forbidden = False
        self._handler = handler
        self._pick = pick
        self._trouble_changed = trouble_changed
        self._inventory: Inventory[Any] = Inventory()

    # --- what surroundings ask for -------------------------------------------------------------

    def read_also(self, selection: Selection, told: Callable[[], None]) -> None:
        """Note what is to be read."""
        self.asked.append((selection, told))

    def drop(self, unwanted: Callable[[Any], bool]) -> None:
        """Forget what is unwanted."""
        self._tell(*self._inventory.drop(unwanted))

    def end(self) -> None:
        """Follow no more."""
        self.has_ended = True

    # --- what the API server says --------------------------------------------------------------

    def list(self, *contents: dict[str, Any]) -> None:
        """Answer with all objects: also those that were asked for meanwhile are read then."""
        self._tell(*self._inventory.compare([self._item(each) for each in contents]))
        self._handler.synced()
        self._answer()

    def read(self, *contents: dict[str, Any]) -> None:
        """Answer what was asked for beside the watch."""
        self._tell(*self._inventory.add([self._item(each) for each in contents]))
        self._answer()

    def put(self, content: dict[str, Any]) -> None:
        """Let the watch bring an object."""
        self._tell(*self._inventory.note(WatchEvent(EventType.MODIFIED, self._item(content))))

    def remove(self, content: dict[str, Any]) -> None:
        """Let the watch say that an object is deleted."""
        self._tell(*self._inventory.note(WatchEvent(EventType.DELETED, self._item(content))))

    def forbid(self, *, forbidden: bool = True) -> None:
        """Refuse from now on, or no more."""
        self.forbidden = forbidden
        self._trouble_changed()

    def __len__(self) -> int:
        return len(self._inventory)

    def _item(self, content: dict[str, Any]) -> Item[Any]:
        return Item(identity_of(raw(content), "a test"), self._pick(raw(content)))

    def _answer(self) -> None:
        asked, self.asked = self.asked, []
        for _selection, told in asked:
            told()

    def _tell(self, *changes: Change[Any]) -> None:
        for change in changes:
            upsert = change.type is ChangeType.UPSERT
            (self._handler.upsert if upsert else self._handler.delete)(change.value)


class Scene:
    """Surroundings of node n1 over scripted reflectors.

    Attributes:
        begun: every reflector that was begun, by kind, in order.
        told: how often a listener of a name was called.
    """

    def __init__(self) -> None:
        self.begun: dict[Kind, list[Watched]] = {PODS: [], SERVICES: [], ENDPOINT_SLICES: []}
        self.told: list[str] = []
        self.surroundings = ClusterSurroundings("n1", self._follow, lambda: "192.0.2.1")

    def _follow(
        self,
        kind: Kind,
        handler: Handler[T],
        selection: Selection,
        pick: Pick[T] | None = None,
        trouble_changed: Callable[[], None] = lambda: None,
        /,
    ) -> Any:
        assert pick is not None, "whole objects are large"
        watched = Watched(handler, selection, cast("Pick[Any]", pick), trouble_changed)
        self.begun[kind].append(watched)
        return watched

    def __getitem__(self, kind: Kind) -> Watched:
        """Return the last reflector of a kind."""
        return self.begun[kind][-1]

    def teller(self, name: str) -> Callable[[], None]:
        """Return a listener."""
        return lambda: self.told.append(name)

    def take_told(self) -> list[str]:
        """Return who has been called since the last time."""
        told, self.told = self.told, []
        return told


def pod_object(name: str = "web", *, ready: bool = True, namespace: str = "shop") -> dict[str, Any]:
    """Return a Pod object."""
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{name}",
            "labels": {"app": name},
            "managedFields": [{"manager": "kubelet"}],
        },
        "spec": {"nodeName": "n1", "containers": [{"name": "web", "env": [{"name": "A"}]}]},
        "status": {
            "podIP": "10.0.0.7",
            "conditions": [
                {"type": "Ready", "status": "True" if ready else "False", "reason": "Words"}
            ],
        },
    }


def endpoints(
    *each: dict[str, Any], name: str = "web-1", service: str = "web", namespace: str = "shop"
) -> dict[str, Any]:
    """Return an EndpointSlice object."""
    labels = {"kubernetes.io/service-name": service, "app": "other"}
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-{name}", "labels": labels}
    return {"metadata": metadata, "addressType": "IPv4", "endpoints": list(each)}


def endpoint(node: str, address: str, **conditions: bool) -> dict[str, Any]:
    """Return an endpoint."""
    return {"addresses": [address], "nodeName": node, "conditions": conditions}


def service(name: str = "web", **spec: Any) -> dict[str, Any]:
    """Return a Service object."""
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}"}
    return {"metadata": metadata, "spec": {"type": "LoadBalancer", **spec}}
