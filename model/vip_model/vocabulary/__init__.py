"""The words that engine, agent, operator and their tests share, each defined once. Pure.

Standard library only, since the engine imports it.
"""

from vip_model.vocabulary.priorities import (
    FAILING_PRIORITIES,
    HIGHEST_FAILING_PRIORITY,
    HIGHEST_HEALTHY_PRIORITY,
    HIGHEST_PROVISIONAL_PRIORITY,
    LOWEST_HEALTHY_PRIORITY,
    LOWEST_PROVISIONAL_PRIORITY,
    OWNER_PRIORITY,
    PROVISIONAL_PRIORITIES,
    SOUND,
    Degradation,
    PriorityScale,
    candidates_that_fit,
    costs_of_gate,
    effective_priority,
    is_provisional,
    possible_degradations,
)
from vip_model.vocabulary.reasons import NEIGHBOUR_PROBLEMS, Reason
from vip_model.vocabulary.words import (
    Checksum,
    FailureAction,
    Family,
    GateState,
    PreemptionMode,
    Protocol,
    State,
    Substate,
    Use,
)

__all__ = [
    "FAILING_PRIORITIES",
    "HIGHEST_FAILING_PRIORITY",
    "HIGHEST_HEALTHY_PRIORITY",
    "HIGHEST_PROVISIONAL_PRIORITY",
    "LOWEST_HEALTHY_PRIORITY",
    "LOWEST_PROVISIONAL_PRIORITY",
    "NEIGHBOUR_PROBLEMS",
    "OWNER_PRIORITY",
    "PROVISIONAL_PRIORITIES",
    "SOUND",
    "Checksum",
    "Degradation",
    "FailureAction",
    "Family",
    "GateState",
    "PreemptionMode",
    "PriorityScale",
    "Protocol",
    "Reason",
    "State",
    "Substate",
    "Use",
    "candidates_that_fit",
    "costs_of_gate",
    "effective_priority",
    "is_provisional",
    "possible_degradations",
]
