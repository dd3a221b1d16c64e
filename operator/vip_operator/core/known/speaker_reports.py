"""What speakers report, by VirtualRouter. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vip_model.resources.speaker import (
    AbnormalRouter,
    ActiveRouter,
    ReportedInterface,
    Speaker,
)


@dataclass(frozen=True, slots=True)
class RouterReports:
    """What the nodes say of one VirtualRouter; a healthy Backup says nothing.

    Attributes:
        active: by node that says it is Active.
        abnormal: by node that says something is wrong.
    """

    active: dict[str, ActiveRouter] = field(default_factory=dict)
    abnormal: dict[str, AbnormalRouter] = field(default_factory=dict)


_NOTHING = RouterReports()


@dataclass(frozen=True, slots=True)
class Reports:
    """What all speakers report.

    Attributes:
        routers: by name of the VirtualRouter.
        interfaces: interfaces by node.
    """

    routers: Mapping[str, RouterReports]
    interfaces: Mapping[str, tuple[ReportedInterface, ...]]

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
    return Reports(routers, {each.node: each.status.interfaces for each in speakers})
