"""Who else speaks VRRP on the LAN of a cluster: avoided, warned of, and never one of our own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.network_manifests import NODES
from support.stage import CLIENT, NAMESPACE, Stage, virtual_ip
from vip_common.kinds import SPEAKERS, VIRTUAL_ROUTERS
from vip_lab.keepalived import Keepalived, KeepalivedInstance, why_no_keepalived
from vip_lab.wait import throughout, until
from vip_model.planning.claims import by_name

VIP, THEIRS = "192.0.2.100", "192.0.2.177"
WANTED = by_name(f"vip.{NAMESPACE}.web")


@pytest.fixture
def keepalived(stage: Stage) -> Iterator[Keepalived]:
    """Somebody else's keepalived, with the VRID that our router would be given."""
    if (reason := why_no_keepalived()) is not None:
        pytest.skip(reason)
    made = Keepalived(stage.lan[CLIENT], KeepalivedInstance(WANTED, 100, 1000, [THEIRS]))
    made.start()
    yield made
    made.stop()


def foreign(stage: Stage) -> dict[str, list[dict[str, Any]]]:
    """Return what each Speaker lists."""
    return {
        one["metadata"]["name"]: one.get("status", {}).get("foreign", [])
        for one in stage.api.items(SPEAKERS)
    }


def versions(stage: Stage) -> dict[str, str]:
    """Return the version of each Speaker, which any write changes."""
    return {
        one["metadata"]["name"]: one["metadata"]["resourceVersion"]
        for one in stage.api.items(SPEAKERS)
    }


# In this order: a stranger is remembered for a minute.


def test_our_own_are_no_strangers(stage: Stage) -> None:
    """A node that is no candidate hears the others, and nobody is accused, nor written of."""
    stage.apply(virtual_ip("web", [VIP], placement={"maxCandidates": 2}))
    stage.await_condition("web", "Ready", "True")
    (router,) = stage.api.items(VIRTUAL_ROUTERS)
    assert len(router["spec"]["candidates"]) == 2
    quiet: dict[str, list[object]] = {name: [] for name in NODES}
    throughout("nobody accused", lambda: foreign(stage) == quiet, 6.0, every=0.1)
    assert [speaker.status()["foreign"] for speaker in stage.fleet] == [[], [], []]
    before = versions(stage)
    throughout("no write", lambda: versions(stage) == before, 4.0, every=0.2)


@pytest.mark.usefixtures("keepalived")
def test_a_first_allocation_avoids_a_stranger(stage: Stage) -> None:
    """Speakers without any router hear keepalived, and the first router gets another VRID."""
    theirs = {
        "interface": "eth0",
        "virtualRouterID": WANTED,
        "source": stage.lan[CLIENT].ipv4,
    }
    expected = {name: [theirs] for name in NODES}
    until("all to hear it", lambda: foreign(stage) == expected, 20.0, show=lambda: foreign(stage))
    stage.apply(virtual_ip("web", [VIP]))
    stage.await_condition("web", "Ready", "True")
    (router,) = stage.api.items(VIRTUAL_ROUTERS)
    assert router["spec"]["instances"][0]["virtualRouterID"] == WANTED % 255 + 1
    before = versions(stage)
    throughout("no write", lambda: versions(stage) == before, 5.0, every=0.2)
