"""An agent without the right to read pods, on a real API server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.chart_rights import Rights, chart_rights
from support.cluster_agent import NODE, cluster_agent, until
from support.cluster_scene import Scene, pods_gate
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.helm import why_no_helm
from vip_lab.kubernetes.objects import make_node, make_pod
from vip_model.vocabulary import GateState, Reason
from vip_speaker.messages import Verdicts

pytestmark = pytest.mark.skipif(why_no_helm() is not None, reason=str(why_no_helm()))


@pytest.fixture
def rights(api: ControlPlane, namespace: str) -> Iterator[Rights]:
    """The chart's accounts and roles, as they are by default."""
    with chart_rights(api, namespace) as rights:
        yield rights


async def test_a_gate_on_pods_that_may_not_be_read(
    api: ControlPlane, namespace: str, rights: Rights
) -> None:
    """It is Unknown and names namespace and value; it passes soon after the value is set."""
    make_node(api.api, NODE, "192.0.2.1")
    make_pod(api.api, namespace, "web", node=NODE, address="10.0.0.7", labels={"app": "web"})
    pod = rights.make_speaker_pod("speaker-n1", NODE)
    kubeconfig = rights.kubeconfig(rights.token("vip-speaker", pod), "agent")
    async with cluster_agent(kubeconfig, namespace) as agent:
        scene = Scene(agent, api.api, namespace)
        await scene.create_router(NODE, gates=[pods_gate()])
        await scene.judged("web", GateState.UNKNOWN)
        verdict = scene.engine.of_type(Verdicts)[-1].routers[scene.router]["web"]
        assert verdict.cause == Reason.PODS_FORBIDDEN
        assert f"in namespace {namespace}: add it to podGates.namespaces" in verdict.reason
        rights.install({"podGates": {"namespaces": [namespace]}})
        await scene.judged("web", GateState.PASSING)
        await until(
            "the trouble to be over",
            lambda: scene.agent.status()["configuration"]["trouble"] == [],
        )
