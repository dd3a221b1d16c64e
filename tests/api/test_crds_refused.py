"""Invalid objects: the API server refuses each and names the field; the plan does the rest."""

from __future__ import annotations

from typing import Any

import pytest

from support.invalid_objects import JUDGED, OBJECTS, SPECS, WEB, virtual_ip
from support.resources import lan, vip
from vip_common.kinds import VIRTUAL_IPS
from vip_kube.errors import ApiError
from vip_kube.kinds import Kind
from vip_lab.kubernetes.api import JsonObject
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.kubectl import Kubectl
from vip_model.planning.inputs import AddressPolicy, PlanInputs, Settings
from vip_model.planning.plan import plan


def try_out(plane: ControlPlane, kind: Kind, body: JsonObject) -> None:
    """Ask whether an object would be created, as strictly as kubectl does; nothing is."""
    plane.api.create(kind, body, {"dryRun": "All", "fieldValidation": "Strict"})


def test_a_plain_one_is_accepted(api: ControlPlane) -> None:
    """What the rows below change is valid as it stands: what they change is what is refused."""
    try_out(api, VIRTUAL_IPS, virtual_ip("default", {"gates": [WEB]}))


def test_hosts_of_gates_as_people_write_them(api: ControlPlane) -> None:
    """Names and bare addresses of both families, one with a zone, are accepted."""
    hosts = ["localhost", "Web_1.example.", "192.0.2.7", "::1", "2001:db8::7", "fe80::1%eth0"]
    gates = [
        {"name": f"g{number}", "httpGet": {"port": 80, "host": host}}
        for number, host in enumerate(hosts)
    ]
    try_out(api, VIRTUAL_IPS, virtual_ip("default", {"gates": gates}))


@pytest.mark.parametrize(
    ("spec", "field"), [row[1:] for row in SPECS], ids=[row[0] for row in SPECS]
)
def test_invalid_virtual_ips(api: ControlPlane, spec: dict[str, Any], field: str) -> None:
    """A VirtualIP that cannot be right is refused by the API server, and the field is named."""
    with pytest.raises(ApiError) as refused:
        try_out(api, VIRTUAL_IPS, virtual_ip("default", spec))
    assert refused.value.status in {400, 422}
    assert field in refused.value.message


@pytest.mark.parametrize(
    ("kind", "body", "field"), [row[1:] for row in OBJECTS], ids=[row[0] for row in OBJECTS]
)
def test_invalid_objects(api: ControlPlane, kind: Kind, body: JsonObject, field: str) -> None:
    """The same holds for names and for the other kinds."""
    whole = {"apiVersion": kind.api_version, "kind": kind.name, **body}
    if kind.namespaced:
        whole["metadata"] = {**body["metadata"], "namespace": "default"}
    with pytest.raises(ApiError) as refused:
        try_out(api, kind, whole)
    assert refused.value.status in {400, 422}
    assert field in refused.value.message


@pytest.mark.parametrize(
    ("spec", "reason", "field"), [row[1:] for row in JUDGED], ids=[row[0] for row in JUDGED]
)
def test_what_the_plan_refuses(
    api: ControlPlane, spec: dict[str, Any], reason: str, field: str
) -> None:
    """What no schema can judge passes the API server and is Accepted=False, the field named."""
    try_out(api, VIRTUAL_IPS, virtual_ip("default", spec))
    settings = Settings(
        address_policy=AddressPolicy.POOLS_ONLY if reason == "NotInPool" else AddressPolicy.ANY
    )
    found = plan(PlanInputs(virtual_ips=[vip(**spec)], speakers=lan(3), settings=settings))
    assert found.virtual_routers == ()
    (status,) = found.statuses
    assert status.reason == reason
    assert [problem.field for problem in status.problems] == [field]
    assert field in status.condition().message


def test_kubectl_shows_the_refusal(kubectl: Kubectl, namespace: str) -> None:
    """Who applies a wrong manifest is told the field and what it should be."""
    outcome = kubectl.run(
        "apply", "-f", "-",
        input_text=str(virtual_ip(namespace, {"addresses": ["192.0.2.100/24"]})).replace("'", '"'),
    )  # fmt: skip
    assert outcome.status == 1
    assert "spec.addresses[0]" in outcome.stderr
    assert "must be an IPv4 or IPv6 address without a prefix length" in outcome.stderr
