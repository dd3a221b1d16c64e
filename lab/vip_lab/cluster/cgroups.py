"""A control group of its own for each node, in every hierarchy that there is."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from vip_lab.namespaces import PREFIX
from vip_lab.wait import until

_MOUNTS = Path("/proc/self/mounts")
_VERSION_1, _VERSION_2 = "cgroup", "cgroup2"
_SECONDS_TO_VANISH = 10.0


def make(name: str) -> None:
    """Make the group in every hierarchy, with every controller that the hierarchy has."""
    for hierarchy in _hierarchies(_VERSION_2):
        _hand_down_controllers(hierarchy)
    for hierarchy in _hierarchies():
        (hierarchy / name).mkdir(exist_ok=True)


def remove(name: str) -> None:
    """Kill what is in the group and in those below it, and remove them all."""
    groups = [hierarchy / name for hierarchy in _hierarchies()]

    def removed() -> bool:
        return all(_removed(group) for group in groups)

    until(f"the control groups {name} to be removed", removed, _SECONDS_TO_VANISH)


def names() -> set[str]:
    """Return the names of the groups of all labs."""
    return {path.name for each in _hierarchies() for path in each.glob(f"{PREFIX}-*")}


def _removed(group: Path) -> bool:
    for path in [*_below(group), group]:
        _kill_members(path)
        # Busy until the kernel has buried its last process; the next look tries again.
        with contextlib.suppress(OSError):
            path.rmdir()
    return not group.exists()


def _below(group: Path) -> Iterator[Path]:
    for path, folders, _files in os.walk(group, topdown=False):
        yield from (Path(path) / folder for folder in folders)


def _kill_members(group: Path) -> None:
    with contextlib.suppress(OSError):
        for pid in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def _hand_down_controllers(root: Path) -> None:
    """Let the groups below the root have what the root has; it stays so afterwards.

    In version 2 a group has only what its parent hands down, and a kubelet does not start in a
    group that lacks one of the controllers it uses.
    """
    for controller in (root / "cgroup.controllers").read_text().split():
        # One by one: with a line of several, the kernel refuses all for the sake of one. Which one
        # is missing is in the kubelet's log.
        with contextlib.suppress(OSError), (root / "cgroup.subtree_control").open("a") as file:
            file.write(f"+{controller}\n")


def _hierarchies(*types: str) -> list[Path]:
    """Return where cgroup file systems are mounted, of these types or of both versions."""
    wanted = types or (_VERSION_1, _VERSION_2)
    mounts = (line.split() for line in _MOUNTS.read_text().splitlines())
    return sorted({Path(words[1]) for words in mounts if words[2] in wanted})
