"""The bearer token of a request, also while the file that holds it is exchanged."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from vip_kube.access import Access
from vip_kube.errors import UnreachableError

# A file system need not tell every change by time, size and inode; this bounds how long we err.
REREAD_AFTER_SECONDS = 60.0


class TokenSource:
    """Gives the token that is valid now, as far as the file says.

    Args:
        access: whose token.
        clock: monotonic seconds.
    """

    def __init__(self, access: Access, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = access.token_file
        self._token = access.token
        self._clock = clock
        self._stamp: tuple[int, int, int] | None = None
        self._read_at = 0.0

    def token(self) -> str | None:
        """Return the token, None for an access without one.

        Raises:
            UnreachableError: the file cannot be read or is empty, and always was.
        """
        if self._file is None:
            return self._token
        try:
            self._reread_if_changed(self._file)
        except (OSError, UnicodeDecodeError) as error:
            # In the middle of an exchange the old token is most likely good still.
            if self._token is None:
                raise UnreachableError(f"the token file cannot be read: {error}") from error
        if self._token is None:
            raise UnreachableError(f"the token file {self._file} is empty")
        return self._token

    def distrust(self) -> bool:
        """Read the file anew next time, after a 401; return whether that can change anything."""
        self._stamp = None
        return self._file is not None

    def _reread_if_changed(self, file: Path) -> None:
        # stat follows links: a projected token changes by a link that is pointed elsewhere.
        status = file.stat()
        stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        fresh = self._clock() - self._read_at < REREAD_AFTER_SECONDS
        if stamp == self._stamp and fresh:
            return
        token = file.read_text(encoding="utf-8").strip()
        if token:  # one that is being written may be empty for a moment
            self._token, self._stamp, self._read_at = token, stamp, self._clock()
