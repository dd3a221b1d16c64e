"""`vip-speaker probe`: an agent whose loop turns answers, and nothing else does."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.fake_engine import until
from vip_speaker import cli, liveness
from vip_speaker.agent import alive


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where the agent answers."""
    return str(tmp_path / "agent.sock")


@asynccontextmanager
async def answering(path: str) -> AsyncIterator[None]:
    """Be an agent that is alive until the block ends."""
    task = asyncio.create_task(alive.serve(path))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
def listener(path: str) -> Iterator[socket.socket]:
    """Somebody who listens there and does not answer."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        yield listener


async def ask(path: str) -> int:
    """Return the exit status of the command."""
    return await asyncio.to_thread(cli.main, ["probe", "--socket", path])


async def test_an_agent_whose_loop_turns_is_alive(path: str) -> None:
    """The command ends with 0, as often as it asks."""
    async with answering(path):
        await until(lambda: Path(path).exists())
        assert [await ask(path) for _ in range(3)] == [0, 0, 0]


async def test_the_socket_of_an_agent_that_was_killed_is_taken_over(path: str) -> None:
    """An agent that is started anew answers where the one before it left its socket."""
    with socket.socket(socket.AF_UNIX) as former:
        former.bind(path)
    assert await ask(path) == 1
    async with answering(path), asyncio.timeout(5):
        while await ask(path):
            await asyncio.sleep(0.01)


async def test_a_hung_agent_is_not_alive(
    path: str,
    listener: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An agent that listens and does not answer within the time ends the command with 1."""
    monkeypatch.setattr(liveness, "_TIMEOUT_SECONDS", 0.05)
    began = time.monotonic()
    assert await ask(path) == 1
    assert time.monotonic() - began < 3
    assert capsys.readouterr().err == f"The agent behind {path} did not answer within 0.05 s\n"


async def test_no_agent_is_not_alive(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A socket that is not there ends the command with 1 and a sentence."""
    assert await ask(path) == 1
    assert capsys.readouterr().err == f"No agent answers at {path}: No such file or directory\n"


async def test_another_program_is_not_the_agent(path: str, listener: socket.socket) -> None:
    """Who answers something else is no agent."""

    def answer() -> None:
        connection, _address = listener.accept()
        connection.sendall(b"HTTP/1.1 404 Not Found\r\n\r\n")
        connection.close()

    asked, _none = await asyncio.gather(ask(path), asyncio.to_thread(answer))
    assert asked == 1


async def test_a_directory_that_comes_late_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An agent that cannot listen says so, goes on, and answers once it can."""
    monkeypatch.setattr(alive, "_BACKOFF_SECONDS", 0.02)
    path = tmp_path / "late" / "agent.sock"
    async with answering(str(path)):
        await until(lambda: f"Could not listen on {path}, trying again" in caplog.text)
        path.parent.mkdir()
        await until(path.exists)
        assert await ask(str(path)) == 0
