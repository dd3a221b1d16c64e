"""From decoded documents to resources: strict where users write, and every misfit is told."""

from __future__ import annotations

from typing import Any

import pytest

from support.resources import vip, vip_document
from vip_model.resources.enums import PreemptionChoice
from vip_model.resources.node import Node
from vip_model.resources.speaker import Speaker
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.schema.errors import ConfigError
from vip_model.schema.parse import parse_document, parse_documents


def problems_of(content: object) -> dict[str, str]:
    """Return field to message of everything that is wrong with a document."""
    with pytest.raises(ConfigError) as caught:
        parse_document(content, "vip.yaml")
    assert all(problem.origin == "vip.yaml" for problem in caught.value.problems)
    return {problem.field: problem.message for problem in caught.value.problems}


def test_the_smallest_document() -> None:
    """A name and an address are enough; everything else has a default."""
    found = parse_document(
        {
            "apiVersion": "vip-operator.io/v1alpha1",
            "kind": "VirtualIP",
            "metadata": {"name": "web"},
            "spec": {"addresses": ["192.0.2.100"]},
        }
    )
    assert isinstance(found, VirtualIP)
    assert found.key == "default/web"
    assert found.router_name == "vip.default.web"
    assert found.spec.vrrp.advertisement_interval_milliseconds == 1000
    assert found.spec.vrrp.preemption.mode is PreemptionChoice.AUTO
    assert found.spec.placement.max_candidates == 8


def test_names_of_elections() -> None:
    """A VirtualIP has an election of its own, or shares that of its group."""
    assert vip("web").router_name == "vip.shop.web"
    assert vip("web", group="front").router_name == "group.shop.front"


def test_every_kind_of_gate_can_be_written() -> None:
    """A document with one gate of each kind is read, and each gate knows its kind."""
    contents: dict[str, Any] = {
        "httpGet": {"port": 80},
        "tcpSocket": {"port": 80},
        "interface": {"name": "eth1"},
        "pods": {"selector": {"matchLabels": {"app": "nginx"}}},
        "endpoints": {"serviceRef": {"name": "nginx"}},
        "ping": {"host": "192.0.2.1"},
        "command": {"command": ["/bin/true"]},
        "process": {"name": "nginx"},
    }
    gates = [{"name": kind.lower(), kind: content} for kind, content in contents.items()]
    assert [gate.kind for gate in vip(gates=gates).spec.gates] == list(contents)


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"adresses": []}, "spec.adresses", "there is no such field: did you mean addresses?"),
        (
            {"vrrp": {"virtualRouterId": 5}},
            "spec.vrrp.virtualRouterId",
            "there is no such field: did you mean virtualRouterID?",
        ),
        (
            {"virtual_router_id": 5},
            "spec.virtual_router_id",
            "there is no such field here: did you mean spec.vrrp.virtualRouterID?",
        ),
        (
            {"gates": [{"name": "a", "httpGet": {"prot": 80, "port": 80}}]},
            "spec.gates[0].httpGet.prot",
            "there is no such field: did you mean port?",
        ),
        (
            {"placement": {"zzzzzz": 1}},
            "spec.placement.zzzzzz",
            (
                "there is no such field: spec.placement may have nodeSelector, preferredNodes, "
                "priorities, maxCandidates"
            ),
        ),
        (
            {"addresses": "192.0.2.1"},
            "spec.addresses",
            "it must be a list, not the text '192.0.2.1': write [192.0.2.1]",
        ),
        ({"addresses": [7]}, "spec.addresses[0]", "it must be text, not the number 7: write it"),
        (
            {"vrrp": {"virtualRouterID": "51"}},
            "spec.vrrp.virtualRouterID",
            "it must be a whole number, not the text '51'",
        ),
        (
            {"vrrp": {"virtualRouterID": True}},
            "spec.vrrp.virtualRouterID",
            "it must be a whole number, not the truth value true",
        ),
        (
            {"vrrp": {"advertisementIntervalMilliseconds": 0.5}},
            "spec.vrrp.advertisementIntervalMilliseconds",
            "it must be a whole number, not the number 0.5",
        ),
        (
            {"vrrp": {"preemption": {"mode": "never"}}},
            "spec.vrrp.preemption.mode",
            "'never' is not known: did you mean Never?",
        ),
        (
            {"vrrp": {"protocol": "HSRP"}},
            "spec.vrrp.protocol",
            "'HSRP' is not known: choose one of VRRPv3, VRRPv2",
        ),
        (
            {"vrrp": {"authentication": {"type": "x", "keyName": "y"}}},
            "spec.vrrp.authentication.type",
            "'x' is not known: write Password",
        ),
        ({"vrrp": None}, "spec.vrrp", "it is empty: give it a value or remove the line"),
        ({"placement": 5}, "spec.placement", "it must be an object with nodeSelector, "),
        ({"placement": []}, "spec.placement", "not a list"),
        (
            {"placement": {"nodeSelector": ["a"]}},
            "spec.placement.nodeSelector",
            "it must be a mapping of names to values, not a list",
        ),
        (
            {"placement": {"nodeSelector": {"rack": 7}}},
            "spec.placement.nodeSelector.rack",
            "it must be text, not the number 7: write it in quotes",
        ),
        (
            {"placement": {"nodeSelector": {7: "a"}}},
            "spec.placement.nodeSelector",
            "the key 7 must be text: write it in quotes",
        ),
        ({"gates": [{"httpGet": {"port": 1}}]}, "spec.gates[0].name", "it is missing: give text"),
        (
            {"gates": [{"name": "a", "command": {}}]},
            "spec.gates[0].command.command",
            "it is missing: give a list",
        ),
        (
            {"gates": [{"name": "a", "pods": {}}]},
            "spec.gates[0].pods.selector",
            "it is missing: give an object with matchLabels, matchExpressions",
        ),
    ],
)
def test_misfits(spec: dict[str, Any], field: str, message: str) -> None:
    """What does not fit is refused with the path of the field and what would be right."""
    assert message in problems_of(vip_document(**spec))[field]


def test_all_misfits_are_told_at_once() -> None:
    """A document with several mistakes is refused with all of them."""
    document = vip_document(
        "Web", addresses=[1], gtes=[], vrrp={"virtualRouterID": "x", "advert_int": 1}
    )
    assert problems_of(document).keys() == {
        "metadata.name",
        "spec.addresses[0]",
        "spec.gtes",
        "spec.vrrp.virtualRouterID",
        "spec.vrrp.advert_int",
    }


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"kind": "VirtualIp"}, "kind", "'VirtualIp' is not known: did you mean VirtualIP?"),
        ({"kind": "Banana"}, "kind", "choose one of VirtualIP, VirtualIPPool"),
        ({"kind": None}, "kind", "it is missing: write apiVersion: vip-operator.io/v1alpha1"),
        (
            {"apiVersion": "vip-operator.io/v1"},
            "apiVersion",
            "'vip-operator.io/v1' is not known: write vip-operator.io/v1alpha1",
        ),
        ({"apiVersion": None}, "apiVersion", "it is missing: write vip-operator.io/v1alpha1"),
        ({"metadata": {}}, "metadata.name", "it is missing: give text"),
        ({"metadata": {"name": "a.b"}}, "metadata.name", "'a.b' is not allowed"),
        ({"metadata": {"name": ""}}, "metadata.name", "it is empty"),
        ({"metadata": {"name": "a" * 64}}, "metadata.name", "64 characters: at most 63"),
        ({"metadata": {"name": "a", "namespace": "B"}}, "metadata.namespace", "'B' is not allowed"),
        ({"spc": {}}, "spc", "there is no such field: did you mean spec?"),
        ({"addresses": []}, "addresses", "did you mean spec.addresses?"),
    ],
)
def test_misfits_outside_of_the_spec(change: dict[str, Any], field: str, message: str) -> None:
    """Kind, version, name and stray fields are judged like the spec."""
    assert message in problems_of({**vip_document(), **change})[field]


@pytest.mark.parametrize("content", [None, 5, "text", ["list"]])
def test_a_document_must_be_an_object(content: object) -> None:
    """Whatever else YAML can hold is refused with a hint at how a document begins."""
    assert "begin with apiVersion and kind" in problems_of(content)[""]


def test_a_document_without_kind() -> None:
    """A mapping that does not say what it is gets told what to write."""
    found = problems_of({"addresses": ["192.0.2.1"]})
    assert found == {
        "kind": "it is missing: write apiVersion: vip-operator.io/v1alpha1 and kind: VirtualIP"
    }


def test_the_object_and_the_file_are_named() -> None:
    """An error's text begins with file, kind, namespace and name."""
    with pytest.raises(ConfigError, match=r"^vip.yaml: VirtualIP shop/web: spec.x: there is no"):
        parse_document(vip_document(x=1), "vip.yaml")


def test_what_the_system_writes_is_read_leniently() -> None:
    """Unknown fields in metadata and status are ignored, as a newer API server may send them."""
    document = vip_document()
    document["metadata"] |= {"managedFields": [{}], "finalizers": []}
    document["status"] = {"observedGeneration": 3, "news": 1, "candidates": {"other": 2}}
    found = parse_document(document)
    assert isinstance(found, VirtualIP)
    assert found.status.observed_generation == 3


def test_routers_of_a_newer_operator_are_read() -> None:
    """An unknown field and an unknown kind of gate do not make a VirtualRouter unreadable."""
    found = parse_document(
        {
            "apiVersion": "vip-operator.io/v1alpha1",
            "kind": "VirtualRouter",
            "metadata": {"name": "vip.shop.web"},
            "spec": {
                "instances": [
                    {"family": "IPv4", "virtualRouterID": 5, "addresses": ["192.0.2.1"], "new": 1}
                ],
                "gates": [{"name": "a", "quantumProbe": {}}],
                "epoch": 4,
            },
        }
    )
    assert isinstance(found, VirtualRouter)
    assert found.display_name == "shop/web"
    assert found.spec.gates[0].kind is None


def test_speakers_and_nodes_are_read() -> None:
    """Reports and Node documents become resources; what is not needed of them is left out."""
    speaker = parse_document(
        {
            "apiVersion": "vip-operator.io/v1alpha1",
            "kind": "Speaker",
            "metadata": {"name": "n1"},
            "status": {"foreign": [{"interface": "eth0", "virtualRouterID": 9, "source": "x"}]},
        }
    )
    assert isinstance(speaker, Speaker)
    assert speaker.status.foreign[0].virtual_router_id == 9
    node = parse_document(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": "n1.example", "labels": {"rack": "a"}},
            "spec": {"podCIDR": "10.0.0.0/24"},
            "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]},
        }
    )
    assert isinstance(node, Node)
    assert node.name == "n1.example"


def test_a_set_of_documents() -> None:
    """Items of a List count, other kinds are listed, and good documents survive bad ones."""
    parsed = parse_documents(
        [
            (
                "all.yaml",
                {
                    "apiVersion": "v1",
                    "kind": "List",
                    "items": [vip_document("a"), vip_document("b", x=1)],
                },
            ),
            ("other.yaml", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "nginx"}}),
            ("c.yaml", vip_document("c")),
        ]
    )
    assert [each.key for each in parsed.virtual_ips] == ["shop/a", "shop/c"]
    assert parsed.ignored == ("Service nginx (other.yaml)",)
    assert [str(problem).split(": ")[:3] for problem in parsed.problems] == [
        ["all.yaml", "VirtualIP shop/b", "spec.x"]
    ]
    assert parsed.unreadable == {"shop/b"}
    assert parsed.nodes is None


def test_two_documents_of_one_name() -> None:
    """The second document of a kind and name is refused, and the first one is named."""
    parsed = parse_documents([("a.yaml", vip_document()), ("b.yaml", vip_document())])
    assert [str(problem) for problem in parsed.problems] == [
        (
            "b.yaml: VirtualIP shop/web: metadata.name: there are two documents of this name "
            "(first in a.yaml): remove or rename one"
        )
    ]
    assert len(parsed.virtual_ips) == 1
