"""What each change looks like to the API: JSON patches with tests, objects, events."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import msgspec

from vip_common.timestamps import rfc3339
from vip_model.resources.base import API_VERSION
from vip_model.resources.virtual_router import VirtualRouter
from vip_operator.core.changes import EmitEvent, SetIngress, SetStatus, UpdateRouter

CONTROLLER = "vip-operator.io/operator"

# Limits of events.k8s.io/v1, in bytes.
_MOST_NOTE = 1024
_MOST_INSTANCE = 128

Operations = list[dict[str, Any]]


def document_of(router: VirtualRouter) -> dict[str, Any]:
    """Return a VirtualRouter as it is created or was read."""
    document: dict[str, Any] = msgspec.to_builtins(router)
    return document


def update_router(change: UpdateRouter) -> Operations:
    """Return the patch that replaces a spec, if nobody wrote it since, nor a newer operator."""
    before = change.before
    operations = _tests(before.metadata.uid, before.metadata.resource_version)
    # Zero is not written out, and a test of a field that is not there never holds.
    if before.spec.epoch:
        operations.append({"op": "test", "path": "/spec/epoch", "value": before.spec.epoch})
    spec = msgspec.to_builtins(change.router.spec)
    operations.append({"op": "replace", "path": "/spec", "value": spec})
    return operations


def set_status(change: SetStatus) -> Operations:
    """Return the patch that replaces the status of a VirtualIP, or gives it the first one."""
    status = msgspec.to_builtins(change.status)
    return [
        *_tests(change.uid, change.resource_version),
        {"op": "add", "path": "/status", "value": status},
    ]


def set_ingress(change: SetIngress) -> Operations:
    """Return the patch that replaces status.loadBalancer of a Service."""
    ingress = [{"ip": address, "ipMode": "VIP"} for address in change.addresses]
    value = {"ingress": ingress} if ingress else {}
    return [
        *_tests(change.uid, change.resource_version),
        {"op": "add", "path": "/status/loadBalancer", "value": value},
    ]


def event(change: EmitEvent, identity: str, now: datetime) -> dict[str, Any]:
    """Return an Event about a VirtualIP."""
    document = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{change.name}.{uuid.uuid4().hex}", "namespace": change.namespace},
        "eventTime": rfc3339(now, "microseconds"),
        "reportingController": CONTROLLER,
        "reportingInstance": _shortened(identity, _MOST_INSTANCE),
        "action": change.reason,
        "reason": change.reason,
        "type": str(change.type),
        "note": _shortened(change.message, _MOST_NOTE),
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": "VirtualIP",
            "namespace": change.namespace,
            "name": change.name,
            "uid": change.uid,
        },
    }
    if change.node:
        document["related"] = {"apiVersion": "v1", "kind": "Node", "name": change.node}
    return document


def _tests(uid: str, resource_version: str) -> Operations:
    return [
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": resource_version},
    ]


def _shortened(text: str, most_bytes: int) -> str:
    """Return the text, cut between characters where it is too long."""
    encoded = text.encode()
    if len(encoded) <= most_bytes:
        return text
    return encoded[: most_bytes - 3].decode(errors="ignore") + "…"
