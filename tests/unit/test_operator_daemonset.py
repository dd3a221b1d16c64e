"""The speakers' DaemonSet as data: from the template, compared, and why it lacks pods."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from vip_operator.speakers.daemonset import (
    DIGEST_ANNOTATION,
    TEMPLATE_KEY,
    Refusals,
    TemplateError,
    differs,
    is_being_deleted,
    refusal,
    wanted_daemon_set,
)

TEMPLATE: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": {"name": "vip-speaker", "annotations": {"mine": "yes"}, "labels": {"a": "b"}},
    "spec": {"selector": {}},
}
POD_SECURITY = (
    'Error creating: pods "vip-speaker-x7k2p" is forbidden: violates PodSecurity "baseline:latest":'
    " host namespaces (hostNetwork=true)"
)


def config_map(text: str | None, uid: str = "uid-1") -> dict[str, Any]:
    """Return a ConfigMap with a template."""
    return {
        "metadata": {"name": "speakers", "namespace": "vips", "uid": uid},
        "data": {} if text is None else {TEMPLATE_KEY: text},
    }


def wanted(uid: str = "uid-1", **changes: Any) -> dict[str, Any]:
    """Return what the template asks for, with changes of its spec."""
    template = {**TEMPLATE, "spec": {**TEMPLATE["spec"], **changes}}
    return wanted_daemon_set(config_map(yaml.safe_dump(template), uid))


def daemon_set(wanted: int, there: int, *, judged: bool = True) -> dict[str, Any]:
    """Return a DaemonSet with pods on some of its nodes."""
    status = {"desiredNumberScheduled": wanted, "currentNumberScheduled": there}
    if judged:
        status["observedGeneration"] = 1
    return {"metadata": {"name": "vip-speaker"}, "status": status}


def refused(note: str = POD_SECURITY, name: str = "vip-speaker") -> dict[str, Any]:
    """Return an Event of the DaemonSet controller."""
    return {"regarding": {"kind": "DaemonSet", "name": name}, "note": note}


# --- from the template ---------------------------------------------------------------------------


def test_it_belongs_to_its_template() -> None:
    """It is as the template says, in the ConfigMap's namespace, and owned by the ConfigMap."""
    found = wanted()
    metadata = found["metadata"]
    assert found["spec"] == TEMPLATE["spec"]
    assert (metadata["name"], metadata["namespace"]) == ("vip-speaker", "vips")
    assert metadata["labels"] == {"a": "b"}
    assert metadata["annotations"]["mine"] == "yes"
    assert metadata["ownerReferences"] == [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "speakers", "uid": "uid-1"}
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "it is missing"),
        ("", "it is missing"),
        ("a: [", "it is not YAML"),
        ("[]", "it is no object"),
        ("apiVersion: apps/v1\nkind: Deployment", "it is no DaemonSet of apps/v1"),
        ("apiVersion: v1\nkind: DaemonSet", "it is no DaemonSet of apps/v1"),
        ("apiVersion: apps/v1\nkind: DaemonSet", "metadata.name is missing"),
        ("apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: 5}", "metadata.name is missing"),
    ],
)
def test_unusable_templates(text: str | None, complaint: str) -> None:
    """A template that is none is refused with the object, the key, what is wrong and what to do."""
    with pytest.raises(TemplateError) as refused:
        wanted_daemon_set(config_map(text))
    assert complaint in str(refused.value)
    assert "ConfigMap vips/speakers, key daemonset.yaml" in str(refused.value)
    assert "install the chart again" in str(refused.value)


def test_what_differs() -> None:
    """Another template or another ConfigMap is a difference; what the API server adds is none."""
    found = wanted()
    stored = {**found, "status": {}, "spec": {**found["spec"], "revisionHistoryLimit": 10}}
    stored["metadata"] = {**found["metadata"], "resourceVersion": "7"}
    assert not differs(found, stored)
    assert differs(wanted(minReadySeconds=1), stored)
    assert differs(wanted(uid="uid-2"), stored)
    orphaned = {**stored, "metadata": {**stored["metadata"], "ownerReferences": []}}
    assert differs(found, orphaned)
    foreign = {"metadata": {"name": "vip-speaker"}}
    assert differs(found, foreign)
    assert len(found["metadata"]["annotations"][DIGEST_ANNOTATION]) == 16


def test_being_deleted() -> None:
    """An object with a deletionTimestamp is on its way out."""
    assert is_being_deleted({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})
    assert not is_being_deleted({"metadata": {}})


# --- why it lacks pods ---------------------------------------------------------------------------


def test_a_refusal_is_the_same_text_for_every_pod() -> None:
    """What changes from attempt to attempt is not in it, so that it is told once."""
    other = POD_SECURITY.replace("x7k2p", "9zzzz")
    assert refusal(POD_SECURITY, "vip-speaker") == refusal(other, "vip-speaker")
    assert refusal(POD_SECURITY, "vip-speaker").startswith('pods "vip-speaker-*" is forbidden')
    assert refusal("something else", "vip-speaker") == "something else"


def test_a_refusal_that_is_told_often_is_the_same_text() -> None:
    """Kubernetes marks the tenth Event of a kind and all later ones; users need not read that."""
    combined = f"(combined from similar events): {POD_SECURITY}"
    assert refusal(combined, "vip-speaker") == refusal(POD_SECURITY, "vip-speaker")


def test_a_refusal_counts_while_pods_are_missing() -> None:
    """An Event counts only where nodes lack a pod, and only of the DaemonSet that it is about."""
    refusals = Refusals()
    refusals.hear(refused())
    assert "violates PodSecurity" in refusals.of(daemon_set(3, 0))
    assert "violates PodSecurity" in refusals.of(daemon_set(3, 2))
    assert refusals.of(daemon_set(3, 3)) == ""
    assert refusals.of(None) == ""
    refusals = Refusals()
    refusals.hear(refused(name="another"))
    assert refusals.of(daemon_set(3, 0)) == ""


def test_a_refusal_is_over_once_pods_were_complete() -> None:
    """Pods that go missing later, as in an upgrade, do not bring an old Event back."""
    refusals = Refusals()
    refusals.hear(refused())
    refusals.see(daemon_set(3, 3))
    assert refusals.of(daemon_set(3, 2)) == ""
    refusals.hear(refused("Error creating: exceeded quota"))
    assert refusals.of(daemon_set(3, 2)) == "exceeded quota"


def test_a_daemon_set_that_nobody_looked_at_yet_is_not_complete() -> None:
    """A new DaemonSet wants no pods until its controller has counted nodes: nothing is over."""
    refusals = Refusals()
    refusals.hear(refused())
    refusals.see(daemon_set(0, 0, judged=False))
    assert refusals.of(daemon_set(3, 0)) != ""


def test_the_latest_reason_counts() -> None:
    """Where one hindrance is behind another, what was told last is told."""
    refusals = Refusals()
    refusals.hear(refused())
    refusals.hear(refused("Error creating: exceeded quota"))
    assert refusals.of(daemon_set(1, 0)) == "exceeded quota"
