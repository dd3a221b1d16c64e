"""The fault proxy: what it does to requests is what it was told, and it remembers them."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from vip_kube.errors import ApiError, UnreachableError
from vip_kube.kinds import NODES, PODS, SERVICES
from vip_lab.kubernetes.control_plane import ControlPlane
from vip_lab.kubernetes.fault_proxy import FaultProxy
from vip_lab.kubernetes.fault_rules import verb_of
from vip_lab.kubernetes.objects import make_service
from vip_lab.wait import throughout, until


class Watch:
    """A watch of all Services, read by a thread."""

    def __init__(self, plane: ControlPlane, proxy: FaultProxy) -> None:
        port = int(proxy.server.rpartition(":")[2])
        context = ssl.create_default_context(cafile=str(plane.credentials.authority.certificate))
        plain = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket = context.wrap_socket(plain, server_hostname="127.0.0.1")
        self._socket.sendall(
            b"GET /api/v1/services?watch=true HTTP/1.1\r\nHost: proxy\r\n"
            b"Authorization: Bearer " + plane.credentials.token("admin").encode() + b"\r\n\r\n"
        )
        self.text = ""
        self.ended = False
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while chunk := self._socket.recv(65536):
                self.text += chunk.decode(errors="replace")
        self.ended = True

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):  # the proxy may have been quicker
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


@contextlib.contextmanager
def watching(plane: ControlPlane, proxy: FaultProxy) -> Iterator[Watch]:
    """Watch Services until the end of the block; begins once the first are there."""
    watch = Watch(plane, proxy)
    try:
        until("the first events", lambda: "ADDED" in watch.text, 30.0, show=lambda: watch.text)
        yield watch
    finally:
        watch.close()


@pytest.mark.parametrize(
    ("method", "path", "query", "verb"),
    [
        ("GET", "/api/v1/pods", {}, "list"),
        ("GET", "/api/v1/pods", {"watch": "1"}, "watch"),
        ("GET", "/api/v1/namespaces/shop/pods", {}, "list"),
        ("GET", "/api/v1/namespaces/shop/pods/web", {}, "get"),
        ("GET", "/api/v1/namespaces/shop/pods/web/status", {}, "get"),
        ("GET", "/api/v1/namespaces", {}, "list"),
        ("GET", "/api/v1/namespaces/shop", {}, "get"),
        ("GET", "/apis/vip-operator.io/v1alpha1/virtualrouters", {"watch": "true"}, "watch"),
        ("GET", "/apis/vip-operator.io/v1alpha1/virtualrouters/vip.shop.web", {}, "get"),
        ("GET", "/version", {}, "get"),
        ("POST", "/api/v1/namespaces/shop/pods", {}, "create"),
        ("PUT", "/api/v1/namespaces/shop/pods/web/status", {}, "update"),
        ("PATCH", "/api/v1/nodes/n1", {}, "patch"),
        ("DELETE", "/api/v1/nodes/n1", {}, "delete"),
    ],
)
def test_verbs(method: str, path: str, query: dict[str, str], verb: str) -> None:
    """A request's verb is what a role would have to allow."""
    assert verb_of(method, path, query) == verb


def test_what_passes_is_untouched_and_remembered(
    api: ControlPlane, proxy: FaultProxy, namespace: str
) -> None:
    """A list through the proxy is the API server's own, with the caller's rights."""
    make_service(api.api, namespace, "web")
    (service,) = proxy.api_as().items(SERVICES, namespace)
    assert service == api.api.get(SERVICES, "web", namespace)
    with pytest.raises(ApiError) as refused:
        proxy.api_as("nobody").items(NODES)
    assert refused.value.status == 403
    assert 'User "nobody"' in refused.value.message
    seen = [(each.verb, each.path, each.status, each.user_agent) for each in proxy.requests()]
    services = SERVICES.path(namespace)
    assert seen == [
        ("list", services, 200, "vip-lab"),
        ("list", "/api/v1/nodes", 403, "vip-lab"),
    ]
    assert time.monotonic() - 30 < proxy.requests()[0].time_seconds < time.monotonic()
    assert proxy.counts() == {("list", services): 1, ("list", "/api/v1/nodes"): 1}
    proxy.clear()
    assert proxy.requests() == []


def test_kubectl_goes_through_it(proxy: FaultProxy, namespace: str) -> None:
    """Kubectl with the proxy's kubeconfig writes and reads objects, and its requests are seen."""
    kubectl = proxy.kubectl()
    kubectl("create", "configmap", "note", "--from-literal=a=b", f"--namespace={namespace}")
    assert kubectl.get("configmap", "note", namespace)["data"] == {"a": "b"}
    assert proxy.requests(verb="create", path="/configmaps$", user_agent="^kubectl/")


def test_answers_by_verb_and_path(proxy: FaultProxy) -> None:
    """Only the requests that were named get the error, with its Retry-After; others pass."""
    proxy.answer(429, 7, path="/pods$", verb="list")
    proxy.answer(410, path="/nodes")
    with pytest.raises(ApiError) as too_many:
        proxy.api_as().items(PODS)
    assert (too_many.value.status, too_many.value.reason) == (429, "TooManyRequests")
    assert too_many.value.retry_after_seconds == 7
    with pytest.raises(ApiError) as gone:
        proxy.api_as().items(NODES)
    assert gone.value.gone
    assert proxy.api_as().items(SERVICES)
    proxy.pass_through()
    proxy.api_as().items(PODS)
    proxy.answer(503)
    with pytest.raises(ApiError) as unavailable:
        proxy.api_as().items(SERVICES)
    assert unavailable.value.status == 503


def test_an_error_inside_a_watch(api: ControlPlane, proxy: FaultProxy) -> None:
    """A watch can be told 410 as its first event, as the API server does for old revisions."""
    proxy.answer(410, verb="watch", in_stream=True)
    answer = proxy.api_as().text("/api/v1/pods?watch=true&resourceVersion=1")
    event = json.loads(answer)
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
    assert proxy.requests(verb="watch")[0].status == 200


def test_refusing(api: ControlPlane, proxy: FaultProxy) -> None:
    """A proxy that refuses ends open watches and takes no connection until it is told to."""
    with watching(api, proxy) as watch:
        proxy.refuse()
        until("the watch to end", lambda: watch.ended, 30.0)
    with pytest.raises(UnreachableError, match="ConnectionRefusedError"):
        proxy.api_as().items(SERVICES)
    proxy.pass_through()
    assert proxy.api_as().items(SERVICES)


def test_hanging(api: ControlPlane, proxy: FaultProxy, namespace: str) -> None:
    """A proxy that hangs answers nobody, stalls open watches, and goes on where it stopped."""
    with watching(api, proxy) as watch, ThreadPoolExecutor(1) as threads:
        proxy.hang()
        make_service(api.api, namespace, "late")
        listing = threads.submit(proxy.api_as().items, SERVICES, namespace)
        until("the list to be asked for", lambda: proxy.requests(verb="list"), 30.0)
        throughout(
            "nobody is answered",
            lambda: "late" not in watch.text and not listing.done(),
            0.3,
            show=lambda: (watch.text, listing),
        )
        assert [each.status for each in proxy.requests(verb="list")] == [None]
        assert not watch.ended
        proxy.pass_through()
        until("the watch to go on", lambda: "late" in watch.text, 30.0)
        assert [each["metadata"]["name"] for each in listing.result()] == ["late"]


def test_cutting_watches(api: ControlPlane, proxy: FaultProxy) -> None:
    """Open watches are reset, and a new one is accepted at once."""
    with watching(api, proxy) as watch:
        proxy.cut_watches()
        until("the watch to end", lambda: watch.ended, 30.0)
    with watching(api, proxy):
        pass


def test_without_an_api_server_connections_break(proxy: FaultProxy, api: ControlPlane) -> None:
    """While the API server is stopped, the proxy answers nothing rather than something untrue."""
    api.stop_api()
    try:
        with pytest.raises(UnreachableError):
            proxy.api_as().items(SERVICES)
    finally:
        api.start_api()
    assert proxy.api_as().items(SERVICES)
