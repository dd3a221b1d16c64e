"""The speakers' DaemonSet as data: what its template asks for, and what hinders its pods.

The DaemonSet belongs to the ConfigMap that holds its template and not to the operator's
Deployment: deleting the operator must not take the addresses down with it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import yaml

from vip_kube.client import Object
from vip_kube.kinds import CONFIG_MAPS, DAEMON_SETS

TEMPLATE_KEY = "daemonset.yaml"
DIGEST_ANNOTATION = "vip-operator.io/template-digest"
PATIENCE_NS = 20_000_000_000

_DIGEST_CHARACTERS = 16
# What client-go puts before the tenth such note within ten minutes, and before every later one.
_COMBINED = "(combined from similar events): "
_BEGINNING_OF_A_REFUSAL = "Error creating: "


class TemplateError(ValueError):
    """The ConfigMap holds no usable template; the text names object, key and way out."""


def wanted_daemon_set(config_map: Mapping[str, Any]) -> Object:
    """Return the DaemonSet that a ConfigMap's template asks for, owned by the ConfigMap.

    Raises:
        TemplateError: there is no template in it, or it is no DaemonSet.
    """
    metadata = config_map["metadata"]
    text = (config_map.get("data") or {}).get(TEMPLATE_KEY, "")
    try:
        template = _parsed(text)
    except TemplateError as error:
        where = f"ConfigMap {metadata['namespace']}/{metadata['name']}, key {TEMPLATE_KEY}"
        raise TemplateError(f"{where}: {error}; install the chart again") from error
    named = template["metadata"]
    owner = {
        "apiVersion": CONFIG_MAPS.api_version,
        "kind": CONFIG_MAPS.name,
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARACTERS]
    return {
        **template,
        "metadata": {
            **named,
            "namespace": metadata["namespace"],
            "annotations": {**(named.get("annotations") or {}), DIGEST_ANNOTATION: digest},
            "ownerReferences": [owner],
        },
    }


def _parsed(text: str) -> Object:
    if not text.strip():
        raise TemplateError("it is missing")
    try:
        template = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise TemplateError(f"it is not YAML: {error}") from error
    if not isinstance(template, dict):
        raise TemplateError("it is no object")
    kind = (template.get("apiVersion"), template.get("kind"))
    if kind != (DAEMON_SETS.api_version, DAEMON_SETS.name):
        raise TemplateError(f"it is no {DAEMON_SETS.name} of {DAEMON_SETS.api_version}")
    metadata = template.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise TemplateError("metadata.name is missing")
    return template


def differs(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Return whether a DaemonSet was made from another template, or for another ConfigMap.

    Only these are compared. Defaults that the API server filled in are no difference, nor is
    what somebody changed by hand, such as `kubectl rollout restart`.
    """
    before, after = found["metadata"], wanted["metadata"]
    owners = [one.get("uid") for one in before.get("ownerReferences") or ()]
    digest = (before.get("annotations") or {}).get(DIGEST_ANNOTATION)
    return (
        digest != after["annotations"][DIGEST_ANNOTATION]
        or after["ownerReferences"][0]["uid"] not in owners
    )


def is_being_deleted(content: Mapping[str, Any]) -> bool:
    """Return whether an object waits for something before it is gone."""
    return bool(content["metadata"].get("deletionTimestamp"))


def refusal(note: str, name: str) -> str:
    """Return why pods of a DaemonSet are refused, from the note of an Event of reason FailedCreate.

    Each attempt has another name for its pod, which is left out: the same reason is the same text.
    """
    why = note.removeprefix(_COMBINED).removeprefix(_BEGINNING_OF_A_REFUSAL)
    return re.sub(rf'"{re.escape(name)}-[a-z0-9]*"', f'"{name}-*"', why)


class Refusals:
    """Why the API server refuses pods, as Events of the DaemonSet controller tell.

    Events stay for an hour, whether or not what they tell is over. So what was told counts only
    while pods are missing, and not any more once they have been complete.
    """

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def hear(self, event: Mapping[str, Any]) -> None:
        """Take an Event of reason FailedCreate."""
        name = event["regarding"]["name"]
        self._told[name] = refusal(event.get("note") or "", name)

    def see(self, daemon_set: Mapping[str, Any]) -> None:
        """Take a DaemonSet as it is now."""
        is_judged = (daemon_set.get("status") or {}).get("observedGeneration")
        if is_judged and not _lacks_pods(daemon_set):
            self._told.pop(daemon_set["metadata"]["name"], None)

    def of(self, daemon_set: Mapping[str, Any] | None) -> str:
        """Return why pods of a DaemonSet are missing; empty where none is, or nothing was told."""
        if daemon_set is None or not _lacks_pods(daemon_set):
            return ""
        return self._told.get(daemon_set["metadata"]["name"], "")


class Patience:
    """How long the API server may forbid us to write the DaemonSet before users hear of it.

    `helm upgrade` writes the template, our roles and the admission policy that knows the template
    one after the other, and the API server applies the latter some seconds late.
    """

    def __init__(self) -> None:
        self._since_ns: int | None = None

    def begins(self, now_ns: int) -> bool:
        """Take that a write was forbidden, and return whether it is the first one."""
        is_first = self._since_ns is None
        if self._since_ns is None:
            self._since_ns = now_ns
        return is_first

    def is_over(self, now_ns: int) -> bool:
        """Return whether writes have been forbidden for too long."""
        return self._since_ns is not None and now_ns - self._since_ns >= PATIENCE_NS

    def renew(self) -> None:
        """Take that nothing is forbidden."""
        self._since_ns = None


def _lacks_pods(daemon_set: Mapping[str, Any]) -> bool:
    """Return whether nodes that should have a pod of a DaemonSet have none."""
    status = daemon_set.get("status") or {}
    wanted = status.get("desiredNumberScheduled") or 0
    there = status.get("currentNumberScheduled") or 0
    return bool(there < wanted)
