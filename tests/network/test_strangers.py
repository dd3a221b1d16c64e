"""Virtual routers of others are heard, on every interface with a subnet, and never obeyed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from support.bare_engine import SHOWN, BareEngine, router
from support.network_manifests import ROUTER, VIP, manifest, virtual_ip
from support.speakers import SETTLED_SECONDS
from vip_lab.fleet import Fleet
from vip_lab.keepalived import Keepalived, KeepalivedInstance, why_no_keepalived
from vip_lab.lan import Lan
from vip_lab.wait import throughout, until
from vip_model.vocabulary import Family
from vip_speaker.messages import KnownRouter

pytestmark = pytest.mark.skipif(why_no_keepalived() is not None, reason=str(why_no_keepalived()))

PEER = "n3"
VRID, VRID6 = 77, 78
THEIRS, THEIRS6 = "192.0.2.177", "fe80::112:78"
SECONDS = 10.0


@pytest.fixture(scope="module")
def keepalived(lan: Lan) -> Iterator[Keepalived]:
    """Somebody else's keepalived on n3: VRID 77 for IPv4, 78 for IPv6."""
    made = Keepalived(
        lan[PEER],
        KeepalivedInstance(VRID, 100, 1000, [THEIRS]),
        KeepalivedInstance(VRID6, 100, 1000, [THEIRS6]),
    )
    made.start()
    until(
        "keepalived to hold both",
        lambda: lan[PEER].holds(THEIRS) and lan[PEER].holds(THEIRS6),
        SECONDS,
        show=made.log,
    )
    yield made
    made.stop()


@pytest.fixture
def engine(lan: Lan, cleanup: ExitStack) -> BareEngine:
    """An engine on n1 that knows of no earlier life and was told nothing."""
    made = BareEngine(lan["n1"])
    shutil.rmtree(made.state_directory, ignore_errors=True)
    made.start_and_wait()
    cleanup.callback(made.end)
    return made


def foreign(engine: BareEngine) -> list[dict[str, Any]]:
    """Return the strangers that its status lists."""
    found: list[dict[str, Any]] = engine.status()["foreign"]
    return found


def both(lan: Lan) -> list[dict[str, Any]]:
    """Return what is to be said of keepalived's two routers."""
    return [
        _on_eth0("IPv4", VRID, lan[PEER].ipv4),
        _on_eth0("IPv6", VRID6, lan[PEER].link_local),
    ]


def _on_eth0(family: str, virtual_router_id: int, source: str) -> dict[str, Any]:
    return {
        "interface": "eth0",
        "family": family,
        "virtualRouterID": virtual_router_id,
        "source": source,
    }


@pytest.mark.usefixtures("keepalived")
def test_a_node_without_a_router_hears_them(engine: BareEngine, lan: Lan) -> None:
    """Before anything is allocated a node knows which VRIDs others use, of both families."""
    engine.desire(known=[])
    until("both", lambda: foreign(engine) == both(lan), SECONDS, show=engine.status)
    shown = engine.status_command()
    assert f"VRID {VRID} from {lan[PEER].ipv4} on eth0" in shown.stdout
    assert json.loads(engine.status_command("--json").stdout)["foreign"] == both(lan)


@pytest.mark.usefixtures("keepalived")
def test_it_is_in_the_groups_without_a_router(engine: BareEngine) -> None:
    """Switches that look into IGMP and MLD send the adverts here too."""

    def joined() -> bool:
        groups = engine.host.ip("maddress", "show", "dev", "eth0")
        return "224.0.0.18" in groups and "ff02::12" in groups

    until("the groups", joined, SECONDS)


@pytest.mark.usefixtures("keepalived")
def test_one_with_a_router_hears_them(engine: BareEngine, lan: Lan) -> None:
    """Beside a router of ours, and after it has ended, strangers are heard all the same."""
    engine.desire(router(VIP), known=[])
    engine.await_state("Active")
    until("both", lambda: foreign(engine) == both(lan), SECONDS, show=engine.status)
    engine.desire(known=[])
    until("the router to end", lambda: not engine.routers(), SECONDS)
    assert foreign(engine) == both(lan)


def test_a_stranger_with_our_id_is_heard(engine: BareEngine, lan: Lan, cleanup: ExitStack) -> None:
    """A VRID of ours in the adverts of somebody who is no candidate is a stranger's."""
    other = BareEngine(lan["n2"])
    cleanup.callback(other.end)
    other.start_and_wait()
    other.desire(router(VIP, priority=254))
    other.await_state("Active")
    engine.desire(router("192.0.2.101", priority=200, sources=[lan["n1"].ipv4]), known=[])
    theirs = _on_eth0("IPv4", 51, lan["n2"].ipv4)
    until("theirs", lambda: theirs in foreign(engine), SECONDS, show=engine.status)
    assert engine.state(SHOWN) == "Active"


@pytest.mark.usefixtures("keepalived")
def test_who_is_ours_elsewhere_is_no_stranger(engine: BareEngine, lan: Lan) -> None:
    """A router of our cluster that this node takes no part in is neither listed nor counted."""
    known = KnownRouter(family=Family.IPV4, virtual_router_id=VRID, sources=[lan[PEER].ipv4])
    engine.desire(known=[known])
    until("the other", lambda: foreign(engine) == both(lan)[1:], SECONDS, show=engine.status)
    dropped = engine.status()["drops"]["UnknownVirtualRouter"]
    until(
        "three more of the other",
        lambda: engine.status()["drops"]["UnknownVirtualRouter"] >= dropped + 3,
        SECONDS,
    )
    assert foreign(engine) == both(lan)[1:]
    engine.desire(known=[])
    until("both", lambda: foreign(engine) == both(lan), SECONDS, show=engine.status)
    engine.desire(known=[known])
    assert foreign(engine) == both(lan)[1:]


@pytest.mark.usefixtures("keepalived")
def test_an_agent_that_does_not_say_who_is_ours(engine: BareEngine) -> None:
    """Then nobody is called a stranger, however long they are heard."""
    engine.desire()
    until(
        "their adverts",
        lambda: engine.status()["drops"].get("UnknownVirtualRouter", 0) > 8,
        SECONDS,
    )
    throughout("nobody", lambda: foreign(engine) == [], 0.5)


@pytest.mark.usefixtures("keepalived")
def test_a_network_that_comes_later(engine: BareEngine, lan: Lan) -> None:
    """An interface is listened to while it has a subnet: not after it lost it, and then again."""
    own = f"{lan['n1'].ipv4}/24"
    engine.desire(known=[])
    until("both", lambda: foreign(engine) == both(lan), SECONDS, show=engine.status)
    engine.host.ip("address", "delete", own, "dev", "eth0")
    try:
        until(
            "the group to be left",
            lambda: "224.0.0.18" not in engine.host.ip("maddress", "show", "dev", "eth0"),
            SECONDS,
        )
    finally:
        engine.host.ip("address", "add", own, "brd", "192.0.2.255", "dev", "eth0")
    until(
        "the group to be joined",
        lambda: "224.0.0.18" in engine.host.ip("maddress", "show", "dev", "eth0"),
        SECONDS,
    )


@pytest.mark.usefixtures("keepalived")
def test_a_speaker_in_static_mode_hears_them(lan: Lan, cleanup: ExitStack) -> None:
    """Two speakers with one manifest call keepalived a stranger, and each other none."""
    fleet = Fleet(lan, ["n1", "n2"], manifest(virtual_ip(interval_ms=200)))
    for speaker in fleet:
        shutil.rmtree(speaker.state_directory, ignore_errors=True)
    cleanup.callback(fleet.end)
    fleet.start()
    fleet.await_settled(ROUTER, SETTLED_SECONDS)

    def heard() -> list[object]:
        return [speaker.status()["foreign"] for speaker in fleet]

    until("both", lambda: heard() == [both(lan), both(lan)], SECONDS, show=heard)


@pytest.mark.usefixtures("keepalived")
def test_our_address_under_another_id_is_trouble(engine: BareEngine, lan: Lan) -> None:
    """Keepalived has our address under its own VRID: log, table and JSON say so, until it ends."""
    engine.desire(router(THEIRS), known=[])
    until("the trouble", lambda: bool(engine.status()["neighbours"]), 3 * SECONDS)
    (trouble,) = engine.status()["neighbours"]
    assert (trouble["problem"], trouble["source"]) == ("OtherVirtualRouterID", lan[PEER].ipv4)
    assert f"announces {THEIRS} with VRRPv3 and VRID {VRID}" in engine.status_command().stdout
    engine.desire(router(VIP), known=[])
    until("its end", lambda: not engine.status()["neighbours"], SECONDS, show=engine.status)
