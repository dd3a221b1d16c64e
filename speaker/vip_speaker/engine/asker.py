"""The thread that asks watched nodes whether they are there, once a second at each address."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from vip_speaker.engine.evidence import QUESTION_EVERY_NS, Event, Outcome, Target
from vip_speaker.linux.clock import boottime_ns
from vip_speaker.linux.echo import EchoSocket, new_token
from vip_speaker.linux.priority import prefer_helper
from vip_speaker.vrrp.config import Address
from vip_speaker.vrrp.timers import MILLISECOND_NS, SECOND_NS

_JITTER_NS = 100 * MILLISECOND_NS
# A new target is asked for the first time within so long.
_FIRST_NS = 250 * MILLISECOND_NS
# The loop is woken so often at most.
_EVENTS_EVERY_NS = 100 * MILLISECOND_NS
# What is due within so long is asked in one go.
_ROUND_NS = 20 * MILLISECOND_NS
# Many answers are taken together.
_BREATH_SECONDS = 0.01
# An answer counts for so many questions back.
_TOKENS = 4
_RESTART_SECONDS = 1.0

_log = logging.getLogger("engine")


class Question(NamedTuple):
    """Whom to ask.

    Attributes:
        target: address and interface.
        source: our address.
        mac: hardware address of the target where its adverts have shown it. Only that machine
            gets the question then, so that whoever answers has it from there.
    """

    target: Target
    source: Address
    mac: bytes | None = None


@dataclass(slots=True)
class _Asked:
    """A question, when it is due again, and what answers to it are known by."""

    question: Question
    due_ns: int
    tokens: deque[bytes] = field(default_factory=lambda: deque(maxlen=_TOKENS))


_Key = tuple[int, int]  # interface index, IP version


class Asker:
    """Asks in a thread of its own, which begins with the first question."""

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[list[Question] | None] = queue.SimpleQueue()
        self._ordered = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._happened = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._events: deque[Event] = deque()
        self._thread: threading.Thread | None = None

    def fileno(self) -> int:
        """Return the file descriptor that is readable when there are events."""
        return self._happened

    def ask(self, questions: Iterable[Question]) -> None:
        """Ask these from now on, and no others; never waits."""
        questions = list(questions)
        if self._thread is None:
            if not questions:
                return
            work = _Work(self._orders, self._ordered, self._say)
            self._thread = threading.Thread(target=work.run, name="asking", daemon=True)
            self._thread.start()
        self._order(questions)

    def events(self) -> list[Event]:
        """Return what has happened since the last call."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._happened)
        events = []
        with contextlib.suppress(IndexError):
            while True:
                events.append(self._events.popleft())
        return events

    def close(self) -> None:
        """End the thread; what it waits for in the kernel is not waited for."""
        if self._thread is not None:
            self._order(None)

    def _order(self, order: list[Question] | None) -> None:
        self._orders.put(order)
        os.eventfd_write(self._ordered, 1)

    def _say(self, events: list[Event]) -> None:
        self._events.extend(events)
        os.eventfd_write(self._happened, 1)


class _Work:
    """What the thread does."""

    def __init__(
        self,
        orders: queue.SimpleQueue[list[Question] | None],
        ordered: int,
        say: Callable[[list[Event]], None],
    ) -> None:
        self._orders = orders
        self._ordered = ordered
        self._say = say
        self._selector = selectors.DefaultSelector()
        self._selector.register(ordered, selectors.EVENT_READ)
        self._sockets: dict[_Key, EchoSocket] = {}
        self._asked: dict[Target, _Asked] = {}
        self._events: list[Event] = []
        self._said_ns = 0

    def run(self) -> None:
        """Ask until told to end, whatever happens."""
        prefer_helper()
        while True:
            try:
                self._ask_until_told()
            except Exception:  # noqa: BLE001  a bug here must not end the engine
                _log.exception("Asking watched nodes failed, beginning anew")
                self._begin_anew()
                time.sleep(_RESTART_SECONDS)
            else:
                break
        self._close([*self._sockets])

    def _ask_until_told(self) -> None:
        while self._take_orders():
            now = boottime_ns()
            for asked in self._due(now):
                self._ask(now, asked)
            self._hand_over(boottime_ns())
            ready = self._selector.select(self._seconds_to_wait())
            time.sleep(_BREATH_SECONDS)
            for key, _mask in ready:
                if key.data is not None:
                    self._hear(key.data)

    def _take_orders(self) -> bool:
        """Take the newest orders; return whether to go on."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._ordered)
        with contextlib.suppress(queue.Empty):
            while True:
                order = self._orders.get_nowait()
                if order is None:
                    return False
                self._follow(order)
        return True

    def _follow(self, questions: Iterable[Question]) -> None:
        now = boottime_ns()
        asked = {}
        for question in questions:
            one = self._asked.get(question.target)
            if one is None:
                one = _Asked(question, now + _somewhere_within(_FIRST_NS))
            one.question = question
            asked[question.target] = one
        self._asked = asked
        used = {_key(target) for target in asked}
        self._close([key for key in self._sockets if key not in used])

    def _due(self, now: int) -> list[_Asked]:
        return [one for one in self._asked.values() if one.due_ns <= now + _ROUND_NS]

    def _seconds_to_wait(self) -> float | None:
        due = [one.due_ns for one in self._asked.values()]
        if self._events:
            due.append(self._said_ns + _EVENTS_EVERY_NS)
        return max(0, min(due) - boottime_ns()) / SECOND_NS if due else None

    def _ask(self, now: int, asked: _Asked) -> None:
        question, token = asked.question, new_token()
        asked.due_ns = now + QUESTION_EVERY_NS - _JITTER_NS + _somewhere_within(2 * _JITTER_NS)
        asked.tokens.append(token)
        key = _key(question.target)
        try:
            self._open(key).ask(question.source, question.target.address, question.mac, token)
        except OSError:
            self._note(asked, Outcome.FAILED)
        else:
            self._note(asked, Outcome.ASKED)

    def _open(self, key: _Key) -> EchoSocket:
        found = self._sockets.get(key)
        if found is None:
            found = self._sockets[key] = EchoSocket(*key)
            self._selector.register(found, selectors.EVENT_READ, key)
        return found

    def _hear(self, key: _Key) -> None:
        opened = self._sockets.get(key)
        if opened is None:
            return  # closed since the selector saw something
        try:
            answers = opened.answers()
        except OSError:
            self._lose(key)
            return
        for answer in answers:
            asked = self._asked.get(Target(key[0], answer.address))
            if asked is not None and answer.token in asked.tokens:
                self._note(asked, Outcome.ANSWERED)

    def _lose(self, key: _Key) -> None:
        """The link went down: it may have been another since, which this socket does not hear."""
        self._close([key])
        for asked in self._asked.values():
            if _key(asked.question.target) == key:
                self._note(asked, Outcome.FAILED)

    def _note(self, asked: _Asked, outcome: Outcome) -> None:
        self._events.append(Event(asked.question.target, boottime_ns(), outcome))

    def _hand_over(self, now: int) -> None:
        if self._events and now - self._said_ns >= _EVENTS_EVERY_NS:
            self._say(self._events)
            self._events, self._said_ns = [], now

    def _begin_anew(self) -> None:
        """Take back what was asked: nobody is called gone for a mistake of ours."""
        self._close([*self._sockets])
        for asked in self._asked.values():
            self._note(asked, Outcome.FAILED)
        self._hand_over(self._said_ns + _EVENTS_EVERY_NS)

    def _close(self, keys: Iterable[_Key]) -> None:
        for key in keys:
            opened = self._sockets.pop(key)
            self._selector.unregister(opened)
            with contextlib.suppress(OSError):
                opened.close()


def _key(target: Target) -> _Key:
    return target.ifindex, target.address.version


def _somewhere_within(duration_ns: int) -> int:
    return int.from_bytes(os.urandom(4), "big") * duration_ns >> 32
