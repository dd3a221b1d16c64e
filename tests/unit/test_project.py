"""Facts about the repository itself: what must not land, and what must not rot."""

from __future__ import annotations

import configparser
import hashlib
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from support.rings import ROOT
from support.tree import our_files
from vip_speaker import heartbeat

LOCKS = sorted(ROOT.glob("requirements/*.txt"))
# SHA-256 of the licence's text as the Apache Software Foundation publishes it.
APACHE_2_0 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"


def _texts() -> dict[str, str]:
    found = {}
    for path in our_files():
        try:
            found[str(path.relative_to(ROOT))] = path.read_text()
        except UnicodeDecodeError:
            continue
    return found


# --- what must not land ------------------------------------------------------------------------


def test_no_registry_host_stands_in_the_tree() -> None:
    """Where packages come from is the user's business: no file names a package registry's host."""
    hosts = re.compile(
        r"://([a-z0-9-]+\.)*(pypi|python[a-z]+|golang|npmjs|crates|maven|debian)\.(org|com|io)"
    )
    assert [name for name, text in _texts().items() if hosts.search(text)] == []


def test_no_path_of_this_checkout_stands_in_the_tree() -> None:
    """The tree works wherever it is cloned: no file holds the absolute path of this clone."""
    assert len(ROOT.parts) > 1
    assert [name for name, text in _texts().items() if f"{ROOT}/" in text] == []


def test_the_api_client_knows_none_of_our_resources() -> None:
    """What the client of the API is told are kinds; which of them are ours is not its business."""
    crds = [yaml.safe_load(path.read_text()) for path in (ROOT / "crds").glob("*.yaml")]
    ours = {
        word for crd in crds for word in (crd["spec"]["names"]["kind"], crd["metadata"]["name"])
    }
    assert "VirtualRouter" in ours
    modules = sorted((ROOT / "kube/vip_kube").rglob("*.py"))
    assert [(m.name, word) for m in modules for word in sorted(ours) if word in m.read_text()] == []


def test_no_python_file_is_longer_than_400_lines() -> None:
    """A file holds one subject: none has more than 400 lines, and the tests are no exception."""
    files = [path for path in our_files() if path.suffix == ".py"]
    assert {path.relative_to(ROOT).parts[0] for path in files} >= {"speaker", "tests", "hack"}
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_the_operator_folder_is_no_package() -> None:
    """`operator/` has no __init__.py: it would shadow the standard library's module."""
    assert (ROOT / "operator").is_dir()
    assert not (ROOT / "operator/__init__.py").exists()


def test_the_licence_is_apache_2_0() -> None:
    """LICENSE is the Apache License 2.0, byte for byte."""
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_2_0


# --- dependencies ------------------------------------------------------------------------------


def _locked(path: Path) -> dict[str, Requirement]:
    logical = path.read_text().replace("\\\n", " ").splitlines()
    requirements = [Requirement(line.split(" --hash")[0]) for line in logical if line.strip()]
    return {requirement.name: requirement for requirement in requirements}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_locks_hold_hashes_and_no_index(lock: Path) -> None:
    """Every locked requirement is pinned and hashed, and no lock says where to fetch from."""
    logical = [line for line in lock.read_text().replace("\\\n", " ").splitlines() if line]
    assert len(logical) >= 4
    pinned = re.compile(r"[a-z0-9.-]+==\S+( ; [^-]+?)?(\s+--hash=sha256:[0-9a-f]{64})+")
    assert [line[:80] for line in logical if not pinned.fullmatch(line.rstrip())] == []


def test_locks_satisfy_the_project() -> None:
    """What is locked lies in the ranges that pyproject.toml promises, the same in both locks."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    names = ("operator", "speaker", "cli")
    promised = project["dependencies"] + [each for name in names for each in extras[name]]
    runtime = _locked(ROOT / "requirements/runtime.txt")
    dev = _locked(ROOT / "requirements/dev.txt")
    for requirement in map(Requirement, promised):
        version = str(runtime[requirement.name].specifier).removeprefix("==")
        assert requirement.specifier.contains(version), f"make lock: {requirement} is at {version}"
    assert {name: dev[name].specifier for name in runtime} == {
        name: requirement.specifier for name, requirement in runtime.items()
    }


# --- what is promised to people ----------------------------------------------------------------


def _make_targets() -> dict[str, str | None]:
    text = (ROOT / "Makefile").read_text()
    rules = re.findall(r"^([a-z][a-z0-9-]*):(?!=)[^#\n]*(?:## (.+))?$", text, re.MULTILINE)
    return {name: line or None for name, line in rules}


def test_every_make_target_has_a_line_of_help() -> None:
    """Every target of the Makefile says in one line what it does, and is declared phony."""
    targets = _make_targets()
    assert {"setup", "check", "test", "demo", "simulate"} <= targets.keys()
    assert [name for name, line in targets.items() if line is None] == []
    phony = re.search(r"^\.PHONY:((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert set(phony[1].replace("\\\n", " ").split()) == targets.keys()


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_help_lists_every_target() -> None:
    """`make help` prints one line per target, each line short enough for a terminal."""
    run = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = run.stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(_make_targets())
    assert max(map(len, lines)) <= 120


def test_ci_calls_make_targets_that_exist() -> None:
    """The workflow runs nothing of its own: every step is a make target that exists."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    runs = [
        step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step
    ]
    assert {"make check", "make test", "make demo"} <= set(runs)
    for run in runs:
        command, *targets = run.split()
        assert command == "make"
        assert set(targets) <= _make_targets().keys()


def test_the_systemd_unit_says_what_it_runs_as() -> None:
    """The unit starts the speaker that hack/install installs, and lets it use what it needs."""
    unit = configparser.ConfigParser(interpolation=None, strict=True)
    unit.optionxform = str  # type: ignore[assignment, method-assign]  # keys keep their case
    unit.read(ROOT / "examples/systemd/vip-speaker.service")
    service = unit["Service"]
    assert service["ExecStart"].startswith("/opt/vip-operator/current/bin/vip-speaker run ")
    assert {"CAP_NET_ADMIN", "CAP_NET_RAW"} <= set(service["CapabilityBoundingSet"].split())
    assert (service["Type"], service["NotifyAccess"]) == ("notify", "main")
    assert int(service["WatchdogSec"]) > 3 * heartbeat.LOOK_SECONDS
    assert "-HUP" in service["ExecReload"]
    assert {"AF_PACKET", "AF_NETLINK", "AF_UNIX"} <= set(service["RestrictAddressFamilies"].split())


def _scripts() -> list[Path]:
    first_line = re.compile(r"#!.*\b(ba)?sh\n")
    return [path for path in our_files() if path.suffix == "" and first_line.match(_head(path))]


def _head(path: Path) -> str:
    with path.open("rb") as file:
        return file.readline().decode(errors="replace")


def test_scripts_are_executable() -> None:
    """Every shell script can be called by its name."""
    scripts = _scripts()
    assert {"setup", "run"} <= {path.name for path in scripts}
    assert [path for path in scripts if not path.stat().st_mode & 0o111] == []
