"""Which addresses pools give away, and what waits until others have let go."""

from __future__ import annotations

from typing import Any

import pytest

from support.plans import confirmed, in_cluster, verdicts
from support.resources import node, router_of, speaker, vip
from vip_model.planning.inputs import AddressPolicy, Settings
from vip_model.resources.pool import VirtualIPPool
from vip_model.schema.parse import parse_document
from vip_model.vocabulary import Reason

# --- pools ---------------------------------------------------------------------------------------


def pool(name: str = "lan", **spec: Any) -> VirtualIPPool:
    """Return a pool."""
    found = parse_document(
        {
            "apiVersion": "vip-operator.io/v1alpha1",
            "kind": "VirtualIPPool",
            "metadata": {"name": name},
            "spec": spec,
        }
    )
    assert isinstance(found, VirtualIPPool)
    return found


ONLY_POOLS = Settings(address_policy=AddressPolicy.POOLS_ONLY)


@pytest.mark.parametrize(
    ("spec", "accepted"),
    [
        ({"ranges": ["192.0.2.0/24"]}, True),
        ({"ranges": ["192.0.2.90-192.0.2.100"]}, True),
        ({"ranges": ["192.0.2.100"]}, True),
        ({"ranges": ["192.0.2.101-192.0.2.120", "2001:db8::/64"]}, False),
        ({"ranges": ["192.0.2.0/24"], "avoid": ["192.0.2.100"]}, False),
        ({"ranges": ["192.0.2.0/24"], "namespaces": {"names": ["shop"]}}, True),
        ({"ranges": ["192.0.2.0/24"], "namespaces": {"names": ["other"]}}, False),
    ],
)
def test_pools(spec: dict[str, Any], accepted: bool) -> None:
    """With the policy PoolsOnly an address must be in a pool that its namespace may use."""
    found = in_cluster([vip()], pools=[pool(**spec)], settings=ONLY_POOLS)
    assert found.statuses[0].accepted is accepted
    if not accepted:
        assert found.statuses[0].reason is Reason.NOT_IN_POOL


def test_a_policy_takes_nothing_away() -> None:
    """An address that serves stays when the policy changes; a new one beside it is refused."""
    before = in_cluster([vip()])
    found = in_cluster([vip()], before.virtual_routers, settings=ONLY_POOLS)
    assert found.refusals == ()
    more = vip(addresses=["192.0.2.100", "192.0.2.101"])
    assert in_cluster([more], before.virtual_routers, settings=ONLY_POOLS).refusals != ()


@pytest.mark.parametrize(
    "text", ["192.0.2.0/33", "192.0.2.9-192.0.2.1", "192.0.2.1-2001:db8::1", "lan"]
)
def test_a_pool_that_makes_no_sense(text: str) -> None:
    """A range that is none is warned about by name, and the pool allows nothing."""
    found = in_cluster([vip()], pools=[pool(ranges=["192.0.2.0/24", text])], settings=ONLY_POOLS)
    assert found.warnings[0].object == "VirtualIPPool lan"
    assert found.warnings[0].field == "spec.ranges[1]"
    assert not found.statuses[0].accepted


def test_refused_change_of_group_takes_no_address_away() -> None:
    """An edit that would move a VirtualIP into a group it does not fit keeps its own election."""
    grouped = vip("a", addresses=["192.0.2.101"], group="front")
    before = in_cluster([grouped, vip("web", addresses=["192.0.2.100"])])
    edited = vip(
        "web",
        addresses=["192.0.2.100"],
        group="front",
        vrrp={"advertisementIntervalMilliseconds": 500},
    )
    after = in_cluster([grouped, edited], before.virtual_routers)
    assert verdicts(after)["shop/web"] is Reason.GROUP_MISMATCH
    assert router_of(after, "vip.shop.web") == router_of(before, "vip.shop.web")
    (refusal,) = after.refusals
    assert (refusal.router, refusal.has_candidates) == ("vip.shop.web", True)


def test_change_of_group_waits_until_the_old_election_has_let_go() -> None:
    """A VirtualIP that joins a group is moving until its own election is retired and gone."""
    grouped = vip("a", addresses=["192.0.2.101"], group="front")
    before = in_cluster([grouped, vip("web", addresses=["192.0.2.100"])])
    joins = vip("web", addresses=["192.0.2.100"], group="front")
    moving = in_cluster([grouped, joins], before.virtual_routers)
    assert verdicts(moving)["shop/web"] is Reason.MOVING
    assert list(router_of(moving, "vip.shop.web").spec.releasing) == ["192.0.2.100"]
    known = in_cluster([grouped, joins], moving.virtual_routers, liveness=confirmed(moving))
    assert router_of(known, "vip.shop.web").spec.retired
    left = [each for each in known.virtual_routers if not each.spec.retired]
    there = in_cluster([grouped, joins], left)
    assert there.refusals == ()
    (instance,) = router_of(there, "group.shop.front").spec.instances
    assert instance.addresses == ("192.0.2.101", "192.0.2.100")


def test_leaving_a_group_waits_until_the_group_has_let_go() -> None:
    """A VirtualIP that leaves a group is moving until the group is without its address."""
    mail = vip("mail", addresses=["192.0.2.101"], group="front")
    before = in_cluster([mail, vip("web", addresses=["192.0.2.100"], group="front")])
    leaves = vip("web", addresses=["192.0.2.100"])
    moving = in_cluster([mail, leaves], before.virtual_routers)
    assert verdicts(moving)["shop/web"] is Reason.MOVING
    assert router_of(moving, "vip.shop.web").spec.standby
    (instance,) = router_of(moving, "group.shop.front").spec.instances
    assert instance.addresses == ("192.0.2.101", "192.0.2.100")
    left = in_cluster([mail, leaves], moving.virtual_routers, liveness=confirmed(moving))
    assert verdicts(left)["shop/web"] is Reason.MOVING
    group = router_of(left, "group.shop.front")
    assert group.spec.instances[0].addresses == ("192.0.2.101",)
    assert group.spec.releasing == ("192.0.2.100",)
    there = in_cluster([mail, leaves], left.virtual_routers, liveness=confirmed(left))
    assert there.refusals == ()
    assert not router_of(there, "vip.shop.web").spec.standby


# --- addresses of nodes --------------------------------------------------------------------------


def test_an_address_of_a_node_is_refused() -> None:
    """Nobody can take over what another node is reached at, by its Speaker or by its Node."""
    own = ["192.0.2.11", "198.51.100.7"]
    nodes = [node("n1", {}, own[1])]
    found = in_cluster([vip("a", addresses=own[:1]), vip("b", addresses=own[1:])], nodes=nodes)
    for status, address in zip(found.statuses, own, strict=True):
        assert status.reason is Reason.ADDRESS_IN_USE
        (problem,) = status.problems
        assert problem.message.startswith(f"{address} is an address of node n1 itself")
    assert not found.virtual_routers


def test_an_address_that_runs_already_goes_on() -> None:
    """What a node gets by mistake while the address is served elsewhere takes nothing away."""
    first = in_cluster([vip("a", addresses=["192.0.2.100"])])
    speakers = [speaker("n1", {"eth0": ["192.0.2.11/24", "192.0.2.100/24"]})]
    again = in_cluster(
        [vip("a", addresses=["192.0.2.100"])], first.virtual_routers, speakers=speakers
    )
    assert verdicts(again) == verdicts(first)
    assert set(verdicts(first).values()) == {Reason.ACCEPTED}
