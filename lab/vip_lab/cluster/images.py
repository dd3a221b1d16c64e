"""Images without a registry: a base from Debian's packages, and the project's own on top of it.

Each is a docker archive in the cache, named after a hash of what it is made from.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vip_lab.cluster import archive, cache
from vip_lab.cluster.private import privately
from vip_lab.cluster.say import step
from vip_lab.kubernetes.binaries import ROOT
from vip_lab.namespaces import LabError

SUITE = "bookworm"
BASE = f"docker.io/library/vip-operator-base:{SUITE}"

_PYTHON = "python3.11"  # what SUITE has: the wheels have to be for it
_INCLUDED = "python3,python3-venv"
_SOURCES = ("Dockerfile", "pyproject.toml", "README.md", "hack/image")
_SOURCE_TREES = ("model", "kube", "speaker", "operator", "requirements")
_UNNEEDED = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "var/log")
_LAST_CHARACTERS = 2000


def pause() -> Path:
    """Return the archive of the image that holds a pod's namespaces."""
    path = cache.images() / f"pause-{cache.hash_of_words(Path(archive.__file__).read_text())}.tar"
    with cache.made_once(path) as unfinished:
        if unfinished is not None:
            archive.write_pause(unfinished)
    return path


def base() -> Path:
    """Return the archive of BASE: a minimal Debian with Python, in the place of python:slim."""
    key = cache.hash_of_words(SUITE, _INCLUDED, *_UNNEEDED)
    path = cache.images() / f"base-{SUITE}-{key}.tar"
    with cache.made_once(path) as unfinished:
        if unfinished is not None:
            with step(f"making a base image from Debian {SUITE}", "60 s"):
                _make_base(unfinished)
    return path


def project() -> Path:
    """Return the archive of the project's image as its Dockerfile makes it from this checkout."""
    base_file = base()
    key = cache.hash_of_files(_inputs(), base_file.name)
    path = cache.images() / f"project-{key}.tar"
    with cache.made_once(path) as unfinished:
        if unfinished is not None:
            with step(f"building the image {project_name()}", "35 s"):
                _build_project(unfinished, base_file)
            _remove_older(path)
    return path


def usual() -> list[Path]:
    """Return the archives of what a cluster's nodes hold unless told otherwise."""
    return [pause(), project()]


def project_name() -> str:
    """Return the name of the project's image, with its tag."""
    about = (ROOT / "model/vip_model/__about__.py").read_text()
    found = re.search(r'__version__ = "(.+)"', about)
    assert found is not None
    return f"docker.io/library/vip-operator:{found[1]}"


# -------------------------------------------------------------------------------------------------


def _make_base(path: Path) -> None:
    with _scratch() as scratch:
        root = scratch / "rootfs"
        what = ("--variant=minbase", f"--include={_INCLUDED}", SUITE)
        _run(*privately("debootstrap", *what, str(root)))
        for name in _UNNEEDED:
            shutil.rmtree(root / name, ignore_errors=True)
        # apt and dpkg, which nobody runs in a pod, want these to be there.
        for name in _UNNEEDED:
            (root / name).mkdir()
        layer = scratch / "layer.tar"
        _run("tar", "--directory", str(root), "--numeric-owner", "-cf", str(layer), ".")
        archive.write_archive(path, BASE, layer, entrypoint=[])


def _build_project(path: Path, base_file: Path) -> None:
    with _scratch() as scratch:
        context = scratch / "context"
        _run(str(ROOT / "hack/image"), "--context", str(context), PYTHON=_python())
        places = ("--root", str(scratch / "root"), "--runroot", str(scratch / "run"))
        # Three times as fast as vfs, and nodes need overlay mounts anyway.
        buildah = privately("buildah", *places, "--storage-driver", "overlay")
        name = project_name()
        _run(*buildah, "pull", "--quiet", f"docker-archive:{base_file}")
        _run(
            *(*buildah, "build", "--isolation", "chroot", "--pull-never", "--quiet"),
            *("--build-arg", f"BASE={BASE}", "--tag", name, str(context)),
        )
        _run(*buildah, "push", "--quiet", name, f"docker-archive:{path}:{name}")


def _inputs() -> list[Path]:
    trees = (path for tree in _SOURCE_TREES for path in (ROOT / tree).rglob("*"))
    files = [path for path in trees if path.is_file() and path.suffix in (".py", ".txt", ".in")]
    return [*(ROOT / name for name in _SOURCES), *files]


def _python() -> str:
    """Return an interpreter of the version that SUITE has, with what makes environments."""
    ask = "import ensurepip, sys; print('python%d.%d' % sys.version_info[:2])"
    # Ours first: what sudo puts into PATH need not have it.
    for candidate in (sys.executable, _PYTHON, "python3", "/usr/bin/python3"):
        command = shutil.which(candidate)
        if command is not None and _output(command, "-I", "-c", ask).strip() == _PYTHON:
            return command
    raise LabError(f"the image needs wheels for Debian {SUITE}: install {_PYTHON} with venv")


def _remove_older(path: Path) -> None:
    for other in path.parent.glob("project-*.tar"):
        if other != path:
            cache.remove_unless_in_use(other)


@contextmanager
def _scratch() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="unfinished-", dir=cache.images()))
    # Every user of the image needs to get in.
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _run(*command: str, **environment: str) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    if done.returncode != 0:
        words = done.stdout.strip()[-_LAST_CHARACTERS:]
        raise LabError(f"`{' '.join(command)}` failed: {words}")


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
