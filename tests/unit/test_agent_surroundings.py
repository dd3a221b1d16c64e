"""The cluster around a node as its gates see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from vip_kube.client import Selection
from vip_kube.kinds import ENDPOINT_SLICES, PODS, SERVICES, Kind
from vip_kube.reflector import Handler
from vip_kube.wire import Object
from vip_speaker.agent.kubernetes.surroundings import ClusterSurroundings, local_pod, service_view
from vip_speaker.gates.surroundings import LocalPod, ServiceView


class Scene:
    """Surroundings of node n1 over scripted reflectors."""

    def __init__(self) -> None:
        self.followed: dict[Kind, tuple[Handler[Object], Selection]] = {}
        self.begun: list[Kind] = []
        self.ended: list[Kind] = []
        self.surroundings = ClusterSurroundings("n1", self._follow, lambda: "192.0.2.1")

    def _follow(
        self, kind: Kind, handler: Handler[Object], selection: Selection
    ) -> Callable[[], None]:
        self.followed[kind] = (handler, selection)
        self.begun.append(kind)
        return lambda: self.ended.append(kind)

    def handler(self, kind: Kind) -> Handler[Object]:
        """Return who is told of a kind."""
        return self.followed[kind][0]


@pytest.fixture
def scene() -> Scene:
    """Nothing is watched yet."""
    return Scene()


def pod(name: str = "web", *, ready: bool = True, namespace: str = "shop") -> dict[str, Any]:
    """Return a Pod object."""
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{name}",
            "labels": {"app": name},
        },
        "status": {
            "podIP": "10.0.0.7",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def endpoints(*each: dict[str, Any], name: str = "web-1") -> dict[str, Any]:
    """Return an EndpointSlice object."""
    return {"metadata": {"name": name, "uid": f"uid-{name}"}, "endpoints": list(each)}


def endpoint(node: str, address: str, **conditions: bool) -> dict[str, Any]:
    """Return an endpoint."""
    return {"addresses": [address], "nodeName": node, "conditions": conditions}


def service(**spec: Any) -> dict[str, Any]:
    """Return a Service object."""
    return {"metadata": {"name": "web", "namespace": "shop", "uid": "uid-s"}, "spec": spec}


# --- pods ----------------------------------------------------------------------------------------


def test_a_pod_as_gates_see_it() -> None:
    """Readiness, labels and address are taken; a deletion makes it terminating."""
    going = pod()
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    assert local_pod(pod()) == LocalPod("shop", "web", {"app": "web"}, True, False, "10.0.0.7")
    assert local_pod(going).terminating
    bare = local_pod({"metadata": {"name": "web", "namespace": "shop"}})
    assert bare == LocalPod("shop", "web", {}, ready=False)


def test_only_the_pods_of_this_node_are_asked_for(scene: Scene) -> None:
    """The API server is asked for no more than the gates need."""
    scene.surroundings.watch_pods("shop", lambda: None)

    assert scene.followed[PODS][1] == Selection(fields="spec.nodeName=n1")


def test_pods_are_unknown_before_the_first_complete_list(scene: Scene) -> None:
    """Half a list is no ground for a verdict; the end of it is told once."""
    told: list[str] = []
    scene.surroundings.watch_pods("shop", lambda: told.append("shop"))
    pods = scene.handler(PODS)
    pods.upsert(pod())
    assert scene.surroundings.pods("shop") is None
    assert told == []

    pods.synced()
    assert [each.name for each in scene.surroundings.pods("shop") or ()] == ["web"]
    assert told == ["shop"]

    pods.synced()
    assert told == ["shop"]


def test_a_change_is_told_at_once_to_those_it_concerns(scene: Scene) -> None:
    """The callback comes with the event, for its namespace, and not where nothing changed."""
    told: list[str] = []
    scene.surroundings.watch_pods("shop", lambda: told.append("shop"))
    scene.surroundings.watch_pods("bank", lambda: told.append("bank"))
    pods = scene.handler(PODS)
    pods.upsert(pod())
    pods.synced()
    told.clear()

    pods.upsert(pod(ready=False))
    assert told == ["shop"]
    pods.upsert({**pod(ready=False), "spec": {"nodeName": "n1"}})
    assert told == ["shop"]
    pods.delete(pod())
    assert told == ["shop", "shop"]
    assert list(scene.surroundings.pods("shop") or ()) == []


def test_one_watch_serves_all_and_ends_with_the_last(scene: Scene) -> None:
    """Pods are watched once however many gates want them, and not when none does."""
    first = scene.surroundings.watch_pods("shop", lambda: None)
    second = scene.surroundings.watch_pods("bank", lambda: None)
    scene.handler(PODS).synced()
    first.cancel()
    first.cancel()
    assert (scene.begun, scene.ended) == ([PODS], [])

    second.cancel()
    assert scene.ended == [PODS]
    assert scene.surroundings.pods("bank") is None

    scene.surroundings.watch_pods("shop", lambda: None)
    assert scene.begun == [PODS, PODS]
    assert scene.surroundings.pods("shop") is None


def test_a_cancelled_subscription_is_silent(scene: Scene) -> None:
    """A gate that has stopped is not called."""
    told: list[int] = []
    gone = scene.surroundings.watch_pods("shop", lambda: told.append(1))
    scene.surroundings.watch_pods("shop", lambda: told.append(2))
    gone.cancel()
    scene.handler(PODS).synced()

    assert told == [2]


# --- services ------------------------------------------------------------------------------------


def test_only_the_service_and_its_slices_are_asked_for(scene: Scene) -> None:
    """One Service by name, and the EndpointSlices that carry its label."""
    scene.surroundings.watch_service("shop", "web", lambda: None)

    assert scene.followed[SERVICES][1] == Selection("shop", fields="metadata.name=web")
    labels = "kubernetes.io/service-name=web"
    assert scene.followed[ENDPOINT_SLICES][1] == Selection("shop", labels=labels)


def test_a_service_is_unknown_until_both_lists_are_complete(scene: Scene) -> None:
    """Neither the Service nor its endpoints alone are ground for a verdict."""
    told: list[int] = []
    scene.surroundings.watch_service("shop", "web", lambda: told.append(1))
    scene.handler(SERVICES).upsert(service())
    scene.handler(SERVICES).synced()
    assert scene.surroundings.service("shop", "web") is None
    assert told == []

    scene.handler(ENDPOINT_SLICES).synced()
    assert scene.surroundings.service("shop", "web") == ServiceView(exists=True)
    assert told == [1]


def test_endpoints_are_told_at_once(scene: Scene) -> None:
    """An endpoint that goes calls those who asked for its Service."""
    told: list[int] = []
    scene.surroundings.watch_service("shop", "web", lambda: told.append(1))
    for kind in (SERVICES, ENDPOINT_SLICES):
        scene.handler(kind).synced()
    slices = scene.handler(ENDPOINT_SLICES)
    told.clear()
    slices.upsert(endpoints(endpoint("n1", "10.0.0.1", ready=True)))
    slices.delete(endpoints())

    assert told == [1, 1]
    assert scene.surroundings.service("shop", "web") == ServiceView(exists=False)


def test_a_service_is_watched_as_long_as_somebody_asks(scene: Scene) -> None:
    """Both of its watches end with the last subscription."""
    first = scene.surroundings.watch_service("shop", "web", lambda: None)
    second = scene.surroundings.watch_service("shop", "web", lambda: None)
    first.cancel()
    assert scene.ended == []

    second.cancel()
    assert scene.ended == [SERVICES, ENDPOINT_SLICES]
    assert scene.surroundings.service("shop", "web") is None


def test_what_is_not_watched_is_unknown(scene: Scene) -> None:
    """Nobody asked, so nothing is known."""
    assert scene.surroundings.pods("shop") is None
    assert scene.surroundings.service("shop", "web") is None


def test_ready_endpoints_are_counted_by_node() -> None:
    """Unready and terminating ones are left out; no condition counts as ready."""
    found = service_view(
        service(externalTrafficPolicy="Local", healthCheckNodePort=30001),
        [
            endpoints(
                endpoint("n1", "10.0.0.1", ready=True),
                endpoint("n1", "10.0.0.2", ready=False),
                endpoint("n2", "10.0.0.3"),
            ),
            endpoints(endpoint("n1", "10.0.0.4", ready=True, terminating=True), name="web-2"),
        ],
        "n1",
        "192.0.2.1",
    )

    assert found == ServiceView(
        exists=True,
        local=True,
        ready_here=1,
        ready_anywhere=2,
        serving_here=1,
        serving_anywhere=1,
        health_check=("192.0.2.1", 30001),
    )


@pytest.mark.parametrize(
    ("spec", "address"),
    [
        ({"externalTrafficPolicy": "Local"}, "192.0.2.1"),
        ({"externalTrafficPolicy": "Local", "healthCheckNodePort": 30001}, ""),
        ({"healthCheckNodePort": 30001}, "192.0.2.1"),
    ],
    ids=["no port", "no address", "policy Cluster"],
)
def test_without_port_address_or_policy_nobody_is_asked(spec: dict[str, Any], address: str) -> None:
    """Only with all three does a node say whether it forwards to what is ready on it."""
    assert service_view(service(**spec), [], "n1", address).health_check is None


def test_endpoints_that_are_terminating_and_serve_are_counted_apart() -> None:
    """One serves unless it says that it does not, also where unready pods are published."""
    found = service_view(
        service(),
        [
            endpoints(
                endpoint("n1", "10.0.0.1", ready=False, serving=True, terminating=True),
                endpoint("n1", "10.0.0.2", ready=False, serving=False, terminating=True),
                endpoint("n2", "10.0.0.3", ready=False, terminating=True),
                endpoint("n1", "10.0.0.4", ready=False, serving=True, terminating=False),
                endpoint("n1", "10.0.0.5", ready=True, serving=True, terminating=True),
            )
        ],
        "n1",
        "",
    )

    assert found == ServiceView(exists=True, serving_here=2, serving_anywhere=3)


def test_endpoints_that_name_no_node_are_nowhere() -> None:
    """They are counted among all, and on no node."""
    nameless = {"addresses": ["10.0.0.1"], "conditions": {"ready": True}}
    found = service_view(
        service(), [endpoints(nameless, endpoint("n1", "10.0.0.2", ready=True))], "n1", ""
    )

    assert found == ServiceView(exists=True, ready_here=1, ready_anywhere=2, ready_nameless=1)


def test_a_pod_in_the_slices_of_both_families_is_one() -> None:
    """Dual-stack Services have a slice per family with the same pods."""
    target = {"targetRef": {"uid": "uid-web"}}
    four = endpoint("n1", "10.0.0.1", ready=True) | target
    six = endpoint("n1", "2001:db8::1", ready=True) | target
    found = service_view(service(), [endpoints(four), endpoints(six, name="web-6")], "n1", "")

    assert found == ServiceView(exists=True, local=False, ready_here=1, ready_anywhere=1)


def test_endpoints_without_a_service() -> None:
    """Slices may outlive their Service by a moment."""
    found = service_view(None, [endpoints(endpoint("n1", "10.0.0.1", ready=True))], "n1", "")

    assert not found.exists
