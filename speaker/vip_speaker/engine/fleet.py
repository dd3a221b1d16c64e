"""All routers of this engine, brought to what is desired."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator

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

    def __init__(self, node: Node, touched: set[Router]) -> None:
        """Begin with no router; those whose timers may have changed are noted in `touched`."""
        self._node = node
        node.in_force = self.in_force
        self._touched = touched
        self._routers: dict[str, Router] = {}
        self._waiting: dict[str, DesiredRouter] = {}
        self._ending: dict[str, Callable[[int], None]] = {}
        # Both in the order of their turns.
        self._unjudged: dict[Router, None] = {}
        self._ended: dict[Router, None] = {}
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
        running = {
            name: each.desired
            for name, each in self._routers.items()
            if not each.leaving and name not in self._ending
        }
        return running | self._waiting

    def apply(self, desired: Desired) -> None:
        """Plan what `proceed` does: end routers, start and change others. Idempotent."""
        wanted = {router.name: router for router in desired.routers}
        self._ending.clear()
        for name, router in self._routers.items():
            if name in desired.retired:
                self._ending[name] = router.retire
            elif name not in wanted and desired.complete:
                self._ending[name] = router.stop
            else:
                router.orphaned = name not in wanted
        self._waiting = {name: wish for name, wish in wanted.items() if name not in desired.retired}
        self._leftovers_due = desired.complete
        self.is_behind = True

    def proceed(self, until_ns: int | None) -> bool:
        """End, start and change routers until then (None: all), at least one.

        Returns whether none is left.
        """
        while self._ending or self._waiting:
            now = clock.boottime_ns()
            if self._ending:
                self._end(now, next(iter(self._ending)))
            else:
                self._bring_about(now, next(iter(self._waiting)))
            if until_ns is not None and clock.boottime_ns() >= until_ns:
                return False
        if self._leftovers_due:
            self._leftovers_due = False
            self._forget_leftovers()
        self.is_behind = False
        return True

    def stop(self, now: int) -> None:
        """End every router in an orderly way, and start no other."""
        self._waiting.clear()
        self._ending.clear()
        self._leftovers_due = False
        self.is_behind = False
        for router in self:
            router.stop(now)
            self._touched.add(router)

    @property
    def has_work(self) -> bool:
        """Whether there are routers to start, change, judge or remove."""
        return bool(self.is_behind or self._unjudged or self._ended)

    @property
    def is_judging(self) -> bool:
        """Whether `judge` has something left to do."""
        return bool(self._unjudged)

    def judge_all(self) -> None:
        """Have every router look at its gates again."""
        self._unjudged.update(dict.fromkeys(self._routers.values()))

    def judge(self, until_ns: int) -> None:
        """Judge the routers that are due for it, until then, one at least."""
        while self._unjudged:
            router = next(iter(self._unjudged))
            del self._unjudged[router]
            now = clock.boottime_ns()
            if router.judge(now):
                self._touched.add(router)
            if now >= until_ns:
                return

    def note_ended(self, touched: Iterable[Router]) -> None:
        """Take note of those that have left for good, among all to which something happened."""
        self._ended.update((router, None) for router in touched if router.ended)

    def remove_ended(self, until_ns: int) -> list[Router]:
        """Let go of routers that have left, until then, one at least, and return them."""
        removed = []
        while self._ended:
            router = next(iter(self._ended))
            del self._ended[router]
            router.close()
            self._unjudged.pop(router, None)
            self._node.state_file.forget(router.name)
            del self._routers[router.name]
            removed.append(router)
            if clock.boottime_ns() >= until_ns:
                break
        return removed

    def _bring_about(self, now: int, name: str) -> None:
        wish = self._waiting.pop(name)
        running = self._routers.get(name)
        if running is None:
            self._start(now, wish)
        elif not running.leaving or running.stay(now):
            running.configure(now, wish)
            self._touched.add(running)

    def _end(self, now: int, name: str) -> None:
        end = self._ending.pop(name)
        router = self._routers.get(name)
        if router is None:
            return
        if end == router.stop:
            _log.info("Stopping %s, the configuration no longer holds it", name)
        end(now)
        self._touched.add(router)

    def _start(self, now: int, wish: DesiredRouter) -> None:
        state_file = self._node.state_file
        earlier = state_file.earlier.pop(wish.name, None)
        alive_ns = state_file.earlier_alive_ns
        is_recent = alive_ns is not None and now - alive_ns < _RECENT_NS
        health = earlier.health if earlier is not None and is_recent else None
        router = self._routers[wish.name] = Router(wish, self._node, earlier, health)
        router.start(now)
        self._touched.add(router)

    def _forget_leftovers(self) -> None:
        """Release what an earlier life bound and the configuration no longer knows."""
        held = {one for router in self for one in router.held}
        for index, address in self._node.tagged_addresses() - held:
            _log.info("Releasing %s, left by an earlier life and no longer wanted", address)
            self._node.worker.submit(
                ReleaseRequest(token=LEFTOVER, ifindex=index, addresses=(address,))
            )
