"""A node's services and the gates that watch them, with the real verdict logic."""

from __future__ import annotations

from vip_model.vocabulary import GateState
from vip_speaker.gates.verdict import Outcome, Tally
from vip_speaker.vrrp.config import Health

_SUCCESSES, _FAILURES = 1, 2
SERVICE_COST, HELPER_COST = 60, 20
DRAINING_COST = 30  # of a service that is going, and serves until it has gone
COSTS = ((DRAINING_COST, SERVICE_COST), (HELPER_COST,))


class Gate:
    """Probes a service and a helper that are up or down; a third gate may withdraw the node."""

    def __init__(self) -> None:
        self.forget()
        self.service_up = True
        self.draining = False
        self.helper_up = True
        self.withdrawn = False
        self._settled = False

    def forget(self) -> None:
        """The agent starts afresh: no verdict yet."""
        self._service = Tally(_SUCCESSES, _FAILURES)
        self._helper = Tally(_SUCCESSES, _FAILURES)

    def repair(self) -> None:
        """The service is up again, unless its state was settled for good."""
        if not self._settled:
            self.service_up = True

    def repair_helper(self) -> None:
        """The helper is up again, unless its state was settled for good."""
        if not self._settled:
            self.helper_up = True

    def settle(self, *, service_up: bool, helper_up: bool) -> None:
        """Both stay as they are now said to be."""
        self.service_up = service_up
        self.helper_up = helper_up
        self._settled = True

    def probe(self, now_ns: int) -> None:
        """Ask both once."""
        self._service.count(now_ns, Outcome(self.service_up, "simulated"))
        self._helper.count(now_ns, Outcome(self.helper_up, "simulated"))

    def health(self) -> Health | None:
        """Return what the gates say, None as long as there is no verdict."""
        if self.withdrawn:
            return Health.WITHDRAWN
        service, helper = self._service.verdict.state, self._helper.verdict.state
        if GateState.UNKNOWN in (service, helper):
            return None
        failing_cost = DRAINING_COST if self.draining else SERVICE_COST
        cost = failing_cost * (service is GateState.FAILING)
        return Health(cost + HELPER_COST * (helper is GateState.FAILING))
