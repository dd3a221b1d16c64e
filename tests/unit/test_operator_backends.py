"""Of Pods, Services and EndpointSlices is followed what VirtualIPs ask for, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import msgspec
import pytest

from support.resources import vip_document
from vip_kube.client import Client, Listing, Selection
from vip_kube.errors import ApiError
from vip_kube.kinds import ENDPOINT_SLICES, PODS, SERVICES, Kind
from vip_kube.wire import Item, Object, Pick, T, identity_of
from vip_operator.core.known.store import Store
from vip_operator.watching.backends import Backends
from vip_operator.watching.feed import Feed

CLASS = "vip-operator.io/vip"
PODS_GATE = {"name": "web", "pods": {"selector": {"matchLabels": {"app": "web"}}}}


def thing(namespace: str, name: str, **content: Any) -> Object:
    """Return an object of a namespace."""
    metadata = {"name": name, "namespace": namespace, "uid": f"{namespace}-{name}"}
    return {"metadata": metadata | {"resourceVersion": "7"}} | content


def pod(namespace: str) -> Object:
    """Return a Pod on a node."""
    return thing(namespace, "pod", spec={"nodeName": "n1"})


def endpoint_slice(namespace: str, service: str) -> Object:
    """Return an EndpointSlice of a Service."""
    found = thing(namespace, f"{service}-x7")
    found["metadata"]["labels"] = {"kubernetes.io/service-name": service}
    return found


class Api:
    """Serves lists, of which it notes which ones were asked for; watches tell nothing."""

    def __init__(self) -> None:
        self.objects: dict[Kind, list[Object]] = {
            PODS: [pod("red"), pod("blue")],
            SERVICES: [thing("red", "web"), thing("red", "other"), thing("blue", "web")],
            ENDPOINT_SLICES: [endpoint_slice("red", "web"), endpoint_slice("blue", "web")],
        }
        self.forbidden: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.watching: set[str] = set()

    async def read(self, kind: Kind, pick: Pick[T], selection: Selection) -> Listing[T]:
        """Return what is picked of a namespace, or of all."""
        namespace = selection.namespace
        self.asked.append((kind.plural, namespace or ""))
        if namespace in self.forbidden:
            raise ApiError(403, "Forbidden", "no")
        raws = [
            msgspec.Raw(msgspec.json.encode(each))
            for each in self.objects[kind]
            if namespace in {None, each["metadata"]["namespace"]}
        ]
        return Listing([Item(identity_of(raw, "a list"), pick(raw)) for raw in raws], "7")

    async def watch(
        self, kind: Kind, _pick: object, selection: Selection, **how: Any
    ) -> AsyncIterator[Any]:
        """Tell nothing, until the end."""
        name = f"{kind.plural} {selection.namespace or ''}".strip()
        self.watching.add(name)
        how["on_open"]()
        try:
            await asyncio.Event().wait()
            yield
        finally:
            self.watching.discard(name)


class Scene:
    """What follows, its API and its store."""

    def __init__(self) -> None:
        self.api = Api()
        self.store = Store(["VirtualIP", "Pod", "Service", "EndpointSlice"])
        feed = Feed(self.store, lambda _may_wait: None)
        client = cast("Client", self.api)
        self.backends = Backends(client, self.store, feed, CLASS, lambda _follower: None)
        self._version = 100

    def declare(self, *virtual_ips: Object) -> None:
        """Let there be these VirtualIPs and no others."""
        self._version += 1
        for each in virtual_ips:
            name = f"{each['metadata']['namespace']}-{each['metadata']['name']}"
            each["metadata"] |= {"uid": name, "resourceVersion": str(self._version)}
        self.store.replace("VirtualIP", virtual_ips, str(self._version))
        self.backends.look()

    def places(self, kind: str) -> set[str]:
        """Return where objects of a kind are known."""
        shelf = self.store._shelves[kind]
        return {"/".join(place) for place in shelf.uids}


def vip(namespace: str, **spec: Any) -> Object:
    """Return a VirtualIP."""
    document: Object = vip_document("web", **spec)
    document["metadata"]["namespace"] = namespace
    return document


async def until(look: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(10):
        while not look():
            await asyncio.sleep(0.005)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """Nothing is declared yet."""
    scene = Scene()
    task = asyncio.create_task(scene.backends.run())
    await asyncio.sleep(0)
    try:
        yield scene
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_nothing_before_the_virtual_ips_are_known(scene: Scene) -> None:
    """What they ask for is not known, so nothing is read yet, and everything waits."""
    scene.backends.look()
    await asyncio.sleep(0.02)
    assert scene.api.asked == []
    assert set(scene.store.missing) == {"VirtualIP", "Service", "EndpointSlice"}


async def test_nobody_asks_for_pods(scene: Scene) -> None:
    """Without a gate on pods no Pod is listed or watched, and none is missing."""
    scene.declare(vip("red"))
    await until(lambda: scene.store.missing == ())
    assert [kind for kind, _namespace in scene.api.asked] == ["services", "endpointslices"]
    assert scene.places("Service") == scene.places("EndpointSlice") == set()


async def test_pods_of_one_namespace(scene: Scene) -> None:
    """Pods are followed where a gate asks for them, and dropped when none does any more."""
    scene.declare(vip("red", gates=[PODS_GATE]), vip("blue"))
    assert "Pod red" in scene.store.missing
    await until(lambda: scene.store.missing == ())
    assert scene.places("Pod") == {"red/pod"}
    assert ("pods", "red") in scene.api.asked
    assert ("pods", "blue") not in scene.api.asked
    scene.declare(vip("red"), vip("blue", gates=[PODS_GATE]))
    assert scene.places("Pod") == set()
    await until(lambda: scene.places("Pod") == {"blue/pod"})
    await until(lambda: "pods red" not in scene.api.watching)
    assert "pods blue" in scene.api.watching


async def test_pods_asked_for_again(scene: Scene) -> None:
    """What was dropped comes back as it was."""
    for _time in range(2):
        scene.declare(vip("red", gates=[PODS_GATE]))
        await until(lambda: scene.places("Pod") == {"red/pod"})
        scene.declare(vip("red"))
        assert scene.places("Pod") == set()


async def test_a_namespace_without_the_right(scene: Scene) -> None:
    """It holds nothing up, is named with the way out, and known once the right is given."""
    scene.api.forbidden.add("red")
    scene.declare(vip("red", gates=[PODS_GATE]), vip("blue", gates=[PODS_GATE]))
    await until(lambda: scene.store.missing == ())
    (warning,) = scene.store.warnings
    assert "namespace red" in warning
    assert "podGates.namespaces" in warning
    assert dict(scene.store._shelves["Pod"].hidden).keys() == {"red"}
    assert scene.places("Pod") == {"blue/pod"}
    scene.api.forbidden.clear()
    await until(lambda: scene.places("Pod") == {"red/pod", "blue/pod"})
    await until(lambda: scene.store.warnings == ())
    assert scene.store.missing == ()


async def test_services_that_are_referred_to(scene: Scene) -> None:
    """Those of our class are kept, and those that a VirtualIP names, with their endpoints."""
    ours = thing("green", "lb", spec={"type": "LoadBalancer", "loadBalancerClass": CLASS})
    scene.api.objects[SERVICES].append(ours)
    scene.declare(vip("red", serviceRef={"name": "web"}))
    await until(lambda: scene.store.missing == ())
    assert scene.places("Service") == {"green/lb", "red/web"}
    assert scene.places("EndpointSlice") == {"red/web-x7"}
    gate = {"name": "e", "endpoints": {"serviceRef": {"name": "web"}}}
    scene.declare(vip("blue", gates=[gate]))
    assert set(scene.store.missing) == {"Service blue/web", "EndpointSlice blue/web"}
    await until(lambda: scene.store.missing == ())
    assert scene.places("Service") == {"green/lb", "blue/web"}
    assert scene.places("EndpointSlice") == {"blue/web-x7"}
    assert ("services", "blue") in scene.api.asked, "only that namespace was asked for"
