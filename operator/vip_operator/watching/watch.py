"""What users write, told to the operator's loop by kopf.

Kopf is the watch layer of VirtualIPs and pools. It keeps a worker and the whole object for each of
them; all else comes through `vip_kube.reflector`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from vip_common.kinds import SPEAKERS, VIRTUAL_IP_POOLS, VIRTUAL_IPS, VIRTUAL_ROUTERS
from vip_common.log import Trouble
from vip_kube.backoff import Backoff
from vip_kube.client import Client, Object
from vip_kube.errors import ApiError, UnreachableError
from vip_kube.kinds import Kind
from vip_operator.watching.kopf_thread import Hear, KopfThread

KINDS = (VIRTUAL_IPS, VIRTUAL_IP_POOLS)
# Without all of them there is nothing to be done.
SERVED = (*KINDS, VIRTUAL_ROUTERS, SPEAKERS)

# A life of kopf that lasted so long was no failure to start.
_SETTLED_SECONDS = 30.0

_log = logging.getLogger("operator.watch")


class Watch:
    """Keeps kopf alive, and starts it only when it can hear everything.

    Args:
        client: open; for discovery.
        start: starts kopf on KINDS.
        hear: is told every event, in the loop that this runs in.
        relist: is asked for a list of everything, with the reason.
        backoff: between attempts.
    """

    def __init__(
        self,
        client: Client,
        start: Callable[[Hear], KopfThread],
        hear: Hear,
        relist: Callable[[str], None],
        backoff: Backoff,
    ) -> None:
        self._client = client
        self._start = start
        self._hear = hear
        self._relist = relist
        self._backoff = backoff
        self._kopf: KopfThread | None = None
        self._unserved: tuple[Kind, ...] = ()
        self._why_ended = ""
        self._renewal = asyncio.Event()
        self._discovery = Trouble(_log, "ask the API server what it serves")
        self.restarts = 0
        """How often kopf had to be started anew."""

    @property
    def hindrance(self) -> str:
        """Why it does not watch at the moment, for a person to read; empty if it does."""
        if self._kopf is not None and self._kopf.is_ready:
            return ""
        if self._unserved:
            return f"the API server does not serve {_names(self._unserved)}"
        return str(self._discovery) or "kopf has not started to watch"

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self._until_served()
            self._relist("the watch begins")
            began = time.monotonic()
            self._renewal.clear()
            self._kopf = self._start(self._told)
            try:
                why = await self._until_over(self._kopf)
            finally:
                await self._kopf.stop()
                self._kopf = None
            self.restarts += 1
            if time.monotonic() - began >= _SETTLED_SECONDS:
                self._backoff.reset()
                self._why_ended = ""
            if why is not None:
                self._note_end(why)
                await asyncio.sleep(self._backoff.next_seconds())

    async def _until_over(self, kopf: KopfThread) -> str | None:
        """Wait until kopf has ended, return why; None: it is to be started anew."""
        ended = asyncio.ensure_future(kopf.ended())
        renewed = asyncio.ensure_future(self._renewal.wait())
        try:
            await asyncio.wait({ended, renewed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended.cancel()
            renewed.cancel()
        if not ended.done() or ended.cancelled():
            return None
        return str(ended.result() or "no reason given")

    def renew(self) -> None:
        """Start kopf anew: its watches would go on from a version that the API server lost."""
        self._renewal.set()

    def _note_end(self, why: str) -> None:
        """Log why kopf ended; the same again and again only once."""
        if why != self._why_ended:
            _log.warning("The watch was interrupted and is being restarted: %s", why)
        self._why_ended = why

    def _told(self, kind: Kind, kind_of_event: str | None, content: Object) -> None:
        if kind_of_event is None:
            # Listed, at the start or anew: what vanished meanwhile is not told.
            self._relist(f"kopf listed {kind.plural}")
        self._hear(kind, kind_of_event, content)

    async def _until_served(self) -> None:
        """Wait until discovery serves every kind; say once which ones are missing."""
        while True:
            try:
                unserved = await self._client.unserved(SERVED)
            except (ApiError, UnreachableError) as error:
                self._discovery.begins(error)
            else:
                self._discovery.ends()
                self._note_unserved(unserved)
                if not unserved:
                    return
            await asyncio.sleep(self._backoff.next_seconds())

    def _note_unserved(self, unserved: tuple[Kind, ...]) -> None:
        if unserved and unserved != self._unserved:
            _log.warning(
                "Waiting for the API server to serve %s: install the CRDs of vip-operator",
                _names(unserved),
            )
        elif self._unserved and not unserved:
            _log.info("The API server serves every kind again")
        self._unserved = unserved


def _names(kinds: Sequence[Kind]) -> str:
    return ", ".join(f"{kind.plural}.{kind.group}" if kind.group else kind.plural for kind in kinds)
