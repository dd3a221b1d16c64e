"""Requests and answers of the API client, against a server that misbehaves on demand."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from support.fake_api import FakeApi, answer, cut, hang, refuse, serving, status, stream
from vip_common.kinds import SPEAKERS, VIRTUAL_ROUTERS
from vip_kube.access import Access
from vip_kube.client import Client, Selection
from vip_kube.errors import AccessError, ApiError, UnreachableError
from vip_kube.kinds import EVENTS, NODES, PODS

KIND = VIRTUAL_ROUTERS


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    """A server with nothing in it."""
    async with serving(FakeApi()) as api:
        yield api


@pytest.fixture
async def client(api: FakeApi) -> AsyncIterator[Client]:
    """A client of it that is not patient."""
    async with Client(api.access(), user_agent="vip-test/1", timeout_seconds=2) as client:
        yield client


async def test_list_pages(api: FakeApi, client: Client) -> None:
    """A list is read in pages; items know what they are and have no managedFields."""
    for number in range(5):
        api.put(f"r{number}")
    listed = await client.list(KIND, page_size=2)
    assert [item["metadata"]["name"] for item in listed.items] == ["r0", "r1", "r2", "r3", "r4"]
    assert {(item["apiVersion"], item["kind"]) for item in listed.items} == {
        ("vip-operator.io/v1alpha1", "VirtualRouter")
    }
    assert not any("managedFields" in item["metadata"] for item in listed.items)
    assert listed.resource_version == "105"
    assert [asked.query for asked in api.asked] == [
        {"limit": "2"},
        {"limit": "2", "continue": "2"},
        {"limit": "2", "continue": "4"},
    ]


async def test_list_is_of_its_first_page(api: FakeApi, client: Client) -> None:
    """A watch goes on from the first page's moment, so that no change between pages is missed."""
    api.put("a")
    api.put("b")
    page = {"metadata": {"resourceVersion": "50", "continue": "1"}, "items": []}
    api.once("list", answer(page))
    listed = await client.list(KIND)
    assert (listed.resource_version, len(listed.items)) == ("50", 1)


async def test_list_selects(api: FakeApi, client: Client) -> None:
    """Selectors reach the server as they are, and the resourceVersion only with the first page."""
    api.put("a")
    api.put("b")
    selection = Selection(labels="app in (a, b),x!=1", fields="metadata.name=a")
    await client.list(KIND, selection, resource_version="0", page_size=1)
    first, second = (dict(asked.query) for asked in api.asked)
    assert first["labelSelector"] == second["labelSelector"] == "app in (a, b),x!=1"
    assert first["fieldSelector"] == "metadata.name=a"
    assert first["resourceVersion"] == "0"
    assert "resourceVersion" not in second


async def test_list_begins_anew(api: FakeApi, client: Client) -> None:
    """Pages that expire while they are read are read anew, in pages; thrice gone is an error."""
    for number in range(4):
        api.put(f"r{number}")
    page = {"metadata": {"resourceVersion": "1", "continue": "2"}, "items": []}
    api.once("list", answer(page), refuse(410, "Expired"))
    assert len((await client.list(KIND, page_size=2)).items) == 4
    assert [asked.query.get("continue") for asked in api.asked] == [None, "2", None, "2"]
    assert {asked.query["limit"] for asked in api.asked} == {"2"}
    api.once("list", *[answer(page), refuse(410, "Expired")] * 3)
    with pytest.raises(ApiError) as caught:
        await client.list(KIND, page_size=2)
    assert caught.value.gone


@pytest.mark.parametrize(
    "strange",
    [
        "<html>welcome</html>",
        {"status": "ok"},
        {"items": []},
        {"metadata": {"resourceVersion": "1"}},
        {"metadata": {"resourceVersion": "1"}, "items": [{"spec": 1}]},
        ["x"],
    ],
)
async def test_list_is_no_list(api: FakeApi, client: Client, strange: object) -> None:
    """A stranger's answer with status 200 is never taken for a list without objects."""
    api.once("list", answer(strange))
    with pytest.raises(UnreachableError, match="GET /apis/vip-operator"):
        await client.list(KIND)


async def test_count(api: FakeApi, client: Client) -> None:
    """Objects are counted by asking for one of them; if the server does not tell, by listing."""
    assert await client.count(KIND) == 0
    for number in range(3):
        api.put(f"r{number}")
    assert await client.count(KIND) == 3
    assert {asked.query["limit"] for asked in api.asked} == {"1"}
    silent = {"metadata": {"resourceVersion": "1", "continue": "1"}, "items": [{"metadata": {}}]}
    api.once("list", answer(silent))
    assert await client.count(KIND) == 3


async def test_writes(api: FakeApi, client: Client) -> None:
    """Every write names its manager, its kind of patch, and the path of the subresource."""
    done = answer({"metadata": {"name": "x", "managedFields": []}})
    for what in ("post", "put", "patch", "get"):
        api.always(what, done)
    assert await client.create(EVENTS, {"a": 1}, "red") == {"metadata": {"name": "x"}}
    await client.replace(PODS, "p", {"b": 2}, "red", subresource="status")
    await client.merge(NODES, "n", {"c": None})
    await client.patch(NODES, "n", [{"op": "test", "path": "/d", "value": 3}])
    await client.get(PODS, "p", "red")
    seen = [
        (asked.what, asked.path, asked.headers.get("Content-Type"), asked.body)
        for asked in api.asked
    ]
    assert seen == [
        ("post", "/apis/events.k8s.io/v1/namespaces/red/events", "application/json", {"a": 1}),
        ("put", "/api/v1/namespaces/red/pods/p/status", "application/json", {"b": 2}),
        ("patch", "/api/v1/nodes/n", "application/merge-patch+json", {"c": None}),
        (
            "patch",
            "/api/v1/nodes/n",
            "application/json-patch+json",
            [{"op": "test", "path": "/d", "value": 3}],
        ),
        ("get", "/api/v1/namespaces/red/pods/p", None, None),
    ]
    assert {asked.query.get("fieldManager") for asked in api.asked[:4]} == {"vip-test"}
    assert {asked.headers["User-Agent"] for asked in api.asked} == {"vip-test/1"}


async def test_delete(api: FakeApi, client: Client) -> None:
    """A deletion carries the uid and resourceVersion that it is meant for."""
    api.always("delete", answer(status(200)))
    await client.delete(KIND, "r", uid="u", resource_version="7")
    await client.delete(KIND, "r")
    assert api.asked[0].body["preconditions"] == {"uid": "u", "resourceVersion": "7"}
    assert api.asked[1].body["preconditions"] == {}


async def test_refusal(api: FakeApi, client: Client) -> None:
    """A Status becomes an error with its reason, its sentence and the wish to be left alone."""
    api.once("get", refuse(429, "TooManyRequests", details={"retryAfterSeconds": 3}))
    with pytest.raises(ApiError) as caught:
        await client.get(NODES, "n")
    error = caught.value
    assert (error.status, error.reason, error.message) == (429, "TooManyRequests", "because")
    assert error.retry_after_seconds == 3


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("upstream connect error\nmore", "upstream connect error"),
        ("", "an answer without a body"),
        ("[1]", "[1]"),
    ],
)
async def test_refusal_of_proxy(api: FakeApi, client: Client, body: str, message: str) -> None:
    """An answer that no API server wrote is an error too, with what can be read of it."""
    api.once("get", answer(body, 503, {"Retry-After": "2"}))
    with pytest.raises(ApiError) as caught:
        await client.get(NODES, "n")
    error = caught.value
    assert (error.status, error.reason, error.message) == (503, "", message)
    assert error.retry_after_seconds == 2


async def test_no_redirect(api: FakeApi, client: Client) -> None:
    """The token is not carried to another place: a redirect is an error."""
    api.once("get", answer("", 302, {"Location": api.url + "/elsewhere", "Retry-After": "soon"}))
    with pytest.raises(ApiError) as caught:
        await client.get(NODES, "n")
    assert (caught.value.status, caught.value.retry_after_seconds) == (302, None)
    assert len(api.asked) == 1


async def test_unreachable(api: FakeApi) -> None:
    """A hang, a reset, a body cut short and a closed port are one kind of error with a reason."""
    async with Client(api.access(), user_agent="t", timeout_seconds=0.2) as client:
        api.once("get", hang)
        with pytest.raises(UnreachableError, match=r"GET /api/v1/nodes/n: no answer within 0\.2 s"):
            await client.get(NODES, "n")
        api.always("get", cut)
        with pytest.raises(UnreachableError, match="nodes/n: Server disconnected"):
            await client.get(NODES, "n")
        api.always("get", stream(b'{"meta', then=cut))
        with pytest.raises(UnreachableError, match="nodes/n: "):
            await client.get(NODES, "n")
    nobody = Access(server="http://127.0.0.1:1")
    async with Client(nobody, user_agent="t") as client:
        with pytest.raises(UnreachableError, match="Connect"):
            await client.get(NODES, "n")


async def test_token_after_401(api: FakeApi, tmp_path: Path) -> None:
    """After a 401 the token's file is read again and the request tried once more, not twice."""
    file = tmp_path / "token"
    file.write_text("old")

    async def rotate(request: web.Request) -> web.StreamResponse:
        file.write_text("new")
        return await refuse(401, "Unauthorized")(request)

    async with Client(api.access(token_file=file), user_agent="t") as client:
        api.put("a")
        api.once("list", rotate)
        assert len((await client.list(KIND)).items) == 1
        assert [asked.headers["Authorization"] for asked in api.asked] == [
            "Bearer old",
            "Bearer new",
        ]
        api.always("list", refuse(401, "Unauthorized"))
        with pytest.raises(ApiError) as caught:
            await client.list(KIND)
    assert caught.value.status == 401
    assert len(api.asked) == 4


async def test_unserved(api: FakeApi, client: Client) -> None:
    """A kind is unserved if discovery lacks it or its group; other refusals are errors."""
    found = answer({"kind": "APIResourceList", "resources": [{"name": "speakers"}]})
    api.once("get", found)
    assert await client.unserved([SPEAKERS, KIND]) == (KIND,)
    assert [asked.path for asked in api.asked] == ["/apis/vip-operator.io/v1alpha1"]
    assert await client.unserved([SPEAKERS]) == (SPEAKERS,)
    api.once("get", refuse(503))
    with pytest.raises(ApiError, match="503"):
        await client.unserved([SPEAKERS])


def self_signed(folder: Path, name: str) -> Path:
    """Make a certificate for loopback that vouches for itself, NAME.crt, and its key, NAME.key."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    names = f"-subj /CN={name} -addext subjectAltName=IP:127.0.0.1"
    certificate = folder / f"{name}.crt"
    subprocess.run(
        [*f"{command} {names} -keyout".split(), folder / f"{name}.key", "-out", certificate],
        check=True,
        capture_output=True,
    )
    return certificate


async def test_renewed_certificates(tmp_path: Path) -> None:
    """A server that nobody vouches for is refused until its issuer is in the file of issuers."""
    served, other = self_signed(tmp_path, "served"), self_signed(tmp_path, "other")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(served, tmp_path / "served.key")
    ca_file = tmp_path / "ca.crt"
    ca_file.write_bytes(other.read_bytes())
    async with (
        serving(FakeApi(), tls=tls) as api,
        Client(api.access(ca_file=ca_file), user_agent="t") as client,
    ):
        for _again in range(2):
            with pytest.raises(UnreachableError, match="certificate"):
                await client.list(KIND)
            ca_file.write_bytes(served.read_bytes())
        assert (await client.list(KIND)).items == ()


async def test_unusable_access(tmp_path: Path) -> None:
    """Files that TLS cannot use are told when the client is opened."""
    with pytest.raises(AccessError, match="missing"):
        async with Client(Access(server="https://a", ca_file=tmp_path / "missing"), user_agent="t"):
            pass
