"""The quick clock of asynchronous tests: it skips what is waited for, and nothing else."""

from __future__ import annotations

import asyncio
import time
from time import perf_counter

import pytest

from support.quick_time import QuickTime

pytestmark = pytest.mark.usefixtures("quick_time")


async def test_a_wait_is_short_and_the_clocks_say_that_it_was_long() -> None:
    """Five seconds of waiting take less, and every clock has moved by five seconds."""
    began, seconds, ns = perf_counter(), time.monotonic(), time.monotonic_ns()
    await asyncio.sleep(5)
    assert time.monotonic() - seconds == pytest.approx(5, abs=1)
    assert time.monotonic_ns() - ns == pytest.approx(5e9, abs=1e9)
    assert perf_counter() - began < 4


async def test_timers_keep_their_order() -> None:
    """Of two waits the shorter one ends first, and a limit cuts off a longer wait."""
    ended: list[float] = []

    async def wait(seconds: float) -> None:
        await asyncio.sleep(seconds)
        ended.append(seconds)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.5):
            await asyncio.gather(wait(1.0), wait(0.5), wait(2.0))
    assert ended == [0.5, 1.0]


async def test_what_a_socket_says_is_heard_before_a_limit() -> None:
    """An answer that comes through loopback is no silence, however short the limit."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for number in range(200):
            writer.write(b"%d\n" % number)
            async with asyncio.timeout(0.5):
                assert await reader.readline() == b"%d\n" % number
        writer.close()


async def test_work_takes_its_time(quick_time: QuickTime) -> None:
    """While the loop works, the clock is the ordinary one."""
    before = quick_time.monotonic() - perf_counter()
    for _turn in range(1000):
        await asyncio.sleep(0)
    assert quick_time.monotonic() - perf_counter() == pytest.approx(before, abs=0.01)
