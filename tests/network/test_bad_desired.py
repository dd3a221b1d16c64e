"""What an engine does with orders that make no sense: the rest of them is carried out."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
from collections.abc import Iterator

import pytest

from support.bare_engine import SHOWN, BareEngine, router
from support.network_manifests import VIP
from support.speakers import LEAST_LIFETIME_SECONDS, SLACK_SECONDS, seconds_until
from vip_lab.lan import Lan
from vip_speaker.messages import DesiredRouter

BAD = "default/bad"


@pytest.fixture
def one(lan: Lan) -> Iterator[BareEngine]:
    """An engine on n1 that was not started yet."""
    engine = BareEngine(lan["n1"])
    shutil.rmtree(engine.state_directory, ignore_errors=True)
    yield engine
    if engine.running:
        engine.stop()
    engine.end()


def _bad(*addresses: str, **fields: object) -> DesiredRouter:
    given = {"name": "vip.default.bad", "display_name": BAD, "virtual_router_id": 52, **fields}
    return router(*(addresses or ("192.0.2.101",)), **given)


@pytest.mark.parametrize(
    "bad",
    [
        _bad("192.0.2.300"),
        _bad(advertisement_interval_milliseconds=15),
        _bad(virtual_router_id=0),
        _bad(instances=[]),
        _bad(priority=300),
        _bad(*["192.0.2.101"] * 3000),
    ],
    ids=["address", "interval", "vrid", "no-instances", "priority", "addresses"],
)
def test_one_bad_router_harms_no_other(one: BareEngine, bad: DesiredRouter) -> None:
    """It is Initialize with a reason; the other serves, also in the engine's next life."""
    one.start_and_wait()
    # A second, as everybody has who does not ask for less: a busy machine starts no engine faster.
    one.desire(bad, router(VIP, advertisement_interval_milliseconds=1000))
    since = one.await_state("Active")["since"]
    shown = one.router(BAD)
    assert shown is not None
    assert (shown["state"], shown["reason"], bool(shown["message"])) == (
        "Initialize",
        "Invalid",
        True,
    )
    one.kill_role("engine")
    away_seconds = seconds_until(one.try_status, "the new engine", 30.0)
    resumed = one.await_state("Active")
    # Where a start takes longer than the kernel keeps the address, it has to be taken again.
    if away_seconds < LEAST_LIFETIME_SECONDS - SLACK_SECONDS:
        assert (resumed["reason"], resumed["since"]) == ("Resumed", since)
    cached = json.loads((one.state_directory / "desired.json").read_text())
    assert [each["displayName"] for each in cached["routers"]] == [SHOWN]


def test_a_bad_edit_keeps_what_serves_and_says_so(one: BareEngine) -> None:
    """The last good configuration goes on, without a transition."""
    one.start_and_wait()
    one.desire(router(VIP))
    since = one.await_state("Active")["since"]
    one.desire(router("192.0.2.300"))
    shown = one.router(SHOWN)
    assert shown is not None
    assert (shown["state"], shown["since"], shown["addresses"]) == ("Active", since, [VIP])
    assert "192.0.2.300" in shown["notInForce"]
    one.desire(router(VIP, priority=200))
    shown = one.router(SHOWN)
    assert shown is not None
    assert (shown["notInForce"], shown["priority"]) == ("", 200)


@pytest.mark.parametrize(
    "content", ["{", '{"type":"desired","version":1,"node":"n1","routers":[{}]}']
)
def test_an_engine_starts_whatever_the_cache_holds(one: BareEngine, content: str) -> None:
    """The socket is served, and the cache is set aside."""
    one.state_directory.mkdir(parents=True, exist_ok=True)
    (one.state_directory / "desired.json").write_text(content)
    one.start_and_wait()
    assert (one.state_directory / "desired.json.unusable").read_text() == content
    one.desire(router(VIP))
    one.await_state("Active")


def test_a_bad_router_in_the_cache_harms_no_other(one: BareEngine) -> None:
    """An engine of an older version stored whatever it was sent."""
    one.start_and_wait()
    one.desire(router(VIP))
    one.await_state("Active")
    cache = one.state_directory / "desired.json"
    one.stop()
    stored = json.loads(cache.read_text())
    stored["routers"].insert(0, {**stored["routers"][0], "name": "bad", "priority": 300})
    cache.write_text(json.dumps(stored))
    one.start_and_wait()
    one.await_state("Active")


@pytest.mark.parametrize(
    "said",
    [b"\0\xff\n", b"[" * 200_000 + b"\n", b'{"type":"desired","node":5}\n', b"x" * (17 << 20)],
    ids=["no-json", "nested", "wrong-type", "endless"],
)
def test_what_is_no_message_harms_only_its_connection(one: BareEngine, said: bytes) -> None:
    """It is closed; the engine goes on."""
    one.start_and_wait()
    pid = one.pid("engine")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(one.socket))
        with contextlib.suppress(ConnectionError):  # it need not read to the end
            connection.sendall(said)
            assert connection.recv(1) == b""
    assert one.status()["node"] == "n1"
    assert one.pid("engine") == pid
