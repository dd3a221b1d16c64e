"""A refused edit of one VirtualIP of a group changes nothing of the group."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from support.planned_cluster import PlannedCluster, declared
from vip_model.resources.virtual_ip import VirtualIP
from vip_model.resources.virtual_router import VirtualRouterSpec
from vip_model.vocabulary import Reason

GROUP = "group.shop.front"


def gate(name: str, port: int = 80) -> dict[str, Any]:
    """Return a gate."""
    return {"name": name, "tcpSocket": {"port": port}}


def mail(**changes: Any) -> VirtualIP:
    """Return the VirtualIP of the group that is edited."""
    spec: dict[str, Any] = {"addresses": ["192.0.2.10"], "group": "front", "gates": [gate("mail")]}
    return declared("mail", created="2026-01-01T00:00:00Z", **{**spec, **changes})


def web(**changes: Any) -> VirtualIP:
    """Return the VirtualIP of the group that is not, or only later."""
    spec: dict[str, Any] = {"addresses": ["192.0.2.11"], "group": "front", "gates": [gate("web")]}
    return declared("web", created="2026-01-02T00:00:00Z", **{**spec, **changes})


def others() -> list[VirtualIP]:
    """Return VirtualIPs that have what the edits want."""
    slow = {"advertisementIntervalMilliseconds": 2000}
    return [
        declared("z", addresses=["192.0.2.12"]),
        declared("back", addresses=["192.0.2.20"], group="back", vrrp=slow),
    ]


@pytest.fixture
def cluster() -> PlannedCluster:
    """A cluster in which the group runs for both, and others run beside it."""
    found = PlannedCluster(virtual_ips=[mail(), web(), *others()])
    found.settle()
    assert carried(found) == ["192.0.2.10", "192.0.2.11"]
    return found


def spec(cluster: PlannedCluster) -> VirtualRouterSpec:
    """Return what is stored of the group."""
    return cluster.routers[GROUP].spec


def carried(cluster: PlannedCluster) -> list[str]:
    """Return the addresses of the group."""
    return [one for each in spec(cluster).instances for one in each.addresses]


def gates(cluster: PlannedCluster) -> list[str]:
    """Return the names of the gates of the group."""
    return [each.name for each in spec(cluster).gates]


def edit(cluster: PlannedCluster, *edited: VirtualIP) -> None:
    """Let users write these instead of both members, and the operator do what follows."""
    cluster.virtual_ips = [*edited, *others()]
    cluster.settle()


def reason_of(cluster: PlannedCluster, name: str) -> Reason:
    """Return the reason of Accepted."""
    statuses = cluster.look().plan.statuses
    return next(each.reason for each in statuses if each.virtual_ip == f"shop/{name}")


REFUSED = [
    pytest.param({"addresses": ["192.0.2.12"]}, Reason.ADDRESS_IN_USE, id="address-replaced"),
    pytest.param({"addresses": ["192.0.2.10", "192.0.2.12"]}, Reason.ADDRESS_IN_USE, id="added"),
    pytest.param({"addresses": ["127.0.0.1"], "gates": []}, Reason.INVALID, id="gates-removed"),
    pytest.param({"group": "back"}, Reason.GROUP_MISMATCH, id="group-that-does-not-fit"),
    pytest.param(
        {"addresses": ["192.0.2.12"], "group": ""}, Reason.ADDRESS_IN_USE, id="group-left"
    ),
    pytest.param(
        {"addresses": ["192.0.2.12"], "group": "new"}, Reason.ADDRESS_IN_USE, id="group-of-its-own"
    ),
]


@pytest.mark.parametrize("restarted", [False, True], ids=["", "restarted"])
@pytest.mark.parametrize(("changes", "reason"), REFUSED)
def test_nothing_of_the_group_changes(
    cluster: PlannedCluster, changes: dict[str, Any], reason: Reason, restarted: bool
) -> None:
    """Whatever of one member is refused, the group keeps addresses, gates, owners and status."""
    before = spec(cluster)
    if restarted:
        cluster.restart()
        cluster.settle()
        before = spec(cluster)
    edit(cluster, mail(**changes), web())
    assert reason_of(cluster, "mail") is reason
    assert spec(cluster) == before
    (refusal,) = cluster.look().plan.refusals
    assert (refusal.router, refusal.has_candidates) == (GROUP, True)


@pytest.mark.parametrize(("changes", "reason"), REFUSED)
def test_an_operator_that_starts_then_changes_nothing_either(
    cluster: PlannedCluster, changes: dict[str, Any], reason: Reason
) -> None:
    """What stays of a refused VirtualIP is known from the VirtualRouter alone."""
    before = spec(cluster)
    cluster.virtual_ips = [mail(**changes), web(), *others()]
    cluster.restart()
    cluster.settle()
    assert reason_of(cluster, "mail") is reason
    assert (spec(cluster).instances, spec(cluster).gates, spec(cluster).owners) == (
        before.instances,
        before.gates,
        before.owners,
    )


@pytest.mark.parametrize(("changes", "_reason"), REFUSED)
def test_an_edit_that_is_accepted_later_takes_effect(
    cluster: PlannedCluster, changes: dict[str, Any], _reason: Reason
) -> None:
    """Once the mistake is mended the group has what is declared, and nothing else."""
    edit(cluster, mail(**changes), web())
    edit(cluster, mail(addresses=["192.0.2.14"], gates=[gate("new")]), web())
    assert carried(cluster) == ["192.0.2.14", "192.0.2.11"]
    assert gates(cluster) == ["new", "web"]
    assert not cluster.look().plan.refusals


def test_an_address_that_becomes_free_makes_the_edit_take_effect(cluster: PlannedCluster) -> None:
    """An edit that was refused for somebody's address is carried out when that one is gone."""
    edit(cluster, mail(addresses=["192.0.2.12"]), web())
    cluster.virtual_ips = [mail(addresses=["192.0.2.12"]), web()]
    cluster.settle()
    assert carried(cluster) == ["192.0.2.12", "192.0.2.11"]


def test_a_refused_virtual_ip_that_is_deleted_takes_its_address_along(
    cluster: PlannedCluster,
) -> None:
    """With the refused VirtualIP goes what stayed for it."""
    edit(cluster, mail(addresses=["192.0.2.12"]), web())
    edit(cluster, web())
    assert carried(cluster) == ["192.0.2.11"]
    assert gates(cluster) == ["web"]
    assert [each.name for each in spec(cluster).owners] == ["web"]


def test_others_of_the_group_may_add(cluster: PlannedCluster) -> None:
    """While one is refused, addresses and gates that another adds are served."""
    more = web(addresses=["192.0.2.11", "192.0.2.15"], gates=[gate("web", 81), gate("more")])
    edit(cluster, mail(addresses=["192.0.2.12"]), more)
    assert set(carried(cluster)) == {"192.0.2.10", "192.0.2.11", "192.0.2.15"}
    assert [
        (each.name, each.tcp_socket.port) for each in spec(cluster).gates if each.tcp_socket
    ] == [
        ("mail", 80),
        ("web", 81),
        ("more", 80),
    ]


def test_what_others_of_the_group_remove_goes(cluster: PlannedCluster) -> None:
    """While one is refused, it keeps what is its own, and another one may change what it has."""
    edit(cluster, mail(addresses=["192.0.2.12"]), web(addresses=["192.0.2.15"], gates=[]))
    assert set(carried(cluster)) == {"192.0.2.10", "192.0.2.15"}
    assert gates(cluster) == ["mail"]


def test_another_one_that_is_deleted_takes_its_part_along(cluster: PlannedCluster) -> None:
    """While one is refused, the address of another member goes with it."""
    edit(cluster, mail(addresses=["192.0.2.12"]))
    assert carried(cluster) == ["192.0.2.10"]
    assert gates(cluster) == ["mail"]
    assert [each.name for each in spec(cluster).owners] == ["mail"]


def test_a_gate_that_both_have_stays_for_the_refused_one(cluster: PlannedCluster) -> None:
    """A gate that two members share goes with the last of them."""
    shared = gate("shared")
    edit(cluster, mail(gates=[shared]), web(gates=[shared]))
    edit(cluster, mail(gates=[shared], addresses=["192.0.2.12"]))
    assert gates(cluster) == ["shared"]


def test_a_record_without_owners_parts_keeps_everything(cluster: PlannedCluster) -> None:
    """Where it is not recorded whose an address is, none is taken away."""
    router = cluster.routers[GROUP]
    owners = tuple(
        msgspec.structs.replace(each, addresses=(), gates=()) for each in router.spec.owners
    )
    unrecorded = msgspec.structs.replace(router.spec, owners=owners)
    cluster.routers[GROUP] = msgspec.structs.replace(router, spec=unrecorded)
    cluster.restart()
    edit(cluster, mail(addresses=["192.0.2.12"]))
    assert carried(cluster) == ["192.0.2.10", "192.0.2.11"]


def test_another_one_may_leave_the_group(cluster: PlannedCluster) -> None:
    """While one is refused, another leaves with its addresses and its gates."""
    edit(cluster, mail(addresses=["192.0.2.12"]), web(group=""))
    assert reason_of(cluster, "web") is Reason.ACCEPTED
    assert carried(cluster) == ["192.0.2.10"]
    assert gates(cluster) == ["mail"]
    (instance,) = cluster.web.spec.instances
    assert instance.addresses == ("192.0.2.11",)


def test_a_service_stays_a_gate(cluster: PlannedCluster) -> None:
    """The gate that serviceRef brings with it stays as well."""
    edit(cluster, mail(serviceRef={"name": "smtp"}), web())
    before = spec(cluster)
    assert gates(cluster) == ["mail", "web", "service/smtp"]
    edit(cluster, mail(addresses=["127.0.0.1"]), web())
    assert spec(cluster) == before


def test_a_group_whose_only_owner_wants_another_one_goes_on(cluster: PlannedCluster) -> None:
    """A group whose owners are all refused elsewhere is neither changed nor retired."""
    edit(cluster, mail())
    before = spec(cluster)
    edit(cluster, mail(group="back"))
    assert spec(cluster) == before
