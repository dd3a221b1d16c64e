"""What the routers of one engine share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from vip_speaker.engine import transition_log
from vip_speaker.engine.channels import Channels
from vip_speaker.engine.clock import WallClock, boottime_ns
from vip_speaker.engine.compile import InstanceKey
from vip_speaker.engine.dependencies import Dependencies
from vip_speaker.engine.instance import Addressee
from vip_speaker.engine.probing import ProbeSockets
from vip_speaker.engine.state_file import StateFile
from vip_speaker.linux.addresses import AddressWorker
from vip_speaker.linux.monitor import Monitor
from vip_speaker.linux.view import NetworkView
from vip_speaker.messages import DesiredRouter, FromEngine, Transition, Verdict
from vip_speaker.vrrp.actions import StateChanged
from vip_speaker.vrrp.config import Address

_log = logging.getLogger("engine")


@dataclass(slots=True)
class Node:
    """The node as its routers see it.

    Attributes:
        worker: asks the kernel for addresses, in a thread of its own.
        channels: sockets.
        probes: sockets that ask who has an address.
        monitor: links and addresses as they are now.
        state_file: what the next life of the engine must know.
        directory: whom an advert is for.
        in_force: what each router that stays is to run, by name.
        dependencies: whom a change of links or addresses concerns.
        publish: tells subscribers of what has changed.
        started_ns: when this engine started.
        verdicts: the agent's last verdicts, by router and gate.
        verdicts_stale: nothing was heard of the agent for long.
        wall_clock: tells people of moments.
    """

    worker: AddressWorker
    channels: Channels
    probes: ProbeSockets
    monitor: Monitor
    state_file: StateFile
    publish: Callable[[FromEngine], None]
    directory: dict[InstanceKey, Addressee] = field(default_factory=dict)
    in_force: Callable[[], Mapping[str, DesiredRouter]] = dict
    started_ns: int = field(default_factory=boottime_ns)
    dependencies: Dependencies = field(default_factory=Dependencies)
    verdicts: Mapping[str, Mapping[str, Verdict]] = field(default_factory=dict)
    verdicts_stale: bool = False
    wall_clock: WallClock = field(default_factory=WallClock)

    @property
    def view(self) -> NetworkView:
        """Links and addresses of this network namespace."""
        return self.monitor.view

    def carriers(self) -> Mapping[str, bool]:
        """Return carrier by interface name, for the gates that the engine judges itself."""
        return self.view.carriers

    def tagged_addresses(self) -> frozenset[tuple[int, Address]]:
        """Return (interface index, address) of all that a speaker, maybe an earlier one, bound."""
        return self.view.tagged

    def report(self, router: DesiredRouter, change: StateChanged, now: int, peer: str) -> None:
        """Tell the log and every subscriber of a transition; `peer` was heard last, if anybody."""
        level = transition_log.level(change, peer)
        _log.log(level, "%s", transition_log.sentence(router, change, peer))
        self.publish(
            Transition(
                router=router.name,
                previous=change.previous.value,
                state=change.state.value,
                reason=change.reason,
                since=self.wall_clock.rfc3339(now),
            )
        )
