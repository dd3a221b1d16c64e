"""Priority 255: the host that has the address as its own (RFC 9568 §6.1), and hosts that have not.

The owner's address is the kernel's own: nothing that the speaker does, and no way in which it
ends, may change it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.l2 import Ether
from scapy.layers.vrrp import VRRPv3

from support.network_manifests import NODES, ROUTER, VIP, manifest, virtual_ip
from support.speakers import SETTLED_SECONDS, TAKEOVER_SECONDS
from vip_lab.capture import Capture
from vip_lab.client import Probing
from vip_lab.fleet import Fleet
from vip_lab.host import Host
from vip_lab.lan import Lan
from vip_lab.process import Process
from vip_lab.wait import throughout, until

OWNER, SECOND, THIRD = NODES
OWN, OWN6 = "192.0.2.11", "2001:db8::11"  # what the lab gives n1
INTERVAL_MS = 200
PRIORITIES = {OWNER: 255, SECOND: 250, THIRD: 247}
MARK = "192.0.2.211"  # of nobody; its coming shows that the monitor of addresses listens


def _placement(**changes: int) -> dict[str, Any]:
    priorities = {**PRIORITIES, **changes}
    return {"priorities": [{"node": name, "priority": one} for name, one in priorities.items()]}


def _file(*addresses: str, mode: str, **changes: int) -> str:
    return manifest(
        virtual_ip(
            addresses=addresses,
            interval_ms=INTERVAL_MS,
            placement=_placement(**changes),
            vrrp={"preemption": {"mode": mode}},
        )
    )


@pytest.fixture
def fleet(fresh_lan: Lan, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """Speakers that are not started, with the file of the test."""
    fleet = Fleet(fresh_lan, NODES, request.param)
    yield fleet
    fleet.end()


owned = pytest.mark.parametrize(
    "fleet", [_file(OWN, OWN6, mode="Always")], indirect=True, ids=["owned"]
)


class AddressMonitor:
    """Every change that the kernel makes known of the addresses of a host, from now on."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._process: Process = host.start("monitor", ["ip", "monitor", "address"])
        self._mark()

    def seen(self) -> list[str]:
        """Return the changes of the owner's addresses so far."""
        self._mark()
        lines = self._process.text().splitlines()
        return [line for line in lines if f" {OWN}/" in line or f" {OWN6}/" in line]

    def _mark(self) -> None:
        """Make a change of an address of no concern, until it is seen."""
        before = self._process.text().count(MARK)

        def changed() -> bool:
            for verb in ("add", "delete"):
                self._host.ip("address", verb, f"{MARK}/32", "dev", "lo")
            return self._process.text().count(MARK) > before

        until("the monitor of addresses to listen", changed, 10.0)


def _entries(host: Host) -> list[object]:
    """Return all that the kernel knows of the owner's addresses."""
    found = host.addresses()
    return [found.get(OWN), found.get(OWN6)]


def _is_backed_up(fleet: Fleet) -> bool:
    return all(
        fleet.states(ROUTER, family) == {OWNER: "Active", SECOND: "Backup", THIRD: "Backup"}
        for family in ("IPv4", "IPv6")
    )


@owned
def test_an_owner_keeps_its_own_address(fleet: Fleet, fresh_lan: Lan, pcap: Path) -> None:
    """It is never bound, renewed, released or given a lifetime; adverts carry 255."""
    owner = fresh_lan[OWNER]
    before = _entries(owner)
    monitor = AddressMonitor(owner)
    with Capture(fresh_lan["client"], pcap, "ip proto 112") as capture:
        fleet.start()
        until("one Active, two Backups", lambda: _is_backed_up(fleet), SETTLED_SECONDS)
        throughout(
            "the owner alone",
            lambda: fresh_lan.holders(OWN) == fresh_lan.holders(OWN6) == [OWNER],
            4.0,  # more than a lifetime, in which others are renewed several times
        )
        assert _is_backed_up(fleet)
    adverts = [Ether(frame.data)[VRRPv3] for frame in capture.frames()]
    assert len(adverts) > 10
    assert {one.priority for one in adverts} == {255}
    assert fleet[OWNER].stop() == 0
    until("n2 to take over", lambda: SECOND in fresh_lan.holders(OWN), TAKEOVER_SECONDS)
    assert monitor.seen() == []
    assert _entries(owner) == before


@owned
def test_an_owner_that_crashes_is_backed_up_and_returns(fleet: Fleet, fresh_lan: Lan) -> None:
    """The next host serves its address meanwhile; the owner takes it back when it is there."""
    fleet.start()
    until("one Active, two Backups", lambda: _is_backed_up(fleet), SETTLED_SECONDS)
    owner = fresh_lan[OWNER]
    before = _entries(owner)
    monitor = AddressMonitor(owner)

    fresh_lan.cut(OWNER)
    fleet[OWNER].kill()
    both = [OWNER, SECOND]
    until(
        "n2 to have them too",
        lambda: fresh_lan.holders(OWN) == fresh_lan.holders(OWN6) == both,
        TAKEOVER_SECONDS,
    )
    with Probing(fresh_lan["client"], [f"icmp:{OWN}"], 100) as probing:
        time.sleep(0.5)
    assert probing.result.lost < 5, "n2 does not serve what it has taken over"
    entry = fresh_lan[SECOND].addresses()[OWN]
    assert entry["prefixlen"] == 32

    fleet[OWNER].start()
    fresh_lan.restore(OWNER)
    until("the owner alone", lambda: fresh_lan.holders(OWN) == [OWNER], TAKEOVER_SECONDS)
    until("one Active, two Backups", lambda: _is_backed_up(fleet), SETTLED_SECONDS)
    assert fresh_lan.holders(OWN6) == [OWNER]
    assert monitor.seen() == []
    assert _entries(owner) == before


@pytest.mark.parametrize("fleet", [_file(VIP, mode="Always")], indirect=True, ids=["not owned"])
def test_the_highest_number_makes_no_owner(fleet: Fleet, fresh_lan: Lan) -> None:
    """A host that does not have the address takes no part with 255, and says what to write."""
    fleet[SECOND].start_and_wait()
    until("n2 to hold it", lambda: fresh_lan.holders(VIP) == [SECOND], SETTLED_SECONDS)

    fleet[OWNER].start_and_wait()
    until("n1 to have the file", lambda: fleet[OWNER].router(ROUTER), SETTLED_SECONDS)
    throughout("n2 keeps it", lambda: fresh_lan.holders(VIP) == [SECOND], 3.0)

    router = fleet[OWNER].router(ROUTER)
    assert router is not None
    assert router["state"] == "Initialize"
    assert "choose 155 to 254" in fleet[OWNER].status_command().stdout
    checked = fleet[OWNER].command(
        "check", str(fleet[OWNER].manifest), "--node", OWNER, "--this-host"
    )
    assert checked.returncode == 1
    assert "Priority 255 is for the host that has 192.0.2.100" in checked.stdout + checked.stderr


@pytest.mark.parametrize("fleet", [_file(VIP, mode="Never", n1=254)], indirect=True, ids=["never"])
def test_never_is_kept_where_somebody_writes_255(fleet: Fleet, fresh_lan: Lan) -> None:
    """An edit to 255 under preemption Never is refused on each host; what is in force goes on."""
    fleet[SECOND].start_and_wait()
    until("n2 to hold it", lambda: fresh_lan.holders(VIP) == [SECOND], SETTLED_SECONDS)
    fleet[OWNER].start_and_wait()
    until("n1 to be Backup", lambda: fleet[OWNER].state(ROUTER) == "Backup", SETTLED_SECONDS)

    fleet.write(_file(VIP, mode="Never"))
    until(
        "both to refuse it",
        lambda: all("write mode Always" in fleet[name].log() for name in (OWNER, SECOND)),
        SETTLED_SECONDS,
    )
    throughout("n2 keeps it", lambda: fresh_lan.holders(VIP) == [SECOND], 3.0)

    router = fleet[OWNER].router(ROUTER)
    assert router is not None
    assert (router["state"], router["priority"]) == ("Backup", 254)
