"""Keeps addresses where they are while the kind VirtualIP itself goes away or has come back.

Whoever deletes a CRD, by mistake or to install it anew, deletes every object of its kind with it;
the watch tells each as deleted, as if a user had meant it. So before an address is released the
CRD is asked for: while it is missing or being deleted nothing is released, and for some time after
it was made anew nothing that is older than it, so that the VirtualIPs can be restored first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from vip_common.kinds import VIRTUAL_IPS
from vip_common.log import Trouble
from vip_common.timestamps import parsed
from vip_kube.client import Client, Object
from vip_kube.errors import ApiError
from vip_kube.kinds import Kind
from vip_operator.core.changes import (
    CreateRouter,
    RouterChange,
    SetIngress,
    StatusChange,
    UpdateRouter,
)

CRDS = Kind(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
)
CRD_NAME = f"{VIRTUAL_IPS.plural}.{VIRTUAL_IPS.group}"
RESTORE_TIME = timedelta(minutes=10)

_log = logging.getLogger("operator.guard")


@dataclass(frozen=True, slots=True)
class Allowed:
    """The changes that may be made now.

    Attributes:
        router_changes: in their order.
        status_changes: in their order.
        held: how many were left out.
    """

    router_changes: tuple[RouterChange, ...]
    status_changes: tuple[StatusChange, ...]
    held: int


@dataclass(frozen=True, slots=True)
class KindState:
    """What the API server says of the kind VirtualIP.

    Attributes:
        since: when it was made; None: it is missing or being deleted.
        now: the moment it was asked.
    """

    since: datetime | None
    now: datetime


class Guard:
    """Leaves out the changes that would release an address because a CRD is gone.

    Args:
        client: open; may `get` the CRD.
        clock: UTC.
    """

    def __init__(
        self, client: Client, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._client = client
        self._clock = clock
        self._holds = False
        self._trouble = Trouble(_log, f"read the CRD {CRD_NAME}, and release no address without it")

    async def allowed(
        self, router_changes: Sequence[RouterChange], status_changes: Sequence[StatusChange]
    ) -> Allowed:
        """Return what may be done of this; asks the API server only if something is released.

        Raises ApiError and UnreachableError where it cannot be told.
        """
        everything = Allowed(tuple(router_changes), tuple(status_changes), held=0)
        if not any(releases(each) for each in (*router_changes, *status_changes)):
            return everything
        found = filtered(everything, await self._state())
        self._note(found.held)
        return found

    async def _state(self) -> KindState:
        try:
            definition = await self._client.get(CRDS, CRD_NAME)
        except ApiError as error:
            if error.status not in (403, 404):
                raise
            if error.status == 403:  # everything else can be done without it
                self._trouble.begins(error)
            return KindState(None, self._clock())
        self._trouble.ends()
        return KindState(_made_at(definition), self._clock())

    def _note(self, held: int) -> None:
        if held and not self._holds:
            _log.warning(
                "The CRD %s is missing, unknown or was made anew: %d releases of addresses wait"
                " until its objects are restored, or for %d minutes",
                CRD_NAME,
                held,
                RESTORE_TIME.total_seconds() // 60,
            )
        elif self._holds and not held:
            _log.info("Addresses of VirtualIPs that are gone are released again")
        self._holds = bool(held)


def releases(change: RouterChange | StatusChange) -> bool:
    """Return whether a change takes an address from the hosts or from a Service."""
    match change:
        case UpdateRouter(before, router):
            if before.spec.retired:  # that it was to let go was allowed then
                return False
            return router.spec.retired or not {*before.addresses} <= {*router.addresses}
        case CreateRouter(router):  # one that vanished with its VirtualIPs
            return router.spec.retired
        case SetIngress(addresses=()):
            return True
    return False


def filtered(wanted: Allowed, state: KindState) -> Allowed:
    """Return what may be done while the kind is in this state."""
    routers = tuple(each for each in wanted.router_changes if not _must_wait(each, state))
    held = len(wanted.router_changes) - len(routers)
    statuses = wanted.status_changes
    if held or state.since is None:
        statuses = tuple(each for each in statuses if not releases(each))
    held += len(wanted.status_changes) - len(statuses)
    return Allowed(routers, statuses, held)


def _must_wait(change: RouterChange, state: KindState) -> bool:
    if not releases(change):
        return False
    if state.since is None:
        return True
    before = change.before if isinstance(change, UpdateRouter) else change.router
    made = parsed(before.metadata.creation_timestamp)
    is_older = made is None or made < state.since
    return is_older and state.now - state.since < RESTORE_TIME


def _made_at(definition: Object) -> datetime | None:
    metadata = definition["metadata"]
    if metadata.get("deletionTimestamp"):
        return None
    return parsed(metadata.get("creationTimestamp", ""))
