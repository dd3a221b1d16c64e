"""Gates decide who deserves the address: real checks, real moves, and what `status` says."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from scapy.layers.l2 import ARP, Ether
from scapy.layers.vrrp import VRRPv3

from support.figures import Figure
from support.network_manifests import NODES, ROUTER, VIP, manifest, virtual_ip
from support.speakers import (
    SLACK_SECONDS,
    bring_back,
    down_interval_seconds,
    limit_ms,
    seconds_until,
)
from vip_lab.capture import Capture
from vip_lab.client import Probing, answers, get
from vip_lab.fleet import Fleet
from vip_lab.host import Host
from vip_lab.lan import Lan
from vip_lab.wait import throughout, until
from vip_lab.web import WebServer
from vip_model.vocabulary import LOWEST_PROVISIONAL_PRIORITY

INTERVAL_MS = 1000
HTTP_PORT = 9112
PERIOD_MS, TIMEOUT_MS, FAILURES = 100, 200, 2
CHECK_SECONDS = (PERIOD_MS * FAILURES + TIMEOUT_MS) / 1000
GATE = {
    "name": "web",
    "httpGet": {"port": 80, "path": "/"},
    "periodMilliseconds": PERIOD_MS,
    "timeoutMilliseconds": TIMEOUT_MS,
    "failureThreshold": FAILURES,
}
SKEW_SECONDS = (256 - 248) / 256 * INTERVAL_MS / 1000


@pytest.fixture(scope="module")
def servers(lan: Lan) -> Iterator[dict[str, WebServer]]:
    """A web server on each host."""
    servers = {name: WebServer(lan[name]) for name in NODES}
    for server in servers.values():
        server.start()
    yield servers
    for server in servers.values():
        server.stop()


@pytest.fixture(scope="module")
def fleet(lan: Lan, servers: dict[str, WebServer]) -> Iterator[Fleet]:
    """Three speakers whose web servers are checked every 100 ms."""
    fleet = Fleet(lan, NODES, manifest(virtual_ip(interval_ms=INTERVAL_MS, gates=[GATE])))
    fleet.start()
    yield fleet
    fleet.end()


@pytest.fixture
def holder(fleet: Fleet, servers: dict[str, WebServer]) -> str:
    """The host that holds the address, every web server running."""
    for name, server in servers.items():
        if not _listens(fleet.lan[name]):
            server.start()
    return bring_back(fleet)


def _listens(host: Host) -> bool:
    """Whether the host's web server runs: its kernel tells, however long the server pauses."""
    with host.open_socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.settimeout(5.0)
        try:
            connection.connect(("127.0.0.1", 80))
        except ConnectionRefusedError:
            return False
        return True


def test_address_leaves_a_host_that_cannot_serve(
    *,
    fleet: Fleet,
    lan: Lan,
    servers: dict[str, WebServer],
    holder: str,
    pcap: Path,
    figure: Figure,
) -> None:
    """A stopped web server moves the address within its checks and a Skew_Time; no ping is lost."""
    with (
        Capture(lan["client"], pcap, "ip proto 112 or arp") as capture,
        Probing(lan["client"], [f"icmp:{VIP}", f"tcp:{VIP}:80"], 500) as probing,
    ):
        time.sleep(0.3)
        servers[holder].stop()
        new_holder = fleet.await_holder(VIP, fleet.others(holder), 5.0)
        until("the page of the new holder", lambda: answers(lan["client"], VIP), 2.0)
        time.sleep(0.3)
    ping, connects = probing.results[f"icmp:{VIP}"], probing.results[f"tcp:{VIP}:80"]
    figure("web server stopped, ICMP", ping)
    figure("web server stopped, TCP", connects)
    assert ping.lost <= 3, str(ping)
    limit_of_connects_ms = limit_ms(CHECK_SECONDS + SKEW_SECONDS, INTERVAL_MS, connects)
    assert connects.longest_gap_ms < limit_of_connects_ms, str(connects)
    page = f"This page comes from {new_holder}."
    until("the page again", lambda: answers(lan["client"], VIP) == page, 2.0)

    frames = [(frame.at_ns, Ether(frame.data)) for frame in capture.frames()]
    resigned = [at for at, one in frames if VRRPv3 in one and one[VRRPv3].priority == 0]
    announced = [
        at
        for at, one in frames
        if ARP in one and one[ARP].psrc == VIP and one[ARP].hwsrc == lan[new_holder].mac
    ]
    assert len(resigned) >= 2, "the resignation is sent more than once: one may be lost"
    handover_ms = (announced[0] - resigned[0]) / 1e6
    figure("resignation to announcement", handover_ms / 1000)
    assert 0 < handover_ms < limit_ms(SKEW_SECONDS, INTERVAL_MS, ping)


def test_status_tells_why(fleet: Fleet, servers: dict[str, WebServer], holder: str) -> None:
    """The failing gate and the lowered priority are in the status, and both recover."""
    backup = fleet.others(holder)[0]
    base = fleet[backup].router(ROUTER)
    assert base is not None
    servers[backup].stop()

    def gate_state() -> str:
        router = fleet[backup].router(ROUTER)
        return "" if router is None else str(router["gates"][0]["state"])

    until("the gate to fail", lambda: gate_state() == "Failing", 3.0)
    router = fleet[backup].router(ROUTER)
    assert router is not None
    assert router["effectivePriority"] == 144 - (254 - base["priority"]) // 3  # that of its slot
    assert router["gates"][0]["name"] == GATE["name"]
    assert "refused" in router["gates"][0]["reason"].lower()
    table = fleet[backup].status_command().stdout
    assert "refused" in table.lower()
    servers[backup].start()
    until("the gate to pass again", lambda: gate_state() == "Passing", 3.0)


def test_when_all_fail_the_best_still_serves(
    fleet: Fleet, lan: Lan, servers: dict[str, WebServer], holder: str
) -> None:
    """With every web server stopped somebody goes on holding the address, and only one."""
    last = _last_holder(fleet, servers)
    throughout(
        "it stays with the same host",
        lambda: lan.holders(VIP) == [last],
        4.0,
        every=0.1,
        show=lambda: f"{lan.holders(VIP)}, {fleet.describe(ROUTER)}",
    )


def _last_holder(fleet: Fleet, servers: dict[str, WebServer]) -> str:
    """Stop every web server; return who has the address when all know that theirs is gone."""
    for server in servers.values():
        server.stop()
    until(
        "every gate to fail",
        lambda: all(
            (one := speaker.router(ROUTER)) is not None and one["gates"][0]["state"] == "Failing"
            for speaker in fleet
        ),
        5.0,
    )
    until(
        "one Active and two Backups",
        lambda: (
            sorted(str(one) for one in fleet.states(ROUTER).values())
            == ["Active", "Backup", "Backup"]
        ),
        5.0,
        show=lambda: fleet.describe(ROUTER),
    )
    return fleet.await_holder(VIP, NODES, 2.0)


@pytest.mark.usefixtures("holder")
def test_the_first_that_recovers_gets_the_address(
    fleet: Fleet, servers: dict[str, WebServer]
) -> None:
    """A host that becomes healthy takes the address from one that is not, without preemption."""
    unhealthy = _last_holder(fleet, servers)
    healthy = next(name for name in reversed(NODES) if name != unhealthy)
    servers[healthy].start()
    fleet.await_holder(VIP, [healthy], 3.0)


def test_verdict_survives_the_agent(fleet: Fleet, lan: Lan, holder: str) -> None:
    """While its agent is dead the engine keeps the last verdict."""
    speaker = fleet[holder]
    old_pid = speaker.kill_role("agent")
    router = speaker.router(ROUTER)
    assert router is not None
    assert router["gates"][0]["state"] == "Passing"
    # Provisional at the worst, as long as it was started only just now; a failing one has less.
    assert router["effectivePriority"] >= LOWEST_PROVISIONAL_PRIORITY
    speaker.await_new("agent", old_pid)
    throughout("the holder stays", lambda: lan.holders(VIP) == [holder], 1.5, every=0.1)


def test_verdict_survives_the_engine(fleet: Fleet, lan: Lan, holder: str) -> None:
    """A new engine starts with the verdict of its earlier life, not with a failing one."""
    speaker = fleet[holder]
    speaker.kill_role("engine")
    away_seconds = seconds_until(speaker.try_status, "the new engine", 30.0)
    # On a machine where a start takes longer than that the others do not wait for it.
    if away_seconds < down_interval_seconds(INTERVAL_MS) - SLACK_SECONDS:
        throughout("the holder stays", lambda: lan.holders(VIP) == [holder], 3.5, every=0.05)
    router = speaker.router(ROUTER)
    assert router is not None
    assert router["gates"][0]["state"] == "Passing"


def test_status_json_has_what_programs_need(fleet: Fleet, holder: str) -> None:
    """`status --json` is one object with the fields that the reference names."""
    answer = fleet[holder].status_command("--json")
    assert answer.returncode == 0, answer.stderr
    status = json.loads(answer.stdout)
    assert status["node"] == holder
    (router,) = status["virtualRouters"]
    assert router["name"] == ROUTER
    assert router["interface"] == "eth0"
    assert router["family"] == "IPv4"
    assert router["virtualRouterID"] == 51
    assert router["state"] == "Active"
    assert router["priority"] == router["effectivePriority"] > 154
    assert router["addresses"] == [VIP]
    assert router["since"].endswith("Z")
    assert router["gates"][0]["state"] == "Passing"
    counters = router["counters"]
    assert counters["advertisementsSent"] > 0
    assert {"advertisementsReceived", "priorityZeroSent", "priorityZeroReceived"} <= set(counters)
    assert {"transitions", "drops"} <= set(counters)


def test_status_table_reads_well(fleet: Fleet, holder: str) -> None:
    """`status` prints node, address, state and gates for a person."""
    answer = fleet[holder].status_command()
    assert answer.returncode == 0, answer.stderr
    for word in (holder, ROUTER, VIP, "eth0", "51", "Active", "1/1"):
        assert word in answer.stdout, answer.stdout


def test_check_shows_what_a_host_would_run(fleet: Fleet) -> None:
    """`check` accepts a good file, says what it would do, and touches nothing that runs."""
    speaker = fleet["n1"]
    answer = speaker.command("check", "--manifests", str(speaker.manifest), "--node", "n1")
    assert answer.returncode == 0, answer.stderr
    assert ROUTER in answer.stdout
    assert VIP in answer.stdout
    assert "51" in answer.stdout


def test_check_refuses_what_cannot_run(fleet: Fleet, tmp_path: Path) -> None:
    """`check` names object and field of a mistake and exits with 1."""
    bad = virtual_ip(addresses=["224.0.0.5"])
    path = tmp_path / "bad.yaml"
    path.write_text(manifest(bad))
    answer = fleet["n1"].command("check", "--manifests", str(path), "--node", "n1")
    assert answer.returncode == 1
    told = answer.stdout + answer.stderr
    for word in ("web", "addresses", "224.0.0.5"):
        assert word in told, told
    assert "Traceback" not in told


def test_http_pages(fleet: Fleet, holder: str) -> None:
    """/healthz, /readyz, /status and /metrics answer on the host itself."""
    host = fleet[holder].host
    pages = {
        page: get(host, "127.0.0.1", HTTP_PORT, f"/{page}", timeout_seconds=3.0)
        for page in ("healthz", "readyz", "status", "metrics")
    }
    assert {page: code for page, (code, _body) in pages.items()} == dict.fromkeys(pages, 200)
    status = json.loads(pages["status"][1])
    assert status["configuration"]["valid"] is True
    assert status["virtualRouters"][0]["state"] == "Active"
    metrics = pages["metrics"][1]
    assert "vip_speaker_router_state{" in metrics
    assert 'state="Active"' in metrics
