"""Documents of a file: which sets are used, and which are refused as a whole."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from support.resources import vip_document
from support.rings import ROOT
from vip_model.planning.static import plan_documents
from vip_model.resources.gate import BUILT_GATE_KINDS

# --- documents ---------------------------------------------------------------------------------


def documents(*contents: object) -> list[tuple[str, object]]:
    """Return documents with the names of files: 0.yaml, 1.yaml, …."""
    return [(f"{number}.yaml", content) for number, content in enumerate(contents)]


def test_good_documents_are_used() -> None:
    """Documents without a problem give elections; other kinds are listed as ignored."""
    found = plan_documents(
        documents(
            vip_document(placement={"preferredNodes": ["n1"]}),
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "nginx"}},
            {
                "apiVersion": "vip-operator.io/v1alpha1",
                "kind": "VirtualIPPool",
                "metadata": {"name": "lan"},
                "spec": {"ranges": ["192.0.2.0/24"]},
            },
        ),
        supported_gates=BUILT_GATE_KINDS,
        first_start=False,
    )
    assert found.virtual_routers is not None
    assert [router.name for router in found.virtual_routers] == ["vip.shop.web"]
    assert found.problems == ()
    assert found.ignored == ("Service nginx (1.yaml)", "VirtualIPPool lan (2.yaml)")


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (vip_document("bad", x=1), "1.yaml: VirtualIP shop/bad: spec.x: there is no such field"),
        (
            vip_document("bad", addresses=["127.0.0.1"]),
            "1.yaml: VirtualIP shop/bad: spec.addresses[0]: 127.0.0.1 is a loopback address",
        ),
        (
            vip_document("bad", addresses=["192.0.2.9"], vrrp={"protocol": "VRRPv2"}),
            "1.yaml: VirtualIP shop/bad: spec.vrrp.protocol: this is not built yet",
        ),
    ],
)
@pytest.mark.parametrize("first_start", [True, False])
def test_an_invalid_document_rejects_the_set(bad: object, text: str, first_start: bool) -> None:
    """One invalid document and nothing of the set is used, also at a first start."""
    found = plan_documents(
        documents(vip_document(), bad), supported_gates=BUILT_GATE_KINDS, first_start=first_start
    )
    assert found.virtual_routers is None
    assert str(found.problems[0]).startswith(text)


def test_a_collision_rejects_the_set_unless_there_is_none_before() -> None:
    """A colliding pair rejects a new set; at a first start only the later one is left out."""
    pair = documents(
        vip_document("b", addresses=["192.0.2.2"], vrrp={"virtualRouterID": 51}),
        vip_document("a", addresses=["192.0.2.1"], vrrp={"virtualRouterID": 51}),
    )
    later = plan_documents(pair, supported_gates=None, first_start=False)
    assert later.virtual_routers is None
    first = plan_documents(pair, supported_gates=None, first_start=True)
    assert first.virtual_routers is not None
    assert [router.name for router in first.virtual_routers] == ["vip.shop.a"]
    assert first.problems == later.problems
    assert str(first.problems[0]).startswith("0.yaml: VirtualIP shop/b: spec.vrrp.virtualRouterID")


def test_no_documents_mean_no_elections() -> None:
    """An empty set is a set: it ends every election rather than being rejected."""
    found = plan_documents([], supported_gates=None, first_start=False)
    assert found.virtual_routers == ()


def test_every_process_computes_the_same() -> None:
    """Two processes with different hash seeds plan the same places, in the same order."""
    program = (
        "from support.resources import vip, node\n"
        "from vip_model.planning.inputs import PlanInputs\n"
        "from vip_model.planning.plan import plan\n"
        "from vip_model.planning.rank import place_of\n"
        "ips = [vip(f'v{n}', addresses=[f'192.0.2.{n}']) for n in range(1, 40)]\n"
        "nodes = [node(f'n{n}', None, f'192.0.2.{200 + n}') for n in range(12)]\n"
        "for known in (None, nodes):\n"
        "    found = plan(PlanInputs(virtual_ips=ips, nodes=known))\n"
        "    print(found.virtual_routers, [s.reason for s in found.statuses])\n"
        "    print([place_of(r, f'n{n}') for r in found.virtual_routers for n in range(9)])\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "tests"},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert "Candidate(" in outputs.pop()
