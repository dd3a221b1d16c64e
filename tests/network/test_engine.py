"""The engine alone, told what to do over its socket: what it promises without any agent."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.bare_engine import NAME, SHOWN, BareEngine, router
from support.network_manifests import VIP
from vip_lab.lan import Lan
from vip_lab.wait import throughout, until
from vip_model.vocabulary import FailureAction, GateState
from vip_speaker.messages import DesiredGate, Verdict, Verdicts

SECOND_VIP = "192.0.2.101"


@pytest.fixture
def one(lan: Lan) -> Iterator[BareEngine]:
    """A running engine on n1."""
    yield from running(lan, "n1")


@pytest.fixture
def two(lan: Lan) -> Iterator[BareEngine]:
    """A running engine on n2."""
    yield from running(lan, "n2")


def running(lan: Lan, name: str) -> Iterator[BareEngine]:
    """Start an engine that knows of no earlier life."""
    engine = BareEngine(lan[name])
    shutil.rmtree(engine.state_directory, ignore_errors=True)
    engine.start_and_wait()
    yield engine
    if engine.running:
        engine.stop()
    engine.end()
    until("the kernel to drop what was left", lambda: not has(engine, VIP), 6)


def has(engine: BareEngine, address: str) -> bool:
    """Whether the kernel of the engine's host has the address."""
    return engine.host.holds(address)


def serve(engine: BareEngine, **fields: Any) -> str:
    """Make an engine Active, and wait until it has the address; return since when it is."""
    engine.desire(router(VIP, **fields))
    since = engine.await_state("Active")["since"]
    until("the address", lambda: has(engine, VIP), 2)
    return str(since)


def test_an_address_is_added_and_removed_while_active(one: BareEngine) -> None:
    """An edit of the list changes the kernel, and the router stays Active."""
    one.desire(router(VIP))
    since = one.await_state("Active")["since"]
    one.desire(router(VIP, SECOND_VIP))
    until("the second address", lambda: has(one, SECOND_VIP), 2)
    one.desire(router(SECOND_VIP))
    until("the first to go", lambda: not has(one, VIP), 2)
    status = one.router(SHOWN)
    assert status is not None
    assert (status["state"], status["addresses"]) == ("Active", [SECOND_VIP])
    assert abs(_seconds(status["since"]) - _seconds(since)) < 0.1


def _seconds(since: str) -> float:
    hours, minutes, seconds = since.partition("T")[2].rstrip("Z").split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def test_omission_keeps_a_router(one: BareEngine) -> None:
    """A list without the router that does not claim to be complete changes nothing but a report."""
    serve(one)
    one.desire(complete=False)
    throughout("the address", lambda: has(one, VIP), 1)
    assert one.status()["orphaned"] == [NAME]


def test_a_complete_list_without_it_ends_a_router(one: BareEngine) -> None:
    """A static file that parsed and no longer holds the router releases its address."""
    serve(one)
    one.desire()
    until("the address to go", lambda: not has(one, VIP), 3)
    until("the router to go", lambda: not one.routers(), 3)


def test_a_retired_active_serves_on_for_half_a_second(one: BareEngine) -> None:
    """The Backups know first; nobody is told with a priority 0 to take over."""
    serve(one)
    began = time.monotonic()
    one.desire(retired=[NAME], complete=False)
    until("the address to go", lambda: not has(one, VIP), 2)
    assert time.monotonic() - began >= 0.5


def test_a_retired_active_that_is_wanted_again_stays(one: BareEngine) -> None:
    """A VirtualIP that is deleted and made again at once is served as if nothing had happened."""
    since = serve(one)
    one.say_desired(retired=[NAME])
    one.desire(router(VIP))
    throughout("the same life as Active", lambda: one.await_state("Active")["since"] == since, 1.0)
    assert one.host.holds(VIP)


def test_another_vrid_keeps_the_address(one: BareEngine, two: BareEngine) -> None:
    """What all nodes must change together is changed without anybody letting go."""
    since = serve(one)
    two.desire(router(VIP, priority=251))
    until("n2 to hear n1", lambda: two.await_state("Backup")["activeSource"], 2)
    one.say_desired(router(VIP, virtual_router_id=52))
    two.say_desired(router(VIP, virtual_router_id=52, priority=251))
    one.await_taken()
    two.await_taken()
    throughout("one holder", lambda: (has(one, VIP), has(two, VIP)) == (True, False), 2)
    assert (_vrid(one), _vrid(two)) == (52, 52)
    assert abs(_seconds(one.await_state("Active")["since"]) - _seconds(since)) < 0.1
    assert two.await_state("Backup")["activeSource"] == one.host.ipv4


def _vrid(engine: BareEngine) -> int | None:
    status = engine.router(SHOWN)
    return None if status is None else int(status["virtualRouterID"])


def test_a_removed_address_is_bound_again_but_not_for_ever(one: BareEngine) -> None:
    """Somebody's `ip address del` is mended three times, then it is a fault with a reason."""
    serve(one)
    for _ in range(3):
        one.host.ip("address", "del", f"{VIP}/32", "dev", "eth0")
        until("the address to be back", lambda: has(one, VIP), 2)
        throughout("it stays", lambda: has(one, VIP), 1.2)  # what follows sooner is the same sweep
    one.host.ip("address", "del", f"{VIP}/32", "dev", "eth0")
    assert one.await_state("Initialize", 2)["reason"] == "AddressRemoved"


def test_bootstrap_does_not_wait_three_intervals(one: BareEngine) -> None:
    """A router that nobody has ever run is served by its first slot after a short probe."""
    began = time.monotonic()
    one.desire(router(VIP, bootstrap=True, advertisement_interval_milliseconds=1000))
    one.await_state("Active", 2)
    assert time.monotonic() - began < 1.5


def test_bootstrap_waits_where_the_address_is_answered_for(one: BareEngine, lan: Lan) -> None:
    """An address that somebody has is not taken at once."""
    lan["n3"].ip("address", "add", f"{VIP}/32", "dev", "eth0")
    try:
        one.desire(router(VIP, bootstrap=True, advertisement_interval_milliseconds=1000))
        throughout("waiting", lambda: one.state(SHOWN) == "Backup", 0.5)
    finally:
        lan["n3"].ip("address", "del", f"{VIP}/32", "dev", "eth0")


def test_a_stranger_is_counted_and_not_obeyed(one: BareEngine, two: BareEngine) -> None:
    """With a list of legitimate senders, another cluster's adverts cannot silence ours."""
    two.desire(router(VIP, priority=254))
    two.await_state("Active")
    one.desire(router(SECOND_VIP, priority=200, sources=[one.host.ipv4]))
    status = one.await_state("Active")
    assert status["counters"]["drops"]["UnknownSender"] > 0
    assert status["counters"]["advertisementsReceived"] == 0


def test_a_killed_engine_resumes_from_its_files(one: BareEngine) -> None:
    """Without any agent the next life is Active, with the address and its age."""
    # A second, as everybody has who does not ask for less: a busy machine starts no engine faster.
    since = serve(one, advertisement_interval_milliseconds=1000)
    old = one.kill_role("engine")
    one.await_new("engine", old)
    resumed = one.await_state("Active")
    assert resumed["reason"] == "Resumed"
    assert abs(_seconds(resumed["since"]) - _seconds(since)) < 0.1
    assert has(one, VIP)


def test_no_thread_waits_for_other_programs(one: BareEngine) -> None:
    """A helper without real-time priority could keep the interpreter lock from the loop."""
    serve(one)
    pid = one.pid("engine")
    assert pid is not None
    threads = [int(each.name) for each in Path(f"/proc/{pid}/task").iterdir()]
    assert len(threads) > 1
    policies = {os.sched_getscheduler(thread) for thread in threads}
    assert {policy & ~os.SCHED_RESET_ON_FORK for policy in policies} == {os.SCHED_FIFO}
    assert os.sched_getparam(pid).sched_priority == 10


def test_verdicts_decide(one: BareEngine, two: BareEngine) -> None:
    """A failing gate moves the address to a healthy node, a withdrawing one ends candidacy."""
    gates = [DesiredGate(name="web"), DesiredGate(name="disk", action=FailureAction.WITHDRAW)]
    passing = Verdict(state=GateState.PASSING)
    failing = Verdict(state=GateState.FAILING, reason="HTTP 503")
    both = Verdicts(routers={NAME: {"web": passing, "disk": passing}})
    one.desire(router(VIP, gates=gates))
    one.say_verdicts(both)
    one.await_state("Active")
    two.desire(router(VIP, gates=gates, priority=251))
    two.say_verdicts(both)
    until("n2 to hear n1", lambda: two.await_state("Backup")["activeSource"], 2)
    one.say_verdicts(Verdicts(routers={NAME: {"web": failing, "disk": passing}}))
    two.await_state("Active", 1)
    assert one.await_state("Backup", 1)["effectivePriority"] == 144
    one.say_verdicts(Verdicts(routers={NAME: {"web": passing, "disk": failing}}))
    assert one.await_state("Initialize", 1)["reason"] == "Withdrawn"
    until("the address on n2 alone", lambda: (has(one, VIP), has(two, VIP)) == (False, True), 2)


def test_unknown_verdicts_count_as_failing_at_a_cold_start(one: BareEngine) -> None:
    """Nobody else is there, so it serves, at the priority of a failing node."""
    one.desire(router(VIP, gates=[DesiredGate(name="web")], start_delay_seconds=0))
    assert one.await_state("Active")["effectivePriority"] == 144
    one.say_verdicts(Verdicts(routers={NAME: {"web": Verdict(state=GateState.PASSING)}}))
    until("health", lambda: (one.router(SHOWN) or {})["effectivePriority"] == 254, 1)


def test_a_supervisor_that_is_killed_takes_its_engine_along_in_order(
    one: BareEngine, two: BareEngine
) -> None:
    """An engine that nobody would restart hands over instead of dying later."""
    one.desire(router(VIP))
    two.desire(router(VIP, priority=251))
    one.await_state("Active")
    engine = one.pid("engine")
    one.kill_role("supervisor")
    # It waits two seconds for a new supervisor.
    two.await_state("Active", 4)
    until("the engine to end", lambda: one.pid("engine") is None, 5)
    assert engine is not None


def test_an_active_that_cannot_be_heard_leaves(one: BareEngine) -> None:
    """A firewall that eats its adverts makes it one of two: it releases, and says why."""
    one.desire(router(VIP))
    one.await_state("Active")
    one.host.run("nft", "add table inet lab")
    one.host.run("nft", "add chain inet lab out { type filter hook output priority 0; }")
    one.host.run("nft", "add rule inet lab out ip protocol 112 drop")
    try:
        assert one.await_state("Initialize", 3)["reason"] == "AdvertsNotSent"
        until("the address to go", lambda: not has(one, VIP), 1)
    finally:
        one.host.run("nft", "delete table inet lab")
    assert one.await_state("Active", 5)
