"""What speakers report, by VirtualRouter. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vip_model.resources.speaker import (
    AbnormalRouter,
    ActiveRouter,
    AddressConflict,
    ReportedInterface,
    Speaker,
)


@dataclass(frozen=True, slots=True)
class RouterReports:
    """What the nodes say of one VirtualRouter; a healthy Backup says nothing.

    Attributes:
        active: by node that says it is Active.
        abnormal: by node that says something is wrong.
        conflicts: by node that hears other machines use or announce the addresses.
    """

    active: dict[str, ActiveRouter] = field(default_factory=dict)
    abnormal: dict[str, AbnormalRouter] = field(default_factory=dict)
    conflicts: dict[str, list[AddressConflict]] = field(default_factory=dict)


_NOTHING = RouterReports()


@dataclass(frozen=True, slots=True)
class Reports:
    """What all speakers report.

    Attributes:
        routers: by name of the VirtualRouter.
        interfaces: interfaces by node.
        hearing: by node that is watched, those that hear it.
    """

    routers: Mapping[str, RouterReports]
    interfaces: Mapping[str, tuple[ReportedInterface, ...]]
    hearing: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def of(self, router: str) -> RouterReports:
        """Return what is said of one VirtualRouter."""
        return self.routers.get(router, _NOTHING)


def gather(speakers: tuple[Speaker, ...]) -> Reports:
    """Return the reports by VirtualRouter."""
    routers: dict[str, RouterReports] = {}
    for speaker in speakers:
        for active in speaker.status.active:
            routers.setdefault(active.router, RouterReports()).active[speaker.node] = active
        for abnormal in speaker.status.abnormal:
            routers.setdefault(abnormal.router, RouterReports()).abnormal[speaker.node] = abnormal
        for conflict in speaker.status.conflicts:
            found = routers.setdefault(conflict.router, RouterReports()).conflicts
            found.setdefault(speaker.node, []).append(conflict)
    hearing: dict[str, set[str]] = {}
    for speaker in speakers:
        for watched in speaker.status.watched:
            if watched.heard:
                hearing.setdefault(watched.node, set()).add(speaker.node)
    return Reports(
        routers,
        {each.node: each.status.interfaces for each in speakers},
        {node: frozenset(nodes) for node, nodes in hearing.items()},
    )
