"""`vip-speaker check`: judges manifests as the agent would, without running anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vip_common.manifests import reading
from vip_speaker import status_command
from vip_speaker.agent.manifests.static import NodePlan, plan_node
from vip_speaker.messages import DesiredInstance, DesiredRouter

_HEADERS = ("NAME", "FAMILY", "VRID", "INTERFACES", "ADDRESSES", "PRIORITY", "INTERVAL", "GATES")


@dataclass(frozen=True, slots=True)
class Findings:
    """What there is to say of manifests.

    Attributes:
        text: what the node would run; empty if nothing can be said.
        problems: what is wrong, one sentence each.
        warnings: what does not hinder but should be known.
        routers: what the node would run.
    """

    text: str
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    routers: tuple[DesiredRouter, ...] = ()


def check(manifests: str, node: str) -> Findings:
    """Return what one node would run from a file or directory, and every problem in it."""
    try:
        found = reading.read(Path(manifests))
    except reading.ManifestsError as error:
        return Findings(text="", problems=error.problems)
    plan = plan_node(found.documents, node, first_start=False)
    text = "" if plan.routers is None else "\n".join(_lines(plan, node))
    warnings = found.skipped + plan.warnings
    if plan.routers:
        return Findings(text, plan.problems, warnings + plan.excluded, tuple(plan.routers))
    # A node that has no part in anything is one whose name nobody wrote, mostly.
    return Findings(text, plan.problems + plan.excluded, warnings)


def _lines(plan: NodePlan, node: str) -> Iterable[str]:
    assert plan.routers is not None
    if plan.routers:
        yield f"Node {node} would run:"
        yield ""
        rows = [_row(router, one) for router in plan.routers for one in router.instances]
        yield from status_command.align([_HEADERS, *rows])
    else:
        yield f"Node {node} would run no virtual router."
    if plan.ignored:
        yield ""
        yield f"Ignored, since static mode has no use for it: {', '.join(plan.ignored)}"


def _row(router: DesiredRouter, instance: DesiredInstance) -> tuple[str, ...]:
    return (
        router.display_name,
        instance.family.value,
        str(instance.virtual_router_id),
        ",".join(instance.interfaces) or "by subnet",
        ",".join(instance.addresses),
        f"{router.priority} (slot {router.slot}{', by hash' if router.slot_is_hashed else ''})",
        f"{router.advertisement_interval_milliseconds} ms",
        ",".join(gate.name for gate in router.gates) or "-",
    )
