"""The gate `httpGet`: passes if the answer's status is 2xx or 3xx.

As kubelet does: a new connection for each probe, since that is what clients need, no redirect is
followed, no certificate is checked, no proxy is asked. The answer must be complete, or its first
64 KiB. A line of its head may have as much, since policies for browsers get long.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Any

import aiohttp
import yarl
from aiohttp.abc import AbstractResolver, ResolveResult

from vip_model.resources.gate import Gate, HTTPGetProbe
from vip_speaker.gates import reasons
from vip_speaker.gates.names import Lookup
from vip_speaker.gates.periodic import PeriodicGate, schedule_of
from vip_speaker.gates.surroundings import Site
from vip_speaker.gates.verdict import Outcome

KIND = "httpGet"

_BODY_LIMIT_BYTES = 64 * 1024
_HEADER_LIMIT_BYTES = 64 * 1024


def create(gate: Gate, on_change: Callable[[], None], _site: Site) -> PeriodicGate:
    """Return a gate of this kind."""
    wanted = gate.http_get
    assert wanted is not None
    return PeriodicGate(schedule_of(gate), probe_of(wanted, wanted.host), on_change)


def probe_of(wanted: HTTPGetProbe, host: str) -> HTTPProbe:
    """Return the probe that is wanted, of a host that need not be the one written there."""
    return HTTPProbe(wanted.scheme.lower(), host, wanted.port, wanted.path)


class HTTPProbe:
    """Asks one URL again and again."""

    def __init__(self, scheme: str, host: str, port: int, path: str) -> None:
        self.target = f"{scheme}://{reasons.target(host, port)}{path}"
        self._url = yarl.URL(self.target, encoded=True)
        self._resolver = _Resolver(host)
        self._tls = _tls_without_checks() if scheme == "https" else True
        self._session: aiohttp.ClientSession | None = None

    async def ask(self) -> Outcome:
        """Ask once."""
        if self._session is None:
            self._session = _session(self._resolver)
        try:
            status = await self._get(self._session)
        except aiohttp.ClientError as error:
            return Outcome(passed=False, reason=f"{_reason(error)}: {self.target}")
        return Outcome(passed=200 <= status < 400, reason=f"HTTP {status} from {self.target}")

    async def close(self) -> None:
        """Give back what the probe holds."""
        if self._session is not None:
            await self._session.close()
            self._session = None
        await self._resolver.close()

    async def _get(self, session: aiohttp.ClientSession) -> int:
        async with session.get(self._url, ssl=self._tls, allow_redirects=False) as response:
            left = _BODY_LIMIT_BYTES
            while left > 0 and (chunk := await response.content.read(left)):
                left -= len(chunk)
            return response.status


class _Resolver(AbstractResolver):
    """Finds the addresses of the one host that a probe asks, as every other probe does."""

    def __init__(self, host: str) -> None:
        self._lookup = Lookup(host, socket.AI_ADDRCONFIG)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return every address."""
        return [
            ResolveResult(
                hostname=host,
                host=_in_text(address),
                port=port,
                family=found,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for found, _type, protocol, _name, address in await self._lookup.addresses(port)
            if family in (socket.AF_UNSPEC, found)
        ]

    async def close(self) -> None:
        """Wait for no answer any more."""
        self._lookup.close()


def _in_text(address: tuple[Any, ...]) -> str:
    """Return an address as text, with its zone if it has one."""
    return socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0]


def _session(resolver: AbstractResolver) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True, resolver=resolver),
        max_line_size=_HEADER_LIMIT_BYTES,
        max_field_size=_HEADER_LIMIT_BYTES,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),  # the gate's own timeout holds
        auto_decompress=False,
        headers={"User-Agent": "vip-speaker", "Connection": "close"},
    )


def _reason(error: aiohttp.ClientError) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return reasons.of_error(error.os_error)
    if isinstance(error, OSError):
        return reasons.of_error(error)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "connection closed without an answer"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "an incomplete answer"
    return "an answer that is not HTTP"


def _tls_without_checks() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
