"""Carries a plan out: starts what can start, shows what has ended, and cleans up."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.lanes.plan import Job
from support.lanes.report import VARIABLE, Tally, minutes
from support.rings import CLUSTER_FAILURE

_NOTHING_SELECTED = 5
_NOT_HERE = 3  # this machine has no way to make it, so tests that need it are skipped
_INTERRUPTED = 130
_SECONDS_TO_END = 90.0
_SECONDS_BETWEEN_WORDS = 60.0
_DOTS = re.compile(r"^[.sxXFER]+ *(\[ *\d+%\])?$")
_WIDTH = 96


@dataclass
class Started:
    """A job that runs."""

    job: Job
    process: subprocess.Popen[bytes]
    output: Path
    report: Path
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self.began


@contextmanager
def _noted_signals() -> Iterator[list[int]]:
    """Note signals that end us: raised at once, they could hit a lane that is just starting."""
    noted: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    heeded = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in heeded:
        signal.signal(number, lambda told, _frame: noted.append(told))
    try:
        yield noted
    finally:
        for number in heeded:
            signal.signal(number, before[number])


class Run:
    """One run.

    Args:
        jobs: what to do.
        directory: for output and reports; has to be there.
        root: of the checkout, where commands are run.
    """

    def __init__(self, jobs: Sequence[Job], directory: Path, root: Path) -> None:
        self._waiting = list(jobs)
        self._directory = directory
        self._root = root
        self._running: list[Started] = []
        self._reports: list[Path] = []
        # By name of the job, told in the order of the plan, whichever job ends first.
        self._failures: dict[str, str] = {}
        self._order = [job.name for job in jobs]
        self._environment: dict[str, str] = {}

    def carry_out(self) -> int:
        """Run everything; return the exit status. Ctrl-C ends what runs, and is raised."""
        began = said = time.monotonic()
        with _noted_signals() as noted:
            try:
                while (self._waiting or self._running) and not noted:
                    self._start_what_can_start()
                    time.sleep(0.05)
                    for each in [each for each in self._running if each.process.poll() is not None]:
                        self._end(each)
                    if time.monotonic() - said > _SECONDS_BETWEEN_WORDS:
                        said = time.monotonic()
                        self._tell_progress()
            finally:
                self._stop_all()
        for number in noted[:1]:
            signal.raise_signal(number)
        return self._sum_up(time.monotonic() - began)

    # --- starting and ending ---------------------------------------------------------------------

    def _start_what_can_start(self) -> None:
        unfinished = {each.name for each in self._waiting}
        unfinished |= {each.job.name for each in self._running}
        for job in [each for each in self._waiting if not unfinished.intersection(each.after)]:
            self._waiting.remove(job)
            self._running.append(self._start(job))

    def _start(self, job: Job) -> Started:
        output, report = (self._directory / f"{job.name}.{each}" for each in ("log", "report"))
        report.touch()
        self._reports.append(report)
        environment = {**os.environ, **self._environment, VARIABLE: str(report)}
        user = _caller() if job.as_user else None
        if user is not None:
            environment["HOME"] = user.pw_dir
        with output.open("wb") as file:
            process = subprocess.Popen(
                [*_ending_with_us(), *job.command],
                cwd=self._root,
                stdin=subprocess.DEVNULL,
                # What takes minutes to make says at once how far it is.
                stdout=subprocess.DEVNULL if job.makes else file,
                stderr=None if job.makes else file,
                # Ctrl-C at the terminal is for us; we end them.
                start_new_session=True,
                env=environment,
                user=user and user.pw_uid,
                group=user and user.pw_gid,
                extra_groups=user and [],
            )
        return Started(job, process, output, report)

    def _end(self, ended: Started) -> None:
        self._running.remove(ended)
        status = ended.process.returncode
        if ended.job.makes:
            self._note_made(ended.job, status)
            return
        verdict = "ok"
        if status not in (0, _NOTHING_SELECTED):
            verdict = f"FAILED with status {status}"
            self._failures[ended.job.name] = f"lane {ended.job.name}, with status {status}"
        _heading(f"lane {ended.job.name}: {verdict} after {minutes(ended.seconds)}")
        _print(*without_dots(ended.output.read_text(errors="replace")))

    def _note_made(self, job: Job, status: int) -> None:
        if status == _INTERRUPTED:
            raise KeyboardInterrupt
        if status in (0, _NOT_HERE):
            return
        failure = f"{job.makes} could not be made"
        self._failures[job.name] = f"{failure}: see what was said above"
        self._environment[CLUSTER_FAILURE] = failure
        _print(f"Going on without: {failure}.")

    def _stop_all(self) -> None:
        """End what still runs; every lane removes what it has made."""
        for each in self._running:
            _signal(each.process, signal.SIGTERM)
        deadline = time.monotonic() + _SECONDS_TO_END
        for each in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                each.process.wait(max(0.0, deadline - time.monotonic()))
            # Its workers, should it have ended before them.
            _signal(each.process, signal.SIGKILL)

    # --- telling ---------------------------------------------------------------------------------

    def _tell_progress(self) -> None:
        for each in self._running:
            if each.job.makes:
                continue
            tally = Tally([each.report])
            done = sum(tally.count(outcome) for outcome in ("passed", "failed", "skipped"))
            failed = f", {len(tally.failed)} failed" if tally.failed else ""
            _print(f"lane {each.job.name}: {minutes(each.seconds)}, {done} tests{failed}")

    def _sum_up(self, seconds: float) -> int:
        tally = Tally(self._reports)
        _heading("all lanes")
        failures = [self._failures[name] for name in self._order if name in self._failures]
        _print(*tally.table(), *(f"FAILED {each}" for each in [*tally.failed, *failures]))
        failed = f"{len(tally.failed)} failed, " if tally.failed else ""
        counts = f"{failed}{tally.count('passed')} passed, {tally.count('skipped')} skipped"
        _print(f"{counts} in {minutes(seconds)}")
        return 1 if tally.failed or self._failures else 0


def without_dots(output: str) -> list[str]:
    """Return the lines of what pytest printed, but for those that show how far it was."""
    return [line for line in output.splitlines() if not _DOTS.match(line)]


def _heading(text: str) -> None:
    _print("", f"{f' {text} ':=^{_WIDTH}}")


def _print(*lines: str) -> None:
    for line in lines:
        print(line, flush=True)


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    """Signal a command and those of its descendants that made no session of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _ending_with_us() -> list[str]:
    """Return the words before a command that is to be told to end should we be killed."""
    return ["setpriv", "--pdeathsig", "TERM", "--"] if os.geteuid() == 0 else []


def _caller() -> pwd.struct_passwd | None:
    """Return the user who became root by sudo, None if nobody did."""
    uid = os.environ.get("SUDO_UID")
    return pwd.getpwuid(int(uid)) if uid and os.geteuid() == 0 else None
