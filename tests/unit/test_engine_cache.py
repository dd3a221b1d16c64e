"""What the engine keeps on disk: written beside its work, the newest only."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from vip_lab.wait import until
from vip_speaker.engine import cache
from vip_speaker.messages import Desired


def _desired(revision: int) -> Desired:
    return Desired(node="n1", revision=revision)


def test_what_was_stored_is_there(tmp_path: Path) -> None:
    """The next life of the engine finds what this one was told last."""
    path = tmp_path / "cache" / "desired.json"
    writer = cache.CacheWriter(path)
    for revision in range(5):
        writer.store(_desired(revision))
    writer.close()
    assert cache.load(path) == _desired(4)


def test_a_disk_that_stands_still_keeps_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a write hangs others are taken at once, and of these the newest is written."""
    path, thawed, began = tmp_path / "desired.json", threading.Event(), threading.Event()
    real, written = cache.store, []

    def store(path: Path, desired: Desired) -> None:
        began.set()
        assert thawed.wait(30)
        written.append(desired.revision)
        real(path, desired)

    monkeypatch.setattr(cache, "store", store)
    writer = cache.CacheWriter(path)
    writer.store(_desired(1))
    assert began.wait(30)
    for revision in (2, 3, 4):
        writer.store(_desired(revision))
    thawed.set()
    until("the newest", lambda: cache.load(path) == _desired(4), 10)
    writer.close()
    assert written == [1, 4]


def test_an_end_waits_for_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that ends gives up on a disk that stands still."""
    thawed = threading.Event()
    monkeypatch.setattr(cache, "store", lambda _path, _desired: thawed.wait(30))
    writer = cache.CacheWriter(tmp_path / "desired.json")
    writer.store(_desired(1))
    writer.close(timeout_seconds=0.1)
    assert not thawed.is_set()
    thawed.set()


@pytest.mark.parametrize(
    "content",
    [b"", b"\0\xff", b"[" * 100_000, b'{"type":"status","version":1}', b'{"type":"desired"}'],
)
def test_a_cache_that_cannot_be_used_is_set_aside(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is kept for a person to look into, and is not met again."""
    path = tmp_path / "desired.json"
    path.write_bytes(content)
    assert cache.load(path) is None
    assert (path.exists(), (tmp_path / "desired.json.unusable").read_bytes()) == (False, content)
    assert "desired.json.unusable" in caplog.text


def test_a_directory_in_place_of_the_cache_is_set_aside(tmp_path: Path) -> None:
    """The next state can be stored."""
    path = tmp_path / "desired.json"
    path.mkdir()
    assert cache.load(path) is None
    cache.store(path, _desired(1))
    assert cache.load(path) == _desired(1)
