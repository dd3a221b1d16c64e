"""What the verdicts of a router's gates make of this node (docs/protocol.md, "Health"). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from vip_model.vocabulary import FailureAction, GateState
from vip_speaker.messages import DesiredGate, GateStatus, Verdict
from vip_speaker.vrrp.config import Health


def fold(gates: Iterable[DesiredGate], statuses: Iterable[GateStatus]) -> Health:
    """Return what failing gates leave of a node: their costs add up.

    A gate that fails only in part withdraws no node: it costs what that costs.
    """
    failing = {status.name: status for status in statuses if status.state is GateState.FAILING}
    cost, withdrawn = 0, False
    for gate in gates:
        status = failing.get(gate.name)
        if status is None:
            continue
        if status.partial and gate.partial_cost:
            cost += gate.partial_cost
        elif gate.action is FailureAction.LOWER_PRIORITY:
            cost += gate.cost
        else:
            withdrawn = True
    return Health(cost=cost, withdrawn=withdrawn)


class GateBook:
    """The last verdict of each gate of one router, and what to think of one without any.

    Unknown counts as failing until every gate has had a verdict; an engine that resumes keeps
    the level of its earlier life for so long. Later a gate without a verdict changes nothing.
    """

    def __init__(self, resumed_health: Health | None) -> None:
        self._resumed = resumed_health
        self._health = resumed_health or Health.FAILING
        self._settled = False
        self._statuses: list[GateStatus] = []

    @property
    def health(self) -> Health:
        """The level of the last judgement."""
        return self._health

    @property
    def statuses(self) -> list[GateStatus]:
        """Each gate as it is counted, in the order of the configuration."""
        return self._statuses

    def judge(
        self,
        gates: list[DesiredGate],
        verdicts: Mapping[str, Verdict],
        carriers: Mapping[str, bool],
        *,
        stale: bool,
    ) -> Health:
        """Return the health of this node for one router.

        Args:
            gates: the router's gates.
            verdicts: the agent's last verdicts, by gate name.
            carriers: interface name to carrier, for the gates that the engine judges itself.
            stale: nothing was heard of the agent for long; its verdicts stand all the same.
        """
        known = {status.name: status for status in self._statuses}
        self._statuses = [
            _status_of(gate, verdicts, carriers, known.get(gate.name), stale=stale)
            for gate in gates
        ]
        unknown = any(status.state is GateState.UNKNOWN for status in self._statuses)
        if unknown and not self._settled:
            self._health = self._resumed or _worst(gates)
            return self._health
        self._settled = True
        self._health = fold(gates, self._statuses)
        return self._health


def _worst(gates: list[DesiredGate]) -> Health:
    """Return the level of a node on which every gate fails, that withdraws none."""
    costs = (gate.cost for gate in gates if gate.action is FailureAction.LOWER_PRIORITY)
    return Health(cost=sum(costs) or Health.FAILING.cost)


def _status_of(
    gate: DesiredGate,
    verdicts: Mapping[str, Verdict],
    carriers: Mapping[str, bool],
    known: GateStatus | None,
    *,
    stale: bool,
) -> GateStatus:
    if gate.interface is not None:
        return _carrier_status(gate.name, gate.interface, carriers)
    verdict = verdicts.get(gate.name)
    if verdict is not None and verdict.state is not GateState.UNKNOWN:
        return GateStatus(
            name=gate.name,
            state=verdict.state,
            reason=verdict.reason,
            stale=stale,
            partial=verdict.partial,
            cause=verdict.cause,
        )
    why = {"reason": verdict.reason, "cause": verdict.cause} if verdict is not None else {}
    if known is not None and known.state is not GateState.UNKNOWN:
        return msgspec.structs.replace(known, stale=True, **why)
    none = GateStatus(name=gate.name, state=GateState.UNKNOWN, reason="No verdict yet")
    return msgspec.structs.replace(none, **why)


def _carrier_status(name: str, interface: str, carriers: Mapping[str, bool]) -> GateStatus:
    carrier = carriers.get(interface)
    if carrier is None:
        return GateStatus(
            name=name, state=GateState.FAILING, reason=f"Interface {interface} does not exist"
        )
    if carrier:
        return GateStatus(name=name, state=GateState.PASSING, reason=f"{interface} has carrier")
    return GateStatus(
        name=name, state=GateState.FAILING, reason=f"Interface {interface} has no carrier"
    )
