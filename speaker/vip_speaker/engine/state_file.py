"""What the next life of the engine must know, in one mapped file (decisions: resume).

The file is a memory map, so that a SIGKILL loses nothing that was written, and writing costs
less than a microsecond. Layout: a header, then records of a fixed size; each record ends with a
CRC-32 of what stands before it. A header of another boot, a record that does not add up, or a
file that is too short is ignored: the worst that follows is a start as Backup.
"""

from __future__ import annotations

import contextlib
import logging
import mmap
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from vip_model.vocabulary import State
from vip_speaker.vrrp.config import Health
from vip_speaker.vrrp.election import Election

_FILE_NAME = "engine.state"
_MAGIC = b"VIPSTATE"
_VERSION = 3
# magic, version, boot id, number of records, last sign of life (CLOCK_BOOTTIME ns)
_HEADER = struct.Struct("=8sI36sIq")
_ALIVE = struct.Struct("=q")
# name, last advert (CLOCK_BOOTTIME ns), since (CLOCK_BOOTTIME ns), priority, state, health,
# provisional until (CLOCK_BOOTTIME ns), seniority
_RECORD = struct.Struct("=320sqqBBiqB")
_CRC = struct.Struct("=I")
_RECORD_BYTES = _RECORD.size + _CRC.size
_RECORDS_FIRST = 64
_NEVER = -1
_STATES = (State.INITIALIZE, State.BACKUP, State.ACTIVE)
_WITHDRAWN = -1  # instead of a cost

_log = logging.getLogger("engine")


@dataclass(frozen=True, slots=True)
class RouterRecord:
    """What one router was doing.

    Attributes:
        last_sent_ns: when its last advert went out (CLOCK_BOOTTIME), or None.
        since_ns: since when it was in its state (CLOCK_BOOTTIME).
        priority: effective priority.
        state: state.
        health: verdict of its gates.
        provisional_until_ns: until when it was a provisional Active (CLOCK_BOOTTIME), or None.
        seniority: for how many steps it had been one.
    """

    last_sent_ns: int | None
    since_ns: int
    priority: int
    state: State
    health: Health
    provisional_until_ns: int | None = None
    seniority: int = 0

    @property
    def resumable_ns(self) -> int | None:
        """When the last advert of a router went out that was Active to the end, else None."""
        return self.last_sent_ns if self.state is State.ACTIVE else None


def record_of(election: Election, since_ns: int) -> RouterRecord:
    """Return what the next life must know of an election that is in its state since then."""
    return RouterRecord(
        last_sent_ns=election.last_sent_ns,
        since_ns=since_ns,
        priority=election.effective_priority,
        state=election.state,
        health=election.health,
        provisional_until_ns=election.provisional_until_ns,
        seniority=election.seniority,
    )


def boot_id() -> str:
    """Return the kernel's name for this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


class StateFile:
    """Records by router name.

    Attributes:
        earlier: what an earlier life of this boot left.
        earlier_alive_ns: last sign of that life (CLOCK_BOOTTIME), or None.
    """

    def __init__(self, path: Path, boot: str) -> None:
        self._boot = boot
        self.earlier_alive_ns, self.earlier = _read(path, boot)
        self._slots: dict[str, int] = {}
        self._free: list[int] = []
        self._count = 0
        self._path = path
        self._fd: int | None = None
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            self._do_without_file(error)
        self._map = self._make(max(_RECORDS_FIRST, len(self.earlier)))
        for name, record in self.earlier.items():
            self.write(name, record)

    def write(self, name: str, record: RouterRecord) -> None:
        """Replace the record of one router."""
        slot = self._slots.get(name)
        if slot is None:
            slot = self._take_slot()
            self._slots[name] = slot
        body = _RECORD.pack(
            name.encode(),
            _NEVER if record.last_sent_ns is None else record.last_sent_ns,
            record.since_ns,
            record.priority,
            _STATES.index(record.state),
            _WITHDRAWN if record.health.withdrawn else record.health.cost,
            _NEVER if record.provisional_until_ns is None else record.provisional_until_ns,
            record.seniority,
        )
        self._put(slot, body + _CRC.pack(zlib.crc32(body)))

    def stamp(self, now: int) -> None:
        """Leave a sign of life."""
        _ALIVE.pack_into(self._map, _HEADER.size - _ALIVE.size, now)

    def forget(self, name: str) -> None:
        """Remove the record of a router that is no more."""
        slot = self._slots.pop(name, None)
        if slot is not None:
            self._put(slot, bytes(_RECORD_BYTES))
            self._free.append(slot)

    def close(self) -> None:
        """Unmap the file; its content stays for the next life."""
        self._map.close()
        if self._fd is not None:
            os.close(self._fd)

    def _make(self, records: int) -> mmap.mmap:
        """Start an empty map of that many records; what was in the file has been read."""
        size = _HEADER.size + records * _RECORD_BYTES
        mapped = self._map_file(size) or mmap.mmap(-1, size)
        mapped[:] = bytes(size)
        alive_ns = self.earlier_alive_ns or 0
        header = _HEADER.pack(_MAGIC, _VERSION, self._boot.encode(), records, alive_ns)
        mapped[: _HEADER.size] = header
        self._count = records
        self._free = list(range(records - 1, -1, -1))
        return mapped

    def _map_file(self, size: int) -> mmap.mmap | None:
        """Map that much of the file, or return None where there is no room for it.

        It has its room before it is mapped: writing to a map of a file that has none kills the
        process. What the file has already is kept, for where there is no more.
        """
        if self._fd is None:
            return None
        try:
            os.posix_fallocate(self._fd, 0, size)
            os.ftruncate(self._fd, size)
            return mmap.mmap(self._fd, size)
        except OSError as error:
            self._do_without_file(error)
            return None

    def _do_without_file(self, error: OSError) -> None:
        _log.warning(
            "Cannot write the state file %s, the next engine will not go on as Active: %s",
            self._path,
            error.strerror,
        )
        fd, self._fd = self._fd, None
        if fd is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(fd, 0)  # what is no longer true must not be found
            os.close(fd)

    def _take_slot(self) -> int:
        if not self._free:
            self._grow()
        return self._free.pop()

    def _grow(self) -> None:
        old, count = self._map[_HEADER.size :], self._count
        (alive_ns,) = _ALIVE.unpack_from(self._map, _HEADER.size - _ALIVE.size)
        self._map.close()
        self._map = self._make(2 * count)
        self._map[_HEADER.size : _HEADER.size + len(old)] = old
        self.stamp(alive_ns)
        self._free = list(range(self._count - 1, count - 1, -1))

    def _put(self, slot: int, record: bytes) -> None:
        start = _HEADER.size + slot * _RECORD_BYTES
        self._map[start : start + _RECORD_BYTES] = record


def _read(path: Path, boot: str) -> tuple[int | None, dict[str, RouterRecord]]:
    """Return the last sign of life and the records of this boot.

    Anything else is ignored with a warning.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None, {}
    except OSError as error:
        _log.warning("Ignored the state file %s: %s", path, error.strerror)
        return None, {}
    if not content:
        return None, {}
    try:
        magic, version, written_in, count, alive_ns = _HEADER.unpack_from(content)
    except struct.error:
        _log.warning("Ignored the state file %s: it is too short", path)
        return None, {}
    if magic != _MAGIC or version != _VERSION:
        _log.warning("Ignored the state file %s: it is not one of this version", path)
        return None, {}
    if written_in.rstrip(b"\0") != boot.encode():
        _log.info("Ignored the state file %s: it is of another boot", path)
        return None, {}
    return alive_ns, _read_records(path, content, count)


def _read_records(path: Path, content: bytes, count: int) -> dict[str, RouterRecord]:
    records: dict[str, RouterRecord] = {}
    damaged = 0
    for slot in range(count):
        start = _HEADER.size + slot * _RECORD_BYTES
        raw = content[start : start + _RECORD_BYTES]
        if not any(raw):
            continue
        if len(raw) < _RECORD_BYTES or zlib.crc32(raw[: _RECORD.size]) != _crc_of(raw):
            damaged += 1
            continue
        fields = _RECORD.unpack_from(raw)
        name, last_sent_ns, since_ns, priority, state, health, until_ns, seniority = fields
        records[name.rstrip(b"\0").decode(errors="replace")] = RouterRecord(
            last_sent_ns=None if last_sent_ns == _NEVER else last_sent_ns,
            since_ns=since_ns,
            priority=priority,
            state=_STATES[state],
            health=Health.WITHDRAWN if health == _WITHDRAWN else Health(health),
            provisional_until_ns=None if until_ns == _NEVER else until_ns,
            seniority=seniority,
        )
    if damaged:
        _log.warning("Ignored %d damaged records of the state file %s", damaged, path)
    return records


def _crc_of(raw: bytes) -> int:
    (crc,) = _CRC.unpack_from(raw, _RECORD.size)
    return int(crc)


def open_in(directory: Path) -> StateFile:
    """Open the state file in a directory, which is made if it is not there."""
    directory.mkdir(parents=True, exist_ok=True)
    return StateFile(directory / _FILE_NAME, boot_id())
