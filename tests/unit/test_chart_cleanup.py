"""The Job that the chart runs before an uninstall."""

from __future__ import annotations

import pytest

from support.chart import container, default_objects, find
from vip_kube.wire import Object
from vip_lab.kubernetes.helm import why_no_helm
from vip_operator import cli

pytestmark = pytest.mark.skipif(why_no_helm() is not None, reason=str(why_no_helm()))

HELM_WAITS_SECONDS = 300  # `helm uninstall` without --timeout
FIRST_BACKOFF_SECONDS = 10  # of the Job controller; it doubles
START_SECONDS = 5  # of a pod, and until its end is seen


@pytest.fixture
def job() -> Object:
    """The Job."""
    return find(default_objects(), "Job", "vip-operator-cleanup")


def test_hooks_come_before_everything_goes() -> None:
    """The cleanup Job and what it needs are pre-delete hooks, the Job after its rights."""
    hooks = [
        each
        for each in default_objects()
        if each["metadata"].get("annotations", {}).get("helm.sh/hook") == "pre-delete"
    ]
    weights = {
        each["kind"]: int(each["metadata"]["annotations"].get("helm.sh/hook-weight", "0"))
        for each in hooks
    }
    assert weights.pop("Job") > max(weights.values())
    assert sorted(weights) == [
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
        "ServiceAccount",
    ]


def test_a_failed_attempt_can_be_read(job: Object) -> None:
    """Each attempt is a pod of its own, which stays with its log when it has failed.

    With `OnFailure` the Job's only pod is deleted as soon as the Job has failed.
    """
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_every_attempt_has_its_time(job: Object) -> None:
    """All attempts fit into the deadline, which deletes the pod that runs, and it into helm's."""
    seconds = cli.parse(container(job, "cleanup")["command"][1:]).timeout
    retries = job["spec"]["backoffLimit"]
    assert retries >= 2
    attempts = (retries + 1) * (seconds + START_SECONDS)
    backoffs = sum(FIRST_BACKOFF_SECONDS * 2**retry for retry in range(retries))
    assert attempts + backoffs < job["spec"]["activeDeadlineSeconds"] < HELM_WAITS_SECONDS


def test_an_attempt_outlasts_the_pods(job: Object) -> None:
    """Operator and speakers may each take their grace period within one attempt."""
    seconds = cli.parse(container(job, "cleanup")["command"][1:]).timeout
    assert seconds > 2 * (10 + START_SECONDS)
