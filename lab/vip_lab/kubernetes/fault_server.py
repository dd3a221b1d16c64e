"""The process behind `fault_proxy.FaultProxy`: an HTTPS reverse proxy that fails on demand.

    python -m vip_lab.kubernetes.fault_server CONFIG.json

It takes commands over a unix socket, one JSON object per line, each answered by one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web
from yarl import URL

from vip_lab.kubernetes.fault_rules import Answer, status_object, verb_of

# What concerns one connection and is not passed on (RFC 9110 §7.6.1), and what we set ourselves.
_NOT_FORWARDED = frozenset(
    ("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host")
)
_ANSWER_LINE_LIMIT_BYTES = 2**26


@dataclass(frozen=True, slots=True)
class Config:
    """What the process is started with.

    Attributes:
        address: IPv4 address to listen on.
        port: likewise.
        upstream: URL of the API server.
        ca_file: certificate that the API server's is signed by.
        certificate_file: our own certificate.
        key_file: its key.
        control_socket: path of the unix socket.
    """

    address: str
    port: int
    upstream: str
    ca_file: str
    certificate_file: str
    key_file: str
    control_socket: str


@dataclass(slots=True)
class Record:
    """One request that came in.

    Attributes:
        time_seconds: when it came, CLOCK_MONOTONIC.
        verb: as roles spell it.
        path: without its query.
        query: the query.
        user_agent: who says to have sent it.
        status: what was answered; None if nothing was, so far.
    """

    time_seconds: float
    verb: str
    path: str
    query: str
    user_agent: str
    status: int | None = None


@dataclass(slots=True)
class _Faults:
    """What is to go wrong at the moment."""

    answers: list[Answer] = field(default_factory=list)
    flowing: asyncio.Event = field(default_factory=asyncio.Event)
    records: list[Record] = field(default_factory=list)


class FaultServer:
    """Forwards requests, or does not."""

    def __init__(self, config: Config, session: ClientSession) -> None:
        self._config = config
        self._session = session
        self._faults = _Faults()
        self._server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(config.certificate_file, config.key_file)
        self._listener: asyncio.Server | None = None

    async def run(self) -> None:
        """Serve until the process is ended."""
        await self._tell(mode="pass", answers=[])
        control = await asyncio.start_unix_server(
            self._control, self._config.control_socket, limit=_ANSWER_LINE_LIMIT_BYTES
        )
        await control.serve_forever()

    # --- commands --------------------------------------------------------------------------------

    async def _control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                answer = await self._obey(json.loads(line))
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        writer.close()

    async def _obey(self, command: dict[str, Any]) -> dict[str, Any]:
        match command["do"]:
            case "set":
                await self._tell(command["mode"], command["answers"])
            case "cut":
                self._cut()
            case "clear":
                self._faults.records.clear()
            case "requests":
                return {"requests": [asdict(record) for record in self._faults.records]}
            case unknown:
                return {"error": f"unknown command {unknown}"}
        return {}

    async def _tell(self, mode: str, answers: list[dict[str, Any]]) -> None:
        self._faults.answers = [Answer(**answer) for answer in answers]
        if mode == "refuse":
            self._stop_listening()
            self._cut()
        else:
            await self._listen()
        if mode == "hang":
            self._faults.flowing.clear()
        else:
            self._faults.flowing.set()

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.get_running_loop().create_server(
                self._server, self._config.address, self._config.port, ssl=self._context
            )

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _cut(self) -> None:
        for connection in self._server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    # --- forwarding ------------------------------------------------------------------------------

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        record = Record(
            time_seconds=time.monotonic(),
            verb=verb_of(request.method, request.path, request.query),
            path=request.path,
            query=request.query_string,
            user_agent=request.headers.get("User-Agent", ""),
        )
        self._faults.records.append(record)
        await self._faults.flowing.wait()
        for answer in self._faults.answers:
            if answer.applies(record.verb, record.path):
                return _wrong_answer(answer, record)
        try:
            return await self._forward(request, record)
        except (ClientError, OSError):
            # Without an API server there is nobody to answer: no status stands for that.
            if request.transport is not None:
                request.transport.abort()
            raise

    async def _forward(self, request: web.BaseRequest, record: Record) -> web.StreamResponse:
        body = await request.content.read()
        url = URL(f"{self._config.upstream}{request.raw_path}", encoded=True)
        headers = [(k, v) for k, v in request.headers.items() if k.lower() not in _NOT_FORWARDED]
        async with self._session.request(
            request.method, url, headers=headers, data=body or None, allow_redirects=False
        ) as upstream:
            await self._faults.flowing.wait()
            response = web.StreamResponse(status=upstream.status)
            for name, value in upstream.headers.items():
                if name.lower() not in _NOT_FORWARDED:
                    response.headers.add(name, value)
            await response.prepare(request)
            record.status = upstream.status
            async for chunk in upstream.content.iter_any():
                await self._faults.flowing.wait()
                await response.write(chunk)
            await response.write_eof()
            return response


def _wrong_answer(answer: Answer, record: Record) -> web.Response:
    body = status_object(answer.status)
    headers = {}
    if answer.retry_after_seconds is not None:
        headers["Retry-After"] = str(answer.retry_after_seconds)
        body["details"] = {"retryAfterSeconds": answer.retry_after_seconds}
    if answer.in_stream and record.verb == "watch":
        record.status = 200
        return web.json_response({"type": "ERROR", "object": body}, headers=headers)
    record.status = answer.status
    return web.json_response(body, status=answer.status, headers=headers)


async def _main(config: Config) -> None:
    trust = ssl.create_default_context(cafile=config.ca_file)
    async with ClientSession(
        connector=TCPConnector(ssl=trust, limit=0),
        timeout=ClientTimeout(total=None),
        auto_decompress=False,
        # Only what the caller sent goes on.
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    ) as session:
        await FaultServer(config, session).run()


if __name__ == "__main__":
    asyncio.run(_main(Config(**json.loads(Path(sys.argv[1]).read_text()))))
