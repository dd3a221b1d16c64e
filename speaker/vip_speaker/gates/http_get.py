"""The gate `httpGet`: passes if the answer's status is 2xx or 3xx.

As kubelet does: a new connection for each probe, since that is what clients need, no redirect is
followed, no certificate is checked, no proxy is asked. The answer must be complete, or its first
64 KiB.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable

import aiohttp
import yarl

from vip_model.resources.gate import Gate, HTTPGetProbe
from vip_speaker.gates import reasons
from vip_speaker.gates.periodic import PeriodicGate, schedule_of
from vip_speaker.gates.surroundings import Site
from vip_speaker.gates.verdict import Outcome

KIND = "httpGet"

_BODY_LIMIT_BYTES = 64 * 1024


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
        self._tls = _tls_without_checks() if scheme == "https" else True
        self._session: aiohttp.ClientSession | None = None

    async def ask(self) -> Outcome:
        """Ask once."""
        if self._session is None:
            self._session = _session()
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

    async def _get(self, session: aiohttp.ClientSession) -> int:
        async with session.get(self._url, ssl=self._tls, allow_redirects=False) as response:
            left = _BODY_LIMIT_BYTES
            while left > 0 and (chunk := await response.content.read(left)):
                left -= len(chunk)
            return response.status


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True),
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
