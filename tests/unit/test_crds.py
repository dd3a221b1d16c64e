"""The CRDs: made from the types, accepted by what Kubernetes asks of them, and up to date."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import msgspec
import pytest
import yaml

from support.invalid_objects import ROUTERS, router_document
from support.openapi import misfits, schemas
from support.resources import lan, vip, vip_document
from support.rings import ROOT
from vip_model.planning.inputs import PlanInputs
from vip_model.planning.plan import plan
from vip_model.resources.base import Part
from vip_model.resources.pool import VirtualIPPool
from vip_model.resources.speaker import Speaker
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouter
from vip_model.schema.crd import definitions
from vip_model.schema.crd_rules import VIRTUAL_IP, VIRTUAL_IP_POOL
from vip_model.schema.fields import fields_of, walk

KINDS: dict[str, type[Part]] = {
    "virtualips": VirtualIP,
    "virtualippools": VirtualIPPool,
    "virtualrouters": VirtualRouter,
    "speakers": Speaker,
}
RULES = {
    "virtualips": VIRTUAL_IP,
    "virtualippools": VIRTUAL_IP_POOL,
}


def version(name: str) -> dict[str, Any]:
    """Return the only version of a CRD."""
    (found,) = definitions()[name]["spec"]["versions"]
    assert isinstance(found, dict)
    return found


def root_schema(name: str) -> dict[str, Any]:
    """Return the schema of a kind."""
    found = version(name)["schema"]["openAPIV3Schema"]
    assert isinstance(found, dict)
    return found


def spec_schema(name: str) -> dict[str, Any]:
    """Return the schema of the spec of a kind."""
    found = root_schema(name)["properties"]["spec"]
    assert isinstance(found, dict)
    return found


# --- drift ---------------------------------------------------------------------------------------


def test_generated_files_are_up_to_date() -> None:
    """crds/ and the tables of the reference are what the types say; `make crds` writes them."""
    run = subprocess.run(
        [sys.executable, ROOT / "hack/generate_crds.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert {path.name for path in (ROOT / "crds").iterdir()} == {f"{name}.yaml" for name in KINDS}


def test_files_hold_the_definitions() -> None:
    """Each file of crds/ is the definition of its kind."""
    for name, definition in definitions().items():
        assert yaml.safe_load((ROOT / f"crds/{name}.yaml").read_text()) == definition


def test_the_module_prints_the_definitions() -> None:
    """`python -m vip_model.schema.crd` prints each definition as one line of JSON."""
    run = subprocess.run(
        [sys.executable, "-m", "vip_model.schema.crd"], capture_output=True, text=True, check=True
    )
    assert [json.loads(line) for line in run.stdout.splitlines()] == list(definitions().values())


# --- what Kubernetes asks ------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_schemas_are_structural(name: str) -> None:
    """Every place has one type, lists are atomic, there is no reference, and all is described."""
    for path, schema in schemas(root_schema(name)):
        assert schema["type"] in {"object", "array", "string", "integer", "boolean"}, path
        assert not schema.keys() & {"$ref", "oneOf", "anyOf", "allOf", "nullable"}, path
        if schema["type"] == "array":
            assert schema["x-kubernetes-list-type"] == "atomic", path
        if schema["type"] in {"object", "array"}:
            assert "default" not in schema, path
        if path not in {"apiVersion", "kind", "metadata"} and not path.endswith("[]"):
            assert schema.get("description"), path
        if "pattern" in schema:
            re.compile(schema["pattern"])
            assert schema["pattern"].startswith("^("), path
            assert schema["pattern"].endswith(")$"), path


@pytest.mark.parametrize("name", KINDS)
def test_every_field_is_in_the_schema(name: str) -> None:
    """The schema has each field of the type, required where it has no default, and no other."""
    properties = {path for path, _schema in schemas(root_schema(name))} - {""}
    kubernetes = {"apiVersion", "kind", "metadata"}
    expected = {path for path, _field in walk(KINDS[name]) if path.split(".")[0] not in kubernetes}
    assert {path for path in properties if not path.endswith("[]")} == expected | kubernetes
    assert root_schema(name).get("required", []) == [
        field.name
        for field in fields_of(KINDS[name]).values()
        if field.required and field.name not in kubernetes
    ]


def test_names() -> None:
    """Kinds, scopes and short names are as documented, and what has a status has a subresource."""
    found = {name: each["spec"] for name, each in definitions().items()}
    assert {name: (spec["names"]["kind"], spec["scope"]) for name, spec in found.items()} == {
        "virtualips": ("VirtualIP", "Namespaced"),
        "virtualippools": ("VirtualIPPool", "Cluster"),
        "virtualrouters": ("VirtualRouter", "Cluster"),
        "speakers": ("Speaker", "Cluster"),
    }
    assert found["virtualips"]["names"]["shortNames"] == ["vip"]
    assert all(spec["names"]["categories"] == ["vips"] for spec in found.values())
    with_status = {name for name in KINDS if "subresources" in version(name)}
    assert with_status == {"virtualips", "virtualippools", "speakers"}


def test_columns_of_virtual_ips() -> None:
    """`kubectl get vip` says who holds which address and whether it serves."""
    columns = version("virtualips")["additionalPrinterColumns"]
    assert [each["name"] for each in columns if "priority" not in each] == [
        "Address",
        "Active",
        "Ready",
        "Reason",
        "Age",
    ]


@pytest.mark.parametrize("name", KINDS)
def test_columns_show_fields_that_exist(name: str) -> None:
    """Every column reads a field of the schema."""
    known = {path.replace("[]", "") for path, _schema in schemas(root_schema(name))}
    for column in version(name)["additionalPrinterColumns"]:
        path = re.sub(r"\[[^\]]*\]", "", column["jsonPath"]).removeprefix(".")
        assert path in known | {"metadata.creationTimestamp"}, column


# --- rules ---------------------------------------------------------------------------------------


def rule_cases() -> list[tuple[str, str, str]]:
    """Return CRD, path and rule of everything that is asked in CEL."""
    return [
        (name, path, each.rule)
        for name, rules in RULES.items()
        for path, found in rules.items()
        for each in found
    ]


RULE_IDS = [f"{name}-{path or 'root'}" for name, path, _rule in rule_cases()]


def fields_read(rule: str) -> set[str]:
    """Return what a rule reads, such as self.vrrp.interfaces, without calls of methods."""
    chains = re.findall(r"\b(?:self|oldSelf)(?:\.[a-zA-Z_]+)+", rule)
    methods = r"\.(all|exists_one|size|split|matches|filter)$"
    return {re.sub(methods, "", chain) for chain in chains} - {"self", "oldSelf"}


def test_rules_read_fields() -> None:
    """What a rule reads is found, so that the next two tests prove something."""
    assert fields_read("has(self.a) && oldSelf.b.c.all(r, r.d == self.a.size())") == {
        "self.a",
        "oldSelf.b.c",
    }
    assert sum(len(fields_read(rule)) for _name, _path, rule in rule_cases()) > 40


@pytest.mark.parametrize(("name", "path", "rule"), rule_cases(), ids=RULE_IDS)
def test_rules_read_fields_that_exist(name: str, path: str, rule: str) -> None:
    """A rule stands at a place of the schema and reads only fields that are there."""
    places = dict(schemas(root_schema(name)))
    assert path in places
    for read in fields_read(rule) - {"self.metadata.name"}:
        below = read.partition(".")[2]
        assert (f"{path}.{below}" if path else below) in places


@pytest.mark.parametrize(("name", "path", "rule"), rule_cases(), ids=RULE_IDS)
def test_rules_guard_optional_fields(name: str, path: str, rule: str) -> None:
    """A field that may be absent is asked for with has() before it is read."""
    for read in fields_read(rule) - {"self.metadata.name"}:
        assert f"has({read})" in rule


@pytest.mark.parametrize("name", KINDS)
def test_every_rule_reaches_the_schema(name: str) -> None:
    """All rules of a kind are in its CRD, each at its place."""
    found = {
        path: [each["rule"] for each in schema["x-kubernetes-validations"]]
        for path, schema in schemas(root_schema(name))
        if "x-kubernetes-validations" in schema
    }
    expected = {path: [each.rule for each in rules] for path, rules in RULES.get(name, {}).items()}
    assert found == expected


# --- objects -------------------------------------------------------------------------------------


def test_the_example_fits() -> None:
    """The vip.yaml of the example is a valid object in a cluster too."""
    for document in yaml.safe_load_all((ROOT / "examples/bare-metal/vip.yaml").read_text()):
        assert list(misfits(document, root_schema("virtualips"))) == []


def test_what_the_plan_writes_fits() -> None:
    """Elections of a plan are valid objects, with every kind of thing in them."""
    virtual_ips = [
        vip(
            "a",
            addresses=["192.0.2.100", "2001:db8::100"],
            serviceRef={"name": "nginx"},
            gates=[{"name": "web", "httpGet": {"port": 80}}],
            vrrp={"additionalPeers": ["192.0.2.77"]},
        ),
        vip("b", addresses=["192.0.2.101"], group="front"),
    ]
    found = plan(PlanInputs(virtual_ips=virtual_ips, speakers=lan(5)))
    assert len(found.virtual_routers) == 2
    for router in found.virtual_routers:
        document = json.loads(msgspec.json.encode(router))
        assert list(misfits(document, root_schema("virtualrouters"))) == []
        assert len(json.dumps(document)) < 2500
    for report in lan(2):
        document = json.loads(msgspec.json.encode(report))
        assert list(misfits(document, root_schema("speakers"))) == []


@pytest.mark.parametrize(
    "spec",
    [
        {"vrrp": {"virtualRouterID": 0}},
        {"vrrp": {"virtualRouterID": 256}},
        {"vrrp": {"advertisementIntervalMilliseconds": 1005}},
        {"vrrp": {"protocol": "HSRP"}},
        {"gates": [{"name": "Web", "httpGet": {"port": 80}}]},
        {"gates": [{"httpGet": {"port": 80}}]},
        {"gates": [{"name": "web", "httpGet": {"port": 80, "host": "[::1]"}}]},
        {"placement": {"prefered": []}},
        {"addresses": [f"10.0.{number}.1" for number in range(256)]},
    ],
)
def test_the_schema_refuses_what_the_model_refuses(spec: dict[str, Any]) -> None:
    """Limits of the types are in the schema, so that kubectl tells them at once."""
    assert list(misfits(vip_document(**spec), root_schema("virtualips"))) != []


def test_a_plain_router_fits() -> None:
    """What the cases below change is valid as it stands."""
    assert list(misfits(router_document()["spec"], spec_schema("virtualrouters"))) == []


@pytest.mark.parametrize("spec", [row[1] for row in ROUTERS], ids=[row[0] for row in ROUTERS])
def test_what_an_engine_would_refuse_does_not_fit(spec: dict[str, Any]) -> None:
    """The schema refuses it, although the operator writes it and nobody else does."""
    assert list(misfits(router_document(**spec)["spec"], spec_schema("virtualrouters")))
