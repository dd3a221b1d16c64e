"""A gate that asks the service at the virtual address: on every host its holder answers.

Before there is a holder no such gate passes, and afterwards none says anything of its own host.
The file is refused, and the way out that the refusal names is tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.figures import Figure
from support.network_manifests import NODES, ROUTER, VIP, manifest, virtual_ip
from support.speakers import SETTLED_SECONDS, TAKEOVER_SECONDS
from vip_lab.client import answers
from vip_lab.fleet import Fleet
from vip_lab.lan import Lan
from vip_lab.wait import throughout, until
from vip_lab.web import WebServer

REFUSAL = f"{VIP} is the virtual address"
WAY_OUT = "remove the line"
MOVES = 10


def _file(action: str, **target: Any) -> str:
    gate = {
        "name": "web",
        "httpGet": {"port": 80, **target},
        "periodMilliseconds": 100,
        "timeoutMilliseconds": 200,
        "failureThreshold": 2,
        "failurePolicy": {"action": action},
    }
    return manifest(virtual_ip(interval_ms=1000, gates=[gate]))


@pytest.fixture(scope="module")
def servers(lan: Lan) -> Iterator[dict[str, WebServer]]:
    """A web server on each host, at every address that it has or will have."""
    servers = {name: WebServer(lan[name]) for name in NODES}
    for server in servers.values():
        server.start()
    yield servers
    for server in servers.values():
        server.stop()


@pytest.fixture
def fleet(
    lan: Lan, servers: dict[str, WebServer], request: pytest.FixtureRequest
) -> Iterator[Fleet]:
    """Three speakers with the file of the test."""
    fleet = Fleet(lan, NODES, request.param)
    fleet.start()
    yield fleet
    fleet.end()
    # What they served ends by itself; the next test begins without.
    until("no holder", lambda: lan.holders(VIP) == [], SETTLED_SECONDS)


def _refused(fleet: Fleet) -> bool:
    return all(REFUSAL in speaker.log() and WAY_OUT in speaker.log() for speaker in fleet)


@pytest.mark.parametrize("fleet", [_file("Withdraw", host=VIP)], indirect=True, ids=["Withdraw"])
def test_it_is_refused_at_the_start_and_the_way_out_works(fleet: Fleet, lan: Lan) -> None:
    """Each host says what is wrong instead of waiting for ever; without the line it comes up."""
    until("each host to refuse it", lambda: _refused(fleet), SETTLED_SECONDS)
    assert [speaker.routers() for speaker in fleet] == [[], [], []]

    fleet.write(_file("Withdraw"))

    holder = fleet.await_settled(ROUTER, SETTLED_SECONDS)
    fleet.await_holder(VIP, [holder], TAKEOVER_SECONDS)
    assert answers(lan["client"], VIP) == f"This page comes from {holder}."


@pytest.mark.parametrize("fleet", [_file("LowerPriority")], indirect=True, ids=["LowerPriority"])
def test_each_failure_of_the_holder_moves_the_address(
    fleet: Fleet, lan: Lan, servers: dict[str, WebServer], figure: Figure
) -> None:
    """Ten stops of ten move it, also after an edit that would ask the holder was refused."""
    fleet.await_settled(ROUTER, SETTLED_SECONDS)
    fleet.write(_file("LowerPriority", host=VIP))
    until("each host to refuse it", lambda: _refused(fleet), SETTLED_SECONDS)
    moves = []
    for _ in range(MOVES):
        holder = fleet.await_settled(ROUTER, SETTLED_SECONDS)
        servers[holder].stop()
        moves.append((holder, fleet.await_holder(VIP, fleet.others(holder), TAKEOVER_SECONDS)))
        until("the page", lambda: answers(lan["client"], VIP), TAKEOVER_SECONDS)
        servers[holder].start()
    figure("moves", ", ".join(f"{one} to {other}" for one, other in moves))
    last = moves[-1][1]
    throughout("it stays", lambda: lan.holders(VIP) == [last], 2.0)
