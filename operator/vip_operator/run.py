"""The operator process: joins watch, store, loop, leader and HTTP, and ends them in order."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import signal
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from vip_common.kinds import SPEAKERS, VIRTUAL_ROUTERS
from vip_kube.access import Access, find
from vip_kube.backoff import Backoff
from vip_kube.client import EVERYTHING, Client, Selection
from vip_kube.errors import AccessError
from vip_kube.kinds import LEASES, NODES
from vip_model.__about__ import __version__
from vip_operator import log
from vip_operator.core.known.store import Store
from vip_operator.core.reconcile import Reconciler
from vip_operator.core.settings import OperatorSettings
from vip_operator.loop import Loop, Parts
from vip_operator.pages.report import Report
from vip_operator.pages.serve import serve
from vip_operator.speakers.daemonset_keeper import DaemonSetKeeper
from vip_operator.watching.backends import Backends
from vip_operator.watching.feed import Feed
from vip_operator.watching.follow import Follower
from vip_operator.watching.kopf_thread import Hear, KopfThread
from vip_operator.watching.relist import Relister
from vip_operator.watching.watch import KINDS, Watch
from vip_operator.writing.guard import Guard
from vip_operator.writing.leader import Leader, LeadershipLostError
from vip_operator.writing.write import Writer

EXIT_FAILED = 1
EXIT_LOST = 3

USER_AGENT = f"vip-operator/{__version__}"

_RELEASE_SECONDS = 1.0
_ERROR_FIRST_SECONDS = 1.0
_ERROR_LIMIT_SECONDS = 30.0

_log = logging.getLogger("operator")


@dataclass(frozen=True, slots=True)
class Options:
    """How the operator is run.

    Attributes:
        identity: its name among the operators.
        settings: what decides.
        kubeconfig: file that says how the API is reached; None: as a pod, or the default one.
        namespace: of the Leases; None: that of the pod or kubeconfig.
        http: ADDRESS:PORT to serve, None for none.
        speaker_template: name of the ConfigMap with the speakers' DaemonSet; None: none is kept.
        log_level: least level logged.
    """

    identity: str
    settings: OperatorSettings
    kubeconfig: str | None = None
    namespace: str | None = None
    http: str | None = None
    speaker_template: str | None = None
    log_level: str = "info"


def main(options: Options) -> int:
    """Run until told to end.

    Returns 0 after SIGTERM or SIGINT, 1 without a way to an API server or after an error, 3 when
    another operator has taken over.
    """
    log.configure(options.log_level)
    try:
        access = find(options.kubeconfig)
        return asyncio.run(_run(options, access))
    except AccessError as error:
        _log.error("Cannot start: %s", error)
        return EXIT_FAILED


async def _run(options: Options, access: Access) -> int:
    async with Client(access, user_agent=USER_AGENT) as client:
        operator = Operator(options, access, client)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, operator.stop)
        return await operator.run()


class Operator:
    """All parts of one operator.

    Args:
        options: how it is run.
        access: how kopf reaches the API server.
        client: open.
    """

    def __init__(self, options: Options, access: Access, client: Client) -> None:
        self._options = options
        self._access = access
        self._client = client
        self._namespace = options.namespace or access.namespace
        self._chance = random.Random()  # noqa: S311  jitter
        self._stopping = asyncio.Event()
        self._served = asyncio.Event()
        self._loop = Loop()
        self._store = Store()
        self._feed = Feed(self._store, self._loop.changed)
        # Whoever starts again under a name must not take an earlier self's Lease for its own.
        identity = f"{options.identity}_{secrets.token_hex(4)}"
        self._leader = Leader(
            client, self._namespace, identity, self._least_epoch, self._leadership_changed
        )
        self._writer = Writer(client, self._feed, self._leads, options.identity)
        self._keeper = self._daemon_set_keeper(options.speaker_template)
        self._relister = Relister(
            client,
            self._feed,
            KINDS,
            changed=self._loop.changed,
            restored=self._went_back,
            backoff=Backoff(self._chance),
        )
        self._watch = Watch(
            client, self._start_kopf, self._feed.hear, self._ask_to_list, Backoff(self._chance)
        )
        followed = dict.fromkeys((VIRTUAL_ROUTERS, SPEAKERS, NODES), EVERYTHING)
        followed[LEASES] = Selection(namespace=self._namespace)
        self._followers = {
            kind: Follower(client, self._feed, kind, selection, went_back=self._went_back)
            for kind, selection in followed.items()
        }
        self._backends = Backends(
            client,
            self._store,
            self._feed,
            options.settings.load_balancer_class,
            self._went_back,
        )

    def stop(self) -> None:
        """End in order: give the Lease away, so that another operator goes on at once."""
        self._stopping.set()

    async def run(self) -> int:
        """Run until stopped or until the Lease is lost; return the exit status."""
        _log.info("Started as %s in namespace %s", self._options.identity, self._namespace)
        writing = asyncio.ensure_future(self._after_discovery(self._loop.run(self._parts())))
        leading = asyncio.ensure_future(self._after_discovery(self._leader.run()))
        others = [asyncio.ensure_future(part) for part in self._others()]
        stopping = asyncio.ensure_future(self._stopping.wait())
        tasks = [writing, leading, *others]
        try:
            await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
            status = self._status(tasks)
        finally:
            await _end([writing, leading, stopping])
            await asyncio.gather(self._release(), _end(others))
        _log.info("Ended")
        return status

    def report(self) -> Report:
        """Return what is known now."""
        troubles = (
            self._relister.trouble,
            self._loop.trouble,
            self._leader.trouble,
            *(follower.trouble for follower in self._all_followers()),
            *(self._keeper.api_troubles if self._keeper is not None else ()),
        )
        return Report(
            identity=self._options.identity,
            is_leader=self._leads(),
            tally=self._loop.tally,
            writes=self._writer.counts,
            watch_restarts=self._watch.restarts,
            troubles=tuple(filter(None, (self._watch.hindrance, *troubles))),
            hindrances=self._hindrances(),
        )

    def _hindrances(self) -> tuple[str, ...]:
        missing = self._store.missing
        unlisted = f"not listed yet: {', '.join(missing)}" if missing else ""
        return tuple(filter(None, (self._watch.hindrance, unlisted)))

    def _status(self, tasks: Sequence[asyncio.Future[None]]) -> int:
        """Return the exit status, after the first part has ended or we are to stop."""
        for task in tasks:
            error = task.exception() if task.done() else None
            if isinstance(error, LeadershipLostError):
                _log.error("%s: ending, so that nothing of it goes on", error)
                return EXIT_LOST
            if error is not None:
                _log.error("A part of the operator failed: %s", error, exc_info=error)
                return EXIT_FAILED
        _log.info("Stopping")
        return 0

    def _others(self) -> list[Coroutine[Any, Any, None]]:
        parts = [self._watch.run(), self._relister.run()]
        parts += [self._after_discovery(each.run()) for each in self._followers.values()]
        parts.append(self._after_discovery(self._backends.run()))
        if self._keeper is not None:
            parts.append(self._after_discovery(self._keeper.run()))
        if self._options.http is not None:
            parts.append(serve(self._options.http, self.report))
        return parts

    def _parts(self) -> Parts:
        return Parts(
            store=self._store,
            reconciler=Reconciler(self._options.settings),
            guard=Guard(self._client),
            writer=self._writer,
            epoch=lambda: self._leader.epoch,
            namespace=self._namespace,
            speaker_trouble=lambda: self._keeper.trouble if self._keeper is not None else "",
            look_around=self._backends.look,
            relist=self._doubt,
            backoff=Backoff(self._chance),
            error_backoff=Backoff(
                self._chance,
                first_seconds=_ERROR_FIRST_SECONDS,
                limit_seconds=_ERROR_LIMIT_SECONDS,
            ),
        )

    def _daemon_set_keeper(self, template: str | None) -> DaemonSetKeeper | None:
        if template is None:
            return None
        return DaemonSetKeeper(
            self._client,
            self._namespace,
            template,
            self._leads,
            changed=self._loop.changed,
            backoff=Backoff(self._chance),
        )

    def _start_kopf(self, hear: Hear) -> KopfThread:
        return KopfThread(self._access, KINDS, USER_AGENT, hear)

    def _all_followers(self) -> tuple[Follower, ...]:
        return (*self._followers.values(), *self._backends)

    def _went_back(self, noticed_by: Follower | None = None) -> None:
        """Have everything compared anew: the API server was restored from a backup.

        Args:
            noticed_by: who does so already; None: the relister.
        """
        self._watch.renew()
        # Half of it from before the restore and half from after would be a third past.
        for kind in KINDS:
            self._feed.doubt(kind.name)
        if noticed_by is not None:
            self._relister.renew()
        for follower in self._all_followers():
            if follower is not noticed_by:
                follower.renew()

    def _doubt(self, why: str) -> None:
        """List what we write, since it is not what we believe."""
        self._relister.ask(why)
        for follower in (self._followers[VIRTUAL_ROUTERS], self._backends.services):
            follower.relist()

    def _ask_to_list(self, why: str) -> None:
        """Pass the watch's wish on; its first one means that discovery serves everything."""
        self._served.set()
        self._relister.ask(why)

    async def _after_discovery(self, part: Coroutine[Any, Any, None]) -> None:
        """Begin once the API server serves everything: until then the watch tells why not."""
        try:
            await self._served.wait()
        except asyncio.CancelledError:
            part.close()
            raise
        await part

    def _leads(self) -> bool:
        return self._leader.epoch is not None

    def _leadership_changed(self) -> None:
        self._loop.changed()
        if self._keeper is not None:
            self._keeper.leadership_changed()

    def _least_epoch(self) -> int | None:
        """Return the least epoch that a new leader may have, None before everything is known."""
        if self._store.missing:
            return None
        routers = self._store.snapshot(self._namespace).virtual_routers
        return 1 + max((router.spec.epoch for router in routers), default=0)

    async def _release(self) -> None:
        try:
            async with asyncio.timeout(_RELEASE_SECONDS):
                await self._leader.release()
        except TimeoutError:
            _log.warning("The Lease could not be released; it runs out by itself")


async def _end(tasks: Sequence[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
