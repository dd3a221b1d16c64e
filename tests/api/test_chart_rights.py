"""What the chart allows is what its programs use; an agent writes nothing of another node."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from support import expected_rights
from support.chart_rights import Rights, chart_rights, used
from support.cluster_agent import NODE, cluster_agent, until
from support.scripted_speakers import ScriptedSpeakers
from vip_common.kinds import SPEAKERS, VIRTUAL_IPS, VIRTUAL_ROUTERS
from vip_kube.errors import ApiError
from vip_kube.kinds import CONFIG_MAPS, DAEMON_SETS, LEASES, PODS, SERVICES
from vip_lab import wait
from vip_lab.kubernetes.api import Api, JsonObject
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.fault_proxy import FaultProxy
from vip_lab.kubernetes.helm import why_no_helm
from vip_lab.kubernetes.objects import make_namespace, make_node, make_service
from vip_lab.kubernetes.operator import Operator

pytestmark = pytest.mark.skipif(why_no_helm() is not None, reason=str(why_no_helm()))

CLASS = "vip-operator.io/vip"


@pytest.fixture
def rights(api: ControlPlane, namespace: str) -> Iterator[Rights]:
    """The chart's accounts and roles."""
    with chart_rights(api, namespace) as rights:
        yield rights


# --- what is used --------------------------------------------------------------------------------


class Scene:
    """A VirtualIP with everything that makes somebody ask the API server for something."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.api = api
        self.namespace = namespace
        self.router = f"vip.{namespace}.web"

    def create(self) -> None:
        """Create a Service and a VirtualIP with gates on it, on pods and on nothing."""
        make_service(self.api, self.namespace, "web", load_balancer_class=CLASS)
        body = {
            "apiVersion": VIRTUAL_IPS.api_version,
            "kind": VIRTUAL_IPS.name,
            "metadata": {"name": "web", "namespace": self.namespace},
            "spec": {
                "addresses": ["192.0.2.100"],
                "serviceRef": {"name": "web"},
                "gates": [{"name": "pods", "pods": {"selector": {"matchLabels": {"app": "web"}}}}],
            },
        }
        self.api.create(VIRTUAL_IPS, body)

    def holder(self) -> str:
        """Return the holder that the VirtualIP's status shows."""
        found = self.api.get(VIRTUAL_IPS, "web", self.namespace).get("status") or {}
        return str(found.get("activeNode") or "")

    def ingress(self) -> object:
        """Return what the Service's status shows."""
        return self.api.get(SERVICES, "web", self.namespace)["status"]["loadBalancer"]

    def delete(self) -> None:
        """Delete the VirtualIP."""
        self.api.delete(VIRTUAL_IPS, "web", self.namespace)

    def released(self) -> bool:
        """Return whether the VirtualRouter is gone."""
        return self.api.find(VIRTUAL_ROUTERS, self.router) is None

    def edit_template(self) -> None:
        """Change the DaemonSet's template."""
        key = "daemonset.yaml"
        text = self.api.get(CONFIG_MAPS, "vip-speaker", self.namespace)["data"][key]
        patch = {"data": {key: text + "\n# edited\n"}}
        self.api.patch(CONFIG_MAPS, "vip-speaker", patch, self.namespace)

    def daemon_set(self) -> JsonObject:
        """Return the metadata of the DaemonSet; empty while it is not there."""
        found = self.api.find(DAEMON_SETS, "vip-speaker", self.namespace)
        return dict(found["metadata"]) if found else {}


async def test_everything_that_is_used_is_allowed_and_nothing_else(
    api: ControlPlane, rights: Rights, proxy: FaultProxy
) -> None:
    """With the chart's roles nobody is refused anything, and every verb that they allow is used.

    A VirtualIP with a gate on pods is created, held, moved and deleted meanwhile.
    """
    namespace, scene = rights.namespace, Scene(api.api, rights.namespace)
    rights.install({"podGates": {"namespaces": [namespace]}})
    speakers = ScriptedSpeakers(api.api, namespace, (NODE, "n2"))
    api.api.delete(SPEAKERS, NODE)  # the real agent of this node makes its own
    api.api.delete(LEASES, f"vip-speaker-{NODE}", namespace)
    pod = rights.make_speaker_pod("speaker-n1", NODE)
    agents = rights.kubeconfig(rights.token("vip-speaker", pod), "agent", proxy.server)
    operators = rights.kubeconfig(rights.token("vip-operator"), "operator", proxy.server)
    option = "--speaker-template=vip-speaker"
    with Operator(operators, namespace, options=(option,)) as operator:
        operator.start()
        async with cluster_agent(agents, namespace) as agent:
            engine = agent.engine
            await until("the agent's report", lambda: api.api.find(SPEAKERS, NODE))
            await until("the DaemonSet", scene.daemon_set, 20)
            await asyncio.to_thread(scene.create)
            await until("the engine to be told", lambda: engine.runs(scene.router))
            engine.become(scene.router, "Active", "ActiveDown")
            await until("n1 to hold it", lambda: scene.holder() == NODE)
            await until("the Service's address", scene.ingress)
            engine.become(scene.router, "Backup", "LowerPriorityPreempted")
            await asyncio.to_thread(speakers.claim, "n2", scene.router)
            await until("n2 to hold it", lambda: scene.holder() == "n2")
            before = scene.daemon_set()["resourceVersion"]
            await asyncio.to_thread(scene.edit_template)
            await until(
                "the DaemonSet to follow", lambda: scene.daemon_set()["resourceVersion"] != before
            )
            await asyncio.to_thread(scene.delete)

            def released() -> bool:
                speakers.acknowledge("n2")
                return scene.released()

            await until("the VirtualRouter to be gone", released, 20)
            logs = operator.log() + agent.log()
        assert operator.stop() == 0

    records = proxy.requests()
    assert [(each.verb, each.path) for each in records if each.status == 403] == []
    assert "orbidden" not in logs
    of_operator = used(each for each in records if each.user_agent.startswith("vip-operator/"))
    assert of_operator == (
        expected_rights.OPERATOR_IN_CLUSTER
        | expected_rights.OPERATOR_IN_NAMESPACE
        | expected_rights.POD_GATES
    )
    of_agent = used(each for each in records if each.user_agent.startswith("vip-speaker/"))
    assert of_agent == (
        expected_rights.AGENT_IN_CLUSTER
        | expected_rights.AGENT_IN_NAMESPACE
        | expected_rights.POD_GATES
    )


def test_pods_are_seen_where_a_value_says(api: ControlPlane, rights: Rights) -> None:
    """Operator and agents list the Pods of the namespaces that are named, and no others."""
    make_namespace(api.api, "shop")
    make_namespace(api.api, "elsewhere")
    rights.install({"podGates": {"namespaces": ["shop"]}})
    for account in ("vip-operator", "vip-speaker"):
        user = rights.api_with(rights.token(account))

        def may_list(user: Api = user) -> bool:
            return _may_list_pods(user, "shop")

        wait.until(f"{account} to have its rights", may_list, 20)
        for namespace in ("elsewhere", "kube-system", rights.namespace, None):
            assert not _may_list_pods(user, namespace)


def _may_list_pods(user: Api, namespace: str | None) -> bool:
    try:
        user.items(PODS, namespace)
    except ApiError as error:
        if error.status != 403:
            raise
        return False
    return True


# --- the admission policy ------------------------------------------------------------------------


def speaker(node: str) -> JsonObject:
    """Return a Speaker."""
    return {
        "apiVersion": SPEAKERS.api_version,
        "kind": SPEAKERS.name,
        "metadata": {"name": node},
    }


def lease(name: str, namespace: str) -> JsonObject:
    """Return a Lease."""
    return {
        "apiVersion": LEASES.api_version,
        "kind": LEASES.name,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"holderIdentity": "test"},
    }


@pytest.fixture
def agent_of_n1(api: ControlPlane, rights: Rights) -> Api:
    """The API as the agent of n1, with Speaker and Leases of others in place."""
    for node in ("n1", "n2"):
        make_node(api.api, node)
    api.api.create(SPEAKERS, speaker("n2"))
    for name in ("vip-speaker-n2", "vip-operator"):
        api.api.create(LEASES, lease(name, rights.namespace))
    pod = rights.make_speaker_pod("speaker-n1", "n1")
    found = rights.api_with(rights.token("vip-speaker", pod))
    rights.await_admission_policy(found)
    return found


def refusal(*arguments: Any) -> str:
    """Return with what words a call is forbidden."""
    call, *words = arguments
    with pytest.raises(ApiError) as refused:
        call(*words)
    assert refused.value.status == 403
    return refused.value.message


def test_an_agent_writes_what_is_its_node_s(rights: Rights, agent_of_n1: Api) -> None:
    """The token of n1's agent makes and writes the Speaker n1 and the Lease vip-speaker-n1."""
    agent_of_n1.create(SPEAKERS, speaker("n1"))
    status = {"status": {"features": ["gate/pods"]}}
    found = agent_of_n1.patch(SPEAKERS, "n1", status, subresource="status")
    assert found["status"]["features"] == ["gate/pods"]
    stored = agent_of_n1.create(LEASES, lease("vip-speaker-n1", rights.namespace))
    stored["spec"]["holderIdentity"] = "n1"
    assert agent_of_n1.replace(LEASES, stored)["spec"]["holderIdentity"] == "n1"


def test_an_agent_writes_nothing_of_others(
    api: ControlPlane, rights: Rights, agent_of_n1: Api
) -> None:
    """The same token neither makes nor writes what is another node's, nor the operator's Lease."""
    own = "the speaker of node n1 may write only"
    status = {"status": {"active": [{"router": "vip.shop.web"}]}}
    assert f"{own} n1" in refusal(agent_of_n1.create, SPEAKERS, speaker("n3"))
    assert f"{own} n1" in refusal(agent_of_n1.patch, SPEAKERS, "n2", status, None, "status")
    nameless = {**speaker(""), "metadata": {"generateName": "n1"}}
    assert f"{own} n1" in refusal(agent_of_n1.create, SPEAKERS, nameless)
    namespace = rights.namespace
    created = lease("vip-speaker-n3", namespace)
    assert f"{own} vip-speaker-n1" in refusal(agent_of_n1.create, LEASES, created)
    for name in ("vip-speaker-n2", "vip-operator"):
        found = api.api.get(LEASES, name, namespace)
        assert f"{own} vip-speaker-n1" in refusal(agent_of_n1.replace, LEASES, found)


def test_an_agent_writes_nothing_else(api: ControlPlane, rights: Rights, agent_of_n1: Api) -> None:
    """The token writes no spec, no VirtualRouter and no Service, and deletes not even its own."""
    agent_of_n1.create(SPEAKERS, speaker("n1"))
    labels = {"metadata": {"labels": {"a": "b"}}}
    assert "cannot patch" in refusal(agent_of_n1.patch, SPEAKERS, "n1", labels)
    assert "cannot delete" in refusal(agent_of_n1.delete, SPEAKERS, "n1")
    assert "cannot delete" in refusal(
        agent_of_n1.delete, LEASES, "vip-speaker-n1", rights.namespace
    )
    assert "cannot patch" in refusal(agent_of_n1.patch, VIRTUAL_ROUTERS, "vip.shop.web", labels)
    make_service(api.api, rights.namespace, "web")
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    arguments = (SERVICES, "web", status, rights.namespace, "status")
    assert "cannot patch" in refusal(agent_of_n1.patch, *arguments)


@pytest.mark.parametrize("pod", ["without", "unscheduled"])
def test_a_token_of_no_node_writes_nothing(rights: Rights, agent_of_n1: Api, pod: str) -> None:
    """A token that is bound to no pod, or to one on no node, makes no Speaker and no Lease."""
    name = rights.make_speaker_pod("nowhere", None) if pod == "unscheduled" else None
    anybody = rights.api_with(rights.token("vip-speaker", name))
    words = "this token is not bound to a pod on a node"
    assert words in refusal(anybody.create, SPEAKERS, speaker("n1"))
    assert words in refusal(anybody.create, LEASES, lease("vip-speaker-n1", rights.namespace))


def test_the_policy_is_for_agents_only(api: ControlPlane, rights: Rights, agent_of_n1: Api) -> None:
    """Others that may write Leases still may: the operator its own."""
    operator = rights.api_with(rights.token("vip-operator"))
    found = operator.get(LEASES, "vip-operator", rights.namespace)
    found["spec"]["holderIdentity"] = "operator"
    assert operator.replace(LEASES, found)["spec"]["holderIdentity"] == "operator"
