"""Pods, Services and EndpointSlices: followed as far as VirtualIPs ask for them, and no further.

There may be tens of thousands of them, and hardly any concerns us. Pods are followed by namespace,
since rights to them are given so; Services and EndpointSlices in the whole cluster, as kube-proxy
does, and what is foreign is dropped while it is decoded.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterator

from vip_common.endpoint_slices import labels_of
from vip_kube.client import Client, Selection
from vip_kube.kinds import ENDPOINT_SLICES, PODS, SERVICES, Kind
from vip_operator.core.known.decode import Entry, Place
from vip_operator.core.known.demand import Demand, demand_of
from vip_operator.core.known.snapshot import EndpointSliceObject, ServiceObject
from vip_operator.core.known.store import Store
from vip_operator.watching.feed import Feed
from vip_operator.watching.follow import Follower

# A Pod that has ended is no backend of anything.
_LIVING = "status.phase!=Succeeded,status.phase!=Failed"


class Backends:
    """Follows what is asked for; `look` begins and ends it.

    Args:
        client: open.
        store: says what VirtualIPs there are, and is told what they ask for.
        feed: of that store.
        load_balancer_class: Services of it are followed, too.
        went_back: told by whoever notices that the API server was restored from a backup.
    """

    def __init__(
        self,
        client: Client,
        store: Store,
        feed: Feed,
        load_balancer_class: str,
        went_back: Callable[[Follower], None],
    ) -> None:
        self._client = client
        self._store = store
        self._feed = feed
        self._went_back = went_back
        self._load_balancer_class = load_balancer_class
        self._demand: Demand | None = None
        self._begun = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._pods: dict[str, tuple[Follower, asyncio.Task[None]]] = {}
        self.services = Follower(
            client, feed, SERVICES, wanted=self._wants_service, went_back=went_back
        )
        self._slices = Follower(
            client, feed, ENDPOINT_SLICES, wanted=self._wants_slice, went_back=went_back
        )

    def __iter__(self) -> Iterator[Follower]:
        """Yield all that follow something."""
        yield from (self.services, self._slices)
        yield from (follower for follower, _task in self._pods.values())

    def look(self) -> None:
        """Follow what the VirtualIPs of now ask for, once all of them are known."""
        if self._tasks is None or not self._store.knows("VirtualIP"):
            return
        demand, before = demand_of(self._store.virtual_ips), self._demand
        if demand == before:
            return
        self._demand = demand
        before = before or Demand()
        self._follow_pods(demand.pod_namespaces, before.pod_namespaces)
        self._follow_services(demand.services, before.services)
        self._begun.set()

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as self._tasks:
            self._feed.wake()
            await self._begun.wait()
            self._tasks.create_task(self.services.run())
            self._tasks.create_task(self._slices.run())

    # --- Pods ------------------------------------------------------------------------------------

    def _follow_pods(self, wanted: frozenset[str], before: frozenset[str]) -> None:
        assert self._tasks is not None, "nothing is followed before `run`"
        self._store.ask("Pod", wanted)
        for namespace in before - wanted:
            self._pods.pop(namespace)[1].cancel()
            self._feed.clear("Pod", namespace)
        for namespace in sorted(wanted - before):
            follower = Follower(
                self._client,
                self._feed,
                PODS,
                Selection(namespace, fields=_LIVING),
                part=namespace,
                went_back=self._went_back,
                trouble_changed=self._judge,
            )
            self._pods[namespace] = (follower, self._tasks.create_task(follower.run()))

    def _judge(self, follower: Follower) -> None:
        """A right that is missing must not hold up everything else: plan without those pods."""
        namespace, why = follower.part, ""
        if follower.forbidden:
            why = (
                f"the operator may not read pods in namespace {namespace}: add it to "
                "podGates.namespaces of the chart"
            )
        elif follower.trouble:
            return  # it says nothing of our rights
        self._feed.hide("Pod", namespace, why)

    # --- Services and their EndpointSlices -------------------------------------------------------

    def _follow_services(self, wanted: frozenset[Place], before: frozenset[Place]) -> None:
        parts = frozenset({"", *map("/".join, wanted)})
        for kind in (SERVICES, ENDPOINT_SLICES):
            self._store.ask(kind.name, parts)
        if before - wanted:
            self.services.drop_unwanted()
            self._slices.drop_unwanted()
        for namespace, name in sorted(wanted - before):
            part = f"{namespace}/{name}"
            itself = Selection(namespace, fields=f"metadata.name={name}")
            self.services.read_also(itself, self._told(SERVICES, part))
            slices = Selection(namespace, labels=labels_of(name))
            self._slices.read_also(slices, self._told(ENDPOINT_SLICES, part))

    def _told(self, kind: Kind, part: str) -> Callable[[], None]:
        return functools.partial(self._feed.complete, kind.name, part)

    def _asked_for(self, place: Place) -> bool:
        return self._demand is not None and place in self._demand.services

    def _wants_service(self, entry: Entry) -> bool:
        found = entry.value
        assert isinstance(found, ServiceObject), "that is what is read of a Service"
        return found.load_balancer_class == self._load_balancer_class or self._asked_for(
            entry.place
        )

    def _wants_slice(self, entry: Entry) -> bool:
        found = entry.value
        assert isinstance(found, EndpointSliceObject), "that is what is read of an EndpointSlice"
        return self._asked_for((found.namespace, found.service))
