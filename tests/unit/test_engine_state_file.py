"""The state file hands one life's knowledge to the next, and never more than is true."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from vip_model.vocabulary import State
from vip_speaker.engine.state_file import RouterRecord, StateFile, boot_id
from vip_speaker.vrrp.config import Health

ACTIVE = RouterRecord(
    last_sent_ns=123_456_789_000,
    since_ns=23_000,
    priority=254,
    state=State.ACTIVE,
    health=Health.HEALTHY,
)
PROVISIONAL = replace(ACTIVE, priority=147, provisional_until_ns=153_000_000_000, seniority=2)
WITHDRAWN = RouterRecord(
    last_sent_ns=None,
    since_ns=7,
    priority=1,
    state=State.INITIALIZE,
    health=Health.WITHDRAWN,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the state file is."""
    return tmp_path / "engine.state"


def reopened(path: Path, boot: str = "boot-a") -> dict[str, RouterRecord]:
    """Return what a next life would find."""
    state = StateFile(path, boot)
    state.close()
    return state.earlier


def test_what_was_written_is_found_without_closing(path: Path) -> None:
    """A killed engine never closes its file, and its records are there all the same."""
    state = StateFile(path, "boot-a")
    state.write("vip.default.web", ACTIVE)
    state.write("vip.default.db", WITHDRAWN)
    state.write("vip.default.new", PROVISIONAL)
    assert reopened(path) == {
        "vip.default.web": ACTIVE,
        "vip.default.db": WITHDRAWN,
        "vip.default.new": PROVISIONAL,
    }


def test_the_last_write_counts(path: Path) -> None:
    """A record is replaced, not added."""
    state = StateFile(path, "boot-a")
    state.write("vip.default.web", WITHDRAWN)
    state.write("vip.default.web", ACTIVE)
    assert reopened(path) == {"vip.default.web": ACTIVE}


def test_a_forgotten_router_is_not_found(path: Path) -> None:
    """A router that ended leaves no record behind."""
    state = StateFile(path, "boot-a")
    state.write("vip.default.web", ACTIVE)
    state.forget("vip.default.web")
    assert reopened(path) == {}


def test_records_survive_two_lives(path: Path) -> None:
    """A life that dies before it writes hands on what it found."""
    StateFile(path, "boot-a").write("vip.default.web", ACTIVE)
    StateFile(path, "boot-a")
    assert reopened(path) == {"vip.default.web": ACTIVE}


def test_another_boot_knows_nothing(path: Path) -> None:
    """CLOCK_BOOTTIME starts anew with a boot, so records of another one mean nothing."""
    StateFile(path, "boot-a").write("vip.default.web", ACTIVE)
    assert reopened(path, "boot-b") == {}


def test_more_routers_than_the_first_map_holds(path: Path) -> None:
    """The file grows and keeps every record."""
    state = StateFile(path, "boot-a")
    names = [f"vip.default.web-{number}" for number in range(300)]
    for name in names:
        state.write(name, ACTIVE)
    assert sorted(reopened(path)) == sorted(names)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"rubbish" * 100, b"\xff" * 5000],
    ids=["empty", "one byte", "text", "ones"],
)
def test_rubbish_is_ignored(path: Path, content: bytes) -> None:
    """A file that is no state file is replaced by an empty one."""
    path.write_bytes(content)
    assert reopened(path) == {}


def test_a_damaged_record_is_ignored_and_reported(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A record whose checksum does not match is dropped with a warning, the others stay."""
    state = StateFile(path, "boot-a")
    state.write("vip.default.web", ACTIVE)
    state.write("vip.default.db", WITHDRAWN)
    content = bytearray(path.read_bytes())
    at = content.index(b"vip.default.web")
    content[at] ^= 0xFF
    path.write_bytes(content)
    assert reopened(path) == {"vip.default.db": WITHDRAWN}
    assert "1 damaged records" in caplog.text


def test_a_file_of_another_version_is_ignored(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its records have another form: the first start after an upgrade is one as Backup."""
    StateFile(path, "boot-a").write("vip.default.web", ACTIVE)
    content = bytearray(path.read_bytes())
    content[8] -= 1
    path.write_bytes(content)
    assert reopened(path) == {}
    assert "it is not one of this version" in caplog.text


def test_a_truncated_file_is_read_as_far_as_it_goes(path: Path) -> None:
    """Every length of the file can be read without an error."""
    StateFile(path, "boot-a").write("vip.default.web", ACTIVE)
    content = path.read_bytes()
    for length in range(0, len(content), 97):
        path.write_bytes(content[:length])
        assert reopened(path) in ({}, {"vip.default.web": ACTIVE})


def test_a_full_file_system_costs_the_file_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without room for the file the engine runs and says so, and the next life finds nothing."""
    StateFile(path, "boot-a").write("vip.default.web", ACTIVE)
    monkeypatch.setattr(os, "posix_fallocate", _no_room)
    state = StateFile(path, "boot-a")
    assert state.earlier == {"vip.default.web": ACTIVE}
    for number in range(300):
        state.write(f"vip.default.web-{number}", ACTIVE)
    state.stamp(5)
    state.close()
    assert "No space left on device" in caplog.text
    assert len(caplog.records) == 1
    assert reopened(path) == {}


def test_a_file_system_that_fills_up_costs_the_file_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same where there is no room for more routers."""
    state = StateFile(path, "boot-a")
    monkeypatch.setattr(os, "posix_fallocate", _no_room)
    for number in range(300):
        state.write(f"vip.default.web-{number}", ACTIVE)
    state.close()
    assert reopened(path) == {}


def test_the_file_has_its_room_before_it_is_mapped(path: Path) -> None:
    """A file with holes kills the process that writes into one when the file system is full."""
    StateFile(path, "boot-a")
    assert path.stat().st_blocks * 512 >= path.stat().st_size


def _no_room(_fd: int, _offset: int, _length: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_boot_id_is_the_kernels() -> None:
    """The boot id is a UUID that does not change while the machine runs."""
    assert boot_id() == boot_id()
    assert len(boot_id()) == 36


def test_the_last_sign_of_life_is_found(path: Path) -> None:
    """The next life knows how long nobody was there."""
    state = StateFile(path, "boot-a")
    assert state.earlier_alive_ns is None
    state.stamp(123)
    for number in range(100):
        state.write(f"vip.default.web-{number}", ACTIVE)
    assert StateFile(path, "boot-a").earlier_alive_ns == 123
