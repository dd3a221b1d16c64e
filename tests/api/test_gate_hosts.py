"""The example policy on hosts that gates ask, on a real API server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.resources import vip_document
from support.rings import ROOT
from vip_common.kinds import VIRTUAL_IPS
from vip_kube.errors import ApiError
from vip_lab.kubernetes.api import Api
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.kubectl import Kubectl
from vip_lab.wait import until

POLICY = ROOT / "examples/kubernetes/policies/gate-hosts.yaml"
LOOPBACK = "['127.0.0.1', '::1', 'localhost']"
METADATA_SERVICE = "169.254.169.254"

Spec = dict[str, Any]


def http(host: str | None = None) -> Spec:
    """Return a spec with a gate that asks for a page."""
    probe = {"port": 80} if host is None else {"port": 80, "host": host}
    return {"gates": [{"name": "web", "httpGet": probe}]}


def tcp(host: str) -> Spec:
    """Return a spec with a gate that connects."""
    return {"gates": [{"name": "web", "tcpSocket": {"port": 80, "host": host}}]}


def pods(kind: str, host: str | None = None) -> Spec:
    """Return a spec with a gate that probes pods."""
    probe = {kind: {"port": 80} if host is None else {"port": 80, "host": host}}
    return {"gates": [{"name": "web", "pods": {"selector": {}, "probe": probe}}]}


def refusal(api: Api, namespace: str, spec: Spec) -> str:
    """Return with what words a VirtualIP is refused; empty if it is taken. None is created."""
    try:
        body = vip_document("tried", namespace, **spec)
        api.create(VIRTUAL_IPS, body, {"dryRun": "All"})
    except ApiError as error:
        if error.status != 403:
            raise
        return error.message
    return ""


@pytest.fixture(params=["as it is", "pods only"])
def policy(
    request: pytest.FixtureRequest, api: ControlPlane, kubectl: Kubectl, namespace: str
) -> Iterator[str]:
    """The policy in force: the example, or with an empty list of what a node may ask of itself."""
    text = POLICY.read_text()
    assert text.count(LOOPBACK) == 1
    kubectl.apply(text if request.param == "as it is" else text.replace(LOOPBACK, "[]"))

    def refuses() -> bool:
        return bool(refusal(api.api, namespace, http("198.51.100.1")))

    try:
        until("the policy to be in force", refuses, 20, every=0.1)
        yield str(request.param)
    finally:
        kubectl("delete", f"--filename={POLICY}", "--ignore-not-found")
        until("the policy to be gone", lambda: not refuses(), 20, every=0.1)


@pytest.mark.parametrize("policy", ["as it is"], indirect=True)
@pytest.mark.usefixtures("policy")
def test_what_asks_nobody_else_is_taken(api: ControlPlane, namespace: str) -> None:
    """Without gates, and with gates on the node itself, on pods and on Services."""
    taken: list[Spec] = [
        {},
        {"serviceRef": {"name": "web"}},
        http(),
        http("localhost"),
        tcp("::1"),
        pods("httpGet"),
        pods("tcpSocket", "127.0.0.1"),
        pods("httpGet", "localhost"),
        {"gates": [{"name": "pods", "pods": {"selector": {}}}]},
        {"gates": [{"name": "link", "interface": {"name": "eth0"}}]},
    ]
    assert [refusal(api.api, namespace, spec) for spec in taken] == [""] * len(taken)


@pytest.mark.usefixtures("policy")
@pytest.mark.parametrize(
    "spec",
    [
        http(METADATA_SERVICE),
        tcp(METADATA_SERVICE),
        pods("httpGet", METADATA_SERVICE),
        pods("tcpSocket", METADATA_SERVICE),
        {"gates": [{"name": "gateway", "ping": {"host": METADATA_SERVICE}}]},
        {"gates": [*pods("httpGet")["gates"], {**tcp(METADATA_SERVICE)["gates"][0], "name": "b"}]},
    ],
    ids=["httpGet", "tcpSocket", "pods httpGet", "pods tcpSocket", "ping", "second of two"],
)
def test_another_host_is_refused(api: ControlPlane, namespace: str, spec: Spec) -> None:
    """Whatever the kind of gate, the host is named in the refusal."""
    words = f"gates of this cluster may not ask {METADATA_SERVICE}"
    assert words in refusal(api.api, namespace, spec)


@pytest.mark.parametrize("policy", ["pods only"], indirect=True)
@pytest.mark.usefixtures("policy")
def test_an_empty_list_leaves_pods_only(api: ControlPlane, namespace: str) -> None:
    """With `[]` no gate asks the node itself, written or not, and pods are still probed."""
    for spec in (http(), http("127.0.0.1"), tcp("127.0.0.1")):
        assert "may not ask 127.0.0.1" in refusal(api.api, namespace, spec)
    assert "may not ask localhost" in refusal(api.api, namespace, pods("httpGet", "localhost"))
    for spec in ({}, pods("httpGet"), pods("tcpSocket", "127.0.0.1")):
        assert refusal(api.api, namespace, spec) == ""


@pytest.mark.parametrize("policy", ["as it is"], indirect=True)
@pytest.mark.usefixtures("policy")
def test_an_edit_is_refused_likewise(api: ControlPlane, namespace: str) -> None:
    """A VirtualIP that was taken cannot be changed into one that asks another host."""
    api.api.create(VIRTUAL_IPS, vip_document(namespace=namespace, **http()))
    with pytest.raises(ApiError, match=METADATA_SERVICE) as refused:
        api.api.patch(VIRTUAL_IPS, "web", {"spec": http(METADATA_SERVICE)}, namespace)
    assert refused.value.status == 403
