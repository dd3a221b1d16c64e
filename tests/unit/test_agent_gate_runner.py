"""Which gates run as the configuration changes, and what of them the engine is told."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from vip_model.resources.gate import Gate
from vip_model.vocabulary import GateState, Reason
from vip_speaker.agent.desired import WantedGate
from vip_speaker.agent.gates import GateRunner
from vip_speaker.agent.report import GateDetail
from vip_speaker.gates.constant import ConstantGate
from vip_speaker.gates.verdict import Outcome, Tally
from vip_speaker.messages import Verdict, Verdicts

WEB = ("vip.shop.web", "nginx")
DATABASE = ("vip.shop.database", "port")


class ScriptedGate:
    """A gate whose outcomes the test decides."""

    def __init__(self, wanted: WantedGate, on_change: Callable[[], None]) -> None:
        self.spec = wanted.spec
        self.tally = Tally(self.spec.success_threshold, self.spec.failure_threshold)
        self.started = 0
        self.stopped = 0
        self.unstartable = False
        self.unstoppable = False
        self._on_change = on_change

    @property
    def verdict(self) -> Verdict:
        """The verdict now."""
        return self.tally.verdict

    def start(self) -> None:
        """Note it."""
        self.started += 1
        if self.unstartable:
            raise RuntimeError("no luck")

    async def stop(self) -> None:
        """Note it."""
        self.stopped += 1
        if self.unstoppable:
            raise RuntimeError("stuck")

    def count(self, *, passed: bool, now_ns: int = 0) -> None:
        """Count an outcome as a probe would."""
        if self.tally.count(now_ns, Outcome(passed=passed, reason="up" if passed else "down")):
            self._on_change()


class Scene:
    """A runner of scripted gates.

    Attributes:
        made: every gate, in order.
        broken: what making a gate of a name raises.
        unstartable: starting a gate raises.
    """

    def __init__(self) -> None:
        self.made: list[ScriptedGate] = []
        self.broken: dict[str, Exception] = {}
        self.unstartable = False
        self.changes = 0
        self.runner = GateRunner(self._create, self._changed)

    def _create(self, wanted: WantedGate, on_change: Callable[[], None]) -> ScriptedGate:
        if wanted.spec.name in self.broken:
            raise self.broken[wanted.spec.name]
        self.made.append(ScriptedGate(wanted, on_change))
        self.made[-1].unstartable = self.unstartable
        return self.made[-1]

    def _changed(self) -> None:
        self.changes += 1


@pytest.fixture
def scene() -> Scene:
    """A runner that runs nothing yet."""
    return Scene()


def gate(name: str = "nginx", **fields: object) -> WantedGate:
    """Return a gate as the manifest spells it."""
    spec = msgspec.convert({"name": name, "httpGet": {"port": 80}, **fields}, Gate)
    return WantedGate(spec, "httpGet", "shop")


async def test_starts_what_is_wanted_and_stops_what_is_not(scene: Scene) -> None:
    """Exactly the wanted gates run."""
    await scene.runner.apply({WEB: gate(), DATABASE: gate("port")})
    await scene.runner.apply({DATABASE: gate("port")})
    web, database = scene.made

    assert (web.started, web.stopped) == (1, 1)
    assert (database.started, database.stopped) == (1, 0)


async def test_an_unchanged_gate_runs_on_with_its_verdict(scene: Scene) -> None:
    """A new configuration with the same gate does not make its verdict unknown."""
    await scene.runner.apply({WEB: gate()})
    scene.made[0].count(passed=True)
    await scene.runner.apply({WEB: gate(), DATABASE: gate("port")})

    assert scene.made[0].stopped == 0
    assert scene.runner.verdicts().routers["vip.shop.web"]["nginx"].state is GateState.PASSING


async def test_a_changed_gate_starts_anew(scene: Scene) -> None:
    """A gate with another threshold, target or period is another gate."""
    await scene.runner.apply({WEB: gate()})
    scene.made[0].count(passed=True)
    await scene.runner.apply({WEB: gate(failureThreshold=5)})

    assert scene.made[0].stopped == 1
    assert scene.made[1].spec.failure_threshold == 5
    assert scene.runner.verdicts() == Verdicts(routers={})


async def test_unknown_verdicts_are_not_told(scene: Scene) -> None:
    """What is undecided is left out, so that the engine keeps what it knew."""
    await scene.runner.apply({WEB: gate(), DATABASE: gate("port")})
    scene.made[0].count(passed=True)

    assert scene.runner.verdicts() == Verdicts(
        routers={"vip.shop.web": {"nginx": Verdict(state=GateState.PASSING, reason="up")}}
    )


async def test_a_gate_that_cannot_be_made_fails_alone(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever its making raises, that gate fails and is named, and the others run."""
    scene.broken["nginx"] = ValueError("Invalid IPv6 URL")
    await scene.runner.apply({WEB: gate(), DATABASE: gate("port")})
    scene.made[0].count(passed=True)
    assert scene.runner.verdicts().routers == {
        "vip.shop.web": {
            "nginx": Verdict(
                state=GateState.FAILING, reason="it could not be started: Invalid IPv6 URL"
            )
        },
        "vip.shop.database": {"port": Verdict(state=GateState.PASSING, reason="up")},
    }
    (problem,) = scene.runner.problems({WEB[0]: "shop/web"})
    assert problem == "Gate nginx of shop/web could not be started: Invalid IPv6 URL"
    assert "could not be started" in caplog.text

    scene.broken.clear()
    await scene.runner.apply({WEB: gate(failureThreshold=5), DATABASE: gate("port")})
    assert scene.runner.problems({}) == []
    assert scene.made[0].stopped == 0


async def test_a_gate_whose_start_raises_is_stopped(scene: Scene) -> None:
    """What it holds by then is given back, and the gate fails."""
    scene.unstartable = True
    await scene.runner.apply({WEB: gate()})

    assert scene.made[0].stopped == 1
    assert scene.runner.verdicts().routers["vip.shop.web"]["nginx"].state is GateState.FAILING


async def test_a_gate_whose_end_raises_ends_nothing_else(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are stopped, what is wanted runs, and the log says what went wrong."""
    await scene.runner.apply({WEB: gate(), DATABASE: gate("port")})
    scene.made[0].unstoppable = True
    await scene.runner.apply({})

    assert scene.made[1].stopped == 1
    assert "stuck" in caplog.text


async def test_two_gates_of_one_router(scene: Scene) -> None:
    """Verdicts are told by router and gate."""
    await scene.runner.apply({WEB: gate(), (WEB[0], "port"): gate("port", failureThreshold=1)})
    scene.made[0].count(passed=True)
    scene.made[1].count(passed=False)

    assert scene.runner.verdicts().routers == {
        "vip.shop.web": {
            "nginx": Verdict(state=GateState.PASSING, reason="up"),
            "port": Verdict(state=GateState.FAILING, reason="down"),
        }
    }


async def test_a_change_is_reported(scene: Scene) -> None:
    """The part that sends verdicts to the engine hears of every change at once."""
    await scene.runner.apply({WEB: gate()})
    scene.made[0].count(passed=True)
    scene.made[0].count(passed=True)

    assert scene.changes == 1


async def test_each_flip_is_logged_once(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """The log tells when a gate became Passing or Failing, and why."""
    caplog.set_level("INFO")
    await scene.runner.apply({WEB: gate(failureThreshold=1)})
    for passed in (True, True, False, False):
        scene.made[0].count(passed=passed)

    assert [record.getMessage() for record in caplog.records] == [
        "Gate nginx of vip.shop.web became Passing: up",
        "Gate nginx of vip.shop.web became Failing: down",
    ]


async def test_details(scene: Scene) -> None:
    """The details say since when, what was seen last, and how often in a row."""
    await scene.runner.apply({WEB: gate(), DATABASE: gate("port")})
    scene.made[0].count(passed=True, now_ns=1_767_225_600_123_456_789)
    scene.made[0].count(passed=False)

    web, database = scene.runner.details({WEB[0]: "shop/web"})

    assert web == GateDetail(
        router="shop/web",
        name="nginx",
        kind="httpGet",
        state=GateState.PASSING,
        reason="up",
        since="2026-01-01T00:00:00.123Z",
        last_outcome="down",
        in_a_row=1,
    )
    assert (database.router, database.state, database.since) == (
        "vip.shop.database",
        GateState.UNKNOWN,
        "",
    )


async def test_the_engine_is_told_why_a_verdict_cannot_be_given() -> None:
    """Unknown is told only where its cause is known; otherwise silence says the same."""
    unknown = GateState.UNKNOWN
    verdicts = {
        "pods": Verdict(state=unknown, reason="no right", cause=Reason.PODS_FORBIDDEN),
        "nginx": Verdict(state=unknown, reason="no verdict yet"),
    }
    runner = GateRunner(lambda wanted, _changed: ConstantGate(verdicts[wanted.kind]), lambda: None)
    wanted = {("vip.shop.web", kind): WantedGate(Gate(name=kind), kind) for kind in verdicts}
    await runner.apply(wanted)
    assert runner.verdicts() == Verdicts(routers={"vip.shop.web": {"pods": verdicts["pods"]}})
