"""Whether kube-proxy on this node forwards to the endpoints of a Service that are here.

An endpoint is ready some time before kube-proxy on its node has heard of it and changed its rules,
up to a second with its default settings. An address that came to the node in between would lose
what clients send. Where a Service has a port for health checks (externalTrafficPolicy Local),
kube-proxy and what stands in for it answer there: 200 once they forward to endpoints of the node.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from vip_speaker.gates.http_get import HTTPProbe
from vip_speaker.gates.periodic import PeriodicGate, Schedule

PERIOD_SECONDS = 0.05
# Longer than kube-proxy takes. Where nobody answers the address must not stay away for ever.
LIMIT_SECONDS = 3.0

_SCHEDULE = Schedule(
    period_seconds=PERIOD_SECONDS,
    timeout_seconds=1.0,
    success_threshold=1,
    failure_threshold=sys.maxsize,  # time decides: an answer that does not come takes a second
)

Place = tuple[str, int]  # address of this node, port


class Forwarding:
    """Asks again and again until the answer is yes, and then no more.

    Args:
        on_change: called when `settled` has become True.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._place: Place | None = None
        self._settled = False
        self._asking: PeriodicGate | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def settled(self) -> bool:
        """Whether the answer was yes, or nobody has said so for LIMIT_SECONDS."""
        return self._settled

    def ask(self, place: Place) -> None:
        """Ask there from now on; no effect if that was asked last."""
        if place == self._place:
            return
        self.forget()
        host, port = place
        self._asking = PeriodicGate(_SCHEDULE, HTTPProbe("http", host, port, "/"), self._settle)
        self._asking.start()
        self._place = place
        self._limit = asyncio.get_running_loop().call_later(LIMIT_SECONDS, self._settle)

    def forget(self) -> None:
        """Ask no more; the next time begins anew."""
        self._place, self._settled = None, False
        self._end()

    async def stop(self) -> None:
        """Ask no more; return when nothing is under way."""
        self.forget()
        await asyncio.gather(*self._ending)

    def _settle(self) -> None:
        self._settled = True
        self._end()
        self._on_change()

    def _end(self) -> None:
        """End it in the background: what is judged does not wait for that."""
        if self._limit is not None:
            self._limit.cancel()
        asking, self._asking = self._asking, None
        if asking is not None:
            task = asyncio.get_running_loop().create_task(asking.stop())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
