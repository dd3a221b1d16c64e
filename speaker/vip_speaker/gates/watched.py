"""A gate that is judged anew at every change of what it watches, and at no other time."""

from __future__ import annotations

import abc
import logging
from collections.abc import Callable

from vip_model.vocabulary import GateState
from vip_speaker.gates.surroundings import Subscription
from vip_speaker.messages import Verdict

_log = logging.getLogger("gates")


class WatchedGate(abc.ABC):
    """Keeps the verdict on a view of the cluster.

    The verdict follows within the callback of the change, without thresholds: who filled the view
    has counted already. It is Unknown until the view is known.

    Args:
        on_change: called when the verdict, its reason included, is another.
    """

    tally = None

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._verdict = Verdict(state=GateState.UNKNOWN, reason="no verdict yet")
        self._subscription: Subscription | None = None

    @property
    def verdict(self) -> Verdict:
        """The verdict now."""
        return self._verdict

    def start(self) -> None:
        """Watch from now on; the verdict is there at once if the view is known."""
        self._subscription = self._watch()
        self._look()

    async def stop(self) -> None:
        """Watch no more; `on_change` is not called from here on."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.cancel()

    @abc.abstractmethod
    def _watch(self) -> Subscription:
        """Subscribe `_look` to the view."""

    @abc.abstractmethod
    def _judge(self) -> Verdict | None:
        """Return the verdict on the view as it is now, None while it is not known."""

    def _look(self) -> None:
        if self._subscription is None:
            return
        try:
            verdict = self._judge()
        except Exception as error:  # noqa: BLE001  the caller, which reports the change, must go on
            verdict = Verdict(state=GateState.FAILING, reason=f"the gate broke: {error!r}")
            if verdict != self._verdict:
                _log.warning("A gate broke: %r", error, exc_info=error)
        if verdict is not None and verdict != self._verdict:
            self._verdict = verdict
            self._on_change()
