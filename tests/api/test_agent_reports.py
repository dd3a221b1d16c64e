"""What an agent in cluster mode writes to a real API server; the test plays its engine."""

from __future__ import annotations

import asyncio
import signal
import time
from functools import partial

from support.cluster_agent import NODE, cluster_agent, until
from support.cluster_scene import Scene, a_scene, pods_gate
from support.figures import Figure
from vip_common.kinds import SPEAKERS
from vip_kube.kinds import LEASES
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.fault_proxy import FaultProxy
from vip_lab.kubernetes.objects import make_node
from vip_model.vocabulary import Family
from vip_speaker.agent.kubernetes.heartbeat import APPLIED_REVISION, lease_name
from vip_speaker.messages import ForeignRouter, HeardNode, StatusRequest, WatchedNode

ROLES = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: test-speaker}}
rules:
- {{apiGroups: [vip-operator.io], resources: [virtualrouters], verbs: [list, watch]}}
- {{apiGroups: [vip-operator.io], resources: [speakers], verbs: [list, watch, create]}}
- {{apiGroups: [vip-operator.io], resources: [speakers/status], verbs: [patch]}}
- {{apiGroups: [""], resources: [nodes, pods, services], verbs: [list, watch]}}
- {{apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list, watch]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: test-speaker}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: test-speaker}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: Group, name: vip-speakers}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: test-speaker, namespace: {namespace}}}
rules:
- {{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, update]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: test-speaker, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: test-speaker}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: Group, name: vip-speakers}}]
"""


# --- reports -------------------------------------------------------------------------------------


async def test_the_speaker_is_there_before_any_router(api: ControlPlane, namespace: str) -> None:
    """A fresh node has a Speaker that its Node owns, with its interfaces, within seconds."""
    node = make_node(api.api, NODE, "192.0.2.1")
    async with a_scene(api, namespace) as scene:
        status = await until("the report", scene.speaker)
        speaker = api.api.get(SPEAKERS, NODE)

    assert status["interfaces"] == [
        {"name": "eth0", "mac": "02:00:00:00:00:01", "subnets": ["192.0.2.1/24", "fe80::1/64"]}
    ]
    assert "gate/httpGet" in status["features"]
    assert (status["active"], status["abnormal"]) == ([], [])
    (owner,) = speaker["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Node", node["metadata"]["uid"])


async def test_the_speaker_waits_for_its_node(api: ControlPlane, namespace: str) -> None:
    """Without a Node there is no Speaker; /status says why, and it comes as soon as the Node."""
    async with a_scene(api, namespace) as scene:
        await until(
            "the reason",
            lambda: [
                each
                for each in scene.agent.status()["configuration"]["trouble"]
                if f"there is no Node {NODE}" in each
            ],
        )
        assert api.api.find(SPEAKERS, NODE) is None
        make_node(api.api, NODE, "192.0.2.1")
        await until("the report", scene.speaker, 3)
        await until(
            "the trouble to be over",
            lambda: scene.agent.status()["configuration"]["trouble"] == [],
        )


async def test_a_deleted_speaker_comes_back(api: ControlPlane, namespace: str) -> None:
    """Somebody who deletes the Speaker gets it back, whole, within a moment."""
    make_node(api.api, NODE, "192.0.2.1")
    async with a_scene(api, namespace) as scene:
        await until("the report", scene.speaker)
        before = api.api.get(SPEAKERS, NODE)["metadata"]["uid"]
        api.api.delete(SPEAKERS, NODE)
        status = await until("the report again", scene.speaker, 5)
        after = api.api.get(SPEAKERS, NODE)["metadata"]["uid"]

    assert before != after
    assert [each["name"] for each in status["interfaces"]] == ["eth0"]


async def test_a_foreign_edit_of_the_report_is_undone(api: ControlPlane, namespace: str) -> None:
    """The node's word is what counts: what somebody else writes is written over."""
    make_node(api.api, NODE, "192.0.2.1")
    async with a_scene(api, namespace) as scene:
        await until("the report", scene.speaker)
        claim = {"status": {"active": [{"router": "vip.shop.other"}]}}
        api.api.patch(SPEAKERS, NODE, claim, subresource="status")
        await until("it to be undone", lambda: scene.speaker()["active"] == [], 5)


async def test_transitions_are_reported_at_once(
    api: ControlPlane, namespace: str, figure: Figure
) -> None:
    """Becoming Active is in the Speaker within a moment, and so is ceasing to be."""
    make_node(api.api, NODE, "192.0.2.1")
    async with a_scene(api, namespace) as scene:
        await scene.create_router(NODE, "n2")
        await scene.runs()
        await until("a report", scene.speaker)
        began = time.monotonic()
        scene.engine.become(scene.router, "Active", "ActiveDown")
        (claim,) = await until("the claim", lambda: scene.speaker()["active"], 3)
        figure("transition to Speaker", time.monotonic() - began)
        scene.engine.become(scene.router, "Initialize", "NotPlaceable")
        await until("the claim to end", lambda: scene.speaker()["active"] == [], 3)
        abnormal = scene.speaker()["abnormal"]

    assert (claim["router"], claim["reason"]) == (scene.router, "ActiveDown")
    assert abnormal == [{"router": scene.router, "state": "Initialize", "reason": "NotPlaceable"}]


async def test_strangers_are_reported_at_once(api: ControlPlane, namespace: str) -> None:
    """A virtual router of others is in the Speaker within a moment, and off it when silent."""
    make_node(api.api, NODE, "192.0.2.1")
    stranger = ForeignRouter(
        interface="eth0", family=Family.IPV4, virtual_router_id=77, source="192.0.2.77"
    )
    async with a_scene(api, namespace) as scene:
        await until("a report", scene.speaker)
        assert scene.speaker()["foreign"] == []
        scene.engine.hear_strangers(stranger)
        # The engine is asked every 2 s anyway: sooner than that means that it was heard.
        found = await until("the stranger", lambda: scene.speaker()["foreign"], 1.5)
        before = api.api.get(SPEAKERS, NODE)["metadata"]["resourceVersion"]
        scene.engine.hear_strangers(stranger)
        asked = len(scene.engine.of_type(StatusRequest))
        await until(
            "more looks at the engine",
            lambda: len(scene.engine.of_type(StatusRequest)) >= asked + 2,
        )
        after = api.api.get(SPEAKERS, NODE)["metadata"]["resourceVersion"]
        scene.engine.hear_strangers()
        await until("nobody", lambda: scene.speaker()["foreign"] == [], 1.5)

    assert found == [{"interface": "eth0", "virtualRouterID": 77, "source": "192.0.2.77"}]
    assert before == after


def watched_by(scene: Scene) -> list[WatchedNode]:
    """Return whom the engine is to watch."""
    desired = scene.engine.desired
    return [] if desired is None else desired.watch


def reports(scene: Scene, word: list[dict[str, object]]) -> bool:
    """Return whether that is what the Speaker says of watched nodes."""
    return bool(scene.speaker().get("watched") == word)


async def test_unreachable_nodes_are_watched_and_reported(
    api: ControlPlane, namespace: str
) -> None:
    """The mark reaches the engine, and each change of its word the Speaker, at once."""
    make_node(api.api, NODE, "192.0.2.1")
    source = {"family": "IPv4", "address": "192.0.2.2"}
    listed = [
        {"node": NODE, "slot": 0, "priority": 254},
        {"node": "n2", "slot": 1, "priority": 251, "sources": [source], "unreachable": True},
    ]
    async with a_scene(api, namespace) as scene:
        await scene.create_router(NODE, "n2")
        await scene.runs()
        await scene.edit_router(candidates=listed)
        watched = await until("the request", lambda: watched_by(scene))
        for heard in (True, False):
            scene.engine.hear_nodes(HeardNode(node="n2", heard=heard))
            # The engine is asked every 2 s anyway: sooner than that means that it was heard.
            word: list[dict[str, object]] = [{"node": "n2", "heard": heard}]
            await until("the word", partial(reports, scene, word), 1.5)
        scene.engine.hear_nodes()
        await until("no word", partial(reports, scene, []), 1.5)

    assert [each.node for each in watched] == ["n2"]
    assert [each.address for each in watched[0].sources] == ["192.0.2.2"]


async def test_an_idle_agent_writes_nothing_but_its_lease(
    api: ControlPlane, namespace: str, proxy: FaultProxy
) -> None:
    """At rest there is a Lease renewal every 10 s and no other request that is not a watch."""
    make_node(api.api, NODE, "192.0.2.1")
    async with a_scene(api, namespace, proxy) as scene:
        await scene.create_router(NODE, "n2")
        await scene.runs()
        await until("the report", scene.speaker)
        await until("the acknowledgement", lambda: scene.applied() == 1)
        proxy.clear()
        await until(
            "two renewals", lambda: len(proxy.requests(verb="update", path="/leases/")) >= 2, 30
        )
        counts = proxy.counts(without={"watch"})

    assert [verb for verb, _path in counts] == ["update"]


async def test_the_last_report_claims_nothing(api: ControlPlane, namespace: str) -> None:
    """An agent that is stopped with its engine leaves no claim behind and ends well."""
    make_node(api.api, NODE, "192.0.2.1")
    async with a_scene(api, namespace) as scene:
        await scene.create_router(NODE)
        await scene.runs()
        scene.engine.become(scene.router, "Active", "ActiveDown")
        await until("the claim", lambda: scene.speaker().get("active"))
        scene.agent.process.signal_all(signal.SIGTERM)
        await until("it to stop", lambda: "Stopping" in scene.agent.log())
        assert scene.speaker()["active"] != []
        scene.engine.hang_up()
        status = await asyncio.to_thread(scene.agent.process.wait, 5)
        report = scene.speaker()

    assert status == 0
    assert report["active"] == []
    assert [each["reason"] for each in report["abnormal"]] == ["Stopped"]


# --- the Lease -----------------------------------------------------------------------------------


async def test_the_lease_acknowledges_early(
    api: ControlPlane, namespace: str, figure: Figure
) -> None:
    """A router of this node that the engine has applied is acknowledged within seconds."""
    node = make_node(api.api, NODE, "192.0.2.1")
    async with a_scene(api, namespace) as scene:
        await until("the Lease", lambda: scene.applied() == 0)
        began = time.monotonic()
        await scene.create_router(NODE, revision=7)
        await until("the acknowledgement", lambda: scene.applied() == 7, 3)
        figure("VirtualRouter to acknowledgement in the Lease", time.monotonic() - began)
        lease = api.api.get(LEASES, lease_name(NODE), namespace)

    assert lease["spec"]["holderIdentity"] == NODE
    assert lease["spec"]["leaseDurationSeconds"] == 25
    assert lease["metadata"]["ownerReferences"][0]["uid"] == node["metadata"]["uid"]


async def test_the_lease_says_what_the_engine_has(api: ControlPlane, namespace: str) -> None:
    """While the engine does not answer nothing new is acknowledged."""
    make_node(api.api, NODE, "192.0.2.1")
    async with a_scene(api, namespace) as scene:
        await scene.create_router(NODE, revision=3)
        await until("the acknowledgement", lambda: scene.applied() == 3)
        scene.engine.hang_up()
        scene.agent.socket.unlink()
        await scene.edit_router(revision=4)
        renewed = api.api.get(LEASES, lease_name(NODE), namespace)["spec"]["renewTime"]
        await until(
            "a renewal",
            lambda: (
                api.api.get(LEASES, lease_name(NODE), namespace)["spec"]["renewTime"] != renewed
            ),
            15,
        )
        report = await until("trouble", lambda: scene.speaker()["abnormal"])

        assert scene.applied() == 3
    assert report[0]["reason"] == "EngineAway"


async def test_the_lease_survives_meddling(api: ControlPlane, namespace: str) -> None:
    """A Lease that somebody deletes or writes is there again with the next renewal."""
    make_node(api.api, NODE, "192.0.2.1")
    async with a_scene(api, namespace) as scene:
        await until("the Lease", lambda: scene.applied() == 0)
        api.api.delete(LEASES, lease_name(NODE), namespace)
        await until("the Lease again", lambda: scene.applied() == 0, 15)
        meddled = {"metadata": {"annotations": {APPLIED_REVISION: "99"}}}
        api.api.patch(LEASES, lease_name(NODE), meddled, namespace)
        await scene.create_router(NODE, revision=5)
        await until("our word again", lambda: scene.applied() == 5, 15)


async def test_an_agent_needs_no_more_than_this(api: ControlPlane, namespace: str) -> None:
    """With exactly these rights, which a role in production must give, nothing is in trouble."""
    make_node(api.api, NODE, "192.0.2.1")
    api.kubectl().apply(ROLES.format(namespace=namespace))
    user = f"speaker:{NODE}"
    async with cluster_agent(api.kubeconfig(user), namespace) as agent:
        scene = Scene(agent, api.api, namespace)
        await scene.create_router(NODE, revision=2, gates=[pods_gate()])
        await scene.runs()
        await until("the report", scene.speaker)
        await until("the acknowledgement", lambda: scene.applied() == 2)
        assert (await asyncio.to_thread(agent.status))["configuration"]["trouble"] == []
