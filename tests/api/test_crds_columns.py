"""The CRDs as people meet them: applying, columns, short names, and the examples."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from support.api_server import CRDS
from support.rings import ROOT
from vip_common.kinds import VIRTUAL_IPS, VIRTUAL_ROUTERS
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.kubectl import Kubectl
from vip_lab.wait import until

EXAMPLES = sorted((ROOT / "examples/kubernetes").glob("*.yaml"))
VIRTUAL_IP = """
apiVersion: vip-operator.io/v1alpha1
kind: VirtualIP
metadata: {name: web}
spec:
  addresses: [192.0.2.100]
  group: front
  serviceRef: {name: nginx}
"""
STATUS: dict[str, Any] = {
    "addressSummary": "192.0.2.100",
    "activeNode": "n2",
    "routers": [
        {"name": "group.x.front", "family": "IPv4", "virtualRouterID": 51, "interface": "eth0"}
    ],
    "candidates": {"total": 3, "standby": 2},
}


def condition(name: str, status: str, reason: str) -> dict[str, str]:
    """Return a condition of a status."""
    return {
        "type": name,
        "status": status,
        "reason": reason,
        "message": "",
        "lastTransitionTime": "2025-01-01T00:00:00Z",
    }


def columns(table: str) -> list[dict[str, str]]:
    """Return the rows of a table of kubectl, each cell by its header; no cell may be empty."""
    header, *rows = table.splitlines()
    return [dict(zip(header.split(), row.split(), strict=True)) for row in rows]


def with_status(plane: ControlPlane, kubectl: Kubectl, namespace: str) -> None:
    """Apply a VirtualIP and report it as served by n2."""
    kubectl.apply(VIRTUAL_IP, f"--namespace={namespace}")
    conditions = [
        condition("Accepted", "True", "Accepted"),
        condition("Ready", "True", "Serving"),
    ]
    status = {"status": {**STATUS, "conditions": conditions}}
    plane.api.patch(VIRTUAL_IPS, "web", status, namespace, "status")


@pytest.mark.parametrize("options", [[], ["--server-side", "--force-conflicts"]], ids=str)
def test_crds_apply_again(kubectl: Kubectl, options: list[str]) -> None:
    """crds/*.yaml apply in both ways of applying, also over themselves."""
    files = [f"--filename={path}" for path in CRDS]
    assert len(files) == 4
    assert kubectl("apply", *options, *files).count("customresourcedefinition") == 4


def test_columns_of_kubectl_get(api: ControlPlane, kubectl: Kubectl, namespace: str) -> None:
    """`kubectl get vip` says who has which address, and whether it serves."""
    with_status(api, kubectl, namespace)
    (row,) = columns(kubectl("get", "vip", f"--namespace={namespace}"))
    age = row.pop("AGE")
    assert age.endswith("s")
    assert list(row.items()) == [
        ("NAME", "web"),
        ("ADDRESS", "192.0.2.100"),
        ("ACTIVE", "n2"),
        ("READY", "True"),
        ("REASON", "Serving"),
    ]


def test_wide_columns(api: ControlPlane, kubectl: Kubectl, namespace: str) -> None:
    """`kubectl get vip -o wide` says the rest: why, by which VRID, where, and who stands by."""
    with_status(api, kubectl, namespace)
    (row,) = columns(kubectl("get", "vip", "--output=wide", f"--namespace={namespace}"))
    assert list(row.items())[6:] == [
        ("ACCEPTED", "Accepted"),
        ("GROUP", "front"),
        ("SERVICE", "nginx"),
        ("VRID", "51"),
        ("INTERFACE", "eth0"),
        ("CANDIDATES", "3"),
        ("STANDBY", "2"),
    ]


def test_a_new_one_shows_what_it_can(kubectl: Kubectl, namespace: str) -> None:
    """Before the operator has written a status the columns are there, and empty."""
    kubectl.apply(VIRTUAL_IP, f"--namespace={namespace}")
    header, row = kubectl("get", "vip", f"--namespace={namespace}").splitlines()
    assert header.split() == ["NAME", "ADDRESS", "ACTIVE", "READY", "REASON", "AGE"]
    assert len(row.split()) == 2


def test_columns_of_virtual_routers(api: ControlPlane, kubectl: Kubectl, namespace: str) -> None:
    """`kubectl get viprouter` says which VRID, who comes first, and whether it is retired."""
    api.api.create(
        VIRTUAL_ROUTERS,
        {
            "apiVersion": VIRTUAL_ROUTERS.api_version,
            "kind": "VirtualRouter",
            "metadata": {"name": "vip.shop.web"},
            "spec": {
                "owners": [{"namespace": "shop", "name": "web", "uid": "1"}],
                "revision": 7,
                "retired": False,
                "instances": [
                    {
                        "network": "192.0.2.0/24",
                        "family": "IPv4",
                        "virtualRouterID": 51,
                        "interfaces": ["eth0"],
                        "addresses": ["192.0.2.100"],
                    }
                ],
                "candidates": [{"node": "n1", "slot": 0, "priority": 254}],
            },
        },
    )
    (row,) = columns(kubectl("get", "viprouter"))
    assert (row["NAME"], row["VRID"], row["FIRST"], row["RETIRED"]) == (
        "vip.shop.web",
        "51",
        "n1",
        "false",
    )


def test_short_names_and_the_category(kubectl: Kubectl, namespace: str) -> None:
    """Everything of ours is listed by `kubectl get vips`, and each kind by its short name."""
    kubectl.apply(VIRTUAL_IP, f"--namespace={namespace}")
    assert "virtualip.vip-operator.io/web" in kubectl(
        "get", "vips", "--output=name", f"--namespace={namespace}"
    )
    for name in ("vip", "vippool", "viprouter", "vipspeaker"):
        assert kubectl.run("get", name).ok


def test_a_status_is_not_written_with_the_spec(
    api: ControlPlane, kubectl: Kubectl, namespace: str
) -> None:
    """Who applies a manifest that holds a status does not write it: that is the operator's."""
    document = yaml.safe_load(VIRTUAL_IP)
    kubectl.apply({**document, "status": STATUS}, f"--namespace={namespace}")
    assert "activeNode" not in api.api.get(VIRTUAL_IPS, "web", namespace).get("status", {})


def test_explain_describes_fields(kubectl: Kubectl) -> None:
    """`kubectl explain` has a sentence for a field, from the type."""
    words = ("explain", "vip.spec.addresses")
    # The API server looks only once a second for new kinds to describe.
    told = until(
        "a description",
        lambda: (seen := kubectl.run(*words)).ok and seen.stdout,
        30.0,
        every=0.2,
        show=lambda: kubectl.run(*words),
    )
    assert told
    assert "IPv4 and IPv6 addresses without a prefix length" in " ".join(told.split())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_accepted(kubectl: Kubectl, namespace: str, path: Any) -> None:
    """Each example is accepted as it stands, checked strictly, by the API server."""
    told = kubectl("apply", "--dry-run=server", "--validate=strict", f"--filename={path}")
    documents = list(yaml.safe_load_all(path.read_text()))
    assert len(told.splitlines()) == len(documents)
    virtual_ips = [one for one in documents if one["kind"] == "VirtualIP"]
    assert told.count("virtualip.vip-operator.io") == len(virtual_ips)


def test_the_bare_metal_example_is_accepted(kubectl: Kubectl) -> None:
    """The example without Kubernetes is a valid object in a cluster too."""
    path = ROOT / "examples/bare-metal/vip.yaml"
    told = kubectl("apply", "--dry-run=server", "--validate=strict", f"--filename={path}")
    assert "created (server dry run)" in told


def test_there_are_examples() -> None:
    """The examples for Kubernetes were found: the test above has something to apply."""
    assert len(EXAMPLES) >= 5
