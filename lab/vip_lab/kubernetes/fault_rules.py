"""What a request to the API is, and which one gets a wrong answer. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
_RESOURCE = re.compile(
    r"^/(?:api/[^/]+|apis/[^/]+/[^/]+)"
    r"(?:/namespaces/[^/]+(?=/[^/]+))?/(?P<plural>[^/]+)(?P<name>/[^/]+)?"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A wrong answer and who gets it.

    Attributes:
        status: HTTP status.
        retry_after_seconds: what the header Retry-After says; None: no such header.
        path: regular expression, searched in the path without its query.
        verb: get, list, watch, create, update, patch or delete; None: all of them.
        in_stream: a watch gets 200 and the error as its first event, as when the API server finds
            out while it streams.
    """

    status: int
    retry_after_seconds: int | None = None
    path: str = ""
    verb: str | None = None
    in_stream: bool = False

    def applies(self, verb: str, path: str) -> bool:
        """Return whether a request gets this answer."""
        return self.verb in {None, verb} and re.search(self.path, path) is not None


def verb_of(method: str, path: str, query: Mapping[str, str]) -> str:
    """Return the verb of a request as roles spell it."""
    if method != "GET":
        return _VERBS.get(method, method.lower())
    if query.get("watch") in {"1", "true"}:
        return "watch"
    resource = _RESOURCE.match(path)
    return "list" if resource is not None and resource["name"] is None else "get"


def status_object(status: int) -> dict[str, Any]:
    """Return what the API server would say of such a failure."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"the fault proxy was told to answer {status}",
        "reason": _REASONS.get(status, "Unknown"),
        "code": status,
    }
