"""The agent process: runs the gates, tells the engine what to do, serves HTTP.

Where its orders come from, manifests or a cluster, is the source's business.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import msgspec

from vip_common import log
from vip_kube import access as kube_access
from vip_kube.errors import AccessError
from vip_speaker.agent import alive, web
from vip_speaker.agent.client import EngineClient
from vip_speaker.agent.gates import GateRunner
from vip_speaker.agent.kubernetes.source import KubernetesSource
from vip_speaker.agent.manifests.source import ManifestSource
from vip_speaker.agent.report import Configuration, GateDetail, Report
from vip_speaker.agent.source import Apply, AskEngine, Orders, Source
from vip_speaker.messages import FromEngine
from vip_speaker.settings import LIFELINE_VARIABLE, Settings

_STOP_SECONDS = 9.0  # the engine leaves within 8 s

_log = logging.getLogger("agent")

CreateSource = Callable[[Apply, AskEngine], Source]


class NoSourceError(Exception):
    """The settings name nowhere to take orders from; the text says what to do."""


def main(settings: Settings) -> int:
    """Run the agent until it is told to end; return its exit status."""
    log.configure(settings.log_level, "agent", aside=True)
    try:
        create_source = source_of(settings)
    except (AccessError, NoSourceError) as error:
        _log.error("The agent cannot run: %s", error)
        return 2
    asyncio.run(Agent(settings, create_source).run())
    return 0


def source_of(settings: Settings) -> CreateSource:
    """Return what creates the source that the settings ask for.

    Raises:
        AccessError: there is no usable way to an API server.
        NoSourceError: the settings name neither manifests nor a cluster.
    """
    if settings.cluster:
        return _cluster_source(settings)
    if settings.manifests is None:
        raise NoSourceError(
            "it has nothing to follow: give it --manifests FILE_OR_DIR or --cluster"
        )
    manifests = Path(settings.manifests)
    return lambda apply, _ask: ManifestSource(manifests, settings.node, apply)


def _cluster_source(settings: Settings) -> CreateSource:
    access = kube_access.find(settings.kubeconfig)
    access.ssl_context()  # files that cannot be used are said now, in one sentence
    namespace = settings.namespace or access.namespace
    return lambda apply, ask: KubernetesSource(access, namespace, settings.node, apply, ask)


class Agent:
    """Joins the parts: orders to engine and gates, verdicts to engine, everything to HTTP."""

    def __init__(self, settings: Settings, create_source: CreateSource) -> None:
        self._settings = settings
        self._client = EngineClient(settings.socket, self._hear)
        self._source = create_source(self._apply, self._client.status)
        self._gates = GateRunner(self._source.create_gate, self._say_verdicts)
        self._has_judged = False
        self._display_names: Mapping[str, str] = {}
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End once the engine has left, or after 9 s."""
        self._stopping.set()

    async def report(self) -> Report:
        """Return what is known now; asks the engine."""
        return Report(
            node=self._settings.node,
            engine=await self._client.status(),
            configuration=self._configuration(),
            gates=self.gate_details(),
        )

    def _configuration(self) -> Configuration:
        """Return what is in force; a gate that cannot be started is a problem of it."""
        found = self._source.configuration
        problems = [*found.problems, *self._gates.problems(self._display_names)]
        return msgspec.structs.replace(found, problems=problems)

    def gate_details(self) -> list[GateDetail]:
        """Return what is known of the gates that run here."""
        return self._gates.details(self._display_names)

    async def run(self) -> None:
        """Run until stopped; an error in any part ends the process, which is then restarted."""
        self._stop_on_signals()
        self._stop_without_supervisor()
        parts: list[Coroutine[Any, Any, None]] = [self._client.run(), self._source.run()]
        if self._settings.http is not None:
            parts.append(web.serve(self._settings.http, self.report))
        if self._settings.probe_socket is not None:
            parts.append(alive.serve(self._settings.probe_socket))
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
        else:
            await self._source.farewell()

    async def _apply(self, orders: Orders) -> None:
        """Bring engine and gates to new orders."""
        self._display_names = orders.display_names
        self._client.say(orders.desired)
        await self._gates.apply(orders.gates)
        self._say_verdicts()

    def _say_verdicts(self) -> None:
        """Say all verdicts; a new agent keeps silent until it has one."""
        verdicts = self._gates.verdicts()
        if verdicts.routers or self._has_judged:
            self._has_judged = True
            self._client.say(verdicts)
            self._source.told_verdicts()

    def _hear(self, message: FromEngine) -> None:
        self._source.hear(message)

    def _stop_on_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._source.read_again)
        loop.add_signal_handler(signal.SIGUSR1, self._log_state)
        # A supervisor has them blocked until there is somebody who hears them.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGHUP, signal.SIGUSR1))

    def _log_state(self) -> None:
        """Print what is in force and what the gates say to the log."""
        found = self._configuration()
        _log.info("Following %s, revision %d", found.source, found.revision)
        for problem in [*found.problems, *(found.trouble or [])]:
            _log.info("Problem: %s", problem)
        for gate in self.gate_details():
            _log.info("%s", msgspec.json.encode(gate).decode())

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
