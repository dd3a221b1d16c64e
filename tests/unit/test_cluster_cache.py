"""The cache of images and stores: who makes, who waits, what is removed and when."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from vip_lab.cluster import cache, images, store

_HOUR_SECONDS = 3600


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that is nobody's but the test's."""
    monkeypatch.setenv("VIP_OPERATOR_CACHE", str(tmp_path))
    return tmp_path


def _image(name: str = "project-1.tar", *, used_seconds_ago: float = 0) -> Path:
    path = cache.images() / name
    path.write_text("an image")
    return _as_used(path, used_seconds_ago)


def _store(name: str, *archives: Path, used_seconds_ago: float = 0) -> Path:
    path = cache.images() / name
    (path / "content").mkdir(parents=True)
    (path / "archives.txt").write_text("\n".join(str(each) for each in archives))
    return _as_used(path, used_seconds_ago)


def _as_used(path: Path, seconds_ago: float) -> Path:
    when = time.time() - seconds_ago
    os.utime(path, (when, when))
    return path


def _names() -> list[str]:
    return sorted(each.name for each in cache.images().iterdir())


# --- made once -----------------------------------------------------------------------------------


@pytest.mark.timeout(120)
def test_what_is_there_is_read_while_another_is_made() -> None:
    """One that finds an image or a store in the cache does not wait for the making of another."""
    image = _image()
    key = cache.hash_of_words(image.name)
    _store(f"store-{key}", image)
    with cache.locked(cache.images()):
        with cache.made_once(image) as missing:
            assert missing is None
        assert store.golden([image]) == cache.images() / f"store-{key}"


def test_what_is_missing_is_made_by_one() -> None:
    """Of several that miss an image at the same time one makes it, and it appears as a whole."""
    path = cache.images() / "project-1.tar"
    makers: list[int] = []

    def make(number: int) -> None:
        with cache.made_once(path) as missing:
            if missing is not None:
                makers.append(number)
                missing.write_text("half of it")
                assert not path.exists()
        assert path.exists()

    threads = [threading.Thread(target=make, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(makers) == 1
    assert _names() == ["project-1.tar"]


@pytest.mark.parametrize("is_directory", [False, True])
def test_what_fails_in_the_making_is_not_there(*, is_directory: bool) -> None:
    """An interrupted making leaves nothing, and removes what a killed one has left."""
    (cache.images() / "unfinished-of-somebody").mkdir()
    path = cache.images() / "store-1"

    def make() -> None:
        with cache.made_once(path) as missing:
            assert missing is not None
            if is_directory:
                missing.mkdir()
            (missing / "file" if is_directory else missing).write_text("half of it")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make()
    assert _names() == []


# --- removed -------------------------------------------------------------------------------------


def test_only_what_nobody_uses_is_removed() -> None:
    """What was used some minutes ago stays; what was used an hour ago goes, file or directory."""
    used = _image("project-1.tar")
    for path in (_image("project-2.tar", used_seconds_ago=_HOUR_SECONDS), used):
        cache.remove_unless_in_use(path)
    cache.remove_unless_in_use(_store("store-1", used_seconds_ago=_HOUR_SECONDS))
    assert _names() == ["project-1.tar"]


def test_a_removal_that_is_interrupted_leaves_no_half_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C while a store is being removed: it is gone, and the next one sweeps the rest."""
    path = _store("store-1", used_seconds_ago=_HOUR_SECONDS)

    def interrupted(path: Path, **more: object) -> None:
        (path / "archives.txt").unlink(missing_ok=True)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            cache.remove_unless_in_use(path)
    assert not path.exists()
    assert not cache.note_use(path)
    cache.remove_unfinished()
    assert _names() == []


def test_a_use_is_noted_before_a_removal_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told that an image is there which somebody has just decided to remove."""
    path = _image(used_seconds_ago=_HOUR_SECONDS)
    noted: list[bool] = []
    user = threading.Thread(target=lambda: noted.append(cache.note_use(path)))
    make_directory = tempfile.mkdtemp

    def once_decided(**more: Any) -> object:
        user.start()
        user.join(0.2)
        return make_directory(**more)

    monkeypatch.setattr(tempfile, "mkdtemp", once_decided)
    cache.remove_unless_in_use(path)
    user.join()
    assert noted == [False]
    assert not path.exists()


def test_stores_of_replaced_archives_are_removed() -> None:
    """A store goes with one of its archives, and so does one whose list is missing."""
    there, gone = _image("pause-1.tar"), cache.images() / "project-1.tar"
    _store("store-1", there)
    _store("store-2", there, gone, used_seconds_ago=_HOUR_SECONDS)
    (_store("store-3") / "archives.txt").unlink()
    _as_used(cache.images() / "store-3", _HOUR_SECONDS)
    store._remove_useless()
    assert _names() == ["pause-1.tar", "store-1"]


# --- the interpreter that fetches wheels ---------------------------------------------------------


def test_our_own_interpreter_fetches_the_wheels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interpreter of the image's version is found where it runs us, whatever PATH says."""
    monkeypatch.setattr(images, "_PYTHON", f"python3.{sys.version_info.minor}")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert images._python() == sys.executable
