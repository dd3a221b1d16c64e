"""Client and reflector against the real API server, also where it forgets and where it stops."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.fake_engine import until
from support.followed import following
from vip_common.kinds import SPEAKERS, VIRTUAL_ROUTERS
from vip_kube.access import from_kubeconfig
from vip_kube.client import Client, EventType, Selection
from vip_kube.errors import ApiError
from vip_kube.kinds import EVENTS, LEASES, SERVICES, Kind
from vip_kube.wire import whole
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.fault_proxy import FaultProxy

UNKNOWN = Kind("vip-operator.io", "v1alpha1", "vipers", "Viper", namespaced=False)
UNKNOWN_GROUP = Kind("vip-operator.io", "v9", "virtualips", "VirtualIP", namespaced=True)
# A restarted API server has to read everything from etcd again.
RESTART_SECONDS = 30.0


def lease(name: str, **labels: str) -> dict[str, Any]:
    """Return a Lease, the smallest object there is."""
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}


def speaker(name: str) -> dict[str, Any]:
    """Return a Speaker; nobody but a test has any."""
    return {
        "apiVersion": SPEAKERS.api_version,
        "kind": SPEAKERS.name,
        "metadata": {"name": name},
    }


def client_by(kubeconfig: Path) -> Client:
    """Return a client as a kubeconfig says."""
    return Client(from_kubeconfig(str(kubeconfig)), user_agent="vip-test/1")


@pytest.fixture
async def client(api: ControlPlane) -> AsyncIterator[Client]:
    """A client as admin."""
    async with client_by(api.kubeconfig()) as client:
        yield client


@contextlib.contextmanager
def refused(status: int, reason: str) -> Any:
    """Expect a refusal."""
    with pytest.raises(ApiError) as caught:
        yield
    assert (caught.value.status, caught.value.reason) == (status, reason)


@contextlib.asynccontextmanager
async def stopped(api: ControlPlane, *, at_once: bool = False) -> AsyncIterator[None]:
    """Stop the API server for the body; afterwards it serves every kind again."""
    await asyncio.to_thread(api.stop_api, at_once=at_once)
    try:
        yield
    finally:
        await asyncio.to_thread(api.start_api)


async def test_objects(client: Client, namespace: str) -> None:
    """Objects are created, read, patched, replaced and deleted; each refusal has its own face."""
    made = await client.create(LEASES, lease("a"), namespace)
    assert "managedFields" not in made["metadata"]
    assert await client.get(LEASES, "a", namespace) == made
    with pytest.raises(ApiError) as again:
        await client.create(LEASES, lease("a"), namespace)
    assert again.value.already_exists
    merged = await client.merge(LEASES, "a", {"spec": {"holderIdentity": "x"}}, namespace)
    assert merged["spec"]["holderIdentity"] == "x"
    with pytest.raises(ApiError) as stale:
        await client.replace(LEASES, "a", made, namespace)
    assert stale.value.conflict
    replaced = await client.replace(LEASES, "a", merged | {"spec": {}}, namespace)
    assert replaced["spec"] == {}
    fence = {"op": "test", "path": "/metadata/uid", "value": "another"}
    with pytest.raises(ApiError) as fenced:
        await client.patch(LEASES, "a", [fence], namespace)
    assert fenced.value.test_failed
    add = {"op": "add", "path": "/spec/holderIdentity", "value": "y"}
    patched = await client.patch(LEASES, "a", [add], namespace)
    assert patched["spec"] == {"holderIdentity": "y"}
    with refused(409, "Conflict"):
        await client.delete(LEASES, "a", namespace, uid="another")
    with refused(409, "Conflict"):
        await client.delete(LEASES, "a", namespace, resource_version="1")
    await client.delete(LEASES, "a", namespace, uid=made["metadata"]["uid"])
    with refused(404, "NotFound"):
        await client.get(LEASES, "a", namespace)


async def test_status_is_apart(client: Client, namespace: str) -> None:
    """A subresource is written by itself and leaves the rest alone."""
    await client.create(SPEAKERS, speaker("n1"))
    status = {"status": {"features": ["probe"]}, "metadata": {"labels": {"ignored": "yes"}}}
    written = await client.merge(SPEAKERS, "n1", status, subresource="status")
    assert written["status"]["features"] == ["probe"]
    assert "labels" not in written["metadata"]


async def test_lists(client: Client, namespace: str) -> None:
    """Pages add up to the list, in the order of names, selected by label and field."""
    names = [f"l{number}" for number in range(7)]
    for name in names:
        await client.create(LEASES, lease(name, odd=str(int(name[1:]) % 2)), namespace)
    there = Selection(namespace)
    listed = await client.list(LEASES, there, page_size=3)
    assert [item["metadata"]["name"] for item in listed.items] == names
    assert {(item["apiVersion"], item["kind"]) for item in listed.items} == {
        ("coordination.k8s.io/v1", "Lease")
    }
    assert listed.items == (await client.list(LEASES, there, resource_version="0")).items
    odd = await client.list(LEASES, Selection(namespace, labels="odd=1"))
    assert len(odd.items) == 3
    one = await client.list(LEASES, Selection(namespace, fields="metadata.name=l4"))
    assert len(one.items) == 1


async def test_count(client: Client, namespace: str) -> None:
    """The objects of a kind are counted without reading them all."""
    assert await client.count(SPEAKERS) == 0
    for name in ("n1", "n2", "n3"):
        await client.create(SPEAKERS, speaker(name))
    assert await client.count(SPEAKERS) == 3


async def test_discovery(client: Client) -> None:
    """Kinds and versions that are not there are named; those that are there are not."""
    kinds = (UNKNOWN, SPEAKERS, UNKNOWN_GROUP, LEASES, SERVICES)
    assert await client.unserved(kinds) == (UNKNOWN, UNKNOWN_GROUP)
    with refused(404, ""):
        await client.list(UNKNOWN)


async def test_identity(api: ControlPlane, tmp_path: Path) -> None:
    """Somebody without rights is forbidden, somebody with a wrong token is unknown."""
    async with client_by(api.kubeconfig("nobody")) as nobody:
        with refused(403, "Forbidden"):
            await nobody.list(VIRTUAL_ROUTERS)
    wrong = tmp_path / "kubeconfig"
    token = api.credentials.token("nobody")
    wrong.write_text(api.kubeconfig("nobody").read_text().replace(token, "wrong"))
    async with client_by(wrong) as stranger:
        with refused(401, "Unauthorized"):
            await stranger.list(VIRTUAL_ROUTERS)


async def test_watch_ends_in_order(client: Client) -> None:
    """The server ends a watch when the time that was asked for is up, and that is no error."""
    listed = await client.list(SPEAKERS)
    began = time.monotonic()
    events = client.watch(
        SPEAKERS, whole(SPEAKERS), resource_version=listed.resource_version, timeout_seconds=2
    )
    async with asyncio.timeout(20):
        seen = {event.type async for event in events}
    assert time.monotonic() - began >= 1.9
    assert seen <= {EventType.BOOKMARK}


async def test_follows(client: Client, namespace: str) -> None:
    """Each change is told as it happens, and one created anew is told as deleted first."""
    await client.create(LEASES, lease("a"), namespace)
    async with following(client, LEASES, Selection(namespace)) as it:
        await until(lambda: it.told.lists == 1)
        await client.create(LEASES, lease("b"), namespace)
        await client.merge(LEASES, "a", {"spec": {"holderIdentity": "x"}}, namespace)
        await client.delete(LEASES, "b", namespace)
        await client.create(LEASES, lease("b"), namespace)
        await until(lambda: len(it.told.calls) == 6)
        assert it.told.calls == [
            *("upsert a", "synced", "upsert b", "upsert a", "delete b", "upsert b")
        ]
        assert it.told.objects["a"]["spec"]["holderIdentity"] == "x"
        assert it.reflector.trouble == ""


async def test_deletion_behind_a_compaction(
    api: ControlPlane, proxy: FaultProxy, client: Client, namespace: str
) -> None:
    """What was deleted while nothing was heard is told, though the server has forgotten it."""
    for name in ("stays", "goes", "renewed"):
        await client.create(LEASES, lease(name), namespace)
    version = (await client.list(LEASES)).resource_version
    there = Selection(namespace)
    async with (
        client_by(proxy.kubeconfig()) as far,
        following(far, LEASES, there, settled_after_seconds=0.3) as it,
    ):
        await until(lambda: it.told.lists == 1)
        await asyncio.to_thread(proxy.refuse)
        await until(lambda: it.reflector.trouble != "")
        await client.delete(LEASES, "goes", namespace)
        await client.delete(LEASES, "renewed", namespace)
        await client.create(LEASES, lease("renewed"), namespace)
        await client.create(LEASES, lease("new"), namespace)
        async with stopped(api):
            await asyncio.to_thread(api.compact)
        with pytest.raises(ApiError) as expired:
            async for _event in client.watch(
                LEASES, whole(LEASES), there, resource_version=version
            ):
                pass
        assert expired.value.gone
        assert it.names == {"stays", "goes", "renewed"}
        it.told.calls.clear()
        await asyncio.to_thread(proxy.clear)
        await asyncio.to_thread(proxy.pass_through)
        await until(lambda: it.told.lists == 2, seconds=RESTART_SECONDS)
        assert it.told.calls == [
            *("delete goes", "upsert new", "delete renewed", "upsert renewed", "synced")
        ]
        await until(lambda: it.reflector.trouble == "")
        asked = [each.verb for each in await asyncio.to_thread(proxy.requests)]
        assert asked[:4] == ["list", "watch", "list", "watch"], (
            "it was asked how far the server is, and the watch got the 410"
        )


async def test_restart_of_the_server(api: ControlPlane, client: Client, namespace: str) -> None:
    """A reflector outlives an API server that is killed and comes back, and misses nothing."""
    await client.create(LEASES, lease("a"), namespace)
    async with following(client, LEASES, Selection(namespace), limit_seconds=0.5) as it:
        await until(lambda: it.told.lists == 1)
        async with stopped(api, at_once=True):
            await until(lambda: it.reflector.trouble != "")
        await client.delete(LEASES, "a", namespace)
        await client.create(LEASES, lease("b"), namespace)
        await until(lambda: it.names == {"b"}, seconds=RESTART_SECONDS)
        await until(lambda: it.reflector.trouble == "", seconds=RESTART_SECONDS)


async def test_etcd_restored_from_a_backup(
    api: ControlPlane, client: Client, namespace: str
) -> None:
    """After it the list counts, whatever its versions, and changes are heard at once again."""
    for name in ("stays", "edited", "deleted"):
        await client.create(LEASES, lease(name), namespace)
    async with following(client, LEASES, Selection(namespace), limit_seconds=0.5) as it:
        await until(lambda: it.told.lists == 1)
        backup = await asyncio.to_thread(api.back_up)
        await client.delete(LEASES, "deleted", namespace)
        await client.create(LEASES, lease("new"), namespace)
        for number in range(200):
            patch = {"spec": {"holderIdentity": f"x{number}"}}
            await client.merge(LEASES, "edited", patch, namespace)
        await until(lambda: it.names == {"stays", "edited", "new"})
        await until(lambda: it.told.objects["edited"]["spec"] == {"holderIdentity": "x199"})
        it.told.calls.clear()
        await asyncio.to_thread(api.restore, backup)
        await until(lambda: it.told.lists == 2, seconds=RESTART_SECONDS)
        assert it.names == {"stays", "edited", "deleted"}
        assert it.told.calls[0] == "restored"
        assert it.told.objects["edited"]["spec"] == {}
        await client.create(LEASES, lease("after"), namespace)
        await until(lambda: "after" in it.names)


async def test_silence_without_bookmarks_is_no_trouble(client: Client, namespace: str) -> None:
    """Events have no bookmarks, and a namespace where none come for long is no sign of trouble."""
    async with following(client, EVENTS, Selection(namespace), silence_seconds=4.0) as it:
        await until(lambda: it.told.lists == 1)
        deadline = time.monotonic() + 6.0
        while time.monotonic() < deadline:
            assert it.reflector.trouble == ""
            await asyncio.sleep(0.05)
        assert it.told.calls == ["synced"]


@pytest.mark.parametrize("status", [403, 410, 429, 503])
@pytest.mark.parametrize("in_stream", [False, True], ids=["answer", "in-stream"])
async def test_errors_by_proxy(
    proxy: FaultProxy, client: Client, namespace: str, status: int, *, in_stream: bool
) -> None:
    """Errors between us and the server are outlived without a spin; changes meanwhile are told."""
    await client.create(LEASES, lease("a"), namespace)
    there = Selection(namespace)
    async with (
        client_by(proxy.kubeconfig()) as far,
        following(far, LEASES, there, first_seconds=0.2, limit_seconds=0.2) as it,
    ):
        await until(lambda: it.told.lists == 1)
        await asyncio.to_thread(proxy.answer, status, verb="watch", in_stream=in_stream)
        await asyncio.to_thread(proxy.cut_watches)
        await asyncio.to_thread(proxy.clear)
        await until(lambda: it.reflector.trouble != "")
        await asyncio.sleep(1.0)
        await client.delete(LEASES, "a", namespace)
        await client.create(LEASES, lease("b"), namespace)
        assert len(await asyncio.to_thread(proxy.requests, verb="watch")) <= 12
        await asyncio.to_thread(proxy.pass_through)
        await until(lambda: it.names == {"b"})
        await until(lambda: it.reflector.trouble == "")
