"""What the operator writes into Services: the addresses of accepted VirtualIPs, and when not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from support.operator_facts import WEB, Cluster, events, ingresses, service, unreadable
from support.resources import node, speaker
from vip_model.resources.speaker import Speaker
from vip_model.vocabulary import Family, Reason
from vip_operator.core.changes import SetIngress
from vip_operator.core.reporting.virtual_ip_status import StatusKeeper

REF: dict[str, Any] = {"serviceRef": {"name": "nginx"}}
BAD = ["192.0.2.100", "192.0.2.300"]


def wanted(cluster: Cluster) -> list[SetIngress]:
    """Return what a round wants written to Services, and write it."""
    found = ingresses(cluster.round(StatusKeeper()))
    for change in found:
        cluster.services = [
            replace(each, ingress=change.addresses) if each.name == change.name else each
            for each in cluster.services
        ]
    return found


def shown(cluster: Cluster, name: str = "nginx") -> tuple[str, ...]:
    """Return the addresses that a Service shows in the end."""
    wanted(cluster)
    assert wanted(cluster) == []
    return next(each.ingress for each in cluster.services if each.name == name)


def test_written_at_accepted() -> None:
    """A Service shows the address as soon as its VirtualIP is accepted, with nobody holding it."""
    cluster = Cluster(services=[service()])
    cluster.declare(**REF)
    assert wanted(cluster) == [
        SetIngress(
            namespace="shop",
            name="nginx",
            uid="uid-nginx",
            resource_version="7",
            addresses=("192.0.2.100",),
        )
    ]
    assert cluster.told("Bound")[0] == "False"


def test_nothing_is_written_twice() -> None:
    """A Service that shows what it should is left alone."""
    cluster = Cluster(services=[service("nginx", "192.0.2.100")])
    cluster.declare(**REF)
    assert wanted(cluster) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "ClusterIP"},
        {"type": "NodePort"},
        {"load_balancer_class": ""},
        {"load_balancer_class": "example.com/other"},
        {"deleting": True},
        {"type": "ClusterIP", "ingress": ("192.0.2.99",)},
        {"load_balancer_class": "example.com/other", "ingress": ("192.0.2.99",)},
    ],
)
def test_services_of_others_are_never_written(changes: dict[str, Any]) -> None:
    """Of another type or class, or on its way out, a Service is not ours to write."""
    cluster = Cluster(services=[service(**changes)])
    cluster.declare(**REF)
    assert ingresses(cluster.round(StatusKeeper())) == []


def test_the_class_can_be_another() -> None:
    """The operator may be told another load-balancer class, and then has only that."""
    services = [service(), service("web", load_balancer_class="lan")]
    cluster = Cluster(services=services, load_balancer_class="lan")
    cluster.declare(serviceRef={"name": "web"})
    found = ingresses(cluster.round(StatusKeeper()))
    assert [each.name for each in found] == ["web"]


def test_in_order_of_names_without_duplicates_in_normal_form() -> None:
    """Several VirtualIPs of one Service are shown by name, each address once and normalised."""
    cluster = Cluster(services=[service()])
    cluster.declare("b", addresses=["192.0.2.102"], **REF)
    cluster.declare("a", addresses=["2001:DB8:0::100", "192.0.2.101"], **REF)
    cluster.declare("c", addresses=["192.0.2.103"])
    assert shown(cluster) == ("2001:db8::100", "192.0.2.101", "192.0.2.102")


def test_only_of_its_own_namespace() -> None:
    """A VirtualIP means a Service of its own namespace."""
    cluster = Cluster(services=[service(namespace="other")])
    cluster.declare(**REF)
    assert ingresses(cluster.round(StatusKeeper())) == []


def test_removed_when_the_virtual_ip_goes() -> None:
    """A Service whose VirtualIP was deleted shows nothing."""
    cluster = Cluster(services=[service()])
    cluster.declare(**REF)
    assert shown(cluster) == ("192.0.2.100",)
    cluster.virtual_ips.clear()
    assert shown(cluster) == ()


def test_cleared_without_any_virtual_ip() -> None:
    """What is left in a Service of ours to which no VirtualIP refers is cleared."""
    assert shown(Cluster(services=[service("nginx", "192.0.2.9")])) == ()


def test_moved_to_another_service() -> None:
    """A VirtualIP that refers to another Service is shown there and no more here."""
    cluster = Cluster(services=[service(), service("apache")])
    cluster.declare(**REF)
    shown(cluster)
    cluster.declare(serviceRef={"name": "apache"})
    assert (shown(cluster), shown(cluster, "apache")) == ((), ("192.0.2.100",))


def test_never_written_while_refused_from_the_beginning() -> None:
    """A VirtualIP that was never accepted shows nowhere."""
    cluster = Cluster(services=[service()])
    cluster.declare(addresses=BAD, **REF)
    assert shown(cluster) == ()


def test_kept_when_an_edit_is_refused() -> None:
    """A refused edit takes nothing from the Service, and adds nothing."""
    cluster = Cluster(services=[service()])
    cluster.declare(**REF)
    shown(cluster)
    cluster.declare(addresses=["192.0.2.7", "192.0.2.300"], **REF)
    assert shown(cluster) == ("192.0.2.100",)
    assert cluster.told("Accepted") == ("False", "Invalid")


def test_kept_when_it_cannot_be_read() -> None:
    """A VirtualIP that cannot be parsed keeps what its election carries, in a group too."""
    for group in ("", "front"):
        cluster = Cluster(services=[service()])
        cluster.declare(group=group, **REF)
        shown(cluster)
        cluster.virtual_ips.clear()
        cluster.unreadable.append(unreadable())
        assert shown(cluster) == ("192.0.2.100",)


def test_kept_only_until_it_is_gone() -> None:
    """A VirtualIP that is refused and then deleted leaves nothing in the Service."""
    cluster = Cluster(services=[service()])
    cluster.declare(**REF)
    shown(cluster)
    cluster.virtual_ips.clear()
    cluster.unreadable.append(unreadable())
    shown(cluster)
    cluster.unreadable.clear()
    assert shown(cluster) == ()


def test_a_refused_member_shows_only_what_is_its_own() -> None:
    """The address of a deleted member leaves the Service and the group."""
    cluster = Cluster(services=[service()])
    cluster.declare("a", addresses=["192.0.2.101"], group="front", **REF)
    cluster.declare("b", addresses=["192.0.2.102"], group="front", **REF)
    assert shown(cluster) == ("192.0.2.101", "192.0.2.102")
    cluster.declare("b", addresses=["192.0.2.102", "192.0.2.300"], group="front", **REF)
    del cluster.virtual_ips["shop/a"]
    assert shown(cluster) == ("192.0.2.102",)
    carried = [one for each in cluster.routers for one in each.spec.instances[0].addresses]
    assert carried == ["192.0.2.102"]


def test_a_refused_member_keeps_nothing_of_its_group() -> None:
    """What a sibling gave up stays gone, although a refused member shares its election."""
    cluster = Cluster(services=[service(), service("apache")])
    cluster.declare("a", addresses=["192.0.2.101"], group="front", **REF)
    cluster.declare("b", addresses=["192.0.2.102"], group="front", **REF)
    assert shown(cluster) == ("192.0.2.101", "192.0.2.102")
    cluster.declare("b", addresses=["192.0.2.102", "192.0.2.300"], group="front", **REF)
    cluster.declare("a", addresses=["192.0.2.101"], group="front", serviceRef={"name": "apache"})
    assert shown(cluster) == ("192.0.2.102",)
    assert shown(cluster, "apache") == ("192.0.2.101",)


def test_who_holds_does_not_matter() -> None:
    """Moves and outages write nothing to the Service."""
    cluster = Cluster(services=[service()])
    cluster.declare(**REF)
    shown(cluster)
    keeper = StatusKeeper()
    for holder in ("n1", "n2"):
        cluster.claim(holder)
        assert ingresses(cluster.round(keeper)) == []
        cluster.release(holder, WEB)
        assert ingresses(cluster.round(keeper)) == []


# --- addresses that are somebody else's ---------------------------------------------------------


def on_a_lan_of(subnet: str) -> dict[str, Speaker]:
    """Return the report of a node that has one address."""
    return {"n9": speaker("n9", {"eth0": [subnet]})}


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888"])
def test_an_address_that_nobody_can_hold_is_not_shown(address: str) -> None:
    """An address outside of all subnets is not shown, however accepted."""
    cluster = Cluster(services=[service()])
    cluster.declare(addresses=[address], **REF)
    assert shown(cluster) == ()
    assert cluster.told("Accepted")[0] == "True"


@pytest.mark.parametrize("address", ["192.0.2.2", "2001:db8::2"])
def test_an_address_of_a_node_is_not_shown(address: str) -> None:
    """What a node has itself is refused, and taken out of a Service that shows it."""
    cluster = Cluster(services=[service("nginx", address)])
    cluster.declare(addresses=[address], **REF)
    assert shown(cluster) == ()
    assert cluster.told("Accepted")[0] == "False"


def test_such_an_address_is_taken_back() -> None:
    """One that an earlier operator wrote into a Service is cleared, the others stay."""
    cluster = Cluster(services=[service("nginx", "8.8.8.8", "192.0.2.100")])
    cluster.declare(addresses=["8.8.8.8", "192.0.2.100"], **REF)
    assert shown(cluster) == ("192.0.2.100",)


def test_an_address_that_only_a_node_reports_is_not_shown() -> None:
    """The addresses in a Node count as its own too, those that are names do not matter."""
    cluster = Cluster(services=[service()], nodes=(node("n1", {}, "n1.example", "192.0.2.100"),))
    cluster.declare(**REF)
    assert shown(cluster) == ()


def test_a_virtual_address_that_a_node_takes_for_its_own_stays() -> None:
    """Neither kubelets nor speakers that report it later, nor moves, take it from the Service."""
    cluster = Cluster(services=[service()])
    cluster.declare(**REF)
    cluster.claim("n2")
    assert shown(cluster) == ("192.0.2.100",)
    cluster.nodes = (node("n2", {}, "192.0.2.100"),)
    assert shown(cluster) == ("192.0.2.100",)
    cluster.speakers |= on_a_lan_of("192.0.2.100/24")
    assert shown(cluster) == ("192.0.2.100",)
    cluster.release("n2")
    assert shown(cluster) == ("192.0.2.100",)


def test_an_address_that_became_a_nodes_own_is_not_shown_anew() -> None:
    """It stays where it is shown, and goes to no other Service."""
    cluster = Cluster(services=[service(), service("apache")])
    cluster.declare(**REF)
    shown(cluster)
    cluster.nodes = (node("n2", {}, "192.0.2.100"),)
    cluster.declare(serviceRef={"name": "apache"})
    assert (shown(cluster), shown(cluster, "apache")) == ((), ())


def test_a_nodes_own_address_is_not_shown_once_it_is_reported_late() -> None:
    """A VirtualIP that was accepted before anybody reported takes no address from a node."""
    cluster = Cluster(services=[service()])
    late, cluster.speakers = cluster.speakers, {}
    cluster.declare(addresses=["192.0.2.2"], **REF)
    assert shown(cluster) == ()
    cluster.speakers = late
    for _each in range(3):
        assert shown(cluster) == ()


def test_an_edit_to_a_foreign_address_shows_nothing_of_it() -> None:
    """That something of the VirtualIP is shown and held is no leave to show more."""
    cluster = Cluster(services=[service()])
    cluster.declare(**REF)
    cluster.claim("n2")
    shown(cluster)
    cluster.declare(addresses=["192.0.2.100", "8.8.8.8"], **REF)
    assert shown(cluster) == ("192.0.2.100",)


def test_a_subnet_that_is_not_reported_for_a_while_takes_nothing_back() -> None:
    """A link that goes down on all nodes leaves what the Service showed, after a restart too."""
    cluster, keeper = Cluster(services=[service()]), StatusKeeper()
    cluster.declare(**REF)
    for change in ingresses(cluster.round(keeper)):
        cluster.services = [service("nginx", *change.addresses)]
    assert cluster.services[0].ingress == ("192.0.2.100",)
    cluster.speakers = on_a_lan_of("198.51.100.9/24")
    for _each in range(3):
        assert ingresses(cluster.round(keeper)) == []
    assert ingresses(cluster.round(StatusKeeper())) == []


def test_without_any_report_nothing_is_taken_back_and_nothing_shown() -> None:
    """An operator that begins amid the loss of all Speakers leaves Services as they are."""
    cluster = Cluster(services=[service("nginx", "192.0.2.100"), service("apache")])
    cluster.declare(**REF)
    cluster.declare("b", addresses=["192.0.2.101"], serviceRef={"name": "apache"})
    cluster.speakers = {}
    assert shown(cluster) == ("192.0.2.100",)
    assert shown(cluster, "apache") == ()


# --- families -----------------------------------------------------------------------------------

DUAL = ["192.0.2.100", "2001:db8::100"]
ONLY_IPV4 = (Family.IPV4,)


def test_a_service_shows_only_the_families_that_it_has() -> None:
    """kube-proxy forwards no other, and the VirtualIP says what is left out."""
    cluster = Cluster(services=[service(families=ONLY_IPV4)])
    cluster.declare(addresses=DUAL, **REF)
    cluster.claim("n1")
    assert [each.addresses for each in wanted(cluster)] == [("192.0.2.100",)]
    ready = cluster.condition("Ready")
    assert ready.status == "True"
    assert "Service nginx does not show 2001:db8::100: it has no IPv6" in ready.message
    assert "ipFamilyPolicy" in ready.message


def test_what_a_service_does_not_show_is_told_by_an_event() -> None:
    """Each sentence once."""
    cluster, keeper = Cluster(services=[service(families=ONLY_IPV4)]), StatusKeeper()
    cluster.declare(addresses=DUAL, **REF)
    told = [each.message for _ in range(3) for each in events(cluster.round(keeper))]
    assert [each for each in told if "does not show 2001:db8::100" in each] == told != []


def test_a_family_that_comes_and_goes_is_followed() -> None:
    """The ingress follows ipFamilies both ways, and so does what is said."""
    cluster = Cluster(services=[service(families=ONLY_IPV4)])
    cluster.declare(addresses=DUAL, **REF)
    cluster.claim("n1")
    wanted(cluster)
    for families, ingress in ((tuple(Family), tuple(DUAL)), (ONLY_IPV4, ("192.0.2.100",))):
        cluster.services = [replace(cluster.services[0], families=families)]
        assert [each.addresses for each in wanted(cluster)] == [ingress]
        is_told = "does not show" in cluster.condition("Ready").message
        assert is_told == (families == ONLY_IPV4)


def test_a_link_local_address_is_not_shown() -> None:
    """It says nothing to anybody on another link; the others are shown."""
    cluster = Cluster(services=[service()])
    cluster.declare(addresses=["fe80::100", "2001:db8::100"], **REF)
    assert shown(cluster) == ("2001:db8::100",)


# --- virtual addresses that nodes take for their own ---------------------------------------------


def advice_about(cluster: Cluster) -> list[str]:
    """Return what a new operator tells by events Advice."""
    found = events(cluster.round(StatusKeeper()))
    return [each.message for each in found if each.reason == Reason.ADVICE]


def test_the_kubelet_that_takes_a_virtual_address_is_named() -> None:
    """An event names the node and the setting of its kubelet, once."""
    cluster, keeper = Cluster(services=[service()]), StatusKeeper()
    cluster.declare(**REF)
    cluster.round(keeper)
    cluster.nodes = (node("n2", {}, "192.0.2.100"),)
    told = [each.message for _ in range(3) for each in events(cluster.round(keeper))]
    (text,) = [each for each in told if "--node-ip" in each]
    assert text.startswith("spec.addresses[0]: Node n2 lists 192.0.2.100 as its InternalIP")


def test_a_node_that_has_a_virtual_address_of_its_own_is_named() -> None:
    """Where the speaker reports it, the network configuration is to be mended."""
    cluster = Cluster(services=[service()])
    cluster.declare(**REF)
    cluster.round(StatusKeeper())
    cluster.speakers |= on_a_lan_of("192.0.2.100/24")
    cluster.declare(**REF)
    (text,) = (each for each in advice_about(cluster) if "spec.addresses[0]" in each)
    assert "n9 has 192.0.2.100 of its own as well" in text
    assert "--node-ip" not in text
