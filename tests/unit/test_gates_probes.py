"""httpGet and tcpSocket against servers on loopback, good and bad."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from vip_speaker.gates.http_get import HTTPProbe
from vip_speaker.gates.tcp_socket import TCPProbe
from vip_speaker.gates.verdict import Outcome

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """A server on loopback that notes what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.port = 0
        self.requests: list[bytes] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(request)
            await self._answer(request, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(
    answer: Answer | bytes, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    """Serve bytes, or what a function writes, until the block ends."""

    async def write_bytes(_request: bytes, writer: asyncio.StreamWriter) -> None:
        assert isinstance(answer, bytes)
        writer.write(answer)
        await writer.drain()

    server = Server(write_bytes if isinstance(answer, bytes) else answer)
    listening = await asyncio.start_server(server.handle, host, 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server


async def ask(
    port: int, *, path: str = "/", host: str = "127.0.0.1", scheme: str = "http"
) -> Outcome:
    """Ask once, with a bound that makes a hanging probe fail the test."""
    probe = HTTPProbe(scheme, host, port, path)
    try:
        async with asyncio.timeout(10):
            return await probe.ask()
    finally:
        await probe.close()


@pytest.fixture
async def closed_port() -> int:
    """A port that nobody listens on any more."""
    async with serving(b"") as server:
        pass
    return server.port


@pytest.mark.parametrize(
    ("status", "passes"),
    [(200, True), (204, True), (302, True), (399, True), (400, False), (404, False), (503, False)],
)
async def test_status_decides(status: int, passes: bool) -> None:
    """2xx and 3xx pass, everything else fails, and the reason names status and URL."""
    answer = f"HTTP/1.1 {status} Word\r\nContent-Length: 0\r\n\r\n".encode()
    async with serving(answer) as server:
        outcome = await ask(server.port)

    expected = Outcome(passed=passes, reason=f"HTTP {status} from http://127.0.0.1:{server.port}/")
    assert outcome == expected


async def test_redirects_are_not_followed() -> None:
    """A redirect passes by itself; its target is not asked."""
    answer = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with serving(answer) as server:
        outcome = await ask(server.port)

    assert outcome.passed
    assert len(server.requests) == 1


async def test_asks_for_the_path_as_written() -> None:
    """Path and query reach the server unchanged, and each probe has its own connection."""
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as server:
        await ask(server.port, path="/healthz?deep=1&x=%2Fa")

    (request,) = server.requests
    head = request.decode().lower()
    assert request.startswith(b"GET /healthz?deep=1&x=%2Fa HTTP/1.1\r\n")
    assert f"host: 127.0.0.1:{server.port}\r\n" in head
    assert "connection: close\r\n" in head


@pytest.mark.parametrize("ending", [b"HTTP/1.0 200 OK\r\n\r\nhello", b"HTTP/1.1 200\r\n\r\nhello"])
async def test_an_answer_that_ends_with_the_connection(ending: bytes) -> None:
    """An answer without a length is complete when the server closes."""
    async with serving(ending) as server:
        assert (await ask(server.port)).passed


async def test_an_endless_body_does_not_hold_the_probe() -> None:
    """Only the first 64 KiB of a body are read."""
    written = 0

    async def endless(_request: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 8192)
            await writer.drain()
            written += 8192

    async with serving(endless) as server:
        assert (await ask(server.port)).passed

    assert written < 32 << 20


async def test_a_long_head_is_one() -> None:
    """A header of nearly 64 KiB, such as a policy for browsers, is part of an answer as any."""
    policy = b"Content-Security-Policy: " + b"x" * 60_000
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n%s\r\n\r\n" % policy) as server:
        assert (await ask(server.port)).passed


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "connection closed without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "an answer that is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "an incomplete answer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "an answer that is not HTTP"),
    ],
)
async def test_what_is_no_answer_fails(answer: bytes, reason: str) -> None:
    """Anything but a whole HTTP answer fails at once, with a reason that a person can read."""
    async with serving(answer) as server:
        outcome = await ask(server.port)

    expected = Outcome(passed=False, reason=f"{reason}: http://127.0.0.1:{server.port}/")
    assert outcome == expected


async def test_nobody_listens(closed_port: int) -> None:
    """A closed port fails both kinds, as a refused connection."""
    http = await ask(closed_port)
    tcp = await TCPProbe("127.0.0.1", closed_port).ask()

    assert http == Outcome(
        passed=False, reason=f"connection refused: http://127.0.0.1:{closed_port}/"
    )
    assert tcp == Outcome(passed=False, reason=f"connection refused: 127.0.0.1:{closed_port}")


async def test_tcp_passes_where_somebody_listens() -> None:
    """A connection that can be made passes; nothing is sent."""
    async with serving(b"") as server:
        outcome = await TCPProbe("127.0.0.1", server.port).ask()

    assert outcome == Outcome(passed=True, reason=f"connected to 127.0.0.1:{server.port}")
    assert server.requests == []


async def test_ipv6_is_written_with_brackets() -> None:
    """A probe of an IPv6 address works and names it as URLs do."""
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", host="::1") as server:
        http = await ask(server.port, host="::1")
        tcp = await TCPProbe("::1", server.port).ask()

    assert http.reason == f"HTTP 200 from http://[::1]:{server.port}/"
    assert tcp.reason == f"connected to [::1]:{server.port}"


async def test_a_name_that_does_not_resolve() -> None:
    """A host name without an address fails with that reason instead of raising."""
    outcome = await ask(80, host="no-such-host.invalid")

    assert not outcome.passed
    assert "resolve" in outcome.reason


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the command openssl")
async def test_certificates_are_not_checked(tmp_path: Path) -> None:
    """HTTPS with a self-signed certificate for another name passes, as kubelet's probes do."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-subj", "/CN=elsewhere.example", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", tls=tls) as server:
        outcome = await ask(server.port, scheme="https")

    assert outcome.reason == f"HTTP 200 from https://127.0.0.1:{server.port}/"


async def test_https_to_a_plain_server() -> None:
    """A server that speaks no TLS fails with that reason."""

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ready\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        outcome = await ask(port, scheme="https")

    assert not outcome.passed
    assert outcome.reason.startswith("TLS failed")
    assert outcome.reason.endswith(f": https://127.0.0.1:{port}/")
