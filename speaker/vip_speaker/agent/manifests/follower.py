"""Follows the manifests: the newest valid set is in force, an invalid one changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from vip_common.timestamps import rfc3339
from vip_speaker.agent.manifests import files
from vip_speaker.agent.manifests.static import NodePlan, plan_node
from vip_speaker.agent.report import Configuration

Apply = Callable[[NodePlan, int], Awaitable[None]]
RoutersOfEngine = Callable[[], Awaitable[frozenset[str]]]

_log = logging.getLogger("agent")


class Follower:
    """Reads, plans, and hands on what is valid."""

    def __init__(
        self, manifests: Path, node: str, apply: Apply, routers_of_engine: RoutersOfEngine
    ) -> None:
        """Follow a file or directory.

        Args:
            manifests: file or directory.
            node: name of this node.
            apply: is called with each valid set and its revision, which grows.
            routers_of_engine: waits for the engine and returns the names of what it runs.
        """
        self._manifests = manifests
        self._node = node
        self._apply = apply
        self._routers_of_engine = routers_of_engine
        self._configuration = Configuration(source=str(manifests))
        self._wanted_anew = asyncio.Event()

    @property
    def configuration(self) -> Configuration:
        """What is in force, and what is wrong with the newest version."""
        return self._configuration

    def read_again(self) -> None:
        """Read everything again soon, whether it changed or not."""
        self._wanted_anew.set()

    async def run(self) -> None:
        """Follow until cancelled."""
        watcher = files.Watcher(self._manifests)
        while True:
            if self._wanted_anew.is_set():
                self._wanted_anew.clear()
                _log.info("Reading %s again, as asked by SIGHUP", self._manifests)
                watcher = files.Watcher(self._manifests)
            # In a thread: a network file system that hangs must not hold the gates.
            snapshot = await asyncio.to_thread(watcher.poll)
            if snapshot is not None:
                await self._take(snapshot)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(files.POLL_SECONDS):
                    await self._wanted_anew.wait()

    async def _take(self, snapshot: files.Snapshot) -> None:
        if snapshot.problems:
            self._refuse(snapshot.problems)
            return
        plan = await self._plan(snapshot)
        if plan.routers is None:
            self._refuse(plan.problems)
            return
        revision = max(self._configuration.revision + 1, int(time.time() * 1000))
        self._accept(plan, revision, snapshot.skipped + plan.warnings + plan.excluded)
        await self._apply(plan, revision)

    async def _plan(self, snapshot: files.Snapshot) -> NodePlan:
        first_start = self._configuration.revision == 0
        plan = await self._plan_once(snapshot, first_start=first_start)
        if not first_start or not plan.problems or plan.routers is None:
            return plan
        # Documents that collide are left out, but what an engine still runs from the days of
        # an earlier agent must not lose its address that way.
        left = await self._routers_of_engine() - {router.name for router in plan.routers}
        return await self._plan_once(snapshot, first_start=False) if left else plan

    async def _plan_once(self, snapshot: files.Snapshot, *, first_start: bool) -> NodePlan:
        try:
            return await asyncio.to_thread(
                plan_node, snapshot.documents, self._node, first_start=first_start
            )
        except Exception as error:  # noqa: BLE001  a bug in planning must not end the gates that run
            _log.exception("Could not plan %s", self._manifests)
            problem = f"{self._manifests} could not be planned, please report it: {error!r}"
            return NodePlan(routers=None, gates={}, problems=(problem,), warnings=(), ignored=())

    def _accept(self, plan: NodePlan, revision: int, warnings: tuple[str, ...]) -> None:
        assert plan.routers is not None
        count = len(plan.routers)
        noun = "router" if count == 1 else "routers"
        _log.info("Read %s: %d virtual %s for node %s", self._manifests, count, noun, self._node)
        for problem in plan.problems:
            _log.error("Left out: %s", problem)
        for warning in warnings:
            _log.warning("%s", warning)
        if plan.ignored:
            _log.info("Ignored documents of other kinds: %s", ", ".join(plan.ignored))
        self._configuration = Configuration(
            source=str(self._manifests),
            revision=revision,
            loaded=rfc3339(datetime.now(UTC)),
            problems=list(plan.problems),
            warnings=list(warnings),
        )

    def _refuse(self, problems: tuple[str, ...]) -> None:
        in_force = self._configuration
        stays = (
            "waiting for a valid one" if in_force.revision == 0 else "keeping the last valid set"
        )
        for problem in problems:
            _log.error("%s", problem)
        _log.error("Refused %s, %s", self._manifests, stays)
        self._configuration = Configuration(
            source=in_force.source,
            revision=in_force.revision,
            loaded=in_force.loaded,
            problems=list(problems),
            warnings=in_force.warnings,
        )
