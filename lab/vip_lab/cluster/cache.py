"""Where things are kept that are made once per machine: images, and the disks of running nodes.

All of it is on one file system, because the disks of nodes are hard links into a golden one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vip_lab.kubernetes.binaries import ROOT

_HASH_CHARACTERS = 16
_UNFINISHED = "unfinished-"
# From being named to being copied, with a control plane started in between on a busy machine.
_SECONDS_IN_USE = 600.0


def directory() -> Path:
    """Return the cache: VIP_OPERATOR_CACHE, or else ~/.cache/vip-operator; made if need be."""
    named = os.environ.get("VIP_OPERATOR_CACHE")
    usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vip-operator"
    found = (Path(named) if named else usual).absolute()
    found.mkdir(parents=True, exist_ok=True)
    return found


def images() -> Path:
    """Return the directory of images and golden stores."""
    return _made("images")


def remove_unfinished() -> None:
    """Remove what somebody who was killed was making. The images have to be locked."""
    for path in images().glob(f"{_UNFINISHED}*"):
        _remove(path)


@contextmanager
def made_once(path: Path) -> Iterator[Path | None]:
    """Yield where to make an image or a store, or None if it is there; only one makes it.

    Who finds it there waits for nobody, and can read it for some minutes even if it is replaced.
    """
    if note_use(path):
        yield None
        return
    with locked(images()):
        # Somebody else may have made it while we waited.
        if note_use(path):
            yield None
            return
        remove_unfinished()
        unfinished = path.with_name(f"{_UNFINISHED}{path.name}")
        try:
            yield unfinished
            unfinished.rename(path)
        finally:
            _remove(unfinished)


def note_use(path: Path) -> bool:
    """Keep a part of the cache from being removed for a while: somebody is about to read it.

    Returns whether it is there at all.
    """
    with locked(_uses()):
        try:
            os.utime(path)
        except FileNotFoundError:
            return False
    return True


def remove_unless_in_use(path: Path) -> None:
    """Remove a part of the cache that was replaced, once nobody can be about to read it.

    The images have to be locked.
    """
    with locked(_uses()):
        if time.time() - path.stat().st_mtime < _SECONDS_IN_USE:
            return
        # At once and as a whole: what an interrupted removal leaves must not be taken for whole.
        aside = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=images()))
        path.rename(aside / path.name)
    _remove(aside)


def disks() -> Path:
    """Return the directory that holds one disk per running node."""
    return _made("disks")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let nobody else into this block for the same directory at a time."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def hash_of_files(paths: Iterable[Path], *words: str) -> str:
    """Return a short hash of names and contents of files of the checkout, and of some words."""
    digest = hashlib.sha256("\0".join(words).encode())
    for path in sorted(paths):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:_HASH_CHARACTERS]


def hash_of_words(*words: str) -> str:
    """Return a short hash of some words."""
    return hash_of_files((), *words)


def _uses() -> Path:
    """Return what is locked, for a moment only, to note a use or to decide that there is none."""
    return _made("uses")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _made(name: str) -> Path:
    path = directory() / name
    path.mkdir(exist_ok=True)
    return path
