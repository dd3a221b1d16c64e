"""Carrying out changes: what goes to the API server, in which order, and what stops it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from support.fake_api import FakeApi, answer, cut, refuse, serving
from support.fake_api import status as refusal
from vip_kube.client import Client, Object
from vip_kube.errors import ApiError, UnreachableError
from vip_model.resources.base import API_VERSION
from vip_model.resources.metadata import ObjectMeta
from vip_model.resources.virtual_ip import VirtualIPStatus
from vip_model.resources.virtual_router import RouterInstance, VirtualRouter, VirtualRouterSpec
from vip_model.vocabulary import Family
from vip_operator.core.changes import (
    CreateRouter,
    DeleteRouter,
    EmitEvent,
    EventType,
    SetIngress,
    SetStatus,
    UpdateRouter,
)
from vip_operator.writing import requests
from vip_operator.writing.write import Writer, Written


class Told:
    """Keeps what came of the writes."""

    def __init__(self) -> None:
        self.upserted: list[tuple[str, str]] = []
        self.deleted: list[tuple[str, str]] = []

    def upsert(self, kind: str, content: Object) -> None:
        """Keep it."""
        self.upserted.append((kind, content["metadata"]["resourceVersion"]))

    def delete(self, kind: str, content: Object) -> None:
        """Keep it."""
        self.deleted.append((kind, content["metadata"]["uid"]))


class Scene:
    """A writer, the API server that it writes to, and whether it may."""

    def __init__(self, api: FakeApi, client: Client) -> None:
        self.api = api
        self.told = Told()
        self.left = 1_000
        self.writer = Writer(client, self.told, self._may_write, "operator-1")

    def _may_write(self) -> bool:
        self.left -= 1
        return self.left >= 0

    @property
    def methods(self) -> list[str]:
        """The requests so far."""
        return [each.what for each in self.api.asked]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """A writer before an API server that accepts everything."""
    async with (
        serving(FakeApi()) as api,
        Client(api.access(), user_agent="vip-operator/1") as client,
    ):
        stored = {"metadata": {"name": "x", "uid": "u", "resourceVersion": "8"}}
        for what in ("post", "patch", "delete"):
            api.always(what, answer(stored))
        yield Scene(api, client)


def router(name: str = "vip.shop.web", epoch: int = 0, revision: int = 1) -> VirtualRouter:
    """Return a VirtualRouter as it was read."""
    instance = RouterInstance(family=Family.IPV4, virtual_router_id=51, addresses=("192.0.2.100",))
    return VirtualRouter(
        api_version=API_VERSION,
        kind="VirtualRouter",
        metadata=ObjectMeta(name=name, uid=f"uid-{name}", resource_version="7"),
        spec=VirtualRouterSpec(epoch=epoch, revision=revision, instances=(instance,)),
    )


def update(name: str = "vip.shop.web", epoch: int = 0) -> UpdateRouter:
    """Return a change of a spec in the next epoch."""
    return UpdateRouter(router(name, epoch), router(name, epoch + 1, revision=2))


def status(name: str = "web") -> SetStatus:
    """Return a change of a status."""
    return SetStatus("shop", name, f"uid-{name}", "7", VirtualIPStatus(active_node="n1"))


def event(name: str = "web", **changes: Any) -> EmitEvent:
    """Return an event."""
    fields: dict[str, Any] = {"type": EventType.NORMAL, "reason": "Bound", "message": "It is."}
    return EmitEvent("shop", name, f"uid-{name}", **{**fields, **changes})


def test_an_update_is_fenced_by_uid_version_and_epoch() -> None:
    """The patch tests all three before it replaces the spec; an epoch of 0 is not there to test."""
    tests = [each for each in requests.update_router(update(epoch=3)) if each["op"] == "test"]
    assert {each["path"]: each["value"] for each in tests} == {
        "/metadata/uid": "uid-vip.shop.web",
        "/metadata/resourceVersion": "7",
        "/spec/epoch": 3,
    }
    first = requests.update_router(update(epoch=0))
    assert [each["path"] for each in first if each["op"] == "test"] == [
        "/metadata/uid",
        "/metadata/resourceVersion",
    ]
    assert first[-1]["path"] == "/spec"
    assert first[-1]["value"]["epoch"] == 1


def test_an_ingress_without_addresses_clears_the_field() -> None:
    """Addresses get ipMode VIP, and none of them leaves an empty loadBalancer."""
    change = SetIngress("shop", "nginx", "u", "7", ("192.0.2.1",))
    assert requests.set_ingress(change)[-1]["value"] == {
        "ingress": [{"ip": "192.0.2.1", "ipMode": "VIP"}]
    }
    cleared = SetIngress("shop", "nginx", "u", "7", ())
    assert requests.set_ingress(cleared)[-1]["value"] == {}


def test_an_event_keeps_within_the_limits_of_the_api() -> None:
    """A text beyond 1024 bytes is cut between characters, and the node is the related object."""
    told = event(message="ä" * 2000, node="n1")
    document = requests.event(told, "i" * 500, datetime(2026, 1, 2, tzinfo=UTC))
    assert 1000 < len(document["note"].encode()) <= 1024
    assert set(document["note"]) == {"ä", "…"}
    assert len(document["reportingInstance"].encode()) <= 128
    assert document["eventTime"] == "2026-01-02T00:00:00.000000Z"
    assert document["related"]["name"] == "n1"


async def test_routers_are_written_in_order_before_everything_else(scene: Scene) -> None:
    """VirtualRouters go one after the other as given, then statuses, then events."""
    changes = (update("vip.a.a"), CreateRouter(router("vip.b.b")), DeleteRouter(router("vip.c.c")))
    written = await scene.writer.write(changes, (event(), status()))
    assert (written.refused, written.stopped) == ((), False)
    assert [each.path.rpartition("/")[2] for each in scene.api.asked] == [
        *("vip.a.a", "virtualrouters", "vip.c.c", "status", "events")
    ]
    assert scene.told.upserted == [
        ("VirtualRouter", "8"),
        ("VirtualRouter", "8"),
        ("VirtualIP", "8"),
    ]
    assert scene.told.deleted == [("VirtualRouter", "uid-vip.c.c")]


async def test_a_deletion_names_what_it_deletes(scene: Scene) -> None:
    """DELETE has uid and resourceVersion as preconditions."""
    await scene.writer.write((DeleteRouter(router()),), ())
    assert scene.api.asked[0].body["preconditions"] == {
        "uid": "uid-vip.shop.web",
        "resourceVersion": "7",
    }


@pytest.mark.parametrize("code", [404, 409, 422])
async def test_a_refused_write_ends_nothing(scene: Scene, code: int) -> None:
    """An object that is not what it seemed is named, and the other changes are made."""
    scene.api.once("patch", refuse(code))
    written = await scene.writer.write((update("vip.a.a"), update("vip.b.b")), (status(),))
    assert written.refused == ("VirtualRouter vip.a.a",)
    assert scene.methods == ["patch", "patch", "patch"]
    assert scene.writer.counts["VirtualRouter", "refused"] == 1
    assert scene.writer.counts["VirtualRouter", "done"] == 1


@pytest.mark.parametrize("code", [401, 403, 405, 429, 500, 503])
async def test_trouble_ends_the_writing(scene: Scene, code: int) -> None:
    """An API server that does not let us write is told to the caller, and nothing more is sent."""
    scene.api.once("patch", refuse(code))
    with pytest.raises(ApiError):
        await scene.writer.write((update("vip.a.a"), update("vip.b.b")), (status(),))
    assert scene.methods == ["patch"]


async def test_a_lost_connection_ends_the_writing(scene: Scene) -> None:
    """No answer may mean that it was done: nothing more is sent before that is known."""
    scene.api.always("patch", cut)
    with pytest.raises(UnreachableError):
        await scene.writer.write((update("vip.a.a"),), (status(),))
    assert "status" not in "".join(each.path for each in scene.api.asked)


@pytest.mark.parametrize("writes", range(6))
async def test_nothing_is_written_after_the_lease_is_lost(scene: Scene, writes: int) -> None:
    """Whether we lead is asked before every single write; the first no ends the round."""
    scene.left = writes
    changes = tuple(update(f"vip.a.{number}") for number in range(4))
    written = await scene.writer.write(changes, tuple(status(f"{n}") for n in range(4)))
    assert written.stopped
    assert scene.methods == ["patch"] * writes


async def test_statuses_of_many_are_all_written(scene: Scene) -> None:
    """Each of a hundred statuses is written once, though some at a time."""
    await scene.writer.write((), tuple(status(f"vip-{number}") for number in range(100)))
    assert len({each.path for each in scene.api.asked}) == 100
    assert scene.writer.counts["VirtualIP", "done"] == 100


async def test_events_survive_trouble(scene: Scene) -> None:
    """An event that could not be told during trouble is told with the next round, once."""
    scene.api.once("patch", refuse(503))
    with pytest.raises(ApiError):
        await scene.writer.write((update(),), (event("a"),))
    scene.api.once("post", refuse(429))
    with pytest.raises(ApiError):
        await scene.writer.write((), ())
    await scene.writer.write((), ())
    await scene.writer.write((), ())
    assert scene.methods.count("post") == 2
    assert scene.writer.counts["Event", "done"] == 1


@pytest.mark.parametrize("code", [400, 403, 404, 405, 409, 413, 422])
async def test_an_event_that_is_refused_is_given_up(scene: Scene, code: int) -> None:
    """An event in a namespace that is being deleted is lost, and hinders nothing."""
    scene.api.once("post", refuse(code))
    written = await scene.writer.write((), (event("lost"), *(event(f"v{n}") for n in range(20))))
    assert written == Written()
    await scene.writer.write((update(),), (status(),))
    assert scene.methods == ["post"] * 21 + ["patch"] * 2
    assert scene.writer.counts["Event", "refused"] == 1
    assert scene.writer.counts["Event", "done"] == 20


@pytest.mark.parametrize("code", [401, 408, 429, 500, 503])
async def test_an_event_waits_for_the_end_of_trouble(scene: Scene, code: int) -> None:
    """An event that fails for no reason of its own is told once the trouble is over."""
    scene.api.once("post", refuse(code))
    with pytest.raises(ApiError):
        await scene.writer.write((), (event(),))
    await scene.writer.write((), ())
    assert scene.methods == ["post", "post"]


async def test_a_missing_right_to_create_events_is_logged_once(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """Without the right everything else goes on, with a line at each end; other refusals none."""
    caplog.set_level("INFO", "operator.write")
    ending = "events is forbidden: the namespace is being terminated"
    scene.api.always("post", answer(refusal(403, "Forbidden", ending), 403))
    await scene.writer.write((), (event("a"), event("b")))
    assert _lines(caplog) == []
    lacking = 'User "vip" cannot create resource "events" in API group "events.k8s.io"'
    scene.api.always("post", answer(refusal(403, "Forbidden", lacking), 403))
    for _round in range(2):
        await scene.writer.write((), (event("a"), event("b")))
    scene.api.always("post", answer({"metadata": {"name": "x"}}))
    await scene.writer.write((), (event("a"), event("b")))
    assert _lines(caplog) == ["WARNING", "INFO"]
    assert lacking in caplog.text


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the levels of what the writer logged."""
    return [each.levelname for each in caplog.records if each.name == "operator.write"]
