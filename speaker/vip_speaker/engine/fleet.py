"""All routers of this engine, brought to what is desired."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from vip_speaker.engine import clock
from vip_speaker.engine.node import Node
from vip_speaker.engine.router import Router
from vip_speaker.linux.addresses import ReleaseRequest
from vip_speaker.messages import Desired, DesiredRouter
from vip_speaker.vrrp.timers import SECOND_NS

LEFTOVER = ""  # token of what no router waits for
# Verdicts of an earlier life stand for so long: the agent speaks within a second or two.
_RECENT_NS = 30 * SECOND_NS

_log = logging.getLogger("engine")


class Fleet:
    """Routers by name; omission means keep, only an explicit word ends one.

    Attributes:
        is_behind: whether `proceed` has something left to do.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._routers: dict[str, Router] = {}
        self._waiting: dict[str, DesiredRouter] = {}
        self._leftovers_due = False
        self.is_behind = False

    def __iter__(self) -> Iterator[Router]:
        return iter(list(self._routers.values()))

    def __len__(self) -> int:
        return len(self._routers)

    def find(self, name: str) -> Router | None:
        """Return the router of that name."""
        return self._routers.get(name)

    def in_force(self) -> dict[str, DesiredRouter]:
        """Return what was accepted last of each router that stays."""
        running = {name: each.desired for name, each in self._routers.items() if not each.leaving}
        return running | self._waiting

    def apply(self, now: int, desired: Desired) -> None:
        """End routers; `proceed` starts and changes the others. Idempotent."""
        wanted = {router.name: router for router in desired.routers}
        for name, router in list(self._routers.items()):
            if name in desired.retired:
                router.retire(now)
            elif name not in wanted and desired.complete:
                _log.info("Stopping %s, the configuration no longer holds it", name)
                router.stop(now)
            else:
                router.orphaned = name not in wanted
        self._waiting = {name: wish for name, wish in wanted.items() if name not in desired.retired}
        self._leftovers_due = desired.complete
        self.is_behind = True

    def proceed(self, until_ns: int | None) -> bool:
        """Start and change routers until then (None: all); return whether none is left."""
        while self._waiting:
            now = clock.boottime_ns()
            if until_ns is not None and now >= until_ns:
                return False
            name = next(iter(self._waiting))
            wish = self._waiting.pop(name)
            running = self._routers.get(name)
            if running is None:
                self._start(now, wish)
            elif not running.leaving or running.stay(now):
                running.configure(now, wish)
        if self._leftovers_due:
            self._leftovers_due = False
            self._forget_leftovers()
        self.is_behind = False
        return True

    def stop(self, now: int) -> None:
        """End every router in an orderly way, and start no other."""
        self._waiting.clear()
        self._leftovers_due = False
        self.is_behind = False
        for router in self:
            router.stop(now)

    def remove_ended(self) -> bool:
        """Let go of the routers that have left; return whether there were any."""
        before = len(self._routers)
        for name, router in list(self._routers.items()):
            if router.ended:
                router.close()
                self._node.state_file.forget(name)
                del self._routers[name]
        return len(self._routers) < before

    def _start(self, now: int, wish: DesiredRouter) -> None:
        state_file = self._node.state_file
        earlier = state_file.earlier.pop(wish.name, None)
        alive_ns = state_file.earlier_alive_ns
        is_recent = alive_ns is not None and now - alive_ns < _RECENT_NS
        health = earlier.health if earlier is not None and is_recent else None
        router = self._routers[wish.name] = Router(wish, self._node, earlier, health)
        router.start(now)

    def _forget_leftovers(self) -> None:
        """Release what an earlier life bound and the configuration no longer knows."""
        for index, address in self._node.tagged_addresses():
            if not any(router.holds(index, address) for router in self):
                _log.info("Releasing %s, left by an earlier life and no longer wanted", address)
                self._node.worker.submit(
                    ReleaseRequest(token=LEFTOVER, ifindex=index, addresses=(address,))
                )
