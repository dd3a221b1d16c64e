"""From objects as an API server sends them to what the operator knows of them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from support.resources import lan, router_of, vip, vip_document
from vip_model.planning.inputs import PlanInputs, Pod
from vip_model.planning.plan import plan
from vip_model.resources.node import Node
from vip_model.resources.pool import VirtualIPPool
from vip_model.resources.speaker import Speaker
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.schema.validation import findings
from vip_model.vocabulary import Family
from vip_operator.core.known.decode import DecodeError, decode
from vip_operator.core.known.snapshot import (
    EndpointSliceObject,
    ServiceObject,
    SpeakerLease,
    UnreadableVirtualIP,
)


def metadata(name: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    """Return metadata with everything that an API server adds."""
    found = {
        "name": name,
        "uid": f"uid-{name}",
        "resourceVersion": "7",
        "generation": 2,
        "creationTimestamp": "2026-11-03T10:00:00Z",
        "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
        **more,
    }
    return found | ({"namespace": namespace} if namespace else {})


def stored_vip(status: object = None, **spec: Any) -> dict[str, Any]:
    """Return a VirtualIP as the API server sends it."""
    content = vip_document(**spec) | {"metadata": metadata("web", "shop")}
    return content if status is None else content | {"status": status}


# --- VirtualIP -----------------------------------------------------------------------------------


def test_a_virtual_ip_with_everything_that_a_server_adds() -> None:
    """Metadata and status that only a server writes are no misfits, and are known."""
    status = {
        "activeNode": "n2",
        "observedGeneration": 1,
        "future": {"unknown": True},
        "conditions": [{"type": "Bound", "status": "True", "reason": "Held", "more": 1}],
    }
    found = decode("VirtualIP", stored_vip(status))
    assert isinstance(found, VirtualIP)
    assert found.spec == vip().spec
    assert (found.metadata.uid, found.metadata.generation) == ("uid-web", 2)
    assert found.metadata.resource_version == "7"
    assert found.status.active_node == "n2"
    assert found.status.conditions[0].type == "Bound"


def test_null_in_the_metadata_says_nothing() -> None:
    """A field of the metadata that is null is taken as absent."""
    content = stored_vip()
    content["metadata"] |= {"labels": None, "deletionTimestamp": None}
    found = decode("VirtualIP", content)
    assert isinstance(found, VirtualIP)
    assert found.metadata.labels == {}


@pytest.mark.parametrize("status", ["nonsense", {"activeNode": 7}, {"conditions": [{}]}, []])
def test_a_status_that_cannot_be_read_counts_as_none(status: object) -> None:
    """Whatever somebody wrote into the status, the VirtualIP is read, and its status is empty."""
    found = decode("VirtualIP", stored_vip(status))
    assert isinstance(found, VirtualIP)
    assert found.status == vip().status


def test_a_host_of_a_gate_from_before_its_rule_is_readable() -> None:
    """An object that the API server would refuse today is judged, and so told what is wrong."""
    gate = {"name": "web", "httpGet": {"port": 80, "host": "[::1]"}}
    found = decode("VirtualIP", stored_vip(gates=[gate]))
    assert isinstance(found, VirtualIP)
    ((field, message),) = findings(found)
    assert field == "spec.gates[0].httpGet.host"
    assert "without brackets" in message


def test_what_users_wrote_is_read_strictly() -> None:
    """An unknown field of the spec makes a VirtualIP unreadable, with the problem and the way out.

    Its identity and its conditions are known all the same.
    """
    conditions = [{"type": "Accepted", "status": "True"}, "nonsense"]
    found = decode("VirtualIP", stored_vip({"conditions": conditions}, adresses=["192.0.2.1"]))
    assert isinstance(found, UnreadableVirtualIP)
    assert (found.key, found.uid, found.generation) == ("shop/web", "uid-web", 2)
    assert found.resource_version == "7"
    assert found.conditions == ({"type": "Accepted", "status": "True"},)
    (problem,) = found.problems
    assert (problem.object, problem.field) == ("VirtualIP shop/web", "spec.adresses")
    assert "did you mean addresses?" in problem.message


@pytest.mark.parametrize("status", ["nonsense", [], {"conditions": 5}, {"conditions": None}])
def test_an_unreadable_virtual_ip_with_any_status(status: object) -> None:
    """Whatever its status holds, an unreadable VirtualIP is told apart, without conditions."""
    found = decode("VirtualIP", stored_vip(status, adresses=[]))
    assert isinstance(found, UnreadableVirtualIP)
    assert found.conditions == ()


@pytest.mark.parametrize("spec", [None, [], "text", {"addresses": "192.0.2.1"}])
def test_a_spec_of_another_shape_is_told_to_the_user(spec: object) -> None:
    """A spec that is missing or is no object makes the VirtualIP unreadable, not the operator."""
    found = decode("VirtualIP", stored_vip() | {"spec": spec})
    assert isinstance(found, UnreadableVirtualIP)
    assert found.problems


def test_an_unreadable_virtual_ip_that_is_being_deleted_is_gone() -> None:
    """Nobody has to be told about a VirtualIP that only a finalizer keeps."""
    content = stored_vip(adresses=[])
    content["metadata"]["deletionTimestamp"] = "2026-11-03T11:00:00Z"
    assert decode("VirtualIP", content) is None


# --- what the system writes ----------------------------------------------------------------------


def test_a_virtual_router_survives_the_way_to_the_server_and_back() -> None:
    """What was planned, encoded and decoded, is the same spec: nothing is written again."""
    gates = [{"name": "app", "pods": {"selector": {"matchLabels": {"app": "web"}}}}]
    virtual_ip = vip(
        addresses=["192.0.2.100", "2001:db8::100"],
        gates=gates,
        serviceRef={"name": "web"},
        placement={"preferredNodes": ["n2"]},
        vrrp={"interfaces": ["eth*"], "additionalPeers": ["192.0.2.200"]},
    )
    planned = router_of(plan(PlanInputs(virtual_ips=[virtual_ip], speakers=lan(3))))
    content = msgspec.json.decode(msgspec.json.encode(planned))
    content["metadata"] = metadata(planned.name)
    found = decode("VirtualRouter", content)
    assert isinstance(found, VirtualRouter)
    assert found.spec == planned.spec


def test_a_virtual_router_of_a_newer_operator_is_read() -> None:
    """Fields that are not known here are ignored."""
    planned = router_of(plan(PlanInputs(virtual_ips=[vip()], speakers=lan(2))))
    content = msgspec.to_builtins(planned)
    content["spec"]["future"] = {"x": 1}
    content["spec"]["candidates"][0]["weight"] = 5
    content["metadata"] = metadata(planned.name)
    found = decode("VirtualRouter", content)
    assert isinstance(found, VirtualRouter)
    assert found.spec == planned.spec


def test_a_virtual_router_that_cannot_be_read_is_named() -> None:
    """The error is a sentence with the object, the field and what is wrong."""
    content = {"metadata": metadata("vip.shop.web"), "spec": {"instances": "none"}}
    with pytest.raises(DecodeError) as caught:
        decode("VirtualRouter", content)
    text = str(caught.value)
    assert text.startswith("VirtualRouter vip.shop.web cannot be read: spec.instances: ")
    assert text.endswith(".")


def test_a_speaker_and_a_pool() -> None:
    """Objects of ours are read from what the server sends."""
    status = {"interfaces": [{"name": "eth0", "subnets": ["192.0.2.1/24"]}], "future": 1}
    speaker = decode("Speaker", {"metadata": metadata("n1"), "status": status})
    assert isinstance(speaker, Speaker)
    assert speaker.status.interfaces[0].subnets == ("192.0.2.1/24",)
    content = {"metadata": metadata("lan"), "spec": {"ranges": ["192.0.2.0/24"]}}
    pool = decode("VirtualIPPool", content)
    assert isinstance(pool, VirtualIPPool)
    assert pool.spec.ranges == ("192.0.2.0/24",)


# --- Lease and Node ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "revision"),
    [("4711", 4711), ("", 0), ("-3", 0), ("x", 0), ("٣", 0), ("9" * 5000, 0), (str(2**60), 0)],
)
def test_the_lease_of_a_speaker(annotation: str, revision: int) -> None:
    """A Lease tells its node and the applied revision, 0 for what cannot be a revision."""
    annotations = {"vip-operator.io/applied-revision": annotation}
    content = {"metadata": metadata("vip-speaker-n1.lan", "vips", annotations=annotations)}
    assert decode("Lease", content) == SpeakerLease("n1.lan", "7", revision)


def test_a_lease_without_annotation_and_one_of_somebody_else() -> None:
    """A new Lease has applied nothing; Leases of others are of no interest."""
    found = decode("Lease", {"metadata": metadata("vip-speaker-n1", "vips")})
    assert found == SpeakerLease("n1", "7", 0)
    assert decode("Lease", {"metadata": metadata("kube-scheduler", "vips")}) is None


def test_a_node_is_the_same_after_its_heartbeat() -> None:
    """What kubelet renews all the time is not kept; labels and addresses are."""
    content = {
        "metadata": metadata("n1", labels={"rack": "a"}),
        "status": {
            "addresses": [{"type": "InternalIP", "address": "192.0.2.1"}],
            "conditions": [{"type": "Ready", "lastHeartbeatTime": "10:00"}],
        },
    }
    found = decode("Node", content)
    assert isinstance(found, Node)
    assert (found.name, found.metadata.labels) == ("n1", {"rack": "a"})
    assert found.status.addresses[0].address == "192.0.2.1"
    content["metadata"]["resourceVersion"] = "8"
    content["status"]["conditions"] = []
    assert decode("Node", content) == found
    assert isinstance(decode("Node", {"metadata": metadata("n2"), "status": {}}), Node)


@pytest.mark.parametrize(
    ("ready", "taint", "out"),
    [
        ("Unknown", "node.kubernetes.io/out-of-service", True),
        ("True", "node.kubernetes.io/out-of-service", False),
        ("Unknown", "node.kubernetes.io/unreachable", False),
    ],
)
def test_a_node_is_out_of_service(ready: str, taint: str, out: bool) -> None:
    """It is not ready, and an administrator says that it is shut down; neither alone will do."""
    content = {
        "metadata": metadata("n1"),
        "spec": {"taints": [{"key": taint, "effect": "NoExecute", "value": "nodeshutdown"}]},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }
    found = decode("Node", content)
    assert isinstance(found, Node)
    assert found.out_of_service is out


# --- Service, EndpointSlice, Pod -----------------------------------------------------------------


def test_a_service() -> None:
    """Type, class, policy, families, the IP addresses of its ingress and deletion are known."""
    content = {
        "metadata": metadata("web", "shop", deletionTimestamp="2026-11-03T11:00:00Z"),
        "spec": {
            "type": "LoadBalancer",
            "loadBalancerClass": "vip-operator.io/vip",
            "externalTrafficPolicy": "Local",
            "ipFamilies": ["IPv6", "IPv4", "IPv9"],
            "ports": [{"port": 80}],
        },
        "status": {
            "loadBalancer": {"ingress": [{"ip": "192.0.2.9", "ipMode": "VIP"}, {"hostname": "h"}]}
        },
    }
    assert decode("Service", content) == ServiceObject(
        namespace="shop",
        name="web",
        uid="uid-web",
        resource_version="7",
        type="LoadBalancer",
        load_balancer_class="vip-operator.io/vip",
        local=True,
        families=(Family.IPV6, Family.IPV4),
        ingress=("192.0.2.9",),
        deleting=True,
    )


@pytest.mark.parametrize("status", [None, {}, {"loadBalancer": {}}, {"loadBalancer": None}])
def test_a_service_without_an_ingress(status: object) -> None:
    """A Service that nothing was assigned to has no ingress, however the server says so."""
    content = {"metadata": metadata("web", "shop"), "spec": {}, "status": status}
    found = decode("Service", content)
    assert isinstance(found, ServiceObject)
    assert (found.type, found.ingress, found.local) == ("ClusterIP", (), False)


def endpoint(node: str | None, **conditions: bool | None) -> dict[str, Any]:
    """Return an endpoint of an EndpointSlice."""
    return {"nodeName": node, "addresses": ["10.0.0.1"], "conditions": conditions}


def test_ready_nodes_of_an_endpoint_slice() -> None:
    """A node counts if an endpoint on it may be ready and is not terminating."""
    content = {
        "metadata": metadata("web-x", "shop", labels={"kubernetes.io/service-name": "web"}),
        "endpoints": [
            endpoint("ready", ready=True),
            endpoint("unknown", ready=None),
            {"nodeName": "silent", "addresses": ["10.0.0.1"]},
            endpoint("unready", ready=False),
            endpoint("terminating", ready=True, terminating=True),
            endpoint(None, ready=True),
        ],
    }
    nodes = frozenset({"ready", "unknown", "silent"})
    assert decode("EndpointSlice", content) == EndpointSliceObject(
        "shop", "web", nodes, nameless=True
    )


def test_an_endpoint_without_a_node_counts_only_if_it_is_ready() -> None:
    """One that is not ready says nothing of nodes."""
    content = {
        "metadata": metadata("web-x", "shop", labels={"kubernetes.io/service-name": "web"}),
        "endpoints": [endpoint("n1", ready=True), endpoint(None, ready=False)],
    }
    found = decode("EndpointSlice", content)
    assert isinstance(found, EndpointSliceObject)
    assert not found.nameless


def test_an_endpoint_slice_without_endpoints_or_without_a_service() -> None:
    """The server sends null for no endpoints; a slice of no Service is of no interest."""
    labelled = metadata("web-x", "shop", labels={"kubernetes.io/service-name": "web"})
    content = {"metadata": labelled, "endpoints": None}
    assert decode("EndpointSlice", content) == EndpointSliceObject("shop", "web", frozenset())
    assert decode("EndpointSlice", {"metadata": metadata("x", "shop"), "endpoints": []}) is None


def pod(ready: str = "True", phase: str = "Running", **more: Any) -> dict[str, Any]:
    """Return a Pod on n1."""
    return {
        "metadata": metadata("web-1", "shop", labels={"app": "web"}, **more),
        "spec": {"nodeName": "n1", "containers": []},
        "status": {
            "phase": phase,
            "conditions": [
                {"type": "PodScheduled", "status": "True"},
                {"type": "Ready", "status": ready},
            ],
        },
    }


@pytest.mark.parametrize(
    ("content", "ready"),
    [
        (pod(), True),
        (pod(ready="False"), False),
        (pod(ready="Unknown"), False),
        (pod(phase="Failed"), False),
        (pod(phase="Succeeded"), False),
        (pod(deletionTimestamp="2026-11-03T11:00:00Z"), False),
        (pod() | {"status": {"phase": "Pending"}}, False),
        (pod() | {"status": {}}, False),
    ],
)
def test_a_pod_is_ready(content: dict[str, Any], ready: bool) -> None:
    """A pod is ready if it says so, has not ended and is not being deleted."""
    assert decode("Pod", content) == Pod("shop", "n1", {"app": "web"}, ready)


def test_a_pod_without_a_node_is_of_no_interest() -> None:
    """A pod that is not scheduled yet is on no node."""
    assert decode("Pod", pod() | {"spec": {"containers": []}}) is None


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("Service", {"spec": {"type": 5}}),
        ("EndpointSlice", {"endpoints": [{"nodeName": 5}]}),
        ("Pod", {"spec": {"nodeName": "n1"}, "status": {"conditions": "none"}}),
        ("Node", {"status": {"addresses": [{"type": "InternalIP"}]}}),
        ("Speaker", {"status": {"interfaces": "none"}}),
        ("VirtualIPPool", {"spec": {"rangs": []}}),
    ],
)
def test_an_object_that_cannot_be_read_is_named(kind: str, content: dict[str, Any]) -> None:
    """Every kind answers an impossible shape with an error that names the object."""
    labels = {"kubernetes.io/service-name": "web"}
    with pytest.raises(DecodeError, match=rf"^{kind} .*thing cannot be read: .+\.$"):
        decode(kind, {"metadata": metadata("thing", "shop", labels=labels), **content})
