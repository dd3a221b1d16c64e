"""The driver of the election: its requests, and what it does when they go wrong."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from support.fake_api import Asked, FakeApi, answer, hang, refuse, serving
from vip_kube.client import Client
from vip_kube.kinds import LEASES
from vip_operator.writing import leader as leaders
from vip_operator.writing.leader import Leader, LeadershipLostError

pytestmark = pytest.mark.usefixtures("quick_time")

PATH = "/apis/coordination.k8s.io/v1/namespaces/vips/leases"


class LeaseServer:
    """Keeps one Lease as the API server does: a write of another version is a conflict."""

    def __init__(self, api: FakeApi) -> None:
        self.api = api
        self.lease: dict[str, Any] | None = None
        self._version = 0
        for what, step in (("get", self._get), ("post", self._post), ("put", self._put)):
            api.always(what, step)

    def store(self, lease: dict[str, Any]) -> dict[str, Any]:
        """Keep a Lease under the next version."""
        self._version += 1
        lease["metadata"]["resourceVersion"] = str(self._version)
        self.lease = lease
        return lease

    def take(self, holder: str) -> None:
        """Let somebody else hold it."""
        assert self.lease is not None
        spec = self.lease["spec"] | {"holderIdentity": holder}
        spec["leaseTransitions"] += 1
        self.store({**self.lease, "spec": spec})

    @property
    def holder(self) -> str:
        """Who holds it."""
        return str(self.lease["spec"]["holderIdentity"]) if self.lease else ""

    def asked(self, what: str) -> list[Asked]:
        """Return the requests of a sort."""
        return [each for each in self.api.asked if each.what == what]

    async def _get(self, request: web.Request) -> web.StreamResponse:
        found = answer(self.lease) if self.lease else refuse(404, "NotFound")
        return await found(request)

    async def _post(self, request: web.Request) -> web.StreamResponse:
        if self.lease is not None:
            return await refuse(409, "AlreadyExists")(request)
        return await answer(self.store(await request.json()))(request)

    async def _put(self, request: web.Request) -> web.StreamResponse:
        lease = await request.json()
        if not self.lease or self.lease["metadata"]["resourceVersion"] != lease["metadata"].get(
            "resourceVersion"
        ):
            return await refuse(409, "Conflict")(request)
        return await answer(self.store(lease))(request)


class Scene:
    """A contender."""

    def __init__(self, api: FakeApi, client: Client) -> None:
        self.server = LeaseServer(api)
        self.least_epoch: int | None = None
        self.changes = 0
        self.leader = Leader(client, "vips", "me", lambda: self.least_epoch, self._changed)
        self.task = asyncio.ensure_future(self.leader.run())

    async def lead(self) -> None:
        """Take part, and lead."""
        self.least_epoch = 1
        await until(lambda: self.leader.epoch is not None)

    def _changed(self) -> None:
        self.changes += 1


async def until(look: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(60):
        while not look():
            await asyncio.sleep(0.02)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """A contender before a server without a Lease."""
    async with (
        serving(FakeApi(LEASES)) as api,
        Client(api.access(), user_agent="vip-operator/1") as client,
    ):
        scene = Scene(api, client)
        try:
            yield scene
        finally:
            scene.task.cancel()
            with contextlib.suppress(asyncio.CancelledError, LeadershipLostError):
                await scene.task


async def test_the_first_takes_the_lease(scene: Scene) -> None:
    """Without a Lease one is created, with what people want to read in it, and we lead."""
    await scene.lead()
    assert scene.leader.epoch == 1
    assert scene.changes == 1
    created = scene.server.asked("post")[0]
    assert created.path == PATH
    assert created.body["metadata"] == {"name": "vip-operator", "namespace": "vips"}
    spec = created.body["spec"]
    assert spec["holderIdentity"] == "me"
    assert spec["leaseDurationSeconds"] == 15
    assert spec["acquireTime"] == spec["renewTime"]


async def test_no_part_is_taken_before_everything_is_known(scene: Scene) -> None:
    """Without the least epoch nothing is asked; then a new term begins above every old one."""
    await asyncio.sleep(0.1)
    assert scene.server.api.asked == []
    scene.server.store({"metadata": {"name": "vip-operator"}, "spec": {"leaseTransitions": 2}})
    scene.least_epoch = 8
    await until(lambda: scene.leader.epoch == 8)


async def test_a_renewal_is_one_request_and_keeps_what_others_wrote(scene: Scene) -> None:
    """A leader renews without reading first, and labels in the Lease stay."""
    await scene.lead()
    assert scene.server.lease is not None
    scene.server.lease["metadata"]["labels"] = {"app": "vip"}
    reads = len(scene.server.asked("get"))
    await until(lambda: len(scene.server.asked("put")) >= 1)
    assert len(scene.server.asked("get")) == reads
    renewed = scene.server.asked("put")[0].body["spec"]
    assert renewed["renewTime"] > renewed["acquireTime"]


async def test_a_lease_of_somebody_else_is_respected(scene: Scene) -> None:
    """A follower reads, writes nothing, and does not lead."""
    lease = {"metadata": {"name": "vip-operator"}, "spec": {"holderIdentity": "other"}}
    scene.server.store(lease)
    scene.least_epoch = 1
    await until(lambda: len(scene.server.asked("get")) >= 2)
    assert scene.leader.epoch is None
    assert scene.server.holder == "other"
    assert not scene.server.asked("put")


async def test_a_lease_that_was_taken_ends_the_leader(scene: Scene) -> None:
    """A leader that finds somebody else in the Lease raises, and names it."""
    await scene.lead()
    scene.server.take("other")
    with pytest.raises(LeadershipLostError, match="other leads now"):
        await asyncio.wait_for(scene.task, 60)


async def test_trouble_is_logged_once(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """An API server that refuses is tried again and again, with a line at each end."""
    caplog.set_level("INFO")
    await scene.lead()
    scene.server.api.once("put", refuse(503))
    scene.server.api.once("get", refuse(503))
    await until(lambda: scene.leader.trouble)
    await until(lambda: not scene.leader.trouble)
    ours = [each.levelname for each in caplog.records if each.name == "operator.leader"]
    assert ours == ["INFO", "WARNING", "INFO"]
    assert scene.leader.epoch == 1


async def test_the_end_gives_the_lease_away(scene: Scene) -> None:
    """Released, the Lease has no holder, and we may not write any more from that moment on."""
    await scene.lead()
    scene.task.cancel()
    await scene.leader.release()
    assert scene.leader.epoch is None
    assert scene.server.lease is not None
    assert scene.server.holder == ""


async def test_a_hanging_server_does_not_hold_the_leader_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request without an answer is given up in time to renew by another one."""
    monkeypatch.setattr(leaders, "_REQUEST_SECONDS", 0.1)
    await scene.lead()
    scene.server.api.once("put", hang)
    await until(lambda: scene.leader.trouble)
    await until(lambda: not scene.leader.trouble)
    assert scene.leader.epoch == 1


@pytest.mark.parametrize(("code", "reason"), [(404, "NotFound"), (422, "Invalid")])
async def test_a_lease_that_cannot_be_created_is_trouble(
    scene: Scene, caplog: pytest.LogCaptureFixture, code: int, reason: str
) -> None:
    """Without the namespace, or against a policy, it is logged once and tried with a pause."""
    scene.server.api.always("post", refuse(code, reason))
    scene.least_epoch = 1
    await until(lambda: scene.leader.trouble)
    await asyncio.sleep(0.3)
    assert len(scene.server.api.asked) == 2
    assert [each.levelname for each in caplog.records if each.name == "operator.leader"] == [
        "WARNING"
    ]
    assert scene.leader.epoch is None


async def test_a_lease_that_cannot_be_renewed_is_trouble(scene: Scene) -> None:
    """A renewal that a policy refuses is tried with a pause, and the term is not lost by it."""
    await scene.lead()
    scene.server.api.once("put", refuse(422, "Invalid"))
    await until(lambda: scene.leader.trouble)
    await until(lambda: not scene.leader.trouble)
    assert scene.leader.epoch == 1


async def test_a_lease_that_was_deleted_ends_the_leader(scene: Scene) -> None:
    """A Lease that is gone at its renewal is read anew at once: others may lead by now."""
    await scene.lead()
    scene.server.lease = None
    scene.server.api.once("put", refuse(404, "NotFound"))
    with pytest.raises(LeadershipLostError):
        await asyncio.wait_for(scene.task, 60)
    assert scene.leader.trouble == ""
