"""The guard: no address is released because the kind VirtualIP itself went away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from support.fake_api import FakeApi, answer, refuse, serving
from vip_kube.client import Client
from vip_kube.errors import ApiError
from vip_model.resources.base import API_VERSION
from vip_model.resources.metadata import ObjectMeta
from vip_model.resources.virtual_router import RouterInstance, VirtualRouter, VirtualRouterSpec
from vip_model.vocabulary import Family
from vip_operator.core.changes import CreateRouter, SetIngress, UpdateRouter
from vip_operator.writing.guard import Guard

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
CLEAR = SetIngress("shop", "nginx", "uid", "7", ())


class Scene:
    """A guard before an API server."""

    def __init__(self, api: FakeApi, client: Client) -> None:
        self.api = api
        self.guard = Guard(client, lambda: NOW)

    def definition(self, age: timedelta, **metadata: Any) -> None:
        """Let the CRD be of this age."""
        made = {"creationTimestamp": stamp(age), **metadata}
        self.api.always("get", answer({"metadata": made}))


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """A guard before an API server without the CRD."""
    async with (
        serving(FakeApi()) as api,
        Client(api.access(), user_agent="vip-operator/1") as client,
    ):
        yield Scene(api, client)


def stamp(age: timedelta) -> str:
    """Return when something of this age was made, as the API spells it."""
    return (NOW - age).strftime("%Y-%m-%dT%H:%M:%SZ")


def router(age: timedelta, *, retired: bool = False) -> VirtualRouter:
    """Return a VirtualRouter of an age."""
    instance = RouterInstance(family=Family.IPV4, virtual_router_id=51, addresses=("192.0.2.100",))
    return VirtualRouter(
        api_version=API_VERSION,
        kind="VirtualRouter",
        metadata=ObjectMeta(name="vip.shop.web", creation_timestamp=stamp(age)),
        spec=VirtualRouterSpec(retired=retired, instances=(instance,)),
    )


def shrinking(age: timedelta, *, retired: bool = False) -> UpdateRouter:
    """Return an update that leaves a group of three addresses with one, in another instance."""
    three, one = (
        [
            RouterInstance(family=Family.IPV4, virtual_router_id=51, addresses=("192.0.2.100",)),
            RouterInstance(
                family=Family.IPV6, virtual_router_id=51, addresses=("2001:db8::1", "2001:db8::2")
            ),
        ],
        [RouterInstance(family=Family.IPV6, virtual_router_id=51, addresses=("2001:db8::2",))],
    )
    before = with_instances(router(age, retired=retired), *three)
    return UpdateRouter(before, with_instances(router(age), *one))


def with_instances(found: VirtualRouter, *instances: RouterInstance) -> VirtualRouter:
    """Return a VirtualRouter with other instances."""
    spec = msgspec.structs.replace(found.spec, instances=instances)
    return msgspec.structs.replace(found, spec=spec)


def retirement(age: timedelta) -> UpdateRouter:
    """Return the retirement of a VirtualRouter of an age."""
    return UpdateRouter(router(age), router(age, retired=True))


def harmless(age: timedelta) -> UpdateRouter:
    """Return a change that releases nothing."""
    before = router(age)
    spec = msgspec.structs.replace(before.spec, revision=9)
    return UpdateRouter(before, msgspec.structs.replace(before, spec=spec))


async def test_nothing_is_asked_where_nothing_is_released(scene: Scene) -> None:
    """Changes that release no address go through without a request."""
    changes = (harmless(timedelta(days=1)), CreateRouter(router(timedelta())))
    allowed = await scene.guard.allowed(changes, ())
    assert (allowed.router_changes, allowed.held) == (changes, 0)
    assert scene.api.asked == []


async def test_a_kind_that_is_older_lets_everything_through(scene: Scene) -> None:
    """While the CRD is the one under which the VirtualRouter was made, deleted means deleted."""
    scene.definition(timedelta(minutes=5))
    change = retirement(timedelta(minutes=1))
    allowed = await scene.guard.allowed((change,), (CLEAR,))
    assert (allowed.router_changes, allowed.status_changes) == ((change,), (CLEAR,))


@pytest.mark.parametrize("away", ["missing", "deleting", "forbidden"])
async def test_nothing_is_released_while_the_kind_is_away(
    scene: Scene, caplog: pytest.LogCaptureFixture, away: str
) -> None:
    """With the CRD missing, being deleted or unreadable, everything but releases is done."""
    if away == "deleting":
        scene.definition(timedelta(days=1), deletionTimestamp=stamp(timedelta()))
    elif away == "forbidden":
        scene.api.always("get", refuse(403))
    other = harmless(timedelta(days=1))
    vanished = CreateRouter(router(timedelta(), retired=True))
    changes = (other, retirement(timedelta(hours=1)), vanished)
    allowed = await scene.guard.allowed(changes, (CLEAR,))
    assert allowed.router_changes == (other,)
    assert allowed.status_changes == ()
    assert allowed.held == 3
    await scene.guard.allowed(changes, (CLEAR,))
    assert caplog.text.count("releases of addresses wait") == 1


@pytest.mark.parametrize(("minutes", "held"), [(9, 1), (11, 0)])
async def test_a_restored_kind_has_ten_minutes(scene: Scene, minutes: int, held: int) -> None:
    """What is older than its CRD is not released before there was time to restore VirtualIPs."""
    scene.definition(timedelta(minutes=minutes))
    allowed = await scene.guard.allowed((retirement(timedelta(days=1)),), ())
    assert allowed.held == held


async def test_trouble_is_the_callers(scene: Scene) -> None:
    """An API server that cannot tell ends the round, as any other trouble does."""
    scene.api.always("get", refuse(503))
    with pytest.raises(ApiError):
        await scene.guard.allowed((retirement(timedelta(days=1)),), ())


@pytest.mark.parametrize(("away", "held"), [(True, 1), (False, 0)], ids=["missing", "there"])
async def test_a_group_keeps_its_addresses_too(scene: Scene, away: bool, held: int) -> None:
    """An election that would go on with fewer addresses waits, as one that would end does."""
    if not away:
        scene.definition(timedelta(days=2))
    other = harmless(timedelta(days=1))
    allowed = await scene.guard.allowed((shrinking(timedelta(days=1)), other), ())
    assert allowed.held == held
    assert other in allowed.router_changes


async def test_addresses_that_come_and_that_move_are_no_release(scene: Scene) -> None:
    """An address more, or the same ones in other instances of the network, ask for nothing."""
    change = shrinking(timedelta(days=1))
    grows = UpdateRouter(change.router, change.before)
    v4, v6 = change.before.spec.instances
    renamed = msgspec.structs.replace(v4, network="192.0.2.0/24")
    moves = UpdateRouter(change.before, with_instances(change.before, v6, renamed))
    allowed = await scene.guard.allowed((grows, moves), ())
    assert allowed.held == 0
    assert scene.api.asked == []


async def test_what_was_being_released_is_not_held(scene: Scene) -> None:
    """A retired election that comes back with fewer addresses was allowed to let go before."""
    allowed = await scene.guard.allowed((shrinking(timedelta(days=1), retired=True),), ())
    assert allowed.held == 0
