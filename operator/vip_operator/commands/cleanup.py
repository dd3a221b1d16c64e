"""The command `vip-operator cleanup`: takes the speakers down in order before an uninstall.

The order is the point. The operator goes first, so that it puts nothing back; then the speakers,
which hand their addresses over or let go of them by themselves; and only when the last of them is
gone, what they were told and what they reported. VirtualIPs belong to users and stay, without a
status that nobody keeps any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from vip_common.kinds import SPEAKERS, VIRTUAL_IPS, VIRTUAL_ROUTERS
from vip_kube.access import Access, find
from vip_kube.client import Client, Object, Selection
from vip_kube.conditions import READY, is_true
from vip_kube.errors import AccessError, ApiError, UnreachableError
from vip_kube.kinds import DAEMON_SETS, DEPLOYMENTS, LEASES, NODES, PODS, SERVICES, Kind
from vip_model.__about__ import __version__
from vip_operator import log

OPERATOR = "vip-operator"
SPEAKER = "vip-speaker"

EXIT_FAILED = 1

_POLL_SECONDS = 0.5
_NAME_LABEL = "app.kubernetes.io/name"
# One that was evicted stays as an object, with nothing running.
_LIVING = "status.phase!=Succeeded,status.phase!=Failed"

_log = logging.getLogger("operator.cleanup")


class CleanupError(Exception):
    """Something did not go in time; the text says what is left."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is taken down, and how.

    Attributes:
        load_balancer_class: class of the Services whose status was written.
        seconds: for all of it.
        kubeconfig: file that says how the API is reached; None: as a pod, or the default one.
        namespace: of operator and speakers; None: that of the pod or kubeconfig.
    """

    load_balancer_class: str
    seconds: float
    kubeconfig: str | None = None
    namespace: str | None = None


def main(options: Options) -> int:
    """Do it; return 0, or 1 where something is left, with a sentence that says what."""
    log.configure("info")
    try:
        asyncio.run(_run(options, find(options.kubeconfig)))
    except (AccessError, ApiError, UnreachableError, CleanupError) as error:
        _log.error("Not everything is cleaned up: %s", error)
        return EXIT_FAILED
    _log.info("Operator and speakers are gone, and what they have written")
    return 0


async def _run(options: Options, access: Access) -> None:
    async with Client(access, user_agent=f"vip-operator/{__version__}") as client:
        namespace = options.namespace or access.namespace
        await cleanup(client, namespace, options.load_balancer_class, options.seconds)


async def cleanup(client: Client, namespace: str, load_balancer_class: str, seconds: float) -> None:
    """Stop operator and speakers of a namespace, then remove what only they have written.

    Args:
        client: open.
        namespace: where they are.
        load_balancer_class: class of the Services whose status was written.
        seconds: for all of it.

    Raises:
        CleanupError: pods are still there after that time.
        ApiError: something may not be done.
        UnreachableError: the API server does not answer.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    none = {"spec": {"replicas": 0}}
    await _if_there(client.merge(DEPLOYMENTS, OPERATOR, none, namespace, subresource="scale"))
    await _await_pods_gone(client, namespace, OPERATOR, deadline)
    await _if_there(client.delete(DAEMON_SETS, SPEAKER, namespace))
    await _await_pods_gone(client, namespace, SPEAKER, deadline)
    await _delete_all(client, VIRTUAL_ROUTERS)
    await _delete_all(client, SPEAKERS)
    await _delete_all(client, LEASES, namespace, _is_our_lease)
    await _clear_all(client, SERVICES, lambda one: _has_our_address(one, load_balancer_class))
    await _clear_all(client, VIRTUAL_IPS, lambda one: bool(one.get("status")))


# --- pods ----------------------------------------------------------------------------------------


async def _await_pods_gone(client: Client, namespace: str, name: str, deadline: float) -> None:
    """Wait for every pod that a kubelet can end.

    Raises CleanupError if some are still there at the deadline.
    """
    _log.info("Waiting until every pod of %s is gone", name)
    selection = Selection(namespace, labels=f"{_NAME_LABEL}={name}", fields=_LIVING)
    while pods := (await client.list(PODS, selection)).items:
        dead = await _nodes_that_are_not_ready(client)
        left = sorted(_name(pod) for pod in pods if _node(pod) not in dead)
        if not left:
            _give_up(pods, name)
            return
        if asyncio.get_running_loop().time() > deadline:
            raise CleanupError(f"still there in namespace {namespace}: {', '.join(left)}")
        await asyncio.sleep(_POLL_SECONDS)


def _give_up(pods: tuple[Object, ...], name: str) -> None:
    """Tell of pods for which there is nobody to wait."""
    nodes = ", ".join(sorted(_node(pod) for pod in pods))
    _log.warning("Not waiting for the pods of %s on nodes that are not ready: %s", name, nodes)


async def _nodes_that_are_not_ready(client: Client) -> frozenset[str]:
    nodes = (await client.list(NODES)).items
    return frozenset(_name(node) for node in nodes if not is_true(node, READY))


def _node(pod: Object) -> str:
    return str(pod["spec"].get("nodeName") or "")


# --- what they have written ----------------------------------------------------------------------


async def _delete_all(
    client: Client,
    kind: Kind,
    namespace: str | None = None,
    ours: Callable[[Object], bool] = lambda _content: True,
) -> None:
    found = await _all(client, kind, namespace, ours)
    for content in found:
        await _if_there(client.delete(kind, _name(content), namespace))
    _log.info("Removed %d of kind %s", len(found), kind.name)


async def _clear_all(client: Client, kind: Kind, ours: Callable[[Object], bool]) -> None:
    """Take from the status of objects of others what the operator wrote there."""
    found = await _all(client, kind, None, ours)
    nothing = {"status": {"loadBalancer": None} if kind is SERVICES else None}
    for content in found:
        namespace = content["metadata"]["namespace"]
        await _if_there(
            client.merge(kind, _name(content), nothing, namespace, subresource="status")
        )
    _log.info("Cleared the status of %d of kind %s", len(found), kind.name)


async def _all(
    client: Client, kind: Kind, namespace: str | None, ours: Callable[[Object], bool]
) -> list[Object]:
    try:
        found = (await client.list(kind, Selection(namespace))).items
    except ApiError as error:
        if error.not_found:  # its CustomResourceDefinition is gone already
            return []
        raise
    return [content for content in found if ours(content)]


def _is_our_lease(lease: Object) -> bool:
    name = _name(lease)
    return name == OPERATOR or name.startswith(f"{SPEAKER}-")


def _has_our_address(service: Object, load_balancer_class: str) -> bool:
    is_ours = service["spec"].get("loadBalancerClass") == load_balancer_class
    return is_ours and bool((service.get("status") or {}).get("loadBalancer"))


def _name(content: Object) -> str:
    return str(content["metadata"]["name"])


async def _if_there(request: Awaitable[object]) -> None:
    """Do it; it is no error if the object is gone."""
    try:
        await request
    except ApiError as error:
        if not error.not_found:
            raise
