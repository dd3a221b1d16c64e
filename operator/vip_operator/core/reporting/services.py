"""What must be written so that Services of our class show what the plan says. Pure."""

from __future__ import annotations

from vip_operator.core.changes import SetIngress
from vip_operator.core.known.round_inputs import Facts


def changes_of(facts: Facts) -> tuple[SetIngress, ...]:
    """Return the writes to Services of our class; Services of others are no part of the plan."""
    changes = []
    for service in facts.snapshot.services:
        addresses = facts.plan.ingress.get((service.namespace, service.name))
        if addresses is not None and addresses != service.ingress:
            changes.append(
                SetIngress(
                    namespace=service.namespace,
                    name=service.name,
                    uid=service.uid,
                    resource_version=service.resource_version,
                    addresses=addresses,
                )
            )
    return tuple(changes)
