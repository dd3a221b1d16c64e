"""The agent's HTTP pages, and a port that is taken."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from support.fake_engine import until
from support.statuses import router_status, status
from vip_model.vocabulary import GateState
from vip_speaker.agent import metrics, web
from vip_speaker.agent.report import Configuration, GateDetail, Report
from vip_speaker.messages import Status

GATE = GateDetail(
    router="shop/web", name="nginx", kind="httpGet", state=GateState.UNKNOWN, reason="none yet"
)


def report(engine: Status | None = None, revision: int = 0, *problems: str) -> Report:
    """Return a report of node n1."""
    configuration = Configuration(
        source="vip.yaml",
        revision=revision,
        loaded="2026-01-01T00:00:00Z" if revision else "",
        problems=list(problems),
    )
    return Report(node="n1", engine=engine, configuration=configuration, gates=[GATE])


def free_port() -> int:
    """Return a port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def serving(found: Report, port: int) -> AsyncIterator[None]:
    """Serve a report until the block ends."""

    async def source() -> Report:
        return found

    task = asyncio.create_task(web.serve(f"127.0.0.1:{port}", source))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def get(port: int, path: str) -> tuple[int, str, str]:
    """Return status, content type and text of a page, as soon as somebody serves it."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(5):
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                    return answer.status, answer.content_type, await answer.text()
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.01)


async def page(found: Report, path: str) -> tuple[int, str, str]:
    """Return status, content type and text of one page for one report."""
    port = free_port()
    async with serving(found, port):
        return await get(port, path)


async def test_health_needs_no_engine() -> None:
    """The agent is alive whatever the engine and the configuration do."""
    assert await page(report(), "/healthz") == (200, "text/plain", "ok\n")


async def test_ready_when_the_engine_runs_the_configuration() -> None:
    """An engine that reports the revision in force makes the agent ready."""
    assert (await page(report(status(revision=4), 4), "/readyz"))[0] == 200


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (report(status(), 0, "vip.yaml: spec.addresses is missing"), "spec.addresses is missing"),
        (report(None, 4), "engine does not answer"),
        (report(status(revision=3), 4), "has not applied"),
    ],
    ids=["no configuration", "no engine", "old configuration"],
)
async def test_not_ready_says_why(found: Report, words: str) -> None:
    """Each hindrance is a 503 with its reason."""
    code, _type, text = await page(found, "/readyz")

    assert code == 503
    assert words in text


async def test_an_invalid_edit_keeps_it_ready() -> None:
    """A speaker whose last good configuration serves is ready, and not valid."""
    found = report(status(revision=4), 4, "vip.yaml: bad")

    assert found.hindrances() == []
    assert not found.configuration.valid


def cluster_report(engine: Status | None, *trouble: str, loaded: str = "") -> Report:
    """Return a report of a node in an empty cluster."""
    configuration = Configuration(source="Kubernetes", loaded=loaded, trouble=list(trouble))
    return Report(node="n1", engine=engine, configuration=configuration, gates=[])


def test_an_empty_cluster_is_ready() -> None:
    """A node without any VirtualRouter is as ready as one with many."""
    found = cluster_report(status(revision=0), loaded="2026-01-01T00:00:00Z")

    assert found.hindrances() == []
    assert found.configuration.valid


def test_not_ready_before_the_first_list() -> None:
    """What hinders the first list is among the reasons."""
    found = cluster_report(status(revision=0), "403 Forbidden")

    assert found.hindrances() == ["No valid configuration was found yet", "403 Forbidden"]


def test_an_api_that_goes_away_keeps_it_ready() -> None:
    """A speaker that once was ready serves without the API server."""
    loaded = "2026-01-01T00:00:00Z"
    found = cluster_report(status(revision=0), "connection refused", loaded=loaded)

    assert found.hindrances() == []


async def test_status_is_the_document_of_the_command_and_more() -> None:
    """/status holds what `vip-speaker status --json` prints, and configuration and gates."""
    found = report(status(router_status(), revision=4), 4, "vip.yaml: bad")
    code, kind, text = await page(found, "/status")
    document = json.loads(text)

    assert (code, kind) == (200, "application/json")
    assert document["node"] == "n1"
    assert document["virtualRouters"][0]["virtualRouterID"] == 51
    assert document["engineConnected"] is True
    assert document["configuration"]["valid"] is False
    assert document["configuration"]["problems"] == ["vip.yaml: bad"]
    assert document["gates"][0]["state"] == "Unknown"


async def test_metrics_are_served_as_prometheus_wants_them() -> None:
    """/metrics has the content type of the text format."""
    code, kind, text = await page(report(status(router_status())), "/metrics")

    assert (code, kind) == (200, "text/plain")
    assert "vip_speaker_build_info{" in text


async def test_metrics_are_rendered_once_however_many_ask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One rendering at a time serves everybody, for a second; then there is a fresh one."""
    rendering = 0
    most = 0
    times = 0

    def render(_found: Report) -> bytes:
        nonlocal rendering, most, times
        rendering += 1
        most = max(most, rendering)
        times += 1
        time.sleep(0.05)
        rendering -= 1
        return b"%d\n" % times

    monkeypatch.setattr(metrics, "render", render)
    port = free_port()
    async with serving(report(), port):
        await get(port, "/healthz")
        began = time.monotonic()
        answers = [await asyncio.gather(*(get(port, "/metrics") for _ in range(5)))]
        answers.append(await asyncio.gather(*(get(port, "/metrics") for _ in range(5))))
        took = time.monotonic() - began
        assert most == 1
        assert times <= 1 + took
        monkeypatch.setattr(web, "_KEPT_SECONDS", 0.0)
        assert (await get(port, "/metrics"))[2] == f"{times}\n"
        assert times >= 2


async def test_a_rendering_that_breaks_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one who asks gets another."""
    real = metrics.render

    def broken(_found: Report) -> bytes:
        monkeypatch.setattr(metrics, "render", real)
        raise ValueError("broken")

    monkeypatch.setattr(metrics, "render", broken)
    port = free_port()
    async with serving(report(), port):
        assert (await get(port, "/metrics"))[0] == 500
        assert (await get(port, "/metrics"))[0] == 200


async def test_connections_that_do_nothing_keep_nobody_away() -> None:
    """However many are opened, a few are kept, the newest, and files are left for gates."""
    port = free_port()
    async with serving(report(), port):
        await get(port, "/healthz")
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(100)]
        try:
            oldest = [reader for reader, _writer in held[: 100 - web._CONNECTIONS]]
            async with asyncio.timeout(10):
                assert await asyncio.gather(*(each.read() for each in oldest)) == [b""] * len(
                    oldest
                )
            assert not any(reader.at_eof() for reader, _writer in held[-web._CONNECTIONS :])
            for _ in range(3):
                assert (await get(port, "/healthz"))[0] == 200
        finally:
            for _reader, writer in held:
                writer.close()


async def test_a_port_in_use_is_said_and_tried_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that another program has is one clear sentence, and served once it is free."""
    monkeypatch.setattr(web, "_BACKOFF_FIRST_SECONDS", 0.02)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        async with serving(report(), port):
            await until(lambda: "another program uses that port" in caplog.text)
            other.close()

            assert (await get(port, "/healthz"))[0] == 200


async def test_an_address_of_another_host(caplog: pytest.LogCaptureFixture) -> None:
    """An address that this host does not have is said in words."""
    task = asyncio.create_task(web.serve("192.0.2.1:9112", lambda: asyncio.sleep(0, report())))
    await until(lambda: "this host has no such address" in caplog.text)
    task.cancel()
    await asyncio.wait({task})

    assert "choose another with --http" in caplog.text
