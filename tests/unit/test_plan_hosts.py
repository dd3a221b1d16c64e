"""Which host of a file a host is: capitals, short and full names, and none at all."""

from __future__ import annotations

from typing import Any

import pytest

from support.resources import vip, vip_document
from vip_model.planning.rank import place_of
from vip_model.planning.static import StaticPlan, plan_documents
from vip_model.schema.hosts import meant_by


def planned(node: str, *documents: dict[str, Any], **placement: Any) -> StaticPlan:
    """Return what a host makes of a VirtualIP with a placement, and of documents beside it."""
    found = [("vip.yaml", each) for each in (vip_document(placement=placement), *documents)]
    return plan_documents(found, supported_gates=None, first_start=False, node=node)


def slot(plan: StaticPlan, node: str) -> int | None:
    """Return the slot of a host in the only election; None where it has none of its own."""
    assert plan.virtual_routers is not None
    (router,) = plan.virtual_routers
    place = place_of(router, plan.names[router.name])
    return place.slot if place is not None and not place.hashed else None


def node_document(name: str) -> dict[str, Any]:
    """Return a Node document with an address."""
    addresses = [{"type": "InternalIP", "address": "192.0.2.11"}]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "status": {"addresses": addresses},
    }


@pytest.mark.parametrize(
    ("name", "names", "expected"),
    [
        ("n1", ["n1", "n2"], ["n1"]),
        ("N1", ["n1", "n2"], ["n1"]),
        ("n1", ["N1", "n2"], ["N1"]),
        ("n1.example.test", ["n1", "n2"], ["n1"]),
        ("n1.example.test.", ["n1", "n2"], ["n1"]),
        ("n1", ["n1.example.test", "n2.example.test"], ["n1.example.test"]),
        ("n1", ["n1", "n1.example.test"], ["n1"]),
        ("n1", ["n1.a.test", "n1.b.test"], ["n1.a.test", "n1.b.test"]),
        ("n1.a.test", ["n1.b.test"], []),
        ("n1", ["n11", "n"], []),
        ("web_01", ["WEB_01"], ["WEB_01"]),
    ],
)
def test_who_is_meant(name: str, names: list[str], expected: list[str]) -> None:
    """The name itself, else the host whose first label it is; two domains are two hosts."""
    assert meant_by(name, names) == expected


@pytest.mark.parametrize("named", ["n2", "N2", "n2.example.test", "N2.Example.Test"])
@pytest.mark.parametrize("own", ["n2", "N2", "n2.Example.test", "n2.example.test."])
@pytest.mark.parametrize("documents", [False, True])
def test_spellings_of_one_host(named: str, own: str, documents: bool) -> None:
    """Capitals and domains make no difference where only one host can be meant."""
    beside = [node_document("N2")] if documents else []
    found = planned(own, *beside, preferredNodes=["n1", named, "n3"], maxCandidates=3)

    assert found.problems == ()
    assert found.excluded == ()
    assert slot(found, own) == 1


def test_a_host_that_may_be_two() -> None:
    """Where two hosts can be meant the set is refused, with the way out."""
    found = planned("n1", preferredNodes=["n1.a.test", "n1.b.test"])

    assert found.virtual_routers is None
    (problem,) = found.problems
    assert "this host, n1, may be n1.a.test or n1.b.test" in str(problem)
    assert "--node" in str(problem)
    assert str(problem).startswith("vip.yaml: VirtualIP shop/web: spec.placement: ")


def test_a_name_that_may_be_two_documents() -> None:
    """A short name beside two Node documents of that first label is refused."""
    found = planned(
        "n1.a.test",
        node_document("n1.a.test"),
        node_document("n1.b.test"),
        preferredNodes=["n1"],
    )

    assert "n1 may be n1.a.test or n1.b.test: write the whole name" in str(found.problems[0])


def test_one_host_named_twice_in_two_spellings() -> None:
    """N1 and n1 are the same host."""
    found = planned("n1", preferredNodes=["N1", "n1"])

    assert "n1 comes twice: remove one" in str(found.problems[0])


def test_a_host_that_is_not_named() -> None:
    """It draws a slot by hash, and a warning says so."""
    found = planned("n9", preferredNodes=["n1", "n2"])

    assert found.excluded == ()
    (warning,) = found.warnings
    where = "vip.yaml: VirtualIP shop/web: spec.placement.preferredNodes"
    assert str(warning).startswith(f"{where}: this host, n9, is not named")


def test_a_host_that_is_named_is_told_nothing() -> None:
    """There is nothing to say of a host that has its place."""
    assert planned("n1", preferredNodes=["n1", "n2"]).warnings == ()


def test_a_host_without_a_part() -> None:
    """Where only the named hosts take part, another one learns why it does not."""
    found = planned("n9", preferredNodes=["n1", "n2"], maxCandidates=2)

    assert found.virtual_routers is not None
    (excluded,) = found.excluded
    assert "this host, n9, takes no part, since no others than n1, n2 do" in str(excluded)
    assert "--node" in str(excluded)


def test_an_election_without_anybody() -> None:
    """Labels that no Node document has leave nobody to hold the address: refused."""
    found = planned("n1", node_document("n1"), nodeSelector={"rack": "z"})

    assert found.virtual_routers is None
    assert "no node can take part" in str(found.problems[0])


def test_capitals_can_be_written() -> None:
    """A host named N1 can be named, with a priority too."""
    found = vip(
        placement={"preferredNodes": ["N1"], "priorities": [{"node": "W_2", "priority": 200}]}
    )

    assert found.spec.placement.named == ("w_2", "n1")
