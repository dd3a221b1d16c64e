"""What `vip-speaker status` shows: asks the engine and renders the answer.

The agent need not be alive for it; its HTTP server gives the same document.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from vip_common.timestamps import parsed
from vip_model.vocabulary import GateState
from vip_speaker.messages import (
    ForeignRouter,
    HeardNode,
    RouterStatus,
    Status,
    StatusRequest,
    decode_from_engine,
    encode,
)

_TIMEOUT_SECONDS = 3.0
_READ_BYTES = 1 << 16
_STRANGERS_SHOWN = 8
_SHOWN = ("node", "virtualRouters", "foreign", "watched", "neighbours", "drops", "turns")
_HEADERS = (
    "NAME",
    "ADDRESS",
    "INTERFACE",
    "VRID",
    "STATE",
    "PRIORITY",
    "SINCE",
    "GATES",
    "REASON",
)


class NoAnswerError(Exception):
    """The engine could not be asked; the text says why and what to do."""


def fetch(path: str) -> Status:
    """Return what the engine behind the socket says.

    Raises:
        NoAnswerError: nobody answers there.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_TIMEOUT_SECONDS)
            connection.connect(path)
            connection.sendall(encode(StatusRequest()))
            return _read_status(connection)
    except FileNotFoundError as error:
        raise NoAnswerError(f"{_nobody(path)} (no such socket)") from error
    except ConnectionRefusedError as error:
        raise NoAnswerError(f"{_nobody(path)} (an earlier one left the socket)") from error
    except PermissionError as error:
        raise NoAnswerError(
            f"Not allowed to open the engine's socket {path}: ask as root, or as its group"
        ) from error
    except TimeoutError as error:
        raise NoAnswerError(
            f"The engine behind {path} did not answer within {_TIMEOUT_SECONDS:g} s: "
            "it may be starting or stopped; its log tells"
        ) from error
    except (OSError, msgspec.MsgspecError) as error:
        raise NoAnswerError(f"The engine behind {path} gave no status: {error}") from error


def _nobody(path: str) -> str:
    return (
        f"No engine serves {path}: start one with `vip-speaker run --manifests FILE`, "
        "or name another socket with --socket"
    )


def _read_status(connection: socket.socket) -> Status:
    buffer = b""
    while chunk := connection.recv(_READ_BYTES):
        *lines, buffer = (buffer + chunk).split(b"\n")
        for line in lines:
            message = decode_from_engine(line)
            if isinstance(message, Status):
                return message
    raise ConnectionResetError("it closed the connection")


def document(status: Status) -> dict[str, Any]:
    """Return the status as `--json` prints it: node, virtual routers, and those of others."""
    whole = msgspec.to_builtins(status)
    return {field: whole[field] for field in _SHOWN}


def table(status: Status, now: datetime) -> str:
    """Return the status as aligned lines for a person; `now` is the time of the ages."""
    lines = [f"Node {status.node}"]
    if status.virtual_routers:
        lines += ["", *align([_HEADERS, *(_row(r, now) for r in status.virtual_routers)])]
    else:
        lines.append("No virtual router runs here.")
    if status.orphaned:
        lines += ["", f"Kept although no longer planned: {', '.join(status.orphaned)}"]
    if status.neighbours:
        lines += ["", "Trouble with other routers on the link:"]
        lines += [f"  {each.name} ({each.interface}): {each.message}" for each in status.neighbours]
    if status.foreign:
        lines += ["", f"Virtual routers of others on the link: {_strangers(status.foreign)}"]
    if status.watched:
        lines += ["", f"Nodes that are called unreachable: {_watched(status.watched)}"]
    if status.drops:
        drops = ", ".join(f"{reason} {count}" for reason, count in sorted(status.drops.items()))
        lines += ["", f"Packets dropped that belong to no virtual router here: {drops}"]
    return "\n".join(lines)


def align(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Return the rows as lines with their columns under each other."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _strangers(foreign: Sequence[ForeignRouter]) -> str:
    shown = [
        f"VRID {each.virtual_router_id} from {each.source} on {each.interface}"
        for each in foreign[:_STRANGERS_SHOWN]
    ]
    more = len(foreign) - len(shown)
    return ", ".join([*shown, *([f"and {more} more"] if more else [])])


def _watched(nodes: Iterable[HeardNode]) -> str:
    return ", ".join(f"{each.node} ({'heard' if each.heard else 'silent'})" for each in nodes)


def _row(router: RouterStatus, now: datetime) -> tuple[str, ...]:
    return (
        router.name,
        _addresses(router.addresses),
        router.interface or "-",
        str(router.virtual_router_id),
        f"{router.state} (yielding)" if router.yielding else router.state,
        _priority(router),
        age(router.since, now),
        _gates(router),
        _reason(router),
    )


def _addresses(addresses: Sequence[str]) -> str:
    if not addresses:
        return "-"
    return addresses[0] if len(addresses) == 1 else f"{addresses[0]} (+{len(addresses) - 1})"


def _priority(router: RouterStatus) -> str:
    if router.effective_priority == router.priority:
        return str(router.priority)
    return f"{router.effective_priority} of {router.priority}"


def _gates(router: RouterStatus) -> str:
    counted = [gate for gate in router.gates if gate.state is not GateState.NOT_APPLICABLE]
    if not counted:
        return "-"
    passing = sum(gate.state is GateState.PASSING for gate in counted)
    stale = ", stale" if any(gate.stale for gate in counted) else ""
    return f"{passing}/{len(counted)} pass{stale}"


def _reason(router: RouterStatus) -> str:
    failing = [
        f"{gate.name}: {gate.reason}"
        for gate in router.gates
        if gate.state in (GateState.FAILING, GateState.UNKNOWN)
    ]
    edit = [f"the last edit is not in force: {router.not_in_force}"] if router.not_in_force else []
    words = [router.message or router.reason, router.conflict, *edit, *failing]
    return "; ".join(filter(None, words))


def age(since: str, now: datetime) -> str:
    """Return how long ago an RFC 3339 time was: 12s, 3m05s, 7h02m, 9d04h."""
    start = parsed(since)
    if start is None:
        return "-"
    seconds = max(0, int((now - start).total_seconds()))
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02}s"
    if seconds < 86400:
        return f"{seconds // 3600}h{seconds % 3600 // 60:02}m"
    return f"{seconds // 86400}d{seconds % 86400 // 3600:02}h"
