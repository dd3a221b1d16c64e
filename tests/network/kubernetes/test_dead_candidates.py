"""Candidates that fall silent, with real speakers: some have no power, some serve on."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator

import pytest

from support.figures import Figure
from support.stage import NAMESPACE, Stage, virtual_ip
from vip_common.kinds import VIRTUAL_IPS, VIRTUAL_ROUTERS
from vip_lab.client import Probing
from vip_lab.wait import throughout, until

WEB = "192.0.2.100"
ALONE, GROUP = f"vip.{NAMESPACE}.web", f"group.{NAMESPACE}.front"
TARGET = f"icmp:{WEB}"
MOST_SECONDS = 40.0
SLACK_SECONDS = 15.0  # for a busy machine; what it took is told as a figure


@pytest.fixture
def holder(stage: Stage) -> str:
    """The node that holds shop/web."""
    stage.apply(virtual_ip("web", [WEB]))
    return stage.await_held("web", WEB)


@pytest.fixture
def powerless(stage: Stage) -> Iterator[set[str]]:
    """Nodes that a test cuts from power, and replaces afterwards by new ones of their names.

    One that came back with its cache would run what was ended and deleted without it
    (docs/kubernetes.md, "Limits").
    """
    names: set[str] = set()
    yield names
    for name in names:
        shutil.rmtree(stage.fleet[name].state_directory)
        stage.lan.restore(name)
        stage.fleet[name].start_and_wait()


def spec_of(stage: Stage, name: str) -> dict[str, object]:
    """Return the spec of a VirtualRouter; empty where there is none."""
    found = stage.api.find(VIRTUAL_ROUTERS, name)
    return dict(found["spec"]) if found else {}


def test_a_node_without_power_delays_a_move(
    stage: Stage, holder: str, powerless: set[str], figure: Figure
) -> None:
    """Its neighbours do not hear it: the move into a group comes through, and others serve on."""
    stage.lan.cut(holder)
    stage.fleet[holder].kill()
    powerless.add(holder)
    cut_at = time.monotonic()
    stage.fleet.await_holder(WEB, stage.fleet.others(holder), 15.0)
    stage.api.patch(VIRTUAL_IPS, "web", {"spec": {"group": "front"}}, NAMESPACE)
    until(
        "the group to run",
        lambda: spec_of(stage, GROUP) and not spec_of(stage, GROUP).get("standby"),
        MOST_SECONDS + SLACK_SECONDS,
        every=0.1,
        show=lambda: (spec_of(stage, ALONE), spec_of(stage, GROUP), stage.last_words()),
    )
    figure(
        "from the power cut to the start of the new election", f"{time.monotonic() - cut_at:.1f} s"
    )
    stage.fleet.await_holder(WEB, stage.fleet.others(holder), 15.0)
    assert not spec_of(stage, ALONE)


def test_an_agent_that_is_away_moves_nothing(stage: Stage, holder: str) -> None:
    """The engine serves on; users are told, and what was deleted is not called free."""
    agent = stage.fleet[holder].pid("agent")
    assert agent is not None
    os.kill(agent, signal.SIGSTOP)
    try:
        with Probing(stage.lan["client"], [TARGET], 100) as probing:
            until(
                "users to be told",
                lambda: stage.condition("web", "Bound") == ("Unknown", "HolderUnreachable"),
                60.0,
                show=lambda: stage.describe("web"),
            )
            stage.apply(virtual_ip("web", [WEB], group="front"))
            throughout(
                "it serves",
                lambda: (
                    stage.fleet.holder(WEB) == holder and not spec_of(stage, ALONE).get("retired")
                ),
                30.0,
                every=0.5,
            )
        assert probing.results[TARGET].lost == 0
    finally:
        os.kill(agent, signal.SIGCONT)
    until("the move", lambda: not spec_of(stage, ALONE), 60.0, show=lambda: stage.describe("web"))
    stage.await_held("web", WEB)
