"""Hundreds of VirtualIPs: what one change costs does not grow with how many there are."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import pytest

from support.figures import Figure
from support.operator_stand import Stand, operator_stand
from vip_common.kinds import SPEAKERS, VIRTUAL_IPS, VIRTUAL_ROUTERS
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.fault_proxy import FaultProxy
from vip_lab.wait import until

MANY, GROUP_SIZE = 300, 10
FEW = 30
EDITS = 15
# One VirtualRouter, one status for each of a group's VirtualIPs, an event or two, and slack.
REQUESTS_PER_CHANGE = 2 * GROUP_SIZE + 5


@pytest.fixture
def stand(api: ControlPlane, namespace: str, proxy: FaultProxy) -> Iterator[Stand]:
    """An operator whose requests the proxy counts, and three speakers."""
    with operator_stand(api, namespace, proxy.kubeconfig("operator")) as stand:
        for number, node in enumerate(stand.speakers.nodes, 1):
            # The nodes of other tests are on a /24, which 300 addresses do not fit into.
            interface = {"name": "eth0", "subnets": [f"10.255.255.{number}/8"]}
            status = {"interfaces": [interface]}
            stand.api.patch(SPEAKERS, node, {"status": status}, subresource="status")
        stand.operator.start_and_wait()
        yield stand


def test_cost_of_a_change_does_not_grow(stand: Stand, proxy: FaultProxy, figure: Figure) -> None:
    """Among 300 VirtualIPs in groups of 10 a change costs what it costs among 30."""
    began = time.monotonic()
    create(stand, range(FEW))
    few = changes(stand, proxy, figure, FEW, first_edit=1)
    created = time.monotonic()
    proxy.clear()
    create(stand, range(FEW, MANY))
    figure(f"{MANY - FEW} more VirtualIPs", time.monotonic() - created)
    asked = writes(proxy)
    figure(f"requests that write, for {MANY - FEW} more", asked)
    # One VirtualRouter a group, rewritten as its members come, and a few statuses each.
    assert asked < 6 * (MANY - FEW)
    many = changes(stand, proxy, figure, MANY, first_edit=1 + EDITS)
    assert many.requests <= max(few.requests * 1.5, REQUESTS_PER_CHANGE)
    # Ten times as many VirtualIPs: anything quadratic would be far beyond this.
    assert many.seconds < 4 * few.seconds + 0.2
    figure("all of it", time.monotonic() - began)
    stand.api.delete_all(VIRTUAL_IPS, stand.namespace)
    until("every VirtualRouter to be gone", lambda: nothing_left(stand), 60.0, every=0.3)


class Cost:
    """Medians over some changes.

    Attributes:
        seconds: from the edit to the VirtualRouter that has it.
        requests: that the operator wrote with until it was quiet.
    """

    def __init__(self, seconds: list[float], requests: list[int]) -> None:
        self.seconds = statistics.median(seconds)
        self.requests = statistics.median(requests)


def name(number: int) -> str:
    """Return the name of a VirtualIP."""
    return f"v{number:03}"


def group(number: int) -> str:
    """Return the group that it is in."""
    return f"g{number // GROUP_SIZE}"


def address(number: int, edit: int = 0) -> str:
    """Return its address, another one for each edit."""
    host = number % 250 + 1 if edit == 0 else 251 + edit % 4
    return f"10.{number // 250}.{edit}.{host}"


def create(stand: Stand, numbers: range) -> None:
    """Create VirtualIPs and wait until all of them are accepted."""
    for number in numbers:
        stand.apply(name(number), address(number), group=group(number))
    wanted = {name(number) for number in numbers}
    until(
        f"{len(numbers)} VirtualIPs to be accepted",
        lambda: wanted <= accepted(stand),
        90.0,
        every=0.2,
        show=lambda: (wanted - accepted(stand), stand.operator.log()[-3000:]),
    )


def accepted(stand: Stand) -> set[str]:
    """Return the names of the VirtualIPs that are accepted."""
    return {
        item["metadata"]["name"]
        for item in stand.api.items(VIRTUAL_IPS, stand.namespace)
        for each in item.get("status", {}).get("conditions", ())
        if (each["type"], each["status"]) == ("Accepted", "True")
    }


def changes(stand: Stand, proxy: FaultProxy, figure: Figure, among: int, first_edit: int) -> Cost:
    """Edit some VirtualIPs one after the other and measure each edit."""
    seconds, requests = [], []
    quiet(stand, proxy)
    for edit in range(first_edit, first_edit + EDITS):
        number = edit * 7 % FEW
        proxy.clear()
        began = time.monotonic()
        patch = {"spec": {"addresses": [address(number, edit)]}}
        stand.api.patch(VIRTUAL_IPS, name(number), patch, stand.namespace)
        router = f"group.{stand.namespace}.{group(number)}"
        until("the edit", lambda: has(stand, router, address(number, edit)), 30.0, every=0.002)  # noqa: B023
        seconds.append(time.monotonic() - began)
        requests.append(quiet(stand, proxy))
    cost = Cost(seconds, requests)
    figure(f"edit to VirtualRouter among {among}, median", cost.seconds)
    figure(f"edit to VirtualRouter among {among}, slowest", max(seconds))
    figure(f"writing requests per edit among {among}, median", cost.requests)
    return cost


def has(stand: Stand, router: str, wanted: str) -> bool:
    """Return whether a VirtualRouter carries an address."""
    instances = stand.api.get(VIRTUAL_ROUTERS, router)["spec"]["instances"]
    return any(wanted in each["addresses"] for each in instances)


def quiet(stand: Stand, proxy: FaultProxy) -> int:
    """Wait until the operator has written nothing for a while; return how often it wrote."""
    last, since = writes(proxy), time.monotonic()

    def look() -> bool:
        nonlocal last, since
        count = writes(proxy)
        if count != last:
            last, since = count, time.monotonic()
        return time.monotonic() - since > 0.6

    until("the operator to be quiet", look, 20.0, every=0.05, show=stand.operator.log)
    return last


def writes(proxy: FaultProxy) -> int:
    """Return how often the operator wrote, Leases left out."""
    return sum(
        count
        for (verb, path), count in proxy.counts(without={"get", "list", "watch"}).items()
        if "/leases" not in path
    )


def nothing_left(stand: Stand) -> bool:
    """Acknowledge all that was written; return whether no VirtualRouter is left."""
    stand.speakers.acknowledge()
    return not stand.api.items(VIRTUAL_ROUTERS)
