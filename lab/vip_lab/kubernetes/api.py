"""A synchronous client of the API server for tests: milliseconds per call, also into a namespace.

kubectl is what people type, but takes a tenth of a second each; a test that makes objects and
measures what follows uses this one.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from vip_kube.errors import ApiError, UnreachableError
from vip_kube.kinds import Kind
from vip_lab.kubernetes.place import Place

JsonObject = dict[str, Any]

_JSON = "application/json"
_MERGE_PATCH = "application/merge-patch+json"
_STRATEGIC_PATCH = "application/strategic-merge-patch+json"


class Api:
    """Speaks to one API server as one user; safe to use from several threads.

    Every method raises `ApiError` for an answer that is no success and `UnreachableError` where
    none came.

    Args:
        place: network to connect from.
        server: its URL.
        ca_file: certificate to trust.
        token: whose requests they are.
        timeout_seconds: for connecting, and for each read.
    """

    def __init__(
        self, place: Place, server: str, ca_file: Path, token: str, timeout_seconds: float = 15.0
    ) -> None:
        self._place = place
        parts = urlsplit(server)
        assert parts.hostname is not None
        assert parts.port is not None
        self._address = (parts.hostname, parts.port)
        self._context = ssl.create_default_context(cafile=str(ca_file))
        self._token = token
        self._timeout_seconds = timeout_seconds

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> JsonObject:
        """Return one object."""
        return self.ask("GET", kind.path(namespace, name))

    def find(self, kind: Kind, name: str, namespace: str | None = None) -> JsonObject | None:
        """Return one object, None if it is not there."""
        try:
            return self.get(kind, name, namespace)
        except ApiError as error:
            if error.not_found:
                return None
            raise

    def items(self, kind: Kind, namespace: str | None = None) -> list[JsonObject]:
        """Return every object of a kind, of one namespace or of all."""
        found = self.ask("GET", kind.path(namespace))["items"]
        return [{"apiVersion": kind.api_version, "kind": kind.name, **each} for each in found]

    def create(
        self, kind: Kind, body: JsonObject, parameters: Mapping[str, str] | None = None
    ) -> JsonObject:
        """Create an object; its metadata says in which namespace."""
        path = kind.path(body["metadata"].get("namespace"))
        return self.ask("POST", path, body, parameters=parameters)

    def replace(self, kind: Kind, body: JsonObject, subresource: str | None = None) -> JsonObject:
        """Write the whole object, or its status."""
        metadata = body["metadata"]
        path = kind.path(metadata.get("namespace"), metadata["name"], subresource)
        return self.ask("PUT", path, body)

    def patch(
        self,
        kind: Kind,
        name: str,
        patch: JsonObject,
        namespace: str | None = None,
        subresource: str | None = None,
        *,
        strategic: bool = False,
    ) -> JsonObject:
        """Merge into an object or its status; strategic merges lists too, for built-in kinds."""
        content_type = _STRATEGIC_PATCH if strategic else _MERGE_PATCH
        path = kind.path(namespace, name, subresource)
        return self.ask("PATCH", path, patch, content_type=content_type)

    def delete(
        self, kind: Kind, name: str, namespace: str | None = None, *, at_once: bool = False
    ) -> None:
        """Delete an object; one that is gone already is no error.

        Args:
            kind: of the object.
            name: of the object.
            namespace: of the object.
            at_once: without a grace period: a Pod that no kubelet confirms would stay.
        """
        options = {"gracePeriodSeconds": 0} if at_once else None
        try:
            self.ask("DELETE", kind.path(namespace, name), options)
        except ApiError as error:
            if not error.not_found:
                raise

    def delete_all(self, kind: Kind, namespace: str | None = None) -> None:
        """Delete every object of a kind, of one namespace or, if it has none, of the cluster."""
        self.ask("DELETE", kind.path(namespace))

    def ask(
        self,
        method: str,
        path: str,
        body: JsonObject | None = None,
        *,
        content_type: str = _JSON,
        parameters: Mapping[str, str] | None = None,
    ) -> JsonObject:
        """Send one request and return the object that answers it."""
        if parameters:
            path = f"{path}?{urlencode(parameters)}"
        status, content, retry_after = self._exchange(method, path, body, content_type)
        if status >= http.client.BAD_REQUEST:
            raise _error(status, content, retry_after)
        answer = json.loads(content)
        assert isinstance(answer, dict)
        return answer

    def text(self, path: str) -> str:
        """Return the answer to a GET that is no object, such as /readyz."""
        status, content, retry_after = self._exchange("GET", path, None, _JSON)
        if status >= http.client.BAD_REQUEST:
            raise _error(status, content, retry_after)
        return content.decode()

    # ---------------------------------------------------------------------------------------------

    def _exchange(
        self, method: str, path: str, body: JsonObject | None, content_type: str
    ) -> tuple[int, bytes, str | None]:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Accept": _JSON,
            "User-Agent": "vip-lab",
            "Content-Type": content_type,
        }
        content = None if body is None else json.dumps(body).encode()
        connection = _Connection(self._place, self._address, self._context, self._timeout_seconds)
        try:
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers.get("Retry-After")
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(f"{method} {path}: {error!r}") from error
        finally:
            connection.close()


class _Connection(http.client.HTTPConnection):
    """A TLS connection that begins in another network."""

    def __init__(
        self,
        place: Place,
        address: tuple[str, int],
        context: ssl.SSLContext,
        timeout_seconds: float,
    ) -> None:
        super().__init__(*address, timeout=timeout_seconds)
        self._place = place
        self._context = context

    def connect(self) -> None:
        connecting = self._place.open_socket()
        try:
            # Without it the answer to each request waits for a delayed acknowledgement.
            connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connecting.settimeout(self.timeout)
            connecting.connect((self.host, self.port))
            self.sock = self._context.wrap_socket(connecting, server_hostname=self.host)
        except BaseException:
            connecting.close()
            raise


def _error(status: int, content: bytes, retry_after: str | None) -> ApiError:
    seconds = float(retry_after) if retry_after else None
    try:
        answer = json.loads(content)
    except ValueError:
        return ApiError(status, "", content.decode(errors="replace"), seconds)
    if not isinstance(answer, dict):
        return ApiError(status, "", str(answer), seconds)
    return ApiError(status, answer.get("reason", ""), answer.get("message", ""), seconds)
