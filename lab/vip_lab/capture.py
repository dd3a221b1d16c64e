"""Frames on a host's interface, captured to a file while a block runs."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vip_lab.host import INTERFACE, Host
from vip_lab.namespaces import LabError
from vip_lab.process import Process
from vip_lab.running import Running
from vip_lab.wait import until

_SECONDS_TO_START = 20.0
_MAGIC = 0xA1B23C4D  # pcap, nanoseconds, written on a machine of our own byte order
_FILE_HEADER = struct.Struct("=IHHiIII")
_FRAME_HEADER = struct.Struct("=IIII")
_BUFFER_KIB = 8192


@dataclass(frozen=True, slots=True)
class Frame:
    """One Ethernet frame.

    Attributes:
        at_ns: when the kernel saw it (CLOCK_REALTIME).
        data: from the destination's hardware address on.
    """

    at_ns: int
    data: bytes


class Capture(Running):
    """Everything that matches a tcpdump filter, in both directions; read it after the block.

    Args:
        host: on whose interface.
        path: file to write, in pcap format.
        expression: tcpdump's filter expression; empty captures all.
        interface: name of the interface.
    """

    def __init__(
        self, host: Host, path: Path, expression: str = "", interface: str = INTERFACE
    ) -> None:
        self._host = host
        self._path = path
        self._command = ["tcpdump", "-i", interface, "-n", "-U", "--immediate-mode", "-Z", "root"]
        self._command += ["-B", str(_BUFFER_KIB), "--time-stamp-precision=nano", "-w", str(path)]
        self._command += [expression] if expression else []
        self._process: Process | None = None

    def start(self) -> None:
        """Begin; return when every further frame is captured."""
        name = f"tcpdump-{self._path.stem}"
        (self._host.directory / f"{name}.log").unlink(missing_ok=True)
        process = self._process = self._host.start(name, self._command, preferred=True)
        until("tcpdump to listen", lambda: _is_listening(process), _SECONDS_TO_START)

    def close(self) -> None:
        """End it; what was captured is in the file."""
        if self._process is not None:
            self._process.stop()

    def frames(self) -> list[Frame]:
        """Return the frames captured so far, in their order."""
        return list(read_pcap(self._path))


def _is_listening(process: Process) -> bool:
    if not process.running:
        raise LabError(f"tcpdump ended with: {process.text()}")
    return "listening on" in process.text()


def read_pcap(path: Path) -> Iterator[Frame]:
    """Yield the frames of a file that `Capture` wrote; one that is not yet whole is left out."""
    content = path.read_bytes() if path.exists() else b""
    if len(content) < _FILE_HEADER.size:
        return
    magic = _FILE_HEADER.unpack_from(content)[0]
    if magic != _MAGIC:
        raise LabError(f"{path} is no nanosecond pcap file of this machine")
    offset = _FILE_HEADER.size
    while offset + _FRAME_HEADER.size <= len(content):
        seconds, nanoseconds, length, _original = _FRAME_HEADER.unpack_from(content, offset)
        offset += _FRAME_HEADER.size
        if offset + length > len(content):
            return
        yield Frame(seconds * 1_000_000_000 + nanoseconds, content[offset : offset + length])
        offset += length
