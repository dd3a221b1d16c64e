"""From the plan to what must be written of VirtualRouters. Pure.

A VirtualRouter is the only record of what was allocated, and speakers end one only if they were
told so. Hence what vanished without our doing is put back as it was, and what is to end is marked
as retired first and deleted when every node that might run it has seen the mark.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from vip_model.resources.metadata import ObjectMeta
from vip_model.resources.virtual_router import VirtualRouter
from vip_operator.core.changes import CreateRouter, DeleteRouter, RouterChange, UpdateRouter
from vip_operator.core.known.kubernetes_objects import GREATEST_REVISION
from vip_operator.core.known.round_inputs import Facts
from vip_operator.core.known.snapshot import Snapshot

_MILLISECONDS = 1000
# A greater number that a speaker says it has applied raises no revision of ours. Such numbers can
# be read up to twice this one, so that there are always enough left, whatever a node makes up.
GREATEST_BELIEVED = GREATEST_REVISION // 2


@dataclass(frozen=True, slots=True)
class RouterRound:
    """What must be written of VirtualRouters.

    Attributes:
        changes: in the order in which they must be written.
        warnings: why nothing is written of some.
    """

    changes: tuple[RouterChange, ...]
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _Wanted:
    """The writes of a round by what they do; those with new content have no new revision yet."""

    retirements: list[UpdateRouter] = field(default_factory=list)
    updates: list[UpdateRouter] = field(default_factory=list)
    creates: list[CreateRouter] = field(default_factory=list)
    deletes: list[DeleteRouter] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class RouterKeeper:
    """Remembers VirtualRouters as they were last seen, and which revisions were given."""

    def __init__(self) -> None:
        self._known: dict[str, VirtualRouter] = {}
        self._last_revision = 0

    def observe(self, snapshot: Snapshot) -> tuple[VirtualRouter, ...]:
        """Take note of the VirtualRouters there are; return them and those known from before.

        One that is gone although nodes may still run it counts as allocated, so that it is put
        back with its VRID, slots and addresses, or marked as retired.
        """
        self._known |= {router.name: router for router in snapshot.virtual_routers}
        return tuple(self._known[name] for name in sorted(self._known))

    def changes(self, facts: Facts, epoch: int) -> RouterRound:
        """Return what must be written so that the plan is what the API server has.

        Args:
            facts: what the round goes by; `observe` has seen its snapshot.
            epoch: ours.
        """
        stored = {router.name: router for router in facts.snapshot.virtual_routers}
        wanted = _Wanted()
        for planned in facts.plan.virtual_routers:
            known = self._known.get(planned.name)
            if known is not None and known.spec.epoch > epoch:
                wanted.warnings.append(_overtaken(known, epoch))
                continue
            is_over = planned.name in facts.plan.deletable
            self._want(
                wanted, stored.get(planned.name), _with_epoch(planned, epoch), is_over=is_over
            )
        self._last_revision = max(self._last_revision, *self._revisions_in_use(facts))
        # Of what is over nothing is known any more once it is deleted, not even that it was.
        going_on = {router.name for router in facts.plan.virtual_routers} - facts.plan.deletable
        self._known = {name: each for name, each in self._known.items() if name in going_on}
        changes: list[RouterChange] = [self._revised(each) for each in wanted.retirements]
        changes += [self._revised(each) for each in wanted.updates]
        changes += [CreateRouter(self._with_new_revision(each.router)) for each in wanted.creates]
        return RouterRound((*changes, *wanted.deletes), tuple(wanted.warnings))

    def _want(
        self,
        wanted: _Wanted,
        stored: VirtualRouter | None,
        planned: VirtualRouter,
        *,
        is_over: bool,
    ) -> None:
        """Add what turns a stored VirtualRouter into the planned one."""
        if stored is None:
            # Of one that vanished nothing but the spec holds for the new object.
            metadata = ObjectMeta(name=planned.name)
            wanted.creates.append(CreateRouter(msgspec.structs.replace(planned, metadata=metadata)))
        elif planned.spec.retired and not stored.spec.retired:
            wanted.retirements.append(UpdateRouter(stored, planned))
        elif is_over:
            if not stored.metadata.deletion_timestamp:
                wanted.deletes.append(DeleteRouter(stored))
        elif planned.spec != stored.spec:
            wanted.updates.append(UpdateRouter(stored, planned))

    def _revised(self, update: UpdateRouter) -> UpdateRouter:
        """Return an update with a new revision, unless it changes nothing but the epoch."""
        before, router = update.before, update.router
        if _with_epoch(before, router.spec.epoch).spec == router.spec:
            return update
        return UpdateRouter(before, self._with_new_revision(router))

    def _with_new_revision(self, router: VirtualRouter) -> VirtualRouter:
        self._last_revision += 1
        spec = msgspec.structs.replace(router.spec, revision=self._last_revision)
        return msgspec.structs.replace(router, spec=spec)

    def _revisions_in_use(self, facts: Facts) -> Iterator[int]:
        """Yield revisions that new ones must exceed.

        The time is among them so that a number which only speakers remember, of a VirtualRouter
        that was deleted before we began, is not given again.
        """
        yield int(facts.now.utc.timestamp() * _MILLISECONDS)
        yield from (router.spec.revision for router in self._known.values())
        applied = (heartbeat.applied_revision for heartbeat in facts.heartbeats.values())
        yield from (revision for revision in applied if revision <= GREATEST_BELIEVED)


def _with_epoch(router: VirtualRouter, epoch: int) -> VirtualRouter:
    return msgspec.structs.replace(router, spec=msgspec.structs.replace(router.spec, epoch=epoch))


def _overtaken(router: VirtualRouter, epoch: int) -> str:
    return (
        f"VirtualRouter {router.name} was written by a later leader (epoch {router.spec.epoch}, "
        f"ours is {epoch}): nothing is written to it, and this operator should have stopped."
    )
