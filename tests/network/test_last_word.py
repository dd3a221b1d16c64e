"""What an engine says before it is gone."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from support.bare_engine import BareEngine, router
from support.network_manifests import VIP
from vip_lab.lan import Lan
from vip_speaker.messages import Farewell, FromEngine, Subscribe, decode_from_engine, encode

SECONDS = 15.0


@pytest.fixture
def engine(lan: Lan, cleanup: ExitStack) -> BareEngine:
    """An engine on n1 that holds the address."""
    made = BareEngine(lan["n1"])
    cleanup.callback(made.end)
    made.start_and_wait()
    made.desire(router(VIP))
    made.await_state("Active")
    return made


@pytest.fixture
def words(engine: BareEngine) -> Iterator[Iterator[FromEngine]]:
    """What it says until it is gone."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        connection.connect(str(engine.socket))
        connection.sendall(encode(Subscribe()))
        with connection.makefile("rb") as lines:
            heard = (decode_from_engine(line) for line in lines)
            next(heard)  # it has subscribed us
            yield heard


def test_it_has_given_everything_back(engine: BareEngine, words: Iterator[FromEngine]) -> None:
    """Stopped in an orderly way it says so last, and by then it is true."""
    engine.begin_stop()
    for word in words:
        if isinstance(word, Farewell):
            assert not engine.host.holds(VIP)
            assert word.released
            break
    else:
        pytest.fail("it said nothing")
    assert list(words) == []


def test_a_killed_engine_says_nothing(engine: BareEngine, words: Iterator[FromEngine]) -> None:
    """Its addresses are still there."""
    engine.kill()
    assert not any(isinstance(word, Farewell) for word in words)
    assert engine.host.holds(VIP)
