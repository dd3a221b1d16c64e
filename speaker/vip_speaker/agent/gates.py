"""Runs the gates of every router of this node and collects their verdicts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from vip_common.timestamps import rfc3339
from vip_model.vocabulary import GateState
from vip_speaker.agent.desired import GateKey, WantedGate
from vip_speaker.agent.report import GateDetail
from vip_speaker.gates.constant import ConstantGate
from vip_speaker.gates.registry import RunningGate
from vip_speaker.messages import Verdict, Verdicts

Create = Callable[[WantedGate, Callable[[], None]], RunningGate]

_log = logging.getLogger("agent")

_MICROSECOND_NS = 1000
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Running:
    wanted: WantedGate
    gate: RunningGate
    problem: str = ""  # why it could not be started; then it is a constant one


class GateRunner:
    """Keeps one running gate for each that is wanted.

    A gate whose specification stays the same runs on with its verdict when others change. One that
    cannot be started fails, and disturbs no other.
    """

    def __init__(self, create: Create, on_change: Callable[[], None]) -> None:
        self._create = create
        self._on_change = on_change
        self._running: dict[GateKey, _Running] = {}

    async def apply(self, wanted: Mapping[GateKey, WantedGate]) -> None:
        """Start, keep and stop gates so that exactly the wanted ones run."""
        before = self._running
        kept = {
            key: running for key, running in before.items() if wanted.get(key) == running.wanted
        }
        gone = [running.gate for key, running in before.items() if key not in kept]
        for key, one in wanted.items():
            if key not in kept:
                kept[key] = self._start(key, one, gone)
        self._running = {key: kept[key] for key in wanted}
        for end in await asyncio.gather(*(gate.stop() for gate in gone), return_exceptions=True):
            if isinstance(end, Exception):
                _log.error("A gate could not be ended: %r", end, exc_info=end)

    def verdicts(self) -> Verdicts:
        """Return every verdict that is decided, and why one cannot be where that is known."""
        routers: dict[str, dict[str, Verdict]] = {}
        for (router, name), running in self._running.items():
            verdict = running.gate.verdict
            if verdict.state is not GateState.UNKNOWN or verdict.cause:
                routers.setdefault(router, {})[name] = verdict
        return Verdicts(routers=routers)

    def details(self, display_names: Mapping[str, str]) -> list[GateDetail]:
        """Return what is known of each gate; routers are named as people know them."""
        return [
            _detail(display_names.get(router, router), name, running)
            for (router, name), running in self._running.items()
        ]

    def problems(self, display_names: Mapping[str, str]) -> list[str]:
        """Return which gates could not be started, and why; one sentence each."""
        return [
            f"Gate {name} of {display_names.get(router, router)} could not be started: "
            f"{running.problem}"
            for (router, name), running in self._running.items()
            if running.problem
        ]

    def _start(self, key: GateKey, wanted: WantedGate, gone: list[RunningGate]) -> _Running:
        """Return a gate at work; one that cannot be started is constant, and its rest is gone."""
        router, name = key
        logged = (GateState.UNKNOWN, "")

        def changed() -> None:
            nonlocal logged
            verdict = gate.verdict
            if (verdict.state, verdict.cause) != logged:
                _log.info(
                    "Gate %s of %s became %s: %s", name, router, verdict.state, verdict.reason
                )
                logged = (verdict.state, verdict.cause)
            self._on_change()

        try:
            gate = self._create(wanted, changed)
        except Exception as error:  # noqa: BLE001  whatever is wrong with one, the others go on
            return _broken(key, wanted, error)
        try:
            gate.start()
        except Exception as error:  # noqa: BLE001  likewise
            gone.append(gate)
            return _broken(key, wanted, error)
        return _Running(wanted, gate)


def _broken(key: GateKey, wanted: WantedGate, error: Exception) -> _Running:
    """Return what runs instead of a gate that cannot be started; all others must go on."""
    router, name = key
    _log.error("Gate %s of %s could not be started: %s", name, router, error, exc_info=error)
    why = str(error) or repr(error)
    verdict = Verdict(state=GateState.FAILING, reason=f"it could not be started: {why}")
    return _Running(wanted, ConstantGate(verdict), why)


def _detail(router: str, name: str, running: _Running) -> GateDetail:
    verdict, tally = running.gate.verdict, running.gate.tally
    last = tally.last if tally else None
    return GateDetail(
        router=router,
        name=name,
        kind=running.wanted.kind,
        state=verdict.state,
        reason=verdict.reason,
        since=_rfc3339(tally.since_ns) if tally and tally.since_ns is not None else "",
        last_outcome=last.reason if last else "",
        in_a_row=tally.in_a_row if tally else 0,
    )


def _rfc3339(nanoseconds: int) -> str:
    moment = datetime.fromtimestamp(nanoseconds // _SECOND_NS, UTC)
    moment = moment.replace(microsecond=nanoseconds % _SECOND_NS // _MICROSECOND_NS)
    return rfc3339(moment)
