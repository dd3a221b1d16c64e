"""Label selectors: what they choose, and how they read. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from vip_model.resources.enums import SelectorOperator
from vip_model.resources.gate import LabelSelector, LabelSelectorRequirement


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Return whether labels are what a selector asks for; an empty selector matches everything."""
    if any(labels.get(key) != value for key, value in selector.match_labels.items()):
        return False
    return all(_holds(each, labels.get(each.key)) for each in selector.match_expressions)


def in_words(selector: LabelSelector) -> str:
    """Return a selector as kubectl spells it, "app=web,tier in (a,b),!old"; empty for all."""
    labels = [f"{key}={value}" for key, value in sorted(selector.match_labels.items())]
    return ",".join([*labels, *(_expression(each) for each in selector.match_expressions)])


def _holds(wanted: LabelSelectorRequirement, value: str | None) -> bool:
    match wanted.operator:
        case SelectorOperator.IN:
            return value in wanted.values
        case SelectorOperator.NOT_IN:
            return value not in wanted.values  # as in Kubernetes, also where there is no such label
        case SelectorOperator.EXISTS:
            return value is not None
        case SelectorOperator.DOES_NOT_EXIST:
            return value is None


def _expression(wanted: LabelSelectorRequirement) -> str:
    values = ",".join(wanted.values)
    match wanted.operator:
        case SelectorOperator.IN:
            return f"{wanted.key} in ({values})"
        case SelectorOperator.NOT_IN:
            return f"{wanted.key} notin ({values})"
        case SelectorOperator.EXISTS:
            return wanted.key
        case SelectorOperator.DOES_NOT_EXIST:
            return f"!{wanted.key}"
