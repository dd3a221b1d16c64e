"""Which virtual routers of a cluster are no stranger's, as each node tells its engine."""

from __future__ import annotations

from typing import Any

import pytest

from vip_model.vocabulary import Family
from vip_speaker.agent.kubernetes.routers import ClusterState
from vip_speaker.messages import KnownRouter


def router(*nodes: str, name: str = "web", vrid: int = 51, **spec: Any) -> dict[str, Any]:
    """Return a VirtualRouter with these candidates, n1 at 192.0.2.1 and so on."""
    return {
        "apiVersion": "vip-operator.io/v1alpha1",
        "kind": "VirtualRouter",
        "metadata": {"name": f"vip.shop.{name}", "uid": f"uid-{name}"},
        "spec": {
            "owners": [{"namespace": "shop", "name": name}],
            "revision": 1,
            "instances": [
                {"family": "IPv4", "virtualRouterID": vrid, "addresses": ["192.0.2.100"]}
            ],
            "candidates": [
                {
                    "node": node,
                    "slot": slot,
                    "priority": 254 - 3 * slot,
                    "sources": [{"family": "IPv4", "address": f"192.0.2.{node[1:]}"}],
                }
                for slot, node in enumerate(nodes)
            ],
            **spec,
        },
    }


@pytest.fixture
def state() -> ClusterState:
    """Node n1."""
    return ClusterState("n1", frozenset())


def known(state: ClusterState) -> list[KnownRouter]:
    """Return what the engine is told."""
    found = state.view(0).orders.desired.known
    assert found is not None
    return found


def of(*nodes: str, vrid: int = 51) -> KnownRouter:
    """Return a router that these nodes speak for."""
    sources = [f"192.0.2.{node[1:]}" for node in nodes]
    return KnownRouter(family=Family.IPV4, virtual_router_id=vrid, sources=sources)


def test_an_empty_cluster_knows_nobody(state: ClusterState) -> None:
    """That is an answer too: every speaker is a stranger."""
    assert known(state) == []


def test_routers_of_other_nodes_are_known(state: ClusterState) -> None:
    """This node hears them although it takes no part; the order is that of the names."""
    state.upsert(router("n2", "n3"))
    state.upsert(router("n1", "n2", name="db", vrid=7))
    assert known(state) == [of("n1", "n2", vrid=7), of("n2", "n3")]


def test_former_candidates_are_known(state: ClusterState) -> None:
    """One that was taken off the list speaks on until it hears of it."""
    state.upsert(router("n2", "n3"))
    state.upsert(router("n3", "n4"))
    assert known(state) == [of("n3", "n4", "n2")]


def test_what_is_retired_is_known_until_it_is_deleted(state: ClusterState) -> None:
    """Its Active may hear of the end later than this node."""
    state.upsert(router("n2"))
    state.upsert(router("n2", retired=True))
    assert known(state) == [of("n2")]
    state.delete(router("n2", retired=True))
    assert known(state) == []


def test_what_vanishes_is_known(state: ClusterState) -> None:
    """Nobody was told to end it, so that it goes on; a new version takes its place."""
    state.upsert(router("n2"))
    state.delete(router("n2"))
    assert known(state) == [of("n2")]
    state.upsert(router("n3"))
    assert known(state) == [of("n3")]
