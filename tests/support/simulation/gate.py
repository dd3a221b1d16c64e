"""A node's service and the gate that watches it, with the real verdict logic."""

from __future__ import annotations

from vip_model.vocabulary import GateState
from vip_speaker.gates.verdict import Outcome, Tally
from vip_speaker.vrrp.election import Health

_SUCCESSES, _FAILURES = 1, 2
_LEVELS = {GateState.PASSING: Health.HEALTHY, GateState.FAILING: Health.FAILING}


class Gate:
    """Probes a service that is up or down; a second gate may withdraw the node."""

    def __init__(self) -> None:
        self._tally = Tally(_SUCCESSES, _FAILURES)
        self.service_up = True
        self.withdrawn = False
        self._settled = False

    def forget(self) -> None:
        """The agent starts afresh: no verdict yet."""
        self._tally = Tally(_SUCCESSES, _FAILURES)

    def repair(self) -> None:
        """The service is up again, unless its state was settled for good."""
        if not self._settled:
            self.service_up = True

    def settle(self, *, up: bool) -> None:
        """The service stays as it is now said to be."""
        self.service_up = up
        self._settled = True

    def probe(self, now_ns: int) -> None:
        """Ask the service once."""
        self._tally.count(now_ns, Outcome(self.service_up, "simulated"))

    def health(self) -> Health | None:
        """Return the level, None as long as there is no verdict."""
        if self.withdrawn:
            return Health.WITHDRAWN
        return _LEVELS.get(self._tally.verdict.state)
