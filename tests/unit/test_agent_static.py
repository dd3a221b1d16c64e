"""From an election of the plan to what one node's engine is told."""

from __future__ import annotations

from typing import Any

import msgspec

from vip_model.resources.virtual_router import VirtualRouter
from vip_model.vocabulary import Checksum, FailureAction, Family, PreemptionMode
from vip_speaker.agent.desired import desired_router, known_routers
from vip_speaker.messages import DesiredGate, DesiredInstance, DesiredRouter, KnownRouter


def virtual_router(**spec: Any) -> VirtualRouter:
    """Return an election of two nodes as the API has it, with some fields changed."""
    whole: dict[str, Any] = {
        "revision": 4711,
        "timing": {
            "advertisementIntervalMilliseconds": 500,
            "step": 6,
            "failingSlots": 5,
            "startDelaySeconds": 12,
        },
        "preemption": {"mode": "Delayed", "delaySeconds": 9},
        "checksum": "MessageOnly",
        "generateLinkLocal": False,
        "healthBands": False,
        "instances": [
            {
                "family": "IPv4",
                "virtualRouterID": 51,
                "interfaces": ["eth0", "ens*"],
                "addresses": ["192.0.2.100", "192.0.2.101"],
            },
            {"family": "IPv6", "virtualRouterID": 52, "addresses": ["2001:db8::100"]},
        ],
        "candidates": [
            {
                "node": "n1",
                "slot": 0,
                "priority": 254,
                "sources": [{"family": "IPv4", "address": "192.0.2.1"}],
            },
            {
                "node": "n2",
                "slot": 1,
                "priority": 248,
                "sources": [{"family": "IPv4", "address": "192.0.2.2"}],
            },
        ],
        "gates": [
            {
                "name": "nginx",
                "httpGet": {"port": 80},
                "failurePolicy": {"action": "Withdraw", "by": 30},
            },
            {
                "name": "uplink",
                "interface": {"name": "eth1"},
                "failurePolicy": {"cost": 20},
            },
        ],
        **spec,
    }
    return msgspec.convert(
        {
            "apiVersion": "vip-operator.io/v1alpha1",
            "kind": "VirtualRouter",
            "metadata": {"name": "vip.shop.web"},
            "spec": whole,
        },
        VirtualRouter,
    )


def test_everything_arrives() -> None:
    """Each field of the election reaches the engine, with this node's place in it."""
    assert desired_router(virtual_router(), "n2") == DesiredRouter(
        name="vip.shop.web",
        display_name="shop/web",
        revision=4711,
        priority=248,
        slot=1,
        slot_is_hashed=False,
        step=6,
        candidates=5,
        advertisement_interval_milliseconds=500,
        preemption=PreemptionMode.DELAYED,
        preemption_delay_seconds=9,
        start_delay_seconds=12,
        health_bands=False,
        checksum=Checksum.MESSAGE_ONLY,
        generate_link_local=False,
        bootstrap=False,
        instances=[
            DesiredInstance(
                family=Family.IPV4,
                virtual_router_id=51,
                interfaces=["eth0", "ens*"],
                addresses=["192.0.2.100", "192.0.2.101"],
                sources=["192.0.2.1", "192.0.2.2"],
            ),
            DesiredInstance(
                family=Family.IPV6,
                virtual_router_id=52,
                interfaces=[],
                addresses=["2001:db8::100"],
                sources=None,
            ),
        ],
        gates=[
            DesiredGate(name="nginx", action=FailureAction.WITHDRAW, by=30),
            DesiredGate(name="uplink", interface="eth1", cost=20),
        ],
    )


def test_a_node_that_is_no_candidate_runs_nothing() -> None:
    """An election of other nodes is none of this node's business."""
    assert desired_router(virtual_router(), "n9") is None


def test_a_node_that_is_not_listed_may_be_one_by_hash() -> None:
    """Where unlisted nodes take part, their slot is marked as one that may collide."""
    found = desired_router(virtual_router(unlistedNodes="ByHash"), "n9")

    assert found is not None
    assert found.slot_is_hashed
    assert found.slot >= 2
    assert 1 <= found.priority < 248
    assert [instance.sources for instance in found.instances] == [None, None]


def test_whose_adverts_are_ours() -> None:
    """Every instance is known with its sources; where those of a family are not, anyone's are."""
    assert list(known_routers(virtual_router())) == [
        KnownRouter(family=Family.IPV4, virtual_router_id=51, sources=["192.0.2.1", "192.0.2.2"]),
        KnownRouter(family=Family.IPV6, virtual_router_id=52, sources=None),
    ]


def test_an_election_without_candidates_has_no_adverts() -> None:
    """Every router that speaks with its VRID is a stranger."""
    assert [one.sources for one in known_routers(virtual_router(candidates=[]))] == [[], []]
