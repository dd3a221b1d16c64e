"""How many degrees of failing an election tells apart, and whether they fit. Pure.

A degradation is a number of missing instances with a sum of costs of failing gates. Each has as
many priorities as there are candidates (docs/protocol.md, "Health"). Where users wrote costs they
must all fit; where every gate costs the same the worst share the last place. A gate that can
fail in part counts with both of its costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vip_model.resources.gate import DEFAULT_COST, Gate
from vip_model.resources.virtual_ip import VirtualIPSpec
from vip_model.schema.limits import Finding
from vip_model.timing import ladder
from vip_model.vocabulary import (
    FAILING_PRIORITIES,
    candidates_that_fit,
    costs_of_gate,
    possible_degradations,
)


def writes_costs(gates: Iterable[Gate]) -> bool:
    """Return whether gates differ in what their failing costs."""
    return any(gate.failure_policy.cost != DEFAULT_COST for gate in gates)


def degradations(gates: Iterable[Gate], instances: int, *, static: bool) -> int:
    """Return how many degradations there can be; one more than fit stands for any more.

    In a cluster the agent adds a gate of its own, the node's readiness, which costs as much as a
    gate does by default.
    """
    costs = [
        costs_of_gate(gate.failure_policy.action, gate.failure_policy.cost, gate.partial_cost)
        for gate in gates
    ]
    if not static:
        costs.append((DEFAULT_COST,))
    return len(possible_degradations(instances, costs))


def slots_kept_apart(slots: int, count: int, gates: Iterable[Gate]) -> int:
    """Return how many slots have priorities of their own at each of so many degradations.

    A gate that fails in part is told from one that fails wholly, however many slots there are.
    """
    gates = tuple(gates)
    if not writes_costs(gates):
        least = 2 if any(gate.partial_cost for gate in gates) else 1
        return min(slots, candidates_that_fit(least))
    return max(1, min(slots, candidates_that_fit(count)))


def too_many(name: str, count: int, spec: VirtualIPSpec, *, drawn: bool) -> Iterator[Finding]:
    """Yield what is wrong with so many degradations, and the way out.

    Args:
        name: of the election, for people.
        count: how many degradations there can be.
        spec: of a VirtualIP that takes part in it.
        drawn: nodes that are not named draw slots by hash, and may share a place.
    """
    placement = spec.placement
    slots = ladder(spec.vrrp.advertisement_interval_milliseconds, placement.max_candidates).slots
    if drawn:
        slots = len(placement.priorities) + len(placement.preferred_nodes)
    fitting = candidates_that_fit(count)
    if slots <= fitting:
        return
    how_many = f"more than {FAILING_PRIORITIES}" if count > FAILING_PRIORITIES else f"{count}"
    cures = ["give gates equal costs"]
    if fitting > 1 and not drawn:
        cures.append(f"set placement.maxCandidates to {fitting}")
    elif fitting > 1:
        cures.append(f"name {fitting} nodes at most")
    yield (
        "spec.gates",
        (
            f"the gates of {name} can fail in {how_many} degrees (sums of failurePolicy.cost, and "
            f"networks that a node lacks), and {slots} candidates need a priority each: "
            f"{FAILING_PRIORITIES} are there, so that {fitting} fit: {' or '.join(cures)}"
        ),
    )
