"""The agent process: follows the manifests, runs the gates, tells the engine, serves HTTP."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from vip_speaker import log
from vip_speaker.agent import web
from vip_speaker.agent.client import EngineClient
from vip_speaker.agent.follower import Follower
from vip_speaker.agent.gate_runner import GateRunner
from vip_speaker.agent.report import GateDetail, Report
from vip_speaker.agent.static import NodePlan, create_gate
from vip_speaker.messages import Desired, FromEngine, Hello
from vip_speaker.settings import LIFELINE_VARIABLE, Settings

_STOP_SECONDS = 9.0  # the engine leaves within 8 s

_log = logging.getLogger("agent")


def main(settings: Settings) -> int:
    """Run the agent until it is told to end; return its exit status."""
    log.configure(settings.log_level, "agent")
    if settings.manifests is None:
        _log.error("The agent has no manifests to follow: give it --manifests FILE_OR_DIR")
        return 2
    asyncio.run(Agent(settings, Path(settings.manifests)).run())
    return 0


class Agent:
    """Joins the parts: manifests to engine and gates, verdicts to engine, everything to HTTP."""

    def __init__(self, settings: Settings, manifests: Path) -> None:
        self._settings = settings
        self._client = EngineClient(settings.socket, self._hear)
        self._gates = GateRunner(create_gate, self._say_verdicts)
        self._follower = Follower(manifests, settings.node, self._apply, self._routers_of_engine)
        self._has_judged = False
        self._display_names: dict[str, str] = {}
        self._hello: Hello | None = None
        self._greeted = asyncio.Event()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End once the engine has left, or after 9 s."""
        self._stopping.set()

    async def report(self) -> Report:
        """Return what is known now; asks the engine."""
        return Report(
            node=self._settings.node,
            engine=await self._client.status(),
            configuration=self._follower.configuration,
            gates=self.gate_details(),
        )

    def gate_details(self) -> list[GateDetail]:
        """Return what is known of the gates that run here."""
        return self._gates.details(self._display_names)

    async def run(self) -> None:
        """Run until stopped; an error in any part ends the process, which is then restarted."""
        self._stop_on_signals()
        self._stop_without_supervisor()
        parts: list[Coroutine[Any, Any, None]] = [self._client.run(), self._follower.run()]
        if self._settings.http is not None:
            parts.append(web.serve(self._settings.http, self.report))
        _log.info("Started for node %s", self._settings.node)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(part) for part in parts]
                await self._stopping.wait()
                await self._see_the_engine_off()
                for task in tasks:
                    task.cancel()
        finally:
            await self._gates.apply({})
        _log.info("Ended")

    async def _see_the_engine_off(self) -> None:
        """Go on with gates and verdicts while the engine hands its addresses over."""
        _log.info("Stopping, waiting for the engine to leave")
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self._client.gone()
        except TimeoutError:
            _log.warning("The engine did not leave within %.0f s", _STOP_SECONDS)

    async def _apply(self, plan: NodePlan, revision: int) -> None:
        """Bring engine and gates to a valid set of manifests."""
        assert plan.routers is not None
        self._display_names = {router.name: router.display_name for router in plan.routers}
        self._client.say(
            Desired(
                node=self._settings.node,
                revision=revision,
                routers=list(plan.routers),
                complete=True,
            )
        )
        await self._gates.apply(plan.gates)
        self._say_verdicts()

    def _say_verdicts(self) -> None:
        """Say all verdicts; a new agent keeps silent until it has one."""
        verdicts = self._gates.verdicts()
        if verdicts.routers or self._has_judged:
            self._has_judged = True
            self._client.say(verdicts)

    def _hear(self, message: FromEngine) -> None:
        if isinstance(message, Hello):
            self._hello = message
            self._greeted.set()

    async def _routers_of_engine(self) -> frozenset[str]:
        await self._greeted.wait()
        assert self._hello is not None
        return frozenset(self._hello.routers)

    def _stop_on_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)

    def _stop_without_supervisor(self) -> None:
        """End when the supervisor is gone: the next one starts an agent of its own."""
        passed = os.environ.get(LIFELINE_VARIABLE)
        if passed is None:
            return
        loop, lifeline = asyncio.get_running_loop(), int(passed)

        def closed() -> None:
            loop.remove_reader(lifeline)
            _log.error("The supervisor is gone, leaving")
            self.stop()

        loop.add_reader(lifeline, closed)
