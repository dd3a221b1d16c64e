"""An operator that is killed at any moment leaves what one leaves that never was."""

from __future__ import annotations

import random
import time

from support.figures import Figure
from support.network_manifests import NODES
from support.stage import OPERATOR_NAMESPACE, Stage, virtual_ip
from vip_common.kinds import VIRTUAL_IPS, VIRTUAL_ROUTERS
from vip_kube.kinds import LEASES
from vip_lab.client import Probing
from vip_lab.kubernetes.api import JsonObject
from vip_lab.wait import until

STEADY = "192.0.2.100"
TARGET = f"icmp:{STEADY}"
LEASE = "vip-operator"
KILLS = 20
SEED = 20261121


def test_killed_twenty_times_during_changes(stage: Stage, figure: Figure) -> None:
    """Killed at 20 random moments while it leads and writes, it leaves what was asked for."""
    chance = random.Random(SEED)  # the same moments in every run
    stage.apply(virtual_ip("steady", [STEADY]))
    holder = stage.await_held("steady", STEADY)
    wanted: dict[str, str] = {}
    led = unfinished = 0
    with Probing(stage.lan["client"], [TARGET], 100) as probing:
        for round_number in range(KILLS):
            leader = await_leader(stage)
            change(stage, chance, wanted, round_number)
            time.sleep(chance.uniform(0.0, 0.12))  # the moment to kill at is the test's subject
            stage.operator.kill()
            led += leader_of(stage) == leader
            unfinished += not is_written(stage, wanted)
            release_lease(stage)
            stage.operator.start()
        stage.operator.await_ready()
        until(
            "the world to be as it was asked for",
            lambda: is_as_wanted(stage, wanted),
            40.0,
            every=0.1,
            show=lambda: (wanted, routers(stage), stage.operator.log()[-3000:]),
        )
    figure("killed while they led", f"{led} of {KILLS}")
    figure("killed before all was written", f"{unfinished} of {KILLS}")
    assert led == KILLS
    assert probing.results[TARGET].lost == 0
    assert stage.status("steady")["activeNode"] == holder
    taken = [one["spec"]["instances"][0]["virtualRouterID"] for one in routers(stage).values()]
    assert len(set(taken)) == len(taken)


def await_leader(stage: Stage) -> str:
    """Return the operator that leads, once one does; its name is of this life of it only."""
    return until(
        "an operator to lead",
        lambda: leader_of(stage),
        20.0,
        show=lambda: stage.operator.log()[-3000:],
    )


def leader_of(stage: Stage) -> str:
    """Return whose the Lease is; empty: nobody's."""
    lease = stage.api.get(LEASES, LEASE, OPERATOR_NAMESPACE)
    return str(lease["spec"].get("holderIdentity") or "")


def release_lease(stage: Stage) -> None:
    """Say of a dead leader what it says itself at a clean end, so that the next need not wait."""
    stage.api.patch(LEASES, LEASE, {"spec": {"holderIdentity": ""}}, OPERATOR_NAMESPACE)


def change(stage: Stage, chance: random.Random, wanted: dict[str, str], number: int) -> None:
    """Add, edit or delete VirtualIPs, and note what is wanted now."""
    for _again in range(chance.randint(1, 3)):
        name = f"v{chance.randint(0, 5)}"
        if name in wanted and chance.random() < 0.5:
            stage.delete(name)
            del wanted[name]
        else:
            index = int(name[1:])
            address = f"192.0.2.{130 + 10 * index + number % 10}"
            stage.apply(virtual_ip(name, [address]))
            wanted[name] = address


def is_as_wanted(stage: Stage, wanted: dict[str, str]) -> bool:
    """Return whether objects, statuses and kernels all are what was asked for."""
    if not is_written(stage, wanted):
        return False
    held = {address for name in NODES for address in held_by(stage, name)}
    conditions = {
        (each["type"], each["status"])
        for item in stage.api.items(VIRTUAL_IPS)
        for each in item.get("status", {}).get("conditions", ())
        if each["type"] in ("Accepted", "Bound", "Ready")
    }
    kinds = {("Accepted", "True"), ("Bound", "True"), ("Ready", "True")}
    return held == {*wanted.values(), STEADY} and conditions == kinds


def is_written(stage: Stage, wanted: dict[str, str]) -> bool:
    """Return whether there is a VirtualRouter for all that is wanted, and no other."""
    expected = {f"vip.default.{name}": [address] for name, address in wanted.items()}
    expected["vip.default.steady"] = [STEADY]
    found = {name: one["spec"]["instances"][0]["addresses"] for name, one in routers(stage).items()}
    return found == expected


def held_by(stage: Stage, name: str) -> list[str]:
    """Return the virtual addresses that a host holds."""
    host = stage.lan[name]
    own = {host.ipv4, host.ipv6, host.link_local}
    return [address for address in host.addresses() if address not in own]


def routers(stage: Stage) -> dict[str, JsonObject]:
    """Return every VirtualRouter by name."""
    return {one["metadata"]["name"]: one for one in stage.api.items(VIRTUAL_ROUTERS)}
