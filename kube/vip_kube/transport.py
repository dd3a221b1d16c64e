"""HTTP to one API server: identity, TLS, timeouts, and one kind of error for all that can fail."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from vip_kube.access import Access
from vip_kube.errors import AccessError, UnreachableError
from vip_kube.tokens import TokenSource
from vip_kube.wire import LineSplitter, refusal

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


@dataclass(frozen=True, slots=True)
class Request:
    """One request, apart from who sends it.

    Attributes:
        method: of HTTP.
        path: below the server's URL.
        parameters: of the query.
        content: what is sent as JSON; None: nothing.
        content_type: how the server is to read it.
    """

    method: str
    path: str
    parameters: Mapping[str, str]
    content: Any = None
    content_type: str = JSON

    @property
    def asked(self) -> str:
        """How errors name it."""
        return f"{self.method} {self.path}"


class Transport:
    """Sends requests; nothing is tried again but once after a 401, with the token read anew.

    Args:
        access: where, and as whom.
        user_agent: who we are in the API server's audit log.
        timeout_seconds: for a whole request, or until an endless answer begins.
    """

    def __init__(self, access: Access, user_agent: str, timeout_seconds: float) -> None:
        self._access = access
        self._user_agent = user_agent
        self._timeout_seconds = timeout_seconds
        self._tokens = TokenSource(access)
        self._context: ssl.SSLContext | None = None
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Get ready; nothing is sent yet. Raises AccessError for unusable files of TLS."""
        self._context = self._access.ssl_context()
        self._session = aiohttp.ClientSession(
            # Each watch keeps a connection for good: with a limit, everything else would wait for
            # one of them to end.
            connector=aiohttp.TCPConnector(ssl=self._context or True, limit=0),
            # No proxy and no password from the environment or ~/.netrc: only what `access` says.
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self._user_agent, "Accept": JSON},
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, request: Request) -> bytes:
        """Return the body of the server's answer.

        Raises:
            UnreachableError: no answer came in time.
            ApiError: the answer is not a success.
        """
        timeout = aiohttp.ClientTimeout(total=self._timeout_seconds)
        with _unreachable(request.asked, self._timeout_seconds):
            async with await self._open(request, timeout) as response:
                return await response.read()

    async def lines(
        self, request: Request, silence_seconds: float, on_open: Callable[[], None] | None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the lines of an answer that has no end in sight; `on_open` once it has begun."""
        # The answer itself must begin as soon as any other; only then may it be silent.
        with _unreachable(request.asked, self._timeout_seconds):
            async with asyncio.timeout(self._timeout_seconds):
                response = await self._open(
                    request, aiohttp.ClientTimeout(total=None, sock_read=silence_seconds)
                )
        # Closing tells the server at once that nobody listens any more.
        with contextlib.closing(response):
            if on_open is not None:
                on_open()
            # readline() of aiohttp has a limit, which a large object would exceed.
            splitter = LineSplitter()
            while chunk := await self._chunk(response, request, silence_seconds):
                for line in splitter.feed(chunk):
                    yield line
            if splitter.rest:
                yield splitter.rest

    async def _chunk(
        self, response: aiohttp.ClientResponse, request: Request, silence_seconds: float
    ) -> bytes:
        """Return what came next, nothing at the end."""
        with _unreachable(f"{request.asked} (watch)", silence_seconds):
            return await response.content.readany()

    async def _open(
        self, request: Request, timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        """Return the answer, if it is a success, with its body still to be read."""
        response = await self._send(request, timeout)
        if response.status == 401 and self._tokens.distrust():
            response.release()
            response = await self._send(request, timeout)
        if response.status < 300:
            return response
        async with response:
            raise refusal(response.status, response.headers, await response.read())

    async def _send(
        self, request: Request, timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        assert self._session is not None, "the client is used outside of its `async with`"
        token = self._tokens.token()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        data = None
        if request.content is not None:
            data = msgspec.json.encode(request.content)
            headers["Content-Type"] = request.content_type
        try:
            return await self._session.request(
                request.method,
                self._access.server + request.path,
                params=request.parameters,
                headers=headers,
                data=data,
                timeout=timeout,
                allow_redirects=False,
            )
        except aiohttp.ClientSSLError:
            # The cluster's certificates may have been renewed: read them again for the next time.
            if self._context is not None:
                with contextlib.suppress(AccessError):
                    self._access.load_certificates(self._context)
            raise


@contextlib.contextmanager
def _unreachable(asked: str, timeout_seconds: float) -> Iterator[None]:
    """Turn whatever a connection can die of into one kind of error."""
    try:
        yield
    except TimeoutError as error:
        raise UnreachableError(f"{asked}: no answer within {timeout_seconds:g} s") from error
    except (aiohttp.ClientError, OSError) as error:
        raise UnreachableError(f"{asked}: {str(error) or type(error).__name__}") from error
