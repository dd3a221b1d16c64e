"""When a VirtualRouter that is retired has ended everywhere, so that it may be deleted. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from vip_model.resources.virtual_router import VirtualRouter
from vip_operator.core.known.round_inputs import Heartbeat
from vip_operator.core.known.snapshot import Snapshot
from vip_operator.core.known.speaker_reports import gather


class Endings:
    """Tells which retired VirtualRouters no node runs any more.

    Every node that might run one must have applied its revision, or its Node object must be gone.
    That is each candidate, each node that reports the router, and each that was a candidate and
    has not been heard to know that it is none any more.
    """

    def __init__(self) -> None:
        self._seen: dict[str, VirtualRouter] = {}
        self._former: dict[str, dict[str, int]] = {}
        self._ended: frozenset[str] = frozenset()

    def ended(self, router: VirtualRouter) -> bool:
        """Return whether no node runs a VirtualRouter, as of the last call of `observe`."""
        return router.metadata.uid in self._ended

    def observe(
        self,
        routers: Iterable[VirtualRouter],
        snapshot: Snapshot,
        heartbeats: Mapping[str, Heartbeat],
    ) -> None:
        """Take note of how things are.

        Args:
            routers: those there are and those that vanished; others are forgotten.
            snapshot: what is there.
            heartbeats: by node.
        """
        current = {router.name: router for router in routers}
        nodes = frozenset(node.name for node in snapshot.nodes)

        def lacks(node: str, revision: int) -> bool:
            heartbeat = heartbeats.get(node)
            return node in nodes and (heartbeat is None or heartbeat.applied_revision < revision)

        former: dict[str, dict[str, int]] = {}
        for name, router in current.items():
            found = self._former_candidates(router)
            former[name] = {node: least for node, least in found.items() if lacks(node, least)}
        retired = [router for router in current.values() if router.spec.retired]
        reports = gather(snapshot.speakers if retired else ())
        self._seen, self._former = current, former
        self._ended = frozenset(
            router.metadata.uid
            for router in retired
            if not any(
                lacks(node, router.spec.revision)
                for node in (
                    *_candidates(router),
                    *former[router.name],
                    *reports.of(router.name).active,
                    *reports.of(router.name).abnormal,
                )
            )
        )

    def _former_candidates(self, router: VirtualRouter) -> dict[str, int]:
        """Return the nodes that are no candidates any more, and the revision that tells them."""
        before = self._seen.get(router.name, router)
        if before is router:
            return self._former.get(router.name, {})
        found = dict.fromkeys(_candidates(before), router.spec.revision)
        found |= self._former.get(router.name, {})
        return {node: found[node] for node in found.keys() - _candidates(router)}


def _candidates(router: VirtualRouter) -> set[str]:
    return {candidate.node for candidate in router.spec.candidates}
