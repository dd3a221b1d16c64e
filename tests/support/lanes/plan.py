"""What a run of all tests consists of, and what has to wait for what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_PYTEST = (".venv/bin/pytest", "-q", "-p", "no:cacheprovider")
_ANYTHING_BUT_ALONE = ("-m", "not alone")
_ALONE = ("-m", "alone")
_WITH_ALONE = ("tests/api", "tests/network", "tests/cluster")


@dataclass(frozen=True)
class Job:
    """A command that runs once some others have ended, however they ended.

    Attributes:
        name: for the person who reads.
        command: what to run.
        after: names of other jobs; one that takes no part in the run is not waited for.
        makes: what it makes for the others, in words; empty: it is a lane of tests.
        as_user: it runs as the user who called sudo, whose cache it fills.
    """

    name: str
    command: tuple[str, ...]
    after: tuple[str, ...] = ()
    makes: str = ""
    as_user: bool = False


def plan(cores: int) -> list[Job]:
    """Return all jobs.

    Tests that compute have the cores for themselves first. What follows mostly waits, and twice
    as many workers as there are cores keep them busy; what measures time finely runs last, alone.
    """
    makings = ("binaries", "images")
    return [
        Job("binaries", ("hack/kube-binaries",), (), "the Kubernetes binaries", as_user=True),
        Job("images", ("hack/cluster-images",), (), "what Kubernetes nodes need"),
        _lane("fast", cores + 1, "tests/unit", "tests/conformance", "tests/simulation"),
        _lane("api", cores, *_ANYTHING_BUT_ALONE, "tests/api", after=(*makings, "fast")),
        _lane("network", cores, *_ANYTHING_BUT_ALONE, "tests/network", after=(*makings, "fast")),
        _lane("cluster", 1, *_ANYTHING_BUT_ALONE, "tests/cluster", after=(*makings, "fast")),
        _lane("alone", 1, *_ALONE, *_WITH_ALONE, after=("api", "network", "cluster")),
    ]


def select(jobs: Iterable[Job], names: Iterable[str]) -> list[Job]:
    """Return the lanes of these names with everything that is made for them; all without a name.

    Raises ValueError for a name that no lane has.
    """
    jobs, wanted = list(jobs), set(names)
    lanes = [job.name for job in jobs if not job.makes]
    if unknown := wanted.difference(lanes):
        raise ValueError(f"there is no lane {', '.join(sorted(unknown))}: {', '.join(lanes)}")
    wanted = wanted or set(lanes)
    return [job for job in jobs if job.name in wanted or (job.makes and wanted != {"fast"})]


def _lane(name: str, workers: int, *arguments: str, after: tuple[str, ...] = ()) -> Job:
    spread = ("-n", str(workers), "--dist", "worksteal") if workers > 1 else ()
    return Job(name, (*_PYTEST, *spread, *arguments), after)
