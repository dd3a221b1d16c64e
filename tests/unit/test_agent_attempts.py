"""Writes that do not work: how long to wait, what is logged, what is shown."""

from __future__ import annotations

import logging

import pytest

from vip_kube.errors import ApiError, UnreachableError
from vip_speaker.agent.kubernetes.attempts import Attempts, NotYetError
from vip_speaker.agent.kubernetes.problem_log import ProblemLog


class Write:
    """Fails as the test decides."""

    def __init__(self, *errors: Exception | None) -> None:
        self._errors = list(errors)

    async def __call__(self) -> None:
        error = self._errors.pop(0)
        if error is not None:
            raise error


async def test_trouble_is_logged_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    """Ten failures are one line, with the reason, and so is the write that works again."""
    caplog.set_level(logging.INFO)
    attempts = Attempts("renew the Lease a/b")
    refused = [ApiError(403, "Forbidden", "leases is forbidden") for _ in range(10)]
    write = Write(*refused, None, None)
    waits = [await attempts.make(write) for _ in refused]
    assert attempts.trouble == "Could not renew the Lease a/b: 403 Forbidden: leases is forbidden"
    assert all(0 < wait <= 5 for wait in waits)
    assert [await attempts.make(write) for _ in range(2)] == [0, 0]

    assert attempts.trouble == ""
    assert len(caplog.messages) == 2
    assert "trying again: 403 Forbidden" in caplog.messages[0]
    assert caplog.messages[1] == "Could renew the Lease a/b again"


@pytest.mark.parametrize(
    "error", [UnreachableError("nothing came"), NotYetError("there is no Node n1")]
)
async def test_the_newest_reason_is_shown(error: Exception) -> None:
    """What is shown is what hinders now, not what hindered first."""
    attempts = Attempts("report")
    write = Write(ApiError(500), error)
    await attempts.make(write)
    await attempts.make(write)

    assert attempts.trouble == f"Could not report: {error}"


async def test_a_server_may_ask_for_patience() -> None:
    """Retry-After is heeded."""
    error = ApiError(429, "TooManyRequests", "later", retry_after_seconds=7)

    assert await Attempts("report").make(Write(error)) == 7


async def test_a_mistake_of_ours_is_no_trouble_of_the_api() -> None:
    """An unexpected error is not swallowed."""
    with pytest.raises(KeyError):
        await Attempts("report").make(Write(KeyError("spec")))


def test_standing_problems_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A problem is logged when it begins and when it ends, however often it is shown."""
    caplog.set_level(logging.INFO)
    problems = ProblemLog()
    for shown in (["a"], ["a"], ["a", "b"], ["b"], []):
        problems.show(shown)

    assert caplog.messages == ["a", "b", "Resolved: a", "Resolved: b"]
