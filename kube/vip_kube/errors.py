"""What can go wrong between us and the API."""

from __future__ import annotations


class AccessError(ValueError):
    """The API cannot be addressed: no kubeconfig, no service account, an unusable one.

    The text names the file and the way out.
    """


class UnreachableError(Exception):
    """No answer came: refused, reset, timed out, cut off, TLS failed. It may have been done."""


class ApiError(Exception):
    """The API server answered that it did not do it.

    Attributes:
        status: HTTP status.
        reason: one CamelCase word of the API server, such as Conflict; empty without one.
        message: the API server's sentence.
        retry_after_seconds: when it wants to be asked again; None if it does not say.
    """

    def __init__(
        self,
        status: int,
        reason: str = "",
        message: str = "",
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(f"{status} {reason}: {message}" if reason else f"{status} {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after_seconds = retry_after_seconds

    @property
    def not_found(self) -> bool:
        """There is no such object, or no such kind."""
        return self.status == 404

    @property
    def already_exists(self) -> bool:
        """An object of this name is there already."""
        return self.status == 409 and self.reason == "AlreadyExists"

    @property
    def conflict(self) -> bool:
        """The object is not what the writer thought it was."""
        return self.status == 409 and self.reason != "AlreadyExists"

    @property
    def gone(self) -> bool:
        """The resourceVersion is too old: list anew."""
        return self.status == 410

    @property
    def test_failed(self) -> bool:
        """A `test` of a JSON patch did not hold, or the result is invalid (both are 422)."""
        return self.status == 422
