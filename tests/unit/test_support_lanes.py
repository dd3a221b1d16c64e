"""The run of all tests: what waits for what, what one failure leaves alone, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.lanes.plan import Job, plan, select
from support.lanes.report import VARIABLE, Tally
from support.lanes.run import Run, without_dots
from support.rings import CLUSTER_FAILURE, RINGS, ROOT
from vip_lab.wait import until

# What a lane of tests does: tells what became of a test, in the place of a pytest.
_TELL = """\
import json, os, sys
line = {"test": sys.argv[1], "phase": "call", "outcome": sys.argv[2], "start": 1.0, "stop": 3.0}
print(json.dumps(line), file=open(os.environ["VIP_TEST_REPORT"], "a"))
"""


def sh(name: str, script: str, *after: str, makes: str = "") -> Job:
    """Return a job that runs a script of the shell."""
    return Job(name, ("sh", "-c", script), after, makes)


def lane(name: str, test: str, outcome: str, status: int = 0) -> Job:
    """Return a lane with one test."""
    tell = f"{sys.executable} -c '{_TELL}' {test} {outcome}"
    return sh(name, f"{tell}; echo output of {name}; exit {status}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a run puts its files."""
    path = tmp_path / "run"
    path.mkdir()
    return path


# --- the plan ------------------------------------------------------------------------------------


def test_every_ring_is_run_once() -> None:
    """Each ring is in one lane, and in the one of tests that run alone where it may have some."""
    words = [word for job in plan(2) for word in job.command if word.startswith("tests/")]
    together = [job for job in plan(2) if job.name != "alone"]
    once = [word for job in together for word in job.command if word.startswith("tests/")]
    assert sorted(once) == sorted(f"tests/{ring}" for ring in RINGS)
    assert set(words) == set(once)


def test_what_measures_time_runs_when_nothing_else_does() -> None:
    """The last lane begins when every other has ended."""
    jobs = {job.name: job for job in plan(2)}
    behind = set(jobs["alone"].after)
    while more := {each for name in behind for each in jobs[name].after} - behind:
        behind |= more
    assert behind == jobs.keys() - {"alone"}


def test_lanes_are_chosen_by_name() -> None:
    """A lane comes with what is made for it; an unknown one is refused with those there are."""
    assert [job.name for job in select(plan(2), ["api"])] == ["binaries", "images", "api"]
    assert [job.name for job in select(plan(2), ["fast"])] == ["fast"]
    assert select(plan(2), []) == plan(2)
    with pytest.raises(ValueError, match="no lane apj: fast, api, network, cluster, alone"):
        select(plan(2), ["apj"])


# --- the run -------------------------------------------------------------------------------------


def test_a_job_waits_for_those_before_it(folder: Path) -> None:
    """What comes after a job sees what it did; what comes after nothing does not wait."""
    done = folder / "done"
    jobs = [
        sh("last", f"test -e {done}", "first", "absent"),
        sh("first", f"sleep 0.3; touch {done}"),
        sh("beside", f"! test -e {done}"),
    ]
    assert Run(jobs, folder, folder).carry_out() == 0


def test_a_failure_hides_nothing(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """All lanes run, the output of each is shown, and the end says what failed."""
    jobs = [
        lane("one", "tests/unit/test_a.py::test_x", "failed", 1),
        lane("two", "tests/api/test_b.py::test_y", "passed"),
        lane("three", "tests/api/test_b.py::test_z", "skipped"),
        sh("empty", "exit 5", "one"),
        sh("broken", "exit 3", "two"),
        sh("slow", "sleep 0.5; exit 4"),
        sh("quick", "exit 50"),
    ]
    assert Run(jobs, folder, folder).carry_out() == 1
    shown, end = capfd.readouterr().out.split(" all lanes ")
    assert all(f"output of {name}" in shown for name in ("one", "two", "three"))
    assert "lane empty: ok" in shown
    assert "FAILED tests/unit/test_a.py::test_x\nFAILED lane one, with status 1\n" in end
    assert "FAILED lane broken, with status 3\nFAILED lane slow, with status 4\n" in end
    assert "FAILED lane slow, with status 4\nFAILED lane quick, with status 50\n" in end
    assert end.splitlines()[2].split() == ["unit", "0", "1", "0", "0:02"]
    assert end.splitlines()[3].split() == ["api", "1", "0", "1", "0:02"]
    assert "1 failed, 1 passed, 1 skipped in 0:0" in end


def test_what_cannot_be_made_fails_the_run(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests run without it and know why; the run is not green."""
    monkeypatch.delenv(CLUSTER_FAILURE, raising=False)
    jobs = [
        sh("images", "exit 1", makes="the images"),
        sh("cluster", f'test "${CLUSTER_FAILURE}" = "the images could not be made"', "images"),
    ]
    assert Run(jobs, folder, folder).carry_out() == 1
    told = capfd.readouterr().out
    assert "lane cluster: ok" in told
    assert "FAILED the images could not be made: see what was said above" in told


def test_what_the_machine_cannot_do_fails_nothing(folder: Path) -> None:
    """Status 3 of a making means that its tests are skipped."""
    assert Run([sh("images", "exit 3", makes="images")], folder, folder).carry_out() == 0


def test_an_interrupted_making_ends_the_run(folder: Path) -> None:
    """Ctrl-C while images are made ends everything, and no test is run."""
    jobs = [sh("images", "exit 130", makes="images"), sh("cluster", "touch ran", "images")]
    with pytest.raises(KeyboardInterrupt):
        Run(jobs, folder, folder).carry_out()
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_told_to_end_ends_its_lanes_first(folder: Path, number: int) -> None:
    """Each lane gets the time to clean up after itself; what starts later is not started."""
    program = f"""\
import signal
from pathlib import Path
from support.lanes.plan import Job
from support.lanes.run import Run
from vip_lab.lan import ending_on_sigterm
# Who runs these tests in the background may have told us to ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
lane = "trap 'sleep 0.3; touch cleaned; exit' TERM; touch started; while :; do sleep 0.05; done"
jobs = [Job("lane", ("sh", "-c", lane)), Job("next", ("touch", "ran"), ("lane",))]
with ending_on_sigterm():
    Run(jobs, Path("{folder}"), Path("{folder}")).carry_out()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        stderr=subprocess.DEVNULL,
        process_group=0,
    ) as process:
        until("the lane to start", (folder / "started").exists, 30.0)
        process.send_signal(number)
        assert process.wait(30) != 0
    assert (folder / "cleaned").exists()
    assert not (folder / "ran").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="the signal upon a parent's death wants root")
def test_lanes_end_with_a_run_that_is_killed(folder: Path) -> None:
    """A lane is told to end, should the run be killed."""
    lane = "trap 'touch cleaned; exit' TERM; touch started; while :; do sleep 0.05; done"
    program = f"""\
from pathlib import Path
from support.lanes.plan import Job
from support.lanes.run import Run
Run([Job("lane", ("sh", "-c", {lane!r}))], Path("{folder}"), Path("{folder}")).carry_out()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
    ) as process:
        until("the lane to start", (folder / "started").exists, 30.0)
        process.kill()
    until("the lane to have cleaned up", (folder / "cleaned").exists, 30.0)


# --- the report ----------------------------------------------------------------------------------


def test_dots_are_left_out() -> None:
    """What shows how far pytest was is of no use afterwards."""
    output = "..F.s [ 50%]\n....  [100%]\n=== FAILURES ===\n.\nE   assert\n1 failed"
    assert without_dots(output) == ["=== FAILURES ===", "E   assert", "1 failed"]


def test_a_ring_takes_as_long_as_one_of_its_tests_runs(tmp_path: Path) -> None:
    """Tests side by side count once, pauses not at all; a test is counted once for all phases."""
    report = tmp_path / "report"
    phases = [
        ("setup", "passed", 0, 1),
        ("call", "passed", 1, 4),
        ("teardown", "failed", 8, 9),
    ]
    lines = [
        {"test": "tests/unit/a.py::x", "phase": phase, "outcome": outcome, "start": a, "stop": b}
        for phase, outcome, a, b in phases
    ]
    lines.append({**lines[1], "test": "tests/unit/a.py::y", "start": 2, "stop": 6})
    report.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"half": ')
    tally = Tally([report])
    assert tally.table()[1].split() == ["unit", "1", "1", "0", "0:07"]
    assert tally.failed == ["tests/unit/a.py::x"]


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_pytest_reports_to_who_asks_for_it(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """A pytest writes one line for each phase of each test, whether or not it has workers."""
    report = tmp_path / "report"
    report.touch()
    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *(*workers, "tests/unit/test_packet_checksum.py"),
        ],
        cwd=ROOT,
        env={**os.environ, VARIABLE: str(report)},
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=100,
    )
    tests = [json.loads(line)["test"] for line in report.read_text().splitlines()]
    assert len(tests) == 3 * len(set(tests)) > 0
    assert Tally([report]).count("passed") == len(set(tests))
