"""Golden containerd stores: images are imported and unpacked once, and nodes get hard links."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from vip_lab import namespaces
from vip_lab.cluster import cache
from vip_lab.cluster.private import privately
from vip_lab.cluster.say import step
from vip_lab.kubernetes.guard import Guard
from vip_lab.process import Process
from vip_lab.wait import until

IMAGE_NAMESPACE = "k8s.io"

_SECONDS_TO_START = 20.0
_CONTENTS = "archives.txt"
# What containerd writes in place; all else in a store is written once and then only read.
_DATABASES = ("*/meta.db", "*/metadata.db")
_CONFIGURATION = """\
version = 2
root = "{root}"
state = "{state}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
address = "{state}/socket"
[ttrpc]
address = "{state}/socket.ttrpc"
"""


def golden(archives: Sequence[Path]) -> Path:
    """Return a store that holds these images, made if need be."""
    key = cache.hash_of_words(*sorted(path.name for path in archives))
    path = cache.images() / f"store-{key}"
    with cache.made_once(path) as unfinished:
        if unfinished is not None:
            with step(f"unpacking {len(archives)} images", "5 s"):
                _make(unfinished, archives)
            _remove_useless()
    return path


def clone(store: Path, target: Path) -> None:
    """Make a store of a node's own from a golden one, in which it shares all files but a few."""
    target.parent.mkdir(parents=True, exist_ok=True)
    namespaces.run("cp", "--archive", "--link", str(store), str(target))
    for pattern in _DATABASES:
        for database in target.glob(pattern):
            golden_database = store / database.relative_to(target)
            database.unlink()
            shutil.copy2(golden_database, database)


def _make(path: Path, archives: Sequence[Path]) -> None:
    path.mkdir(mode=0o700)
    state = Path(tempfile.mkdtemp(prefix=f"{namespaces.unique_name()}-"))
    guard = Guard(state)
    try:
        _import_into(path, state, guard, archives)
        (path / _CONTENTS).write_text("\n".join(str(each) for each in archives))
    finally:
        guard.dismiss()
        shutil.rmtree(state, ignore_errors=True)


def _import_into(root: Path, state: Path, guard: Guard, archives: Sequence[Path]) -> None:
    configuration = state / "containerd.toml"
    configuration.write_text(_CONFIGURATION.format(root=root, state=state))
    command = privately("containerd", "--config", str(configuration))
    process = Process(None, command, state / "containerd.log")
    guard.watch(process.pid)
    ctr = ("ctr", "--address", str(state / "socket"), "--namespace", IMAGE_NAMESPACE)
    try:
        until(
            "containerd to answer",
            lambda: _answers(*ctr, "version"),
            _SECONDS_TO_START,
            show=process.text,
        )
        for each in archives:
            namespaces.run(*ctr, "images", "import", str(each))
    finally:
        process.kill()


def _answers(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _remove_useless() -> None:
    """Remove stores whose archives have been replaced; nodes keep what they have links to."""
    for path in cache.images().glob("store-*"):
        contents = path / _CONTENTS
        archives = contents.read_text().splitlines() if contents.exists() else []
        # One without a list is what earlier versions left when their removal was interrupted.
        if not archives or not all(Path(each).exists() for each in archives):
            cache.remove_unless_in_use(path)
