"""Commands with mounts, processes and a host name of their own: one SIGKILL ends all of it."""

from __future__ import annotations

_UNSHARE = (
    *("unshare", "--mount", "--uts", "--ipc", "--pid", "--fork"),
    *("--kill-child", "--mount-proc"),
)


def privately(*command: str) -> list[str]:
    """Return the command as process 1 of namespaces of its own."""
    return [*_UNSHARE, *command]
