"""How the engine's process ends, and what it leaves."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from vip_speaker.engine import main as engine_main
from vip_speaker.settings import Settings


class PaperEngine:
    """Notes whether it gave everything back."""

    def __init__(self, trouble: Exception | None) -> None:
        self.trouble = trouble
        self.closed = False

    def start(self) -> None:
        """Nothing is served."""

    def run(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    def close(self) -> None:
        self.closed = True


def _run(monkeypatch: pytest.MonkeyPatch, trouble: Exception | None) -> PaperEngine:
    engine = PaperEngine(trouble)

    def nothing(*_arguments: Any, **_options: Any) -> None:
        """The test's own process is not to be changed."""

    monkeypatch.setattr(engine_main, "Engine", lambda *_: engine)
    for name in ("check_capabilities", "_listener", "_act_on_signals"):
        monkeypatch.setattr(engine_main, name, nothing)
    for name in ("_stop_without_supervisor", "_prefer_this_process"):
        monkeypatch.setattr(engine_main, name, nothing)
    monkeypatch.setattr(engine_main, "_lock", socket.socket)
    monkeypatch.setattr("vip_common.log.configure", nothing)
    if trouble is None:
        assert engine_main.main(Settings(node="n1")) == 0
    else:
        with pytest.raises(type(trouble)):
            engine_main.main(Settings(node="n1"))
    return engine


def test_an_engine_that_dies_of_an_error_leaves_its_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next life goes on with them, as after a kill; otherwise their lifetime ends them."""
    assert not _run(monkeypatch, RuntimeError("a bug")).closed


def test_an_engine_that_was_stopped_gives_everything_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A router that ended in an orderly way holds nothing afterwards."""
    assert _run(monkeypatch, None).closed
