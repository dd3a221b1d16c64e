"""One life of kopf: an embedded operator that only watches, in a thread and loop of its own.

Kopf cancels every task of its loop that was created after its start, and takes SIGTERM where it
runs in the main thread: so it gets a thread. It writes nothing: all handlers are `on.event`.

Its tasks are started and ended here, not by `kopf.operator()`: that hangs for ever after an error
such as a CRD that was deleted, since watchers that are told to end log in anew instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import aiohttp
import kopf

from vip_kube.access import Access
from vip_kube.backoff import Backoff
from vip_kube.client import Object
from vip_kube.errors import AccessError, UnreachableError
from vip_kube.kinds import Kind
from vip_kube.tokens import TokenSource

# Of no use without kopf's peering; kopf would make one of the user's name, and ours need not have
# an entry in /etc/passwd. Its type is not public.
_IDENTITY: Any = "vip-operator"

_STOP_SECONDS = 1.0
_CANCELLATIONS = 20
_CANCELLATION_SECONDS = 0.1
# A login that is asked for again this soon was refused: wait, longer each time.
_SOON_SECONDS = 60.0
# Kopf tries again whatever TLS refuses, and does not tell us that it did.
_CERTIFICATES_EVERY_SECONDS = 60.0

_log = logging.getLogger("operator.watch")

Hear = Callable[[Kind, str | None, Object], None]


class _Forever:
    """Pauses between attempts of a request without end; kopf iterates it anew each time."""

    def __iter__(self) -> Iterator[float]:
        yield from (0.5, 1.0, 1.0, 2.0, 3.0)
        while True:
            yield 5.0


class KopfThread:
    """Starts kopf at once.

    All callbacks come in the loop that this is created in.

    Args:
        access: how the API server is reached.
        kinds: what is watched, cluster-wide. Discovery must serve them: kopf never hears of a
            kind that appears after its start.
        user_agent: who we are in the API server's audit log.
        hear: called with kind, type (None for an object that was listed) and object.
    """

    def __init__(self, access: Access, kinds: Iterable[Kind], user_agent: str, hear: Hear) -> None:
        self._loop = asyncio.get_running_loop()
        self._access = access
        self._user_agent = user_agent
        self._hear = hear
        self._registry = _registry(kinds, self._forward)
        self._login = _Login(access, user_agent)
        kopf.on.login(registry=self._registry, id="login")(self._login.session)
        self._ready = threading.Event()
        self._ended: asyncio.Future[BaseException | None] = self._loop.create_future()
        self._stop_asked = False
        self._set_stop: Callable[[], object] | None = None
        self._thread = threading.Thread(target=self._run, name="kopf", daemon=True)
        self._thread.start()

    @property
    def is_ready(self) -> bool:
        """It has started to watch."""
        return self._ready.is_set() and not self._ended.done()

    async def ended(self) -> BaseException | None:
        """Wait until kopf has ended by itself; return why, None without an error."""
        return await asyncio.shield(self._ended)

    async def stop(self) -> None:
        """End it; a thread that does not end in time is left behind, and dies with the process."""
        self._stop_asked = True
        if self._set_stop is not None:
            self._set_stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await self.ended()
                return
        _log.debug("Kopf did not end within %.0f s", _STOP_SECONDS)

    def _forward(self, kind: Kind, kind_of_event: str | None, content: Object) -> None:
        self._to_our_loop(self._hear, kind, kind_of_event, content)

    def _to_our_loop(self, call: Callable[..., object], *arguments: object) -> None:
        # Our loop is closed first where the process ends in a hurry.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *arguments)

    def _run(self) -> None:
        """Live in the thread."""
        try:
            with asyncio.Runner(loop_factory=_quiet_loop) as runner:
                runner.run(self._watch())
        # Whatever kopf dies of is told to the other loop, which decides what follows.
        except BaseException as error:  # noqa: BLE001
            self._to_our_loop(self._end, error)

    def _end(self, error: BaseException | None) -> None:
        if not self._ended.done():
            self._ended.set_result(error)

    async def _watch(self) -> None:
        """Run kopf's tasks until the first of them ends or we are told to stop."""
        stop = self._stop_event()
        renewing = asyncio.ensure_future(self._login.renew_certificates())
        tasks = await kopf.spawn_tasks(
            registry=self._registry,
            settings=_settings(),
            clusterwide=True,
            standalone=True,
            identity=_IDENTITY,
            ready_flag=self._ready,
        )
        stopping = asyncio.ensure_future(stop.wait())
        done, _running = await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        self._ready.clear()
        renewing.cancel()
        await _cancel_all()
        await self._login.close()
        error = next(filter(None, (task.exception() for task in done)), None)
        self._to_our_loop(self._end, error)

    def _stop_event(self) -> asyncio.Event:
        """Return an event of kopf's loop that `stop` sets."""
        loop, stop = asyncio.get_running_loop(), asyncio.Event()

        def set_stop() -> None:
            with contextlib.suppress(RuntimeError):  # that loop is closed: it has ended
                loop.call_soon_threadsafe(stop.set)

        self._set_stop = set_stop
        if self._stop_asked:
            stop.set()
        return stop


class _Login:
    """Gives kopf a session with the same TLS and the same token as our own client has."""

    def __init__(self, access: Access, user_agent: str) -> None:
        self._access = access
        self._user_agent = user_agent
        self._sessions: list[aiohttp.ClientSession] = []
        self._context: ssl.SSLContext | None = None
        self._backoff = Backoff(random.Random(), first_seconds=1.0, limit_seconds=30.0)  # noqa: S311  jitter
        self._last_seconds: float | None = None

    async def session(self, **_details: Any) -> kopf.AiohttpSession:
        """Return a session; called anew whenever the API server answers 401."""
        await self._wait_after_refusal()
        try:
            token = TokenSource(self._access).token()
            context = self._access.ssl_context()
        except (AccessError, UnreachableError) as error:
            raise kopf.TemporaryError(str(error), delay=1) from error
        headers = {"User-Agent": self._user_agent}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=context or True),
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
        )
        self._sessions.append(session)
        self._context = context  # kopf works with the latest session only
        return kopf.AiohttpSession(server=self._access.server, aiohttp_session=session)

    async def renew_certificates(self) -> None:
        """Read the files of TLS again and again: a cluster's certificates may be renewed."""
        while True:
            await asyncio.sleep(_CERTIFICATES_EVERY_SECONDS)
            try:
                if self._context is not None:
                    self._access.load_certificates(self._context)
            except AccessError as error:
                _log.debug("Certificates for kopf are not renewed: %s", error)

    async def _wait_after_refusal(self) -> None:
        """Do not let kopf ask hundreds of times a second with a token that is refused."""
        loop = asyncio.get_running_loop()
        last = self._last_seconds
        if last is not None and loop.time() - last < _SOON_SECONDS:
            await asyncio.sleep(self._backoff.next_seconds())
        else:
            self._backoff.reset()
        self._last_seconds = loop.time()

    async def close(self) -> None:
        """Close the sessions, those included that kopf never came to use."""
        for session in self._sessions:
            await session.close()


def _quiet_loop() -> asyncio.AbstractEventLoop:
    """Return a loop that keeps to itself what goes wrong while kopf is being ended."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, context: _log.debug("In kopf: %s", context))
    return loop


async def _cancel_all() -> None:
    """End all other tasks of this loop; those of kopf want to be told more than once."""
    ourselves = asyncio.current_task()
    for _attempt in range(_CANCELLATIONS):
        others = asyncio.all_tasks() - {ourselves}
        if not others:
            return
        for task in others:
            task.cancel()
        await asyncio.wait(others, timeout=_CANCELLATION_SECONDS)
    _log.debug("Some tasks of kopf did not end: %s", asyncio.all_tasks() - {ourselves})


def _registry(
    kinds: Iterable[Kind], forward: Callable[[Kind, str | None, Object], None]
) -> kopf.OperatorRegistry:
    """Return handlers that hand over every event of the kinds and do nothing else."""
    registry = kopf.OperatorRegistry()
    for kind in kinds:
        kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id=kind.plural)(
            _handler(kind, forward)
        )
    return registry


def _handler(kind: Kind, forward: Callable[[Kind, str | None, Object], None]) -> Any:
    async def hand_over(event: Any, **_details: Any) -> None:
        # The raw object may be frozen or shared inside of kopf: only its outermost part is copied,
        # and what is nested is never changed on our side.
        content = {"apiVersion": kind.api_version, "kind": kind.name, **event["object"]}
        metadata = dict(content.get("metadata") or {})
        metadata.pop("managedFields", None)
        forward(kind, event["type"], {**content, "metadata": metadata})

    return hand_over


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.networking.error_backoffs = _Forever()
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.watching.connect_timeout = 5
    settings.watching.server_timeout = 300
    settings.watching.inactivity_timeout = 70
    settings.watching.chunk_size = 500
    # Its last resort is SIGKILL, which would hit the whole process.
    settings.process.ultimate_exiting_timeout = None
    return settings
