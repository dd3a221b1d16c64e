"""`helm upgrade` and `helm rollback` while the operator runs with the rights that they change.

Template and admission policy come one after the other, and the API server applies a changed policy
some seconds late: until then it refuses the operator's DaemonSet.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.chart import CHART, find, render
from support.chart_rights import Rights, chart_rights
from support.operator_stand import Stand, operator_stand
from vip_common.kinds import SPEAKERS
from vip_kube.kinds import CONFIG_MAPS, DAEMON_SETS
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.fault_proxy import FaultProxy
from vip_lab.kubernetes.helm import Helm, why_no_helm
from vip_lab.wait import until

pytestmark = pytest.mark.skipif(why_no_helm() is not None, reason=str(why_no_helm()))

OPTION = "--speaker-template=vip-speaker"
RELEASE = "vips"
SECONDS = 30.0


def tag(stand: Stand) -> str:
    """Return the tag of the image that the DaemonSet runs; empty while there is none."""
    found = stand.api.find(DAEMON_SETS, "vip-speaker", stand.namespace)
    if found is None:
        return ""
    images = {each["image"] for each in found["spec"]["template"]["spec"]["containers"]}
    (image,) = images
    return str(image).rpartition(":")[2]


def await_tag(stand: Stand, wanted: str) -> None:
    """Wait until the DaemonSet runs the image of this tag."""
    until(
        f"the DaemonSet of tag {wanted}",
        lambda: tag(stand) == wanted,
        SECONDS,
        show=lambda: f"tag {tag(stand)}\n{stand.describe()}",
    )


def assert_nobody_was_alarmed(stand: Stand) -> None:
    """Neither log nor events nor the VirtualIP say that the DaemonSet could not be kept."""
    assert "could not keep" not in stand.operator.log().lower()
    assert "cannot be kept" not in stand.message("web", "Bound")
    assert "SpeakersRefused" not in [reason for reason, _note in stand.events("web")]
    assert stand.operator.metrics()["vip_operator_api_trouble"] == 0


@pytest.fixture
def helm(api: ControlPlane, namespace: str) -> Iterator[Helm]:
    """Helm, and afterwards no release in the test's namespace."""
    helm = Helm(api.kubeconfig(), api.host)
    yield helm
    helm("uninstall", RELEASE, f"--namespace={namespace}", "--no-hooks", "--ignore-not-found")


def test_upgrade_and_rollback(api: ControlPlane, helm: Helm, namespace: str) -> None:
    """The DaemonSet follows every revision of the release, those with and without a policy."""
    into = (f"--namespace={namespace}", "--set=crds.enabled=false")

    def upgrade(tag: str, *options: str) -> None:
        words = ("upgrade", "--install", RELEASE, str(CHART), *into)
        helm(*words, f"--set-string=image.tag={tag}", *options)

    upgrade("1", "--set=admissionPolicy.create=false")
    kubeconfig = api.service_account_kubeconfig(namespace, "vip-operator")
    with operator_stand(api, namespace, kubeconfig, OPTION) as stand:
        stand.api.delete_all(SPEAKERS)
        stand.apply("web")
        stand.operator.start_and_wait()
        await_tag(stand, "1")
        upgrade("2")
        await_tag(stand, "2")
        upgrade("3", "--set=speaker.httpPort=9113", "--set=speaker.logLevel=debug")
        await_tag(stand, "3")
        upgrade("4", "--set=speaker.nodeSelector.edge=yes")
        await_tag(stand, "4")
        for revision in ("2", "3", "1", "4"):
            helm("rollback", RELEASE, revision, f"--namespace={namespace}")
            await_tag(stand, revision)
        assert_nobody_was_alarmed(stand)


@pytest.fixture
def rights(api: ControlPlane, namespace: str) -> Iterator[Rights]:
    """The chart's accounts, roles and policies."""
    with chart_rights(api, namespace) as rights:
        yield rights


def test_a_policy_that_comes_late(api: ControlPlane, rights: Rights, proxy: FaultProxy) -> None:
    """While the policy knows only the former template the operator tries again, in silence."""
    namespace = rights.namespace
    kubeconfig = rights.kubeconfig(rights.token("vip-operator"), "operator", proxy.server)

    def refusals() -> int:
        written = proxy.requests(verb="update", path="/daemonsets")
        return len([each for each in written if each.status == 403])

    with operator_stand(api, namespace, kubeconfig, OPTION) as stand:
        stand.api.delete_all(SPEAKERS)
        stand.apply("web")
        stand.operator.start_and_wait()
        until("the DaemonSet", lambda: tag(stand), SECONDS, show=stand.describe)
        values = {"image": {"tag": "later"}}
        later = find(render(values, namespace), "ConfigMap", "vip-speaker")
        stand.api.patch(CONFIG_MAPS, "vip-speaker", {"data": later["data"]}, namespace)
        until("refusals", lambda: refusals() >= 3, SECONDS, show=stand.describe)
        assert tag(stand) != "later"
        assert_nobody_was_alarmed(stand)
        rights.install(values)
        await_tag(stand, "later")
        assert_nobody_was_alarmed(stand)
