"""What one speaker was given on its command line, and how its processes pass it on.

The roles (`supervisor`, `engine`, `agent`) are started with the role as their only argument, so
that a process list tells them apart; the options travel in one environment variable.
Standard library only, since the supervisor reads it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

SETTINGS_VARIABLE = "VIP_SPEAKER_SETTINGS"
# File descriptors that the supervisor passes to its children: the read end of a pipe that closes
# when the supervisor is gone; the engine's listening socket; the node lock, which the engine holds
# by having it; the pipe into which it writes signs of life.
LIFELINE_VARIABLE = "VIP_SPEAKER_LIFELINE_FD"
LISTENER_VARIABLE = "VIP_SPEAKER_LISTENER_FD"
LOCK_VARIABLE = "VIP_SPEAKER_LOCK_FD"
PULSE_VARIABLE = "VIP_SPEAKER_PULSE_FD"
# What the manifest of a pod says of where it runs.
NODE_VARIABLE = "NODE_NAME"
NAMESPACE_VARIABLE = "POD_NAMESPACE"

ROLES = ("supervisor", "engine", "agent")
LOG_LEVELS = ("debug", "info", "warning", "error")

DEFAULT_STATE_DIRECTORY = "/run/vip-operator"
DEFAULT_CACHE_DIRECTORY = "/var/lib/vip-operator"
DEFAULT_HTTP = "127.0.0.1:9112"
SOCKET_NAME = "engine.sock"

_FLAGS = frozenset({"cluster", "with_agent"})
_MAY_BE_NONE = frozenset({"manifests", "kubeconfig", "namespace", "http", "probe_socket"})


class SettingsError(ValueError):
    """The settings in the environment cannot be used; the text names variable and field."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of one speaker, the same for each of its processes.

    Attributes:
        node: name of this node in the plan.
        manifests: file or directory of static mode; None without.
        cluster: the agent follows a Kubernetes cluster instead.
        kubeconfig: how to reach it; None: as a pod, else the default kubeconfig.
        namespace: the operator's; None: that of the pod or the kubeconfig.
        state_directory: what must survive a restart but not a reboot.
        cache_directory: what must survive a reboot.
        socket: path of the engine's unix socket.
        http: ADDRESS:PORT where the agent serves HTTP; None serves nowhere.
        probe_socket: path of the unix socket where the agent says that it lives; None: nowhere.
        log_level: one of LOG_LEVELS.
        with_agent: the supervisor keeps an agent too (bare metal).
    """

    node: str
    manifests: str | None = None
    cluster: bool = False
    kubeconfig: str | None = None
    namespace: str | None = None
    state_directory: str = DEFAULT_STATE_DIRECTORY
    cache_directory: str = DEFAULT_CACHE_DIRECTORY
    socket: str = f"{DEFAULT_STATE_DIRECTORY}/{SOCKET_NAME}"
    http: str | None = DEFAULT_HTTP
    probe_socket: str | None = None
    log_level: str = "info"
    with_agent: bool = False

    def to_environment(self) -> dict[str, str]:
        """Return what a child needs in its environment to run with these settings."""
        return {SETTINGS_VARIABLE: json.dumps(dataclasses.asdict(self), sort_keys=True)}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Return the settings that a parent passed on, or the defaults if there are none.

        Unknown fields are ignored, so that a restart across an upgrade finds its settings.

        Raises:
            SettingsError: the variable holds something else.
        """
        text = environment.get(SETTINGS_VARIABLE)
        if text is None:
            return cls(node=default_node(environment))
        try:
            found = json.loads(text)
        except ValueError as error:
            raise SettingsError(f"{SETTINGS_VARIABLE} is not JSON: {error}") from error
        return cls._from_fields(found)

    @classmethod
    def _from_fields(cls, found: object) -> Settings:
        if not isinstance(found, dict) or "node" not in found:
            raise SettingsError(f"{SETTINGS_VARIABLE} is not an object with the field node")
        values: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            if field.name not in found:
                continue
            value = found[field.name]
            wanted = bool if field.name in _FLAGS else str
            may_be_none = field.name in _MAY_BE_NONE
            if not isinstance(value, wanted) and not (value is None and may_be_none):
                raise SettingsError(
                    f"{SETTINGS_VARIABLE}: {field.name} is {value!r}, not a {wanted.__name__}"
                )
            values[field.name] = value
        return cls(**values)


def default_node(environment: Mapping[str, str] = os.environ) -> str:
    """Return this node's name: what a pod's manifest says, else the host name."""
    return environment.get(NODE_VARIABLE) or os.uname().nodename


def role_command(role: str) -> list[str]:
    """Return the command line of this program in one of its roles, which is its last word."""
    options = ["-I"] if sys.flags.isolated else []
    return [sys.executable, *options, sys.argv[0], role]
