"""The node lock: one speaker in each network namespace, its engine included.

The lock is a packet socket of an unused protocol, bound to loopback. A speaker that starts opens
one, and then looks into /proc/net/packet for another. That list belongs to the network namespace,
so that it holds between a pod and a service of the host, which need not share any files; an entry
is gone when the last process that has the socket ends; and to make one takes CAP_NET_RAW, with
which one could send adverts anyway. The engine inherits the socket: as long as an engine runs, even
one without its supervisor, the node is taken.

Each speaker has opened its own lock before it looks, so that two never both find the node free.
Of several that start at the same instant the one whose lock has the lowest inode keeps it open
until it is alone; the others close theirs, and wait to see whether a speaker comes of it.
Standard library only.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

LOCK_PROTOCOL = 0x88B6  # IEEE Std 802, local experimental EtherType 2
_LOOPBACK = "lo"
_LOOPBACK_INDEX = 1  # in every network namespace
_PACKET_SOCKETS = Path("/proc/net/packet")
_PROCESSES = Path("/proc")
_PAUSE_SECONDS = 0.01
# How long a speaker may take from its lock to its engine, or to closing its lock again.
_PATIENCE_SECONDS = 2.0

_log = logging.getLogger("supervisor")


class NodeTakenError(Exception):
    """Another speaker serves this network namespace; the text names it as far as can be seen."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a lock open.

    Attributes:
        pid: its process id, in our process namespace.
        parent: its parent.
        role: the last word of its command line.
    """

    pid: int
    parent: int
    role: str


def take_node_lock() -> socket.socket:
    """Return the lock of this network namespace; every process that inherits it holds it.

    An engine whose supervisor is gone is killed first: this speaker goes on where it was, and an
    orderly end of the old one would give the addresses away.

    Raises:
        NodeTakenError: another speaker serves this network namespace.
        PermissionError: CAP_NET_RAW is missing.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        lock = _open()
        try:
            if _is_alone(lock, deadline):
                return lock
        except BaseException:
            lock.close()
            raise
        lock.close()
        while others := _locks():
            _clear(others, deadline)


def _is_alone(lock: socket.socket, deadline: float) -> bool:
    """Return True once there is no other lock, False if another one goes first."""
    mine = os.fstat(lock.fileno()).st_ino
    while others := _locks() - {mine}:
        if min(others) < mine:
            return False
        _clear(others, deadline)
    return True


def _clear(inodes: Iterable[int], deadline: float) -> None:
    """Take a step towards a node without these locks: end engines that were left, or wait.

    Raises NodeTakenError if a speaker runs, or if time is up.
    """
    # An engine that has ended since it was listed is in the list no more the next time.
    holders = find_holders(inodes)
    left = orphans(holders)
    runs = not left and any(each.role == "engine" for each in holders)
    if runs or time.monotonic() > deadline:
        raise NodeTakenError(_taken(holders))
    for each in left:
        _end(each)
    time.sleep(_PAUSE_SECONDS)


def lock_inodes(listing: str, interface: int = _LOOPBACK_INDEX) -> set[int]:
    """Return the inodes of all locks in the text of /proc/net/packet."""
    found = set()
    for line in listing.splitlines()[1:]:
        # sk RefCnt Type Proto Iface R Rmem User Inode
        fields = line.split()
        if (int(fields[3], 16), int(fields[4])) == (LOCK_PROTOCOL, interface):
            found.add(int(fields[8]))
    return found


def orphans(holders: Iterable[Holder]) -> list[Holder]:
    """Return the engines that a dead supervisor left; nothing if a supervisor is alive."""
    found = list(holders)
    pids = {each.pid for each in found}
    if any(each.role != "engine" or each.parent in pids for each in found):
        return []
    return found


def find_holders(inodes: Iterable[int]) -> list[Holder]:
    """Return the processes that have one of these sockets open, as far as we may see them."""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    found = []
    for directory in _PROCESSES.iterdir():
        if not directory.name.isdigit() or int(directory.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if any(_target(each) in wanted for each in (directory / "fd").iterdir()):
                found.append(_holder(directory))
    return found


def _open() -> socket.socket:
    # Protocol 0 receives nothing; binding names what shows in the list. Its buffer takes nothing:
    # on loopback there are no such packets, and if there were they could fill no more than this.
    lock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    lock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    lock.bind((_LOOPBACK, LOCK_PROTOCOL))
    return lock


def _locks() -> set[int]:
    return lock_inodes(_PACKET_SOCKETS.read_text("ascii"))


def _holder(directory: Path) -> Holder:
    words = (directory / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    # pid (comm) state ppid ...; comm may hold anything
    parent = (directory / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
    return Holder(int(directory.name), int(parent), words[-1].decode(errors="replace"))


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def _end(engine: Holder) -> None:
    """Kill an engine and wait until it is gone, so that its sockets are."""
    _log.warning("Killing engine %d, whose supervisor is gone; going on from there", engine.pid)
    try:
        handle = os.pidfd_open(engine.pid)
    except ProcessLookupError:
        return
    try:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        select.select([handle], [], [], 1.0)
    finally:
        os.close(handle)


def _taken(holders: Iterable[Holder]) -> str:
    pids = sorted(each.pid for each in holders)
    noun = "process" if len(pids) == 1 else "processes"
    who = f" ({noun} {', '.join(map(str, pids))})" if pids else ""
    return (
        f"Another speaker{who} already serves this node: stop it first, "
        "or run this one in another network namespace"
    )
