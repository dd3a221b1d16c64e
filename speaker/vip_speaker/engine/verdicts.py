"""What the agent says of the gates of all routers, and what counts when it falls silent."""

from __future__ import annotations

import logging

from vip_speaker.engine.fleet import Fleet
from vip_speaker.engine.node import Node
from vip_speaker.messages import Verdicts
from vip_speaker.vrrp.timers import SECOND_NS

_STALE_AFTER_NS = 30 * SECOND_NS

_log = logging.getLogger("engine")


class GateVerdicts:
    """Keeps the last verdicts, and has every router judge them.

    Attributes:
        due_ns: when `tick` is due.
    """

    def __init__(self, node: Node, fleet: Fleet) -> None:
        self._node = node
        self._fleet = fleet
        self.due_ns: int | None = None

    def take(self, now: int, verdicts: Verdicts) -> None:
        """Take what the agent says."""
        self._node.verdicts = verdicts.routers
        self._node.verdicts_stale = False
        self.due_ns = now + _STALE_AFTER_NS
        self._fleet.judge_all()

    def tick(self, now: int) -> None:
        """Mark them as stale if the agent has said nothing for long."""
        if self.due_ns is not None and now >= self.due_ns:
            _log.warning("No message from the agent for 30 s; keeping its last verdicts")
            self.due_ns = None
            self._node.verdicts_stale = True
            self._fleet.judge_all()
