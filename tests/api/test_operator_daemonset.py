"""The speakers' DaemonSet on a real API server, kept by a real operator from the chart's template.

The DaemonSet controller and the garbage collector are real too; no kubelet runs the pods.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from support.chart import find, render
from support.operator_stand import Stand, operator_stand
from vip_common.kinds import SPEAKERS
from vip_kube.kinds import CONFIG_MAPS, DAEMON_SETS, DEPLOYMENTS, PODS
from vip_lab.kubernetes.api import JsonObject
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.fault_proxy import FaultProxy
from vip_lab.kubernetes.helm import why_no_helm
from vip_lab.kubernetes.kubectl import Kubectl
from vip_lab.kubernetes.objects import NAMESPACES
from vip_lab.kubernetes.operator import Operator
from vip_lab.wait import throughout, until

pytestmark = pytest.mark.skipif(why_no_helm() is not None, reason=str(why_no_helm()))

TEMPLATE = "vip-speaker"
OPTION = f"--speaker-template={TEMPLATE}"
ENFORCE = "pod-security.kubernetes.io/enforce"
SECONDS = 30.0


@pytest.fixture
def stand(api: ControlPlane, kubectl: Kubectl, namespace: str) -> Iterator[Stand]:
    """An operator that keeps a DaemonSet, with the chart's template, not started yet."""
    objects = render(namespace=namespace)
    kubectl.apply(find(objects, "ServiceAccount", "vip-speaker"))
    kubectl.apply(find(objects, "ConfigMap", TEMPLATE))
    with operator_stand(api, namespace, None, OPTION) as stand:
        yield stand


def daemon_set(stand: Stand) -> JsonObject | None:
    """Return the DaemonSet."""
    return stand.api.find(DAEMON_SETS, "vip-speaker", stand.namespace)


def await_daemon_set(stand: Stand, seconds: float = SECONDS) -> JsonObject:
    """Return the DaemonSet once it is there."""
    found = until("the DaemonSet", lambda: daemon_set(stand), seconds, show=stand.describe)
    assert found is not None
    return found


def edit_template(stand: Stand, **spec: object) -> None:
    """Change the spec of the DaemonSet in its template."""
    config_map = stand.api.get(CONFIG_MAPS, TEMPLATE, stand.namespace)
    template = yaml.safe_load(config_map["data"]["daemonset.yaml"])
    template["spec"] |= spec
    write_template(stand, yaml.safe_dump(template))


def write_template(stand: Stand, text: str) -> None:
    """Write another template."""
    patch = {"data": {"daemonset.yaml": text}}
    stand.api.patch(CONFIG_MAPS, TEMPLATE, patch, stand.namespace)


def enforce(stand: Stand, level: str | None) -> None:
    """Let the namespace enforce a level of Pod Security, or none."""
    stand.api.patch(NAMESPACES, stand.namespace, {"metadata": {"labels": {ENFORCE: level}}})


def await_bound_message(stand: Stand, words: str, *, there: bool = True) -> None:
    """Wait until the VirtualIP says these words of Bound, or no longer does."""
    until(
        f"Bound {'with' if there else 'without'} {words!r}",
        lambda: (words in stand.message("web", "Bound")) is there and stand.message("web", "Bound"),
        30.0,
        show=lambda: f"{stand.message('web', 'Bound')}\n{stand.describe()}",
    )


# --- its life ------------------------------------------------------------------------------------


def test_it_is_made_from_its_template(stand: Stand) -> None:
    """The operator makes the DaemonSet, owned by the ConfigMap, and its pods come."""
    stand.operator.start_and_wait()
    metadata = await_daemon_set(stand)["metadata"]
    uid = stand.api.get(CONFIG_MAPS, TEMPLATE, stand.namespace)["metadata"]["uid"]
    (owner,) = metadata["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("ConfigMap", TEMPLATE, uid)
    until(
        "a pod for every node",
        lambda: len(stand.api.items(PODS, stand.namespace)) == len(stand.speakers.nodes),
        SECONDS,
        show=stand.describe,
    )
    assert stand.operator.log().count("Created DaemonSet") == 1
    assert stand.operator.metrics()["vip_operator_api_trouble"] == 0


def test_an_edited_template_is_followed(stand: Stand) -> None:
    """Another template is another DaemonSet within seconds, under the same uid."""
    stand.operator.start_and_wait()
    before = await_daemon_set(stand)
    edit_template(stand, minReadySeconds=7)
    until(
        "the DaemonSet to follow",
        lambda: await_daemon_set(stand)["spec"].get("minReadySeconds") == 7,
        SECONDS,
        show=stand.describe,
    )
    assert await_daemon_set(stand)["metadata"]["uid"] == before["metadata"]["uid"]


def test_a_template_edited_while_no_operator_ran(stand: Stand) -> None:
    """An operator that starts brings the DaemonSet up to date."""
    stand.operator.start_and_wait()
    await_daemon_set(stand)
    stand.operator.stop()
    edit_template(stand, minReadySeconds=7)
    stand.operator.start_and_wait()
    until(
        "the DaemonSet to follow",
        lambda: await_daemon_set(stand)["spec"].get("minReadySeconds") == 7,
        SECONDS,
        show=stand.describe,
    )


def test_what_people_change_in_it_stays(stand: Stand, kubectl: Kubectl) -> None:
    """`kubectl rollout restart` is not undone."""
    stand.operator.start_and_wait()
    await_daemon_set(stand)
    restart = ("rollout", "restart", "daemonset/vip-speaker")
    kubectl(*restart, f"--namespace={stand.namespace}")
    annotations = "kubectl.kubernetes.io/restartedAt"
    throughout(
        "the restart stands",
        lambda: annotations in str(await_daemon_set(stand)["spec"]["template"]["metadata"]),
        2.0,
        every=0.2,
    )


def test_deleted_it_comes_back(stand: Stand) -> None:
    """Somebody deletes the DaemonSet: it is there again."""
    stand.operator.start_and_wait()
    before = await_daemon_set(stand)["metadata"]["uid"]
    stand.api.delete(DAEMON_SETS, "vip-speaker", stand.namespace)
    until(
        "another DaemonSet",
        lambda: (daemon_set(stand) or {"metadata": {"uid": before}})["metadata"]["uid"] != before,
        SECONDS,
        show=stand.describe,
    )


def test_the_operator_goes_and_it_stays(stand: Stand) -> None:
    """Deleting the operator's Deployment, and with it the operator, leaves the speakers alone."""
    labels = {"app": "operator"}
    deployment = {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.name,
        "metadata": {"name": "vip-operator", "namespace": stand.namespace},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "operator", "image": "never-pulled"}]},
            },
        },
    }
    stand.api.create(DEPLOYMENTS, deployment)
    stand.operator.start_and_wait()
    before = await_daemon_set(stand)["metadata"]["uid"]
    stand.api.delete(DEPLOYMENTS, "vip-operator", stand.namespace)
    assert stand.operator.stop() == 0
    until(
        "the operator's pods to be collected",
        lambda: (
            not [
                pod
                for pod in stand.api.items(PODS, stand.namespace)
                if pod["metadata"].get("labels", {}).get("app") == "operator"
            ]
        ),
        SECONDS,
    )
    throughout(
        "the DaemonSet is there",
        lambda: (daemon_set(stand) or {"metadata": {}})["metadata"].get("uid") == before,
        2.0,
        every=0.2,
    )


@pytest.mark.parametrize("cascade", ["background", "foreground"])
def test_the_template_goes_and_it_goes(stand: Stand, kubectl: Kubectl, cascade: str) -> None:
    """Deleting the ConfigMap takes the DaemonSet along; the operator says so and leaves it gone."""
    stand.operator.start_and_wait()
    await_daemon_set(stand)
    kubectl.delete("configmap", TEMPLATE, stand.namespace, f"--cascade={cascade}")
    until("no DaemonSet", lambda: daemon_set(stand) is None, SECONDS, show=stand.describe)
    throughout("it stays gone", lambda: daemon_set(stand) is None, 2.0, every=0.2)
    words = f"there is no ConfigMap {stand.namespace}/{TEMPLATE}"
    assert stand.operator.log().count(words) == 1
    assert stand.operator.metrics()["vip_operator_api_trouble"] == 1


def test_a_new_template_adopts_it(stand: Stand, kubectl: Kubectl) -> None:
    """A DaemonSet whose ConfigMap went without it belongs to the next ConfigMap of that name."""
    stand.operator.start_and_wait()
    before = await_daemon_set(stand)["metadata"]["uid"]
    kubectl.delete("configmap", TEMPLATE, stand.namespace, "--cascade=orphan")
    kubectl.apply(find(render(namespace=stand.namespace), "ConfigMap", TEMPLATE))
    uid = stand.api.get(CONFIG_MAPS, TEMPLATE, stand.namespace)["metadata"]["uid"]
    until(
        "the DaemonSet to have its new owner",
        lambda: uid in str((daemon_set(stand) or {"metadata": {}})["metadata"]),
        SECONDS,
        show=stand.describe,
    )
    assert await_daemon_set(stand)["metadata"]["uid"] == before


def test_only_the_leader_writes(stand: Stand, proxy: FaultProxy) -> None:
    """An operator that follows never writes the DaemonSet, and does once it leads."""
    stand.operator.start_and_wait()
    await_daemon_set(stand)
    kubeconfig = proxy.kubeconfig("operator")
    with Operator(kubeconfig, stand.namespace, identity="second", options=(OPTION,)) as second:
        second.start_and_wait()
        stand.api.delete(DAEMON_SETS, "vip-speaker", stand.namespace)
        until("the leader to put it back", lambda: daemon_set(stand), SECONDS, show=stand.describe)
        assert not proxy.requests(verb="create", path="/daemonsets")
        assert stand.operator.stop() == 0
        stand.api.delete(DAEMON_SETS, "vip-speaker", stand.namespace)
        until("the second to put it back", lambda: daemon_set(stand), SECONDS, show=second.log)
        assert proxy.requests(verb="create", path="/daemonsets")


# --- what users are told -------------------------------------------------------------------------


def test_refused_pods_are_told(stand: Stand) -> None:
    """Pods that Pod Security refuses are named on the VirtualIP, until they are let in."""
    enforce(stand, "baseline")
    stand.api.delete_all(SPEAKERS)
    stand.operator.start_and_wait()
    await_daemon_set(stand)
    stand.apply("web")
    words = (
        'the speakers\' pods are refused: pods "vip-speaker-*" is forbidden: violates PodSecurity'
    )
    await_bound_message(stand, words)
    assert stand.condition("web", "Ready") == ("False", "NoCandidates")
    stand.await_event("web", "SpeakersRefused", words)
    stand.operator.stop()
    stand.operator.start_and_wait()
    await_bound_message(stand, words)
    enforce(stand, None)
    await_bound_message(stand, "refused", there=False)
    assert [reason for reason, _note in stand.events("web")].count("SpeakersRefused") == 1
    assert stand.operator.log().count("are refused: ") == 2
    assert stand.operator.log().count("are refused any more") == 1


def test_a_template_that_is_none_is_told(stand: Stand) -> None:
    """A DaemonSet that cannot be made is told too, with what is wrong and what to do."""
    write_template(stand, "kind: Something")
    stand.api.delete_all(SPEAKERS)
    stand.operator.start_and_wait()
    stand.apply("web")
    stand.await_event("web", "SpeakersRefused", "key daemonset.yaml: it is no DaemonSet")
    await_bound_message(stand, "install the chart again")


def test_a_refused_daemon_set_is_told_and_tried_again(stand: Stand) -> None:
    """What the API server refuses for good is told; once the template is mended it is done."""
    stand.operator.start_and_wait()
    await_daemon_set(stand)
    stand.api.delete_all(SPEAKERS)
    stand.apply("web")
    edit_template(stand, revisionHistoryLimit=-1)
    await_bound_message(stand, "the speakers' DaemonSet cannot be kept: 422 Invalid")
    edit_template(stand, revisionHistoryLimit=3)
    await_bound_message(stand, "cannot be kept", there=False)
    assert await_daemon_set(stand)["spec"]["revisionHistoryLimit"] == 3


def test_trouble_with_the_api_passes(stand: Stand, proxy: FaultProxy) -> None:
    """While the API server fails the DaemonSet waits; nobody is told that anything is refused."""
    kubeconfig = proxy.kubeconfig("operator")
    proxy.answer(503, verb="create", path="/daemonsets")
    with Operator(kubeconfig, stand.namespace, options=(OPTION,)) as operator:
        operator.start_and_wait()
        stand.api.delete_all(SPEAKERS)
        stand.apply("web")
        stand.await_condition("web", "Bound", "False")
        until(
            "the operator to say so",
            lambda: "Could not keep the speakers' DaemonSet" in operator.log(),
            SECONDS,
            show=operator.log,
        )
        assert "DaemonSet" not in stand.message("web", "Bound")
        proxy.pass_through()
        await_daemon_set(stand, 20.0)
        until(
            "the operator to say so",
            lambda: (
                "Could keep the speakers' DaemonSet as its template says again" in operator.log()
            ),
            SECONDS,
            show=operator.log,
        )


def test_events_that_may_not_be_read(stand: Stand, proxy: FaultProxy) -> None:
    """Where Events are kept from the operator users are told less, and the DaemonSet is kept."""
    proxy.answer(403, path="/events")
    kubeconfig = proxy.kubeconfig("operator")
    with Operator(kubeconfig, stand.namespace, options=(OPTION,)) as operator:
        operator.start_and_wait()
        await_daemon_set(stand)
        until(
            "the operator to say that something does not work",
            lambda: operator.metrics()["vip_operator_api_trouble"] == 1,
            SECONDS,
            show=operator.log,
        )
