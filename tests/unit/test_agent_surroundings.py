"""The cluster around a node as its gates see it."""

from __future__ import annotations

import pytest

from support.watched_cluster import Scene, endpoint, endpoints, pod_object, raw, service
from vip_kube.client import Selection
from vip_kube.kinds import ENDPOINT_SLICES, PODS, SERVICES
from vip_speaker.agent.kubernetes.pods import pick_pod
from vip_speaker.gates.surroundings import LocalPod, ServiceView

EVERYTHING = Selection()
READY_HERE = endpoint("n1", "10.0.0.1", ready=True)


@pytest.fixture
def scene() -> Scene:
    """Nothing is watched yet."""
    return Scene()


# --- pods ----------------------------------------------------------------------------------------


def test_a_pod_as_gates_see_it() -> None:
    """Readiness, labels and address are taken; a deletion makes it terminating."""
    going = pod_object()
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    assert pick_pod(raw(pod_object())) == LocalPod(
        "shop", "web", {"app": "web"}, True, False, "10.0.0.7"
    )
    assert pick_pod(raw(going)).terminating
    bare = pick_pod(raw({"metadata": {"name": "web", "namespace": "shop"}}))
    assert bare == LocalPod("shop", "web", {}, ready=False)
    empty = {"metadata": {"name": "web", "namespace": "shop", "labels": None}, "status": None}
    assert pick_pod(raw(empty)) == bare


def test_only_the_pods_of_this_node_are_asked_for_by_namespace(scene: Scene) -> None:
    """The API server is asked for no more than the gates need, and rights are given so."""
    scene.surroundings.watch_pods("shop", lambda: None)
    scene.surroundings.watch_pods("bank", lambda: None)

    assert [each.selection for each in scene.begun[PODS]] == [
        Selection("shop", fields="spec.nodeName=n1"),
        Selection("bank", fields="spec.nodeName=n1"),
    ]


def test_pods_are_unknown_before_the_first_complete_list(scene: Scene) -> None:
    """The end of the first list is told, another one that brings nothing is not."""
    scene.surroundings.watch_pods("shop", scene.teller("shop"))
    assert scene.surroundings.pods("shop") is None

    scene[PODS].list(pod_object())
    assert [each.name for each in scene.surroundings.pods("shop") or ()] == ["web"]
    assert scene.take_told() == ["shop"]

    scene[PODS].list(pod_object())
    assert scene.take_told() == []


def test_a_change_is_told_at_once_to_those_it_concerns(scene: Scene) -> None:
    """The callback comes with the event, for its namespace, and not where nothing changed."""
    scene.surroundings.watch_pods("bank", scene.teller("bank"))
    scene.surroundings.watch_pods("shop", scene.teller("shop"))
    pods = scene[PODS]
    pods.list(pod_object())
    scene.take_told()

    pods.put(pod_object(ready=False))
    assert scene.take_told() == ["shop"]
    pods.put({**pod_object(ready=False), "spec": {"nodeName": "n1", "hostNetwork": True}})
    assert scene.take_told() == []
    pods.remove(pod_object())
    assert scene.take_told() == ["shop"]
    assert list(scene.surroundings.pods("shop") or ()) == []


def forbidden(scene: Scene) -> list[str]:
    """Return the namespaces whose pods may not be read."""
    names = ("bank", "shop")
    return [name for name in names if scene.surroundings.pods_are_forbidden(name)]


def test_a_namespace_whose_pods_may_not_be_read(scene: Scene) -> None:
    """It is told when the right is missing and when it is there again, and concerns no other."""
    scene.surroundings.watch_pods("bank", scene.teller("bank"))
    scene.surroundings.watch_pods("shop", scene.teller("shop"))
    scene[PODS].forbid()
    assert forbidden(scene) == ["shop"]
    assert scene.take_told() == ["shop"]

    scene[PODS].forbid()  # other words for the same
    assert scene.take_told() == []
    scene[PODS].forbid(forbidden=False)
    assert forbidden(scene) == []
    assert scene.take_told() == ["shop"]


def test_one_watch_serves_all_of_a_namespace_and_ends_with_the_last(scene: Scene) -> None:
    """Pods are watched once however many gates want them, and not when none does."""
    first = scene.surroundings.watch_pods("shop", lambda: None)
    second = scene.surroundings.watch_pods("shop", lambda: None)
    (pods,) = scene.begun[PODS]
    pods.list()
    first.cancel()
    first.cancel()
    ended = [pods.has_ended]

    second.cancel()
    ended.append(pods.has_ended)
    assert ended == [False, True]
    assert scene.surroundings.pods("shop") is None

    scene.surroundings.watch_pods("shop", lambda: None)
    assert len(scene.begun[PODS]) == 2
    assert scene.surroundings.pods("shop") is None


def test_a_cancelled_subscription_is_silent(scene: Scene) -> None:
    """A gate that has stopped is not called."""
    gone = scene.surroundings.watch_pods("shop", scene.teller("gone"))
    scene.surroundings.watch_pods("shop", scene.teller("stays"))
    gone.cancel()
    scene[PODS].list()

    assert scene.take_told() == ["stays"]


# --- services ------------------------------------------------------------------------------------


def watch(scene: Scene, *names: str) -> None:
    """Ask for Services of namespace shop."""
    for name in names:
        scene.surroundings.watch_service("shop", name, scene.teller(name))


def test_two_watches_serve_every_service(scene: Scene) -> None:
    """All Services and all EndpointSlices are followed once; what is asked for is read."""
    watch(scene, *(f"web-{number}" for number in range(500)))

    for kind in (SERVICES, ENDPOINT_SLICES):
        assert [each.selection for each in scene.begun[kind]] == [EVERYTHING]
    assert scene[SERVICES].asked[7][0] == Selection("shop", fields="metadata.name=web-7")
    labels = "kubernetes.io/service-name=web-7"
    assert scene[ENDPOINT_SLICES].asked[7][0] == Selection("shop", labels=labels)


def test_what_no_gate_asks_for_is_not_kept(scene: Scene) -> None:
    """Services and slices of others, slices of nobody, and those of the name elsewhere."""
    watch(scene, "web")
    scene[SERVICES].list(service(), service("mail"))
    scene[ENDPOINT_SLICES].list(
        endpoints(READY_HERE),
        endpoints(READY_HERE, name="mail-1", service="mail"),
        endpoints(READY_HERE, name="web-9", namespace="bank"),
        {"metadata": {"name": "loose", "namespace": "shop", "uid": "uid-loose"}},
    )
    scene[SERVICES].put(service("mail", externalTrafficPolicy="Local"))

    assert (len(scene[SERVICES]), len(scene[ENDPOINT_SLICES])) == (1, 1)
    assert scene.surroundings.service("shop", "mail") is None


def test_a_service_is_unknown_until_both_lists_are_complete(scene: Scene) -> None:
    """Neither the Service nor its endpoints alone are ground for a verdict."""
    watch(scene, "web")
    scene[SERVICES].list(service())
    assert scene.surroundings.service("shop", "web") is None
    assert scene.take_told() == []

    scene[ENDPOINT_SLICES].list()
    assert scene.surroundings.service("shop", "web") == ServiceView(exists=True)
    assert scene.take_told() == ["web"]


def test_a_service_that_is_asked_for_later_is_found(scene: Scene) -> None:
    """It was dropped while it was foreign, and is read when a gate asks for it."""
    watch(scene, "web")
    mail = endpoints(READY_HERE, name="mail-1", service="mail")
    scene[SERVICES].list(service(), service("mail"))
    scene[ENDPOINT_SLICES].list(mail)
    scene.take_told()

    watch(scene, "mail")
    assert scene.surroundings.service("shop", "mail") is None
    scene[ENDPOINT_SLICES].read(mail)
    assert scene.surroundings.service("shop", "mail") is None
    scene[SERVICES].read(service("mail"))

    found = scene.surroundings.service("shop", "mail")
    assert found == ServiceView(exists=True, ready_here=1, ready_anywhere=1)
    assert scene.take_told() == ["mail"]


def test_endpoints_are_told_at_once(scene: Scene) -> None:
    """An endpoint that comes or goes calls those who asked for its Service, and no others."""
    watch(scene, "web", "mail")
    for kind in (SERVICES, ENDPOINT_SLICES):
        scene[kind].list()
    scene.take_told()
    scene[ENDPOINT_SLICES].put(endpoints(READY_HERE))
    scene[ENDPOINT_SLICES].put(endpoints(READY_HERE | {"zone": "other"}))
    scene[ENDPOINT_SLICES].remove(endpoints())
    assert scene.take_told() == ["web", "web"]
    assert scene.surroundings.service("shop", "web") == ServiceView(exists=False)

    scene[SERVICES].put(service())
    assert scene.surroundings.service("shop", "web") == ServiceView(exists=True)
    scene[SERVICES].remove(service())
    assert scene.surroundings.service("shop", "web") == ServiceView(exists=False)
    assert scene.take_told() == ["web", "web"]


def test_a_service_that_nobody_asks_for_any_more_is_read_anew_when_somebody_does(
    scene: Scene,
) -> None:
    """What it was before does not pass for what it is now."""
    watch(scene, "mail")
    gone = scene.surroundings.watch_service("shop", "web", scene.teller("web"))
    scene[SERVICES].list(service(), service("mail"))
    scene[ENDPOINT_SLICES].list(endpoints(READY_HERE))
    gone.cancel()
    assert scene.surroundings.service("shop", "web") is None
    scene.take_told()

    watch(scene, "web")
    assert scene.surroundings.service("shop", "web") is None
    scene[SERVICES].read(service())
    scene[ENDPOINT_SLICES].read(endpoints(READY_HERE))
    found = scene.surroundings.service("shop", "web")
    assert found == ServiceView(exists=True, ready_here=1, ready_anywhere=1)
    assert scene.take_told() == ["web"]


def test_what_many_gates_leave_behind_is_dropped(scene: Scene) -> None:
    """An agent keeps no more of Services that are not asked for than of those that are."""
    names = [f"web-{number}" for number in range(100)]
    interests = [scene.surroundings.watch_service("shop", name, lambda: None) for name in names]
    scene[SERVICES].list(*(service(name) for name in names))
    scene[ENDPOINT_SLICES].list()
    for each in interests[:90]:
        each.cancel()

    assert len(scene[SERVICES]) <= 20


def test_services_are_watched_as_long_as_somebody_asks(scene: Scene) -> None:
    """Both watches end with the last subscription, and begin anew with the next."""
    first = scene.surroundings.watch_service("shop", "web", lambda: None)
    second = scene.surroundings.watch_service("shop", "mail", lambda: None)
    first.cancel()
    assert not scene[SERVICES].has_ended

    second.cancel()
    assert scene[SERVICES].has_ended
    assert scene[ENDPOINT_SLICES].has_ended
    assert scene.surroundings.service("shop", "web") is None

    watch(scene, "web")
    assert len(scene.begun[SERVICES]) == 2
    scene[SERVICES].list(service())
    scene[ENDPOINT_SLICES].list()
    assert scene.surroundings.service("shop", "web") == ServiceView(exists=True)


def test_what_is_not_watched_is_unknown(scene: Scene) -> None:
    """Nobody asked, so nothing is known."""
    assert scene.surroundings.pods("shop") is None
    assert scene.surroundings.service("shop", "web") is None
    assert not scene.surroundings.pods_are_forbidden("shop")
