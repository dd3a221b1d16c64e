"""The loop: when it runs a round, what it does with the result, and what it survives."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

import pytest

from vip_kube.access import Access
from vip_kube.backoff import Backoff
from vip_kube.client import Client
from vip_kube.errors import ApiError, UnreachableError
from vip_model.planning.inputs import PlanInputs
from vip_model.planning.plan import plan
from vip_operator import loop as loops
from vip_operator.core.changes import RouterChange, SetIngress, StatusChange
from vip_operator.core.known.round_inputs import Moment
from vip_operator.core.known.snapshot import Snapshot
from vip_operator.core.known.store import Store
from vip_operator.core.reconcile import Reconciler, Round
from vip_operator.core.settings import OperatorSettings
from vip_operator.loop import Loop, Parts
from vip_operator.writing.guard import Guard
from vip_operator.writing.write import Written

CHANGE = SetIngress("shop", "nginx", "uid", "7", ("192.0.2.1",))
NOTHING = Round((), (), None, plan(PlanInputs(virtual_ips=())), {}, ())


class Scripted(Reconciler):
    """Decides what the test says, and keeps when it was asked."""

    def __init__(self) -> None:
        super().__init__(OperatorSettings())
        self.answer: Round | Exception = NOTHING
        self.asked: list[tuple[float, int]] = []

    def round(self, snapshot: Snapshot, now: Moment, epoch: int) -> Round:
        """Return what was set, or fail with it."""
        self.asked.append((now.monotonic_ns / 1e9, epoch))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Recorder:
    """Keeps what it is to write, and answers as the test says."""

    def __init__(self) -> None:
        self.written: list[tuple[StatusChange, ...]] = []
        self.answers: list[Written | Exception] = []

    async def write(
        self, router_changes: Sequence[RouterChange], status_changes: Sequence[StatusChange]
    ) -> Written:
        """Keep the changes."""
        self.written.append(tuple(status_changes))
        answer = self.answers.pop(0) if self.answers else Written()
        if isinstance(answer, Exception):
            raise answer
        return answer


class Scene:
    """A loop at work."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.reconciler = Scripted()
        self.writer = Recorder()
        self.epoch: int | None = 4
        self.relists: list[str] = []
        client = Client(Access(server="http://127.0.0.1:1"), user_agent="vip-operator/1")
        self.store = Store()
        self.parts = Parts(
            store=self.store,
            reconciler=self.reconciler,
            guard=Guard(client),
            writer=self.writer,
            epoch=lambda: self.epoch,
            namespace="vips",
            relist=self.relists.append,
            backoff=backoff(),
            error_backoff=backoff(),
        )

    def know_everything(self) -> None:
        """Let the store have a complete list of each kind."""
        for kind in self.store.missing:
            self.store.replace(kind, (), "1")

    @property
    def rounds(self) -> int:
        """How many rounds there were."""
        return len(self.reconciler.asked)


def backoff() -> Backoff:
    """Return a short one."""
    return Backoff(random.Random(1), first_seconds=0.02, limit_seconds=0.05)


async def until(look: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(10):
        while not look():
            await asyncio.sleep(0.002)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """A loop at work that leads and knows everything."""
    scene = Scene()
    scene.know_everything()
    async with running(scene):
        yield scene


@contextlib.asynccontextmanager
async def running(scene: Scene) -> AsyncIterator[None]:
    """Run the loop for the body of the `async with`."""
    task = asyncio.create_task(scene.loop.run(scene.parts))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_no_round_before_everything_is_known() -> None:
    """As long as one kind has never been listed nothing is decided, whatever happens."""
    scene = Scene()
    async with running(scene):
        scene.loop.changed()
        await asyncio.sleep(0.1)
        assert scene.rounds == 0
        scene.know_everything()
        scene.loop.changed()
        await until(lambda: scene.rounds == 1)


async def test_a_follower_decides_nothing(scene: Scene) -> None:
    """Without an epoch there is no round; with one, the round gets it."""
    scene.epoch = None
    scene.loop.changed()
    await asyncio.sleep(0.1)
    assert scene.rounds == 0
    scene.epoch = 9
    scene.loop.changed()
    await until(lambda: scene.rounds == 1)
    assert scene.reconciler.asked[0][1] == 9


async def test_changes_that_come_together_are_one_round(scene: Scene) -> None:
    """Twenty changes within a few milliseconds make one round."""
    for _change in range(20):
        scene.loop.changed()
        await asyncio.sleep(0)
    await until(lambda: scene.rounds)
    await asyncio.sleep(0.05)
    assert scene.rounds == 1


async def test_changes_without_end_do_not_put_a_round_off(scene: Scene) -> None:
    """A change every millisecond delays a round by 50 ms at most, give or take a busy machine."""
    began = asyncio.get_running_loop().time()
    while not scene.rounds:
        scene.loop.changed()
        await asyncio.sleep(0.001)
        assert asyncio.get_running_loop().time() - began < 2.0


async def test_a_round_names_its_own_time(scene: Scene) -> None:
    """Without any change the next round comes when the last one said."""
    scene.loop.changed()
    scene.reconciler.answer = replace(NOTHING, due_ns=time.monotonic_ns() + 200_000_000)
    await until(lambda: scene.rounds == 1)
    scene.reconciler.answer = NOTHING
    await until(lambda: scene.rounds == 2)
    (first, _epoch), (second, _other) = scene.reconciler.asked
    assert 0.1 < second - first < 2.0


async def test_what_may_wait_waits(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Renewed Leases make a round in a while, all of them together; a real change does at once."""
    monkeypatch.setattr(loops, "_PATIENCE_SECONDS", 0.2)
    began = asyncio.get_running_loop().time()
    for _renewal in range(50):
        scene.loop.changed(may_wait=True)
    await until(lambda: scene.rounds)
    assert asyncio.get_running_loop().time() - began >= 0.2
    scene.loop.changed(may_wait=True)
    scene.loop.changed()
    await until(lambda: scene.rounds == 2)
    await asyncio.sleep(0.4)
    assert scene.rounds == 2


async def test_an_error_of_ours_is_logged_once_and_survived(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """A round that fails is tried again; the traceback comes once, and so does its end."""
    caplog.set_level("INFO")
    scene.reconciler.answer = KeyError("a mistake")
    scene.loop.changed()
    await until(lambda: scene.rounds >= 3)
    scene.reconciler.answer = NOTHING
    await until(lambda: scene.loop.tally.rounds)
    errors = [each for each in caplog.records if each.levelname == "ERROR"]
    assert len(errors) == 1
    assert errors[0].exc_info
    assert "Planning works again" in caplog.text
    assert scene.loop.tally.errors >= 3


@pytest.mark.parametrize("error", [ApiError(503), UnreachableError("nothing came")])
async def test_trouble_with_the_api_is_waited_out(
    scene: Scene, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """What could not be written is decided and written again until it works; one line each way."""
    caplog.set_level("INFO")
    scene.reconciler.answer = replace(NOTHING, status_changes=(CHANGE,))
    scene.writer.answers = [error, error, error]
    scene.loop.changed()
    await until(lambda: len(scene.writer.written) == 2)
    assert "could not write" in scene.loop.trouble
    await until(lambda: len(scene.writer.written) == 4)
    await until(lambda: not scene.loop.trouble)
    assert [each.levelname for each in caplog.records] == ["WARNING", "INFO"]


async def test_the_servers_wish_is_obeyed(scene: Scene) -> None:
    """After an answer with Retry-After nothing is written before that time."""
    scene.reconciler.answer = replace(NOTHING, status_changes=(CHANGE,))
    scene.writer.answers = [ApiError(429, retry_after_seconds=0.4)]
    scene.loop.changed()
    await until(lambda: len(scene.writer.written) == 2)
    (first, _epoch), (second, _other) = scene.reconciler.asked
    assert second - first >= 0.4


async def test_a_refusal_is_looked_at_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a refusal there is another round in a while, and after several a list is asked for."""
    monkeypatch.setattr(loops, "_AFTER_REFUSAL_SECONDS", 0.02)
    scene.loop._after_refusal_seconds = 0.02
    scene.reconciler.answer = replace(NOTHING, status_changes=(CHANGE,))
    scene.writer.answers = [Written(refused=("Service shop/nginx",))] * 3
    scene.loop.changed()
    await until(lambda: scene.rounds == 4)
    assert scene.relists
    assert scene.loop.tally.conflicts == 3


async def test_a_warning_is_logged_once(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """What every round warns of is one line until it is over, and another one after that."""
    scene.reconciler.answer = replace(NOTHING, warnings=("A name is too long.",))
    for number in range(3):
        scene.loop.changed()
        await until(functools.partial(lambda wanted: scene.rounds > wanted, number))
    assert caplog.text.count("A name is too long.") == 1
