"""A node's kernel as far as addresses go, and the thread that changes them.

The kernel outlives the process that bound an address, and removes the address after its lifetime.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from support.simulation.addresses import family_of
from support.simulation.agenda import Agenda
from support.simulation.options import Options
from vip_speaker.vrrp.config import Address
from vip_speaker.vrrp.timers import MILLISECOND_NS, SECOND_NS

# The kernel looks for expired addresses at times of its own.
_EXPIRY_SLACK_NS = 400 * MILLISECOND_NS
# A wish that waited while its process was frozen must not come true.
_BIND_LIMIT_NS = 2 * SECOND_NS


class Kernel:
    """The virtual addresses that are bound on one node, all with the same lifetime."""

    def __init__(self, agenda: Agenda, random: Random, changed: Callable[[str], None]) -> None:
        self._agenda = agenda
        self._random = random
        self._changed = changed
        self._expires_ns = 0
        self.addresses: frozenset[Address] = frozenset()
        self.renewed_ns = 0
        self.held_since_ns = 0

    @property
    def holds(self) -> bool:
        """Whether this node answers for the addresses."""
        return bool(self.addresses)

    def bind(self, addresses: frozenset[Address], lifetime_ns: int) -> None:
        """Have exactly these addresses."""
        if not self.addresses:
            self.held_since_ns = self._agenda.now_ns
        self.addresses = addresses
        self.prolong(lifetime_ns)
        self._changed("bound")

    def prolong(self, lifetime_ns: int) -> None:
        """Renew what is bound; what is gone stays gone."""
        if self.addresses:
            self.renewed_ns = self._agenda.now_ns
            slack_ns = round(self._random.random() * _EXPIRY_SLACK_NS)
            self._expires_ns = self._agenda.now_ns + lifetime_ns + slack_ns
            self._agenda.at(self._expires_ns, self._expire)

    def clear(self, why: str) -> None:
        """Remove everything: released, expired, removed by somebody, or powered off."""
        if self.addresses:
            self.addresses = frozenset()
            self._changed(why)

    def drop(self, family: int) -> None:
        """Lose the addresses of one family: it is switched off, or its link is gone."""
        left = frozenset(one for one in self.addresses if family_of(one) != family)
        if left != self.addresses:
            self.addresses = left
            self._changed("lost")

    def _expire(self) -> None:
        if self._agenda.now_ns >= self._expires_ns:
            self.clear("expired")


@dataclass(frozen=True, slots=True)
class Change:
    """What the thread is to do.

    Attributes:
        kind: bind, renew or release.
        generation: for the driver to tell answers apart.
        addresses: what to bind.
        lifetime_ns: how long the kernel keeps them.
        asked_ns: when it was asked for.
    """

    kind: str
    generation: int
    addresses: frozenset[Address]
    lifetime_ns: int
    asked_ns: int


class Worker:
    """The thread: one change after the other, in their order, each takes its time."""

    def __init__(
        self,
        agenda: Agenda,
        random: Random,
        options: Options,
        kernel: Kernel,
        answer: Callable[[int, bool], None],
    ) -> None:
        self._agenda = agenda
        self._random = random
        self._options = options
        self._kernel = kernel
        self._answer = answer
        self._queue: deque[Change] = deque()
        self._life = 0
        self._frozen = False
        self.fails = False
        self.slowness_ns = 0

    @property
    def idle(self) -> bool:
        """Whether everything that was asked for is done."""
        return not self._queue

    def submit(self, change: Change) -> None:
        """Ask for a change."""
        self._queue.append(change)
        if len(self._queue) == 1:
            self._begin()

    def kill(self) -> None:
        """The process dies; what was asked for does not happen any more."""
        self._queue.clear()
        self._life += 1
        self._frozen = False

    def freeze(self) -> None:
        """The process is stopped, with all its threads."""
        self._frozen = True
        self._life += 1

    def thaw(self) -> None:
        """The process goes on."""
        self._frozen = False
        if self._queue:
            self._begin()

    def _begin(self) -> None:
        if not self._frozen:
            self._agenda.after(self._duration_ns(self._queue[0]), self._finish, self._life)

    def _duration_ns(self, change: Change) -> int:
        options = self._options
        if change.kind != "bind":
            return options.bind_mean_ns // 20
        if options.bind_steady:
            return options.bind_mean_ns + self.slowness_ns
        drawn = round(self._random.expovariate(1 / options.bind_mean_ns))
        return min(drawn, options.bind_max_ns) + self.slowness_ns

    def _finish(self, life: int) -> None:
        if life != self._life:
            return
        change = self._queue.popleft()
        done = self._do(change)
        if change.kind == "bind":
            self._answer(change.generation, done)
        if self._queue:
            self._begin()

    def _do(self, change: Change) -> bool:
        if change.kind == "release":
            self._kernel.clear("released")
        elif change.kind == "renew":
            self._kernel.prolong(change.lifetime_ns)
        elif self.fails or self._agenda.now_ns - change.asked_ns > _BIND_LIMIT_NS:
            return False
        else:
            self._kernel.bind(change.addresses, change.lifetime_ns)
        return True
